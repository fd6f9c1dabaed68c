"""Statements that are sent to PostgreSQL's driver itself: for what every phone asks all the time.

Through SQLAlchemy a statement costs five times the processor time that the driver needs for it.
Nothing is written here, and nothing is kept: a read sees what was committed before it began.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import asyncpg

from parking.kit.one_statement import OneStatement

CONNECTIONS_MAX: Final = 8
# A connection that PostgreSQL closed says so only when it is used: all may have been closed.
TRIES_MAX: Final = CONNECTIONS_MAX + 1
# Those of one screen, one sign-in and some more.
STATEMENTS_CACHED_MAX: Final = 64
# Connection lost, no resources, an operator stopped it, its own files.
_AWAY: Final = ("08", "53", "57", "58")

Row = Mapping[str, Any]


class QuickReads:
    """A few connections that are opened when first needed.

    Args:
        url: As the driver takes it.
        wait_s: How long to wait for a connection.
        connect_timeout_s: To open one.
        statement_timeout_s: For the answer.
    """

    def __init__(
        self, url: str, *, wait_s: float, connect_timeout_s: float, statement_timeout_s: float
    ) -> None:
        self._url = url
        self._wait_s = wait_s
        self._options: dict[str, Any] = {
            "timeout": connect_timeout_s,
            "command_timeout": statement_timeout_s,
            "statement_cache_size": STATEMENTS_CACHED_MAX,
        }
        # The driver's own pool makes a task for each statement; the driver does not type itself.
        self._free: list[Any] = []
        self._places = asyncio.Semaphore(CONNECTIONS_MAX)
        self._is_closed = False
        # How many statements were sent, for whoever counts them.
        self.sent = 0

    async def fetch(self, statement: OneStatement, values: Mapping[str, object]) -> Sequence[Row]:
        """Return the rows of a statement that only reads.

        Raises:
            OSError: PostgreSQL cannot be reached, or went away.
            TimeoutError: it does not answer.
        """
        given = statement.given(values)
        for _ in range(TRIES_MAX - 1):
            try:
                return await self._fetch(statement.sql, given)
            except ConnectionError:
                # It read only: another connection takes the lost one's place.
                continue
        return await self._fetch(statement.sql, given)

    async def close(self) -> None:
        """Close every connection; one that is in use closes when it comes back."""
        self._is_closed = True
        while self._free:
            connection = self._free.pop()
            try:
                await connection.close(timeout=self._wait_s)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()

    async def _fetch(self, sql: str, given: Sequence[object]) -> Sequence[Row]:
        if self._places.locked():
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        else:
            await self._places.acquire()
        connection = None
        is_whole = False
        try:
            connection = self._take() or await self._open()
            self.sent += 1
            rows: Sequence[Row] = await connection.fetch(sql, *given)
            is_whole = True
        except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            # The latter: PostgreSQL's farewell came in between, and the driver lost the thread.
            raise ConnectionError("the connection cannot be used") from error
        except asyncpg.PostgresError as error:
            if not str(getattr(error, "sqlstate", "")).startswith(_AWAY):
                raise
            raise ConnectionError("PostgreSQL is away") from error
        finally:
            self._places.release()
            if connection is not None:
                self._give_back(connection, is_whole=is_whole)
        return rows

    def _take(self) -> Any:  # noqa: ANN401 - see above
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        return None

    def _give_back(self, connection: Any, *, is_whole: bool) -> None:  # noqa: ANN401 - see above
        # Whoever broke off in the middle leaves it in no state to be used again.
        if is_whole and not self._is_closed:
            self._free.append(connection)
        else:
            connection.terminate()

    async def _open(self) -> Any:  # noqa: ANN401 - see above
        try:
            return await cast("Any", asyncpg).connect(self._url, **self._options)
        except asyncpg.ObjectNotInPrerequisiteStateError as error:
            # It takes nobody in, while somebody restores or moves it.
            raise ConnectionError("PostgreSQL takes nobody in") from error

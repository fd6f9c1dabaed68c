"""Statements that are sent to PostgreSQL's driver itself: for what every phone asks all the time.

Through SQLAlchemy a statement costs five times the processor time that the driver needs for it.
Nothing is written here, and nothing is kept: a read sees what was committed before it began.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import asyncpg

from parking.kit.one_statement import OneStatement

CONNECTIONS_MAX: Final = 4
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
        self._limits = {"timeout": connect_timeout_s, "command_timeout": statement_timeout_s}
        # The driver does not say what its types are.
        self._pool: Any = None
        self._opening = asyncio.Lock()
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
                # It read only: the pool opens another connection in the lost one's place.
                continue
        return await self._fetch(statement.sql, given)

    async def close(self) -> None:
        """Close every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                async with asyncio.timeout(self._wait_s):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    async def _fetch(self, sql: str, given: Sequence[object]) -> Sequence[Row]:
        pool = self._pool or await self._open()
        try:
            async with pool.acquire(timeout=self._wait_s) as connection:
                self.sent += 1
                try:
                    return await connection.fetch(sql, *given)
                except asyncpg.InternalClientError as error:
                    # PostgreSQL's farewell came in between: the driver lost the thread.
                    connection.terminate()
                    raise ConnectionError("the connection broke") from error
        except asyncpg.InterfaceError as error:
            raise ConnectionError("the connection cannot be used") from error
        except asyncpg.PostgresError as error:
            if not str(getattr(error, "sqlstate", "")).startswith(_AWAY):
                raise
            raise ConnectionError("PostgreSQL is away") from error

    async def _open(self) -> Any:  # noqa: ANN401 - see above
        async with self._opening:
            if self._pool is None:
                self._pool = await cast("Any", asyncpg).create_pool(
                    self._url,
                    min_size=0,
                    max_size=CONNECTIONS_MAX,
                    statement_cache_size=STATEMENTS_CACHED_MAX,
                    reset=_leave_as_it_is,
                    **self._limits,
                )
            return self._pool


async def _leave_as_it_is(_connection: object) -> None:
    """Spare a round trip: a statement that only reads leaves nothing behind."""

"""The connection pool, and the unit of work: one use case, one transaction, one commit."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

from sqlalchemy import URL, CursorResult, Executable, Table, bindparam, make_url, text
from sqlalchemy import Row as ResultRow
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.event import listen, listens_for
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    InterfaceError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.orm import ORMExecuteState
from sqlmodel import Session, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from parking.kit.clock import Clock
from parking.kit.columns import Row
from parking.kit.crypto import Vault
from parking.kit.errors import InvalidInputError, ParkingError, UnavailableError
from parking.kit.one_statement import OneStatement
from parking.kit.quick_reads import QuickReads
from parking.kit.quick_reads import Row as QuickRow

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 10
POOL_WAIT_S = 5
# Statements of one form that are kept: one for each table, and some.
STATEMENTS_MAX = 256
# Serialization failure and deadlock: PostgreSQL rolled one of two rivals back.
_LOST_RACES = frozenset({"40001", "40P01"})
# It shuts down, crashed, is starting up, or has no connection left: it will be there again.
_AWAY = frozenset({"57P01", "57P02", "57P03"})
# To whoever connects: the database takes nobody in, while somebody restores or moves it. To a
# statement it says that the statement came too early, which is a defect.
_CLOSED = "55000"
_READ_ONLY = "it is read-only"
# It answers, and cannot do its work until somebody mends it: whatever waits has to wait on, and
# must not be taken for something that is wrong itself.
_STUCK = {
    "25006": _READ_ONLY,
    "42703": "its schema is of another version: sesame migrate",
    "42P01": "its schema is of another version: sesame migrate",
    "53100": "its disk is full",
}
# Out of memory, files or connections; its own files cannot be read or written.
_STUCK_CLASSES = ("53", "58")
# The character U+0000, which is valid everywhere else: in a text, and in JSON.
_NO_TEXT = frozenset({"22021", "22P05"})

Locked = TypeVar("Locked", bound=Row)


class DatabaseUnavailableError(UnavailableError):
    """PostgreSQL cannot be reached, or went away in the middle; nothing was committed."""

    code = "DATABASE_UNAVAILABLE"


class ConflictError(ParkingError):
    """Another transaction was first; the same call again sees what it did."""

    code = "CONFLICT"
    retryable = True


class UnitOfWork:
    """What one use case works with: rows in one transaction, the clock, the vault."""

    def __init__(self, session: AsyncSession, *, clock: Clock, vault: Vault) -> None:
        self.session = session
        self.clock = clock
        self.vault = vault
        self.has_events = False
        # Rank in LOCK_ORDER of the last row locked: see parking.kit.locks.
        self.lock_rank = 0
        self._last: list[tuple[tuple[str, UUID], Callable[[], Awaitable[None]]]] = []

    def now(self) -> datetime:
        """Return the clock's time, in UTC."""
        return self.clock.now()

    async def ping(self) -> None:
        """Make sure that the database answers, and takes what it is told.

        Raises:
            DatabaseUnavailableError: it does not.
        """
        if (await self.run(text("SHOW transaction_read_only"))).scalar() != "off":
            raise DatabaseUnavailableError(f"PostgreSQL cannot work: {_READ_ONLY}")

    async def run(
        self, statement: Executable, values: Mapping[str, object] | None = None
    ) -> CursorResult[Any]:
        """Execute a statement in this transaction, after the rows added so far."""
        return await (await self._connection()).execute(statement, values or {})

    async def ask(self, statement: OneStatement, values: Mapping[str, object]) -> CursorResult[Any]:
        """Execute a statement of the driver's own form, as `run` does."""
        connection = await self._connection()
        return await connection.exec_driver_sql(statement.sql, statement.given(values))

    async def _connection(self) -> AsyncConnection:
        session = self.session
        if session.new or session.dirty or session.deleted:
            await session.flush()
        return await session.connection()

    async def insert_once(self, row: type[Row], values: Mapping[str, Any]) -> None:
        """Insert a row, unless its key exists."""
        await self.insert_new(row, values)

    async def insert_new(self, row: type[Row], values: Mapping[str, Any]) -> bool:
        """Insert a row, unless its key exists; returns whether it did not."""
        table = row.metadata.tables[row.__tablename__]
        return (await self.run(_inserting(table), values)).rowcount == 1

    def at_end(self, key: tuple[str, UUID], action: Callable[[], Awaitable[None]]) -> None:
        """Run `action` right before the commit; it may still refuse it.

        For a row that many write: it stays locked for the commit only, and whoever writes several
        does so in the order of their keys, so that no two wait for each other.

        Args:
            key: Table and row.
            action: Writes that row and nothing else that others wait for.
        """
        self._last.append((key, action))

    async def finish(self) -> None:
        """Run what was left for the end."""
        while self._last:
            due = sorted(self._last, key=lambda item: item[0])
            self._last = []
            for _, action in due:
                await action()

    async def lock_row(
        self, row: type[Locked], key: Mapping[str, UUID], *, shared: bool = False
    ) -> Locked | None:
        """Lock one row; for `parking.kit.locks.lock`, which keeps the order."""
        # A class can be hashed, although its rows cannot.
        statement = _locking(row, tuple(key), shared)  # pyright: ignore[reportArgumentType]
        return (await self.session.exec(statement, params=key)).one_or_none()


class Witness(Protocol):
    """Whoever writes into each transaction of what is under way, in the same commit."""

    async def before_commit(self, unit: UnitOfWork) -> None:
        """Write, as the last statement."""
        ...

    def after_commit(self) -> None:
        """Learn that it is stored."""
        ...


witness: ContextVar[Witness | None] = ContextVar("witness", default=None)


# Built once: a car locks a dozen rows, and to build a statement takes as long as to send it.
@lru_cache(STATEMENTS_MAX)
def _locking(
    row: type[Locked],
    key: tuple[str, ...],
    shared: bool,  # noqa: FBT001 - what is kept is found by position
) -> SelectOfScalar[Locked]:
    return (
        select(row)
        .where(*(col(getattr(row, name)) == bindparam(name) for name in key))
        .with_for_update(read=shared)
        .execution_options(populate_existing=True)
    )


@lru_cache(STATEMENTS_MAX)
def _inserting(table: Table) -> Insert:
    return insert(table).on_conflict_do_nothing()


class Database:
    """A pool of connections to PostgreSQL.

    Args:
        url: `postgresql://…`, as in DATABASE_URL.
        clock: Given to every unit of work.
        vault: Given to every unit of work.
        connections_max: The pool's size; a caller waits up to POOL_WAIT_S for one.
        after_events: Called after a commit that carried events, so that the relay wakes at once.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        vault: Vault,
        connections_max: int = 10,
        after_events: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.clock = clock
        self.vault = vault
        self.after_events = after_events
        self._engine = create_async_engine(
            driver_url(url),
            pool_size=connections_max,
            max_overflow=0,
            pool_timeout=POOL_WAIT_S,
            connect_args={"timeout": CONNECT_TIMEOUT_S, "command_timeout": STATEMENT_TIMEOUT_S},
            # An error names the statement, and never what somebody wrote: it goes to the log.
            hide_parameters=True,
        )
        listen(self._engine.sync_engine, "checkout", _require_open)
        self._each_alone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self.quick_reads = QuickReads(
            driver_url(url).set(drivername="postgresql").render_as_string(hide_password=False),
            wait_s=POOL_WAIT_S,
            connect_timeout_s=CONNECT_TIMEOUT_S,
            statement_timeout_s=STATEMENT_TIMEOUT_S,
        )

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[UnitOfWork]:
        """Open a unit of work; it commits when the block ends and rolls back when it raises.

        Raises:
            DatabaseUnavailableError: the connection could not be had, or was lost, or PostgreSQL
                cannot do its work.
            ConflictError: a constraint refused the rows.
            InvalidInputError: a text that was to be stored has a zero character.
        """
        unit = UnitOfWork(
            AsyncSession(self._engine, expire_on_commit=False), clock=self.clock, vault=self.vault
        )
        with _named_errors():
            async with unit.session, unit.session.begin():
                yield unit
                await unit.finish()
                seen_by = witness.get()
                if seen_by is not None:
                    await seen_by.before_commit(unit)
            if seen_by is not None:
                seen_by.after_commit()
        await self.tell_events(unit)

    @asynccontextmanager
    async def statements(self) -> AsyncGenerator[AsyncSession]:
        """Open a session whose statements commit one by one, and that writes nothing by itself.

        For `parking.kit.follow_up`; errors as in `begin`.
        """
        with _named_errors():
            async with AsyncSession(
                self._each_alone,
                sync_session_class=_Unwritten,
                expire_on_commit=False,
                autoflush=False,
            ) as session:
                yield session

    async def run_alone(
        self, statement: OneStatement, values: Mapping[str, object]
    ) -> ResultRow[Any]:
        """Execute a statement that commits by itself; returns its one row.

        It takes one round trip, and a fifth of the processor time of a unit of work: for what
        every car causes. Errors as in `begin`.
        """
        return (await self.read_alone(statement, values))[0]

    async def read_alone(
        self, statement: OneStatement, values: Mapping[str, object]
    ) -> Sequence[ResultRow[Any]]:
        """Return every row of a statement that is a transaction by itself; see `run_alone`."""
        with _named_errors():
            async with self._each_alone.connect() as connection:
                found = await connection.exec_driver_sql(statement.sql, statement.given(values))
                return found.all()

    async def read_quickly(
        self, statement: OneStatement, values: Mapping[str, object]
    ) -> Sequence[QuickRow]:
        """Return the rows of a statement that only reads, as the driver gives them.

        For what every phone asks all the time; errors as in `begin`.
        """
        try:
            return await self.quick_reads.fetch(statement, values)
        except Exception:
            with _named_errors():
                raise

    async def tell_events(self, unit: UnitOfWork) -> None:
        """Wake the relay, if a unit of work that has ended wrote events."""
        if unit.has_events:
            await self.wake_relay()

    async def wake_relay(self) -> None:
        """Say that a commit carried events."""
        if self.after_events is not None:
            await self.after_events()

    async def close(self) -> None:
        """Close every connection."""
        await self.quick_reads.close()
        await self._engine.dispose()


def _require_open(connection: DBAPIConnection, *_: object) -> None:
    """Let the pool connect anew in place of a connection that PostgreSQL has closed.

    The driver knows it without asking: after a crash or a failover the first use of each pooled
    connection would fail instead.
    """
    if cast("Any", connection).driver_connection.is_closed():
        raise DisconnectionError("PostgreSQL closed it")


class _Unwritten(Session):
    """A session whose rows hold changes that the database does not have yet."""


@listens_for(_Unwritten, "do_orm_execute")
def _keep_changes(state: ORMExecuteState) -> None:
    """Let no read overwrite them, whatever it asks for."""
    state.update_execution_options(populate_existing=False)


@contextmanager
def _named_errors() -> Generator[None]:
    try:
        yield
    except (InterfaceError, OSError, TimeoutError, PoolTimeoutError) as error:
        raise DatabaseUnavailableError("PostgreSQL does not answer") from error
    except IntegrityError as error:
        raise ConflictError("another change came first") from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state in _LOST_RACES:
            raise ConflictError("another change came first") from error
        if state in _NO_TEXT:
            raise InvalidInputError("text", "no zero characters (U+0000)") from error
        why = _why_stuck(state)
        if why is not None:
            raise DatabaseUnavailableError(f"PostgreSQL cannot work: {why}") from error
        is_closed = state == _CLOSED and error.statement is None
        if state not in _AWAY and not is_closed and not error.connection_invalidated:
            raise
        raise DatabaseUnavailableError("the connection to PostgreSQL was lost") from error


def _why_stuck(state: str | None) -> str | None:
    if state is None or not (state in _STUCK or state.startswith(_STUCK_CLASSES)):
        return None
    return _STUCK.get(state, f"SQLSTATE {state}")


def driver_url(url: str) -> URL:
    """Return `url` for the asyncpg driver, whatever PostgreSQL scheme it was written with.

    Raises:
        InvalidInputError: it is no address.
    """
    try:
        parsed: Any = make_url(url)
    except (ArgumentError, ValueError):
        # Without the cause, which has the password in it.
        expected = "an address: postgresql://user:password@host:5432/name"
        raise InvalidInputError("DATABASE_URL", expected) from None
    return parsed.set(drivername="postgresql+asyncpg")

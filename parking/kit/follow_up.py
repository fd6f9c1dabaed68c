"""A unit of work in one round trip: for rows that were read a moment ago and still say the same.

What a use case reads, decides and writes is usually a talk of many turns with PostgreSQL. Where
the caller has just seen every row that matters, `FollowUp` collects what the same use case would
write and sends it as one statement, which writes all of it or, if a row says something else by
now, nothing. docs/decisions/0008 says why. For a bill that is locked and changed while its stay is
only locked, and a new event, the statement reads:

    WITH held_0 AS (SELECT 1 FROM bills WHERE id = … AND state IS NOT DISTINCT FROM … FOR UPDATE),
         held_1 AS (SELECT 1 FROM sessions WHERE id = … AND … FOR UPDATE),
         checked AS (SELECT (SELECT count(*) FROM held_0) + (…held_1) = 2 AS is_unchanged),
         changed_0 AS (UPDATE bills SET state = … WHERE id = … AND (SELECT is_unchanged …)),
         added_0 AS (INSERT INTO outbox SELECT … WHERE (SELECT is_unchanged …))
    SELECT is_unchanged FROM checked
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, TypeVar
from typing import cast as cast_type
from uuid import UUID

from sqlalchemy import (
    CTE,
    BindParameter,
    Column,
    ColumnElement,
    CursorResult,
    Executable,
    Integer,
    Label,
    Table,
    TextClause,
    bindparam,
    cast,
    func,
    inspect,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel.ext.asyncio.session import AsyncSession

from parking.kit.clock import Clock
from parking.kit.columns import Json, Row
from parking.kit.crypto import Vault
from parking.kit.database import ConflictError, Database, UnitOfWork

# Each is a combination of tables and columns that some use case writes.
SHAPES_MAX = 256
_DIALECT = PGDialect(paramstyle="named")
_ONE: Label[int] = literal_column("1", Integer).label("one")

Known = TypeVar("Known", bound=Row)


@asynccontextmanager
async def follow_up(database: Database, *known: Row) -> AsyncGenerator[UnitOfWork]:
    """Open a unit of work on rows that were just seen; it writes when the block ends.

    Raises:
        DatabaseUnavailableError: as in `Database.begin`.
        ConflictError: a row says something else by now, or the work needs more than this can do;
            nothing was written, and the ordinary way is open.
    """
    async with database.statements() as session:
        unit = FollowUp(session, clock=database.clock, vault=database.vault, known=known)
        yield unit
        await unit.finish()
    await database.tell_events(unit)


class FollowUp(UnitOfWork):
    """Writes at its end, in one statement, if every row that it locked or changed is unchanged.

    Reading other rows is allowed and costs a round trip each. Whatever it cannot do raises
    `ConflictError`, so that the caller takes the ordinary way: locking a row that it does not
    know, deleting, and statements that write by themselves.

    Two that hold the same row and change nothing of it both succeed: what must happen once has to
    change a row that it holds.

    Args:
        session: On a connection that commits each statement; it must not flush by itself.
        known: Rows as units of work left them that are closed.
    """

    def __init__(
        self, session: AsyncSession, *, clock: Clock, vault: Vault, known: tuple[Row, ...]
    ) -> None:
        super().__init__(session, clock=clock, vault=vault)
        self._held: dict[int, tuple[Row, bool]] = {}
        self._once: list[tuple[type[Row], Mapping[str, Any]]] = []
        session.add_all(known)

    async def lock_row(
        self, row: type[Known], key: Mapping[str, UUID], *, shared: bool = False
    ) -> Known | None:
        """Return a known row; it must still say the same when this unit ends."""
        mapper = inspect(row)
        identity = tuple(key[column.name] for column in mapper.primary_key)
        found = self.session.identity_map.get(mapper.identity_key_from_primary_key(identity))
        if not isinstance(found, row):
            raise ConflictError(f"{row.__tablename__}: expected one that was just read")
        _, was_shared = self._held.get(id(found), (found, True))
        self._held[id(found)] = (found, shared and was_shared)
        return found

    async def run(
        self, statement: Executable, values: Mapping[str, object] | None = None
    ) -> CursorResult[Any]:
        """Read; what writes by itself is not done here."""
        if not statement.is_select:
            raise ConflictError("statement: expected one that only reads")
        connection = await self.session.connection()
        return await connection.execute(statement, values or {})

    async def insert_once(self, row: type[Row], values: Mapping[str, Any]) -> None:
        """Insert a row with the others, unless its key exists."""
        self._once.append((row, values))

    async def finish(self) -> None:
        """Write everything.

        Raises:
            ConflictError: a row changed meanwhile; nothing was written, and the known rows read
                as they did before.
        """
        if self.session.deleted:
            raise ConflictError("row: expected none to be deleted")
        changed = [row for row in self.session.dirty if _changes(row)]
        added = list(self.session.new)
        is_done = False
        try:
            if changed or added or self._once:
                connection = await self.session.connection()
                answer = await connection.execute(*self._statement(changed, added))
                is_done = bool(answer.scalar_one())
            else:
                is_done = True
        finally:
            if not is_done:
                self._restore(changed)
        if not is_done:
            raise ConflictError("another change came first")
        self._settle(changed, added)

    def _statement(self, changed: list[Row], added: list[Row]) -> tuple[TextClause, dict[str, Any]]:
        held = {**self._held, **{id(row): (row, False) for row in changed}}
        updates = [(row, _changes(row)) for row in changed]
        new = [(type(row), _content(row), False) for row in added]
        new += [(kind, values, True) for kind, values in self._once]
        values: dict[str, Any] = {}
        for number, (row, _) in enumerate(held.values()):
            before = _content(row) | {key: old for key, (old, _) in _changes(row).items()}
            values |= {f"held_{number}_{key}": value for key, value in before.items()}
        for number, (row, changes) in enumerate(updates):
            values |= {f"key_{number}_{key}": getattr(row, key) for key in _key_names(type(row))}
            values |= {f"changed_{number}_{key}": now for key, (_, now) in changes.items()}
        for number, (_, content, _) in enumerate(new):
            values |= {f"added_{number}_{key}": value for key, value in content.items()}
        statement = _statement_of(
            tuple((type(row), shared) for row, shared in held.values()),
            tuple((type(row), tuple(changes)) for row, changes in updates),
            tuple((kind, tuple(content), once) for kind, content, once in new),
        )
        return statement, values

    def _restore(self, changed: list[Row]) -> None:
        for row in changed:
            for name, (before, _) in _changes(row).items():
                set_committed_value(row, name, before)
        self.session.expunge_all()

    def _settle(self, changed: list[Row], added: list[Row]) -> None:
        """Let the rows read as if a session had written them."""
        for row in changed:
            for name, (_, now) in _changes(row).items():
                set_committed_value(row, name, now)
        self.session.expunge_all()
        for row in added:
            make_transient_to_detached(row)


def _changes(row: Row) -> dict[str, tuple[Any, Any]]:
    """Return what a row said before and says now, by attribute."""
    state = inspect(row)
    changes: dict[str, tuple[Any, Any]] = {}
    # Only these were set since the row was read: asking for the history of all takes its time.
    for name in tuple(state.committed_state):
        history = state.attrs[name].history
        if history.has_changes():
            if not history.deleted:
                raise ConflictError(f"{name}: expected one that was read before")
            changes[name] = (history.deleted[0], history.added[0])
    return changes


def _content(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in inspect(type(row)).columns.keys()}  # noqa: SIM118


def _key_names(row: type[Row]) -> list[str]:
    return [column.name for column in _table(row).primary_key]


@lru_cache(maxsize=SHAPES_MAX)
def _statement_of(
    held: tuple[tuple[type[Row], bool], ...],
    changed: tuple[tuple[type[Row], tuple[str, ...]], ...],
    added: tuple[tuple[type[Row], tuple[str, ...], bool], ...],
) -> TextClause:
    """Return the statement for rows of these tables and columns; their values are its parameters.

    As text, because building and comparing so large an expression takes longer than running it.
    """
    binds = _Binds()
    guards = [
        _guard(row, f"held_{number}", binds, shared=shared)
        for number, (row, shared) in enumerate(held)
    ]
    found: ColumnElement[int] = literal_column("0")
    for guard in guards:
        found = found + select(func.count()).select_from(guard).scalar_subquery()
    is_unchanged = found == literal_column(str(len(guards)))
    checked = select(is_unchanged.label("is_unchanged")).cte("checked")
    writes = [
        *(
            _update(row, names, number, checked, binds)
            for number, (row, names) in enumerate(changed)
        ),
        *(
            _insert(row, names, f"added_{number}", checked, binds, once=once)
            for number, (row, names, once) in enumerate(added)
        ),
    ]
    statement = select(checked.c.is_unchanged).add_cte(*writes)
    return text(str(statement.compile(dialect=_DIALECT))).bindparams(*binds.typed)


class _Binds:
    """The parameters of a statement that is built as text, each with its column's type."""

    def __init__(self) -> None:
        self.typed: list[BindParameter[Any]] = []

    def of(self, prefix: str, column: Column[Any]) -> ColumnElement[Any]:
        name = f"{prefix}_{column.name}"
        self.typed.append(bindparam(name, type_=column.type))
        return literal_column(f":{name}", column.type)


def _guard(row: type[Row], name: str, binds: _Binds, *, shared: bool) -> CTE:
    """Lock the row, if all its columns but the JSON ones still say what was read.

    JSON has no order of its own to compare; what decides about a change is never in it alone.
    """
    table = _table(row)
    same = [
        # The key by plain equality, so that its index finds the row.
        column == binds.of(name, column)
        if column.primary_key
        else column.is_not_distinct_from(binds.of(name, column))
        for column in table.c
        if not isinstance(column.type, Json)
    ]
    locked = select(_ONE).select_from(table).where(*same)
    return locked.with_for_update(read=shared).cte(name)


def _update(
    row: type[Row], names: tuple[str, ...], number: int, checked: CTE, binds: _Binds
) -> CTE:
    table = _table(row)
    key = [column == binds.of(f"key_{number}", column) for column in table.primary_key]
    values = {name: binds.of(f"changed_{number}", table.c[name]) for name in names}
    statement = update(table).where(*key, _is_unchanged(checked)).values(values)
    return statement.returning(_ONE).cte(f"changed_{number}")


def _insert(
    row: type[Row], names: tuple[str, ...], name: str, checked: CTE, binds: _Binds, *, once: bool
) -> CTE:
    table = _table(row)
    values = [cast(binds.of(name, table.c[key]), table.c[key].type) for key in names]
    source = select(*values).where(_is_unchanged(checked))
    statement = insert(table).from_select(list(names), source)
    if once:
        statement = statement.on_conflict_do_nothing()
    return statement.returning(_ONE).cte(name)


def _is_unchanged(checked: CTE) -> ColumnElement[bool]:
    return select(checked.c.is_unchanged).scalar_subquery()


def _table(row: type[Row]) -> Table[Any]:
    return cast_type(Table[Any], inspect(row).local_table)

"""A unit of work in one round trip: for rows that were read a moment ago and still say the same.

What a use case reads, decides and writes is usually a talk of many turns with PostgreSQL. Where
the caller has just seen every row that matters, `FollowUp` collects what the same use case would
write and sends it as one statement, which writes all of it or, if a row says something else by
now, nothing.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from typing import cast as cast_type
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    CursorResult,
    Executable,
    Table,
    cast,
    func,
    inspect,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql.selectable import Select
from sqlmodel.ext.asyncio.session import AsyncSession

from parking.kit.clock import Clock
from parking.kit.columns import Json, Row
from parking.kit.crypto import Vault
from parking.kit.database import ConflictError, Database, UnitOfWork

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
                answer = await connection.execute(self._statement(changed, added))
                is_done = bool(answer.scalar_one())
            else:
                is_done = True
        finally:
            if not is_done:
                self._restore(changed)
        if not is_done:
            raise ConflictError("another change came first")
        self._settle(changed, added)

    def _statement(self, changed: list[Row], added: list[Row]) -> Select[Any]:
        held = {**self._held, **{id(row): (row, False) for row in changed}}
        guards = [
            _guard(row, f"held_{number}", shared=shared)
            for number, (row, shared) in enumerate(held.values())
        ]
        found: ColumnElement[int] = literal(0)
        for guard in guards:
            found = found + select(func.count()).select_from(guard).scalar_subquery()
        checked = select((found == len(guards)).label("is_unchanged")).cte("checked")
        new = [(type(row), _content(row), False) for row in added]
        new += [(kind, values, True) for kind, values in self._once]
        writes = [
            *(_update(row, f"changed_{number}", checked) for number, row in enumerate(changed)),
            *(
                _insert(kind, values, f"added_{number}", checked, once=once)
                for number, (kind, values, once) in enumerate(new)
            ),
        ]
        return select(checked.c.is_unchanged).add_cte(*writes)

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
    changes: dict[str, tuple[Any, Any]] = {}
    for attribute in inspect(row).attrs:
        history = attribute.history
        if history.has_changes():
            if not history.deleted:
                raise ConflictError(f"{attribute.key}: expected one that was read before")
            changes[attribute.key] = (history.deleted[0], history.added[0])
    return changes


def _content(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in inspect(type(row)).columns.keys()}  # noqa: SIM118


def _guard(row: Row, name: str, *, shared: bool) -> CTE:
    """Lock the row, if all its columns but the JSON ones still say what was read.

    JSON has no order of its own to compare; what decides about a change is never in it alone.
    """
    table = _table(type(row))
    before = _content(row) | {key: values[0] for key, values in _changes(row).items()}
    same = [
        table.c[key].is_not_distinct_from(literal(value, table.c[key].type))
        for key, value in before.items()
        if not isinstance(table.c[key].type, Json)
    ]
    return select(literal(1)).select_from(table).where(*same).with_for_update(read=shared).cte(name)


def _update(row: Row, name: str, checked: CTE) -> CTE:
    table = _table(type(row))
    key = [column == getattr(row, column.name) for column in table.primary_key]
    values = {key: now for key, (_, now) in _changes(row).items()}
    is_unchanged = select(checked.c.is_unchanged).scalar_subquery()
    return update(table).where(*key, is_unchanged).values(values).returning(literal(1)).cte(name)


def _insert(
    row: type[Row], values: Mapping[str, Any], name: str, checked: CTE, *, once: bool
) -> CTE:
    table = _table(row)
    typed = [
        cast(literal(value, table.c[key].type), table.c[key].type) for key, value in values.items()
    ]
    source = select(*typed).select_from(checked).where(checked.c.is_unchanged)
    statement = insert(table).from_select(list(values), source)
    if once:
        statement = statement.on_conflict_do_nothing()
    return statement.returning(literal(1)).cte(name)


def _table(row: type[Row]) -> Table[Any]:
    return cast_type(Table[Any], inspect(row).local_table)

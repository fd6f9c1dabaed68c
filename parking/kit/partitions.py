"""Monthly partitions of the tables that grow, made ahead of need."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from parking.kit.database import ConflictError, Database, UnitOfWork
from parking.kit.ids import floor_id

MONTHS_AHEAD = 3
_DECEMBER = 12

_PARTITIONED = text(
    """
    SELECT class.relname FROM pg_partitioned_table
    JOIN pg_class AS class ON class.oid = pg_partitioned_table.partrelid
    JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE namespace.nspname = current_schema() ORDER BY class.relname
    """
)
_EXISTING = text(
    """
    SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
    JOIN pg_namespace AS namespace ON namespace.oid = child.relnamespace
    WHERE namespace.nspname = current_schema()
    """
)
# Two processes that make the same partition would fail each other: one waits for the other.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('sesame.partitions'))")
# Triggers of a whole statement are not a partition's by themselves.
_REFUSES_TRUNCATE = text(
    """
    SELECT 1 FROM pg_trigger
    WHERE tgrelid = to_regclass(:table) AND tgname = 'refuse_truncate' AND NOT tgisinternal
    """
)
# The ledger's trigger refuses every deletion but that of rows on their way to their partition.
_ALLOW_MOVE = text("SET LOCAL sesame.moves_rows = 'on'")


async def ensure_partitions(database: Database) -> list[str]:
    """Make every missing partition from this month to MONTHS_AHEAD on; returns their names.

    Each is a transaction of its own: the tables stay locked for a moment only, and one that fails
    does not keep the others from being made.

    Raises:
        ExceptionGroup: some could not be made; the others were.
    """
    async with database.begin() as unit:
        tables = [str(row.relname) for row in await unit.run(_PARTITIONED)]
        months = _months(unit.now())
    made: list[str] = []
    failures: list[Exception] = []
    for start, end in months:
        for table in tables:
            partition = _Partition(table, f"{table}_{start:%Y_%m}", floor_id(start), floor_id(end))
            try:
                async with database.begin() as unit:
                    if await _make(unit, partition):
                        made.append(partition.name)
            except (ConflictError, DBAPIError) as error:
                failures.append(error)
    if failures:
        raise ExceptionGroup("partitions that could not be made", failures)
    return made


@dataclass(frozen=True, slots=True)
class _Partition:
    """Rows of `table` whose id is in `[start, end)`. All names are the catalogue's and ours."""

    table: str
    name: str
    start: UUID
    end: UUID


async def _make(unit: UnitOfWork, new: _Partition) -> bool:
    await unit.run(_LOCK)
    if new.name in {str(row.relname) for row in await unit.run(_EXISTING)}:
        return False
    bounds = f"FOR VALUES FROM ('{new.start}') TO ('{new.end}')"
    stray = f"\"{new.table}_default\" WHERE id >= '{new.start}' AND id < '{new.end}'"
    if (await unit.run(text(f"SELECT 1 FROM {stray} LIMIT 1"))).first() is None:  # noqa: S608
        await unit.run(text(f'CREATE TABLE "{new.name}" PARTITION OF "{new.table}" {bounds}'))
        await _guard(unit, new)
        return True
    # Rows of this month came before it, from a gate or a server with a wrong clock: take them over.
    await unit.run(text(f'CREATE TABLE "{new.name}" (LIKE "{new.table}" INCLUDING ALL)'))
    await unit.run(text(f'INSERT INTO "{new.name}" SELECT * FROM {stray}'))  # noqa: S608
    await unit.run(_ALLOW_MOVE)
    await unit.run(text(f"DELETE FROM {stray}"))  # noqa: S608
    await unit.run(text(f'ALTER TABLE "{new.table}" ATTACH PARTITION "{new.name}" {bounds}'))
    await _guard(unit, new)
    return True


async def _guard(unit: UnitOfWork, new: _Partition) -> None:
    """Let a new partition refuse to be emptied where its table does."""
    if (await unit.run(_REFUSES_TRUNCATE, {"table": new.table})).first() is None:
        return
    await unit.run(
        text(
            f'CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON "{new.name}"'
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    )


def _months(now: datetime) -> list[tuple[datetime, datetime]]:
    months: list[tuple[datetime, datetime]] = []
    start = datetime(now.year, now.month, 1, tzinfo=UTC)
    for _ in range(MONTHS_AHEAD + 1):
        end = (
            datetime(start.year + 1, 1, 1, tzinfo=UTC)
            if start.month == _DECEMBER
            else datetime(start.year, start.month + 1, 1, tzinfo=UTC)
        )
        months.append((start, end))
        start = end
    return months

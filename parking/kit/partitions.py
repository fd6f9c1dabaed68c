"""Monthly partitions of the tables that grow, made ahead of need."""

from datetime import UTC, datetime

from sqlalchemy import text

from parking.kit.database import UnitOfWork
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
    """
)
# Two processes that make the same partition would fail each other: one waits for the other.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('sesame.partitions'))")


async def ensure_partitions(unit: UnitOfWork) -> list[str]:
    """Make every missing partition from this month to MONTHS_AHEAD on; returns their names."""
    await unit.run(_LOCK)
    tables = [str(row.relname) for row in await unit.run(_PARTITIONED)]
    existing = {str(row.relname) for row in await unit.run(_EXISTING)}
    made: list[str] = []
    for start, end in _months(unit.now()):
        for table in tables:
            name = f"{table}_{start:%Y_%m}"
            if name not in existing:
                await unit.run(text(_partition_ddl(table, name, start, end)))
                made.append(name)
    return made


def _partition_ddl(table: str, name: str, start: datetime, end: datetime) -> str:
    # Names come from the catalogue and a date, never from outside.
    bounds = f"FROM ('{floor_id(start)}') TO ('{floor_id(end)}')"
    return f'CREATE TABLE "{name}" PARTITION OF "{table}" FOR VALUES {bounds}'


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

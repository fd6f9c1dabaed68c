"""The statements of retention: which rows are due, and what becomes of them.

Names of tables and columns are our own (`kinds`) or the catalogue's; cut-offs are bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text

from parking.flows.retention.kinds import Act, Kind, Rule
from parking.flows.retention.policy import Policy
from parking.kit.database import UnitOfWork
from parking.sessions.service import FORGOTTEN

# Bounded, so that no batch holds locks for long.
ROWS_PER_BATCH: Final = 1_000
COUNTED_MAX: Final = 1_000_000
_DECEMBER: Final = 12
# Less than PostgreSQL waits before it looks for deadlocks: whoever waits for us is not the victim.
_LOCK_TIMEOUT: Final = text("SET LOCAL lock_timeout = '800ms'")
_CHILDREN: Final = text(
    """
    SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
    WHERE pg_inherits.inhparent = to_regclass(:table) ORDER BY child.relname
    """
)


@dataclass(frozen=True, slots=True)
class Due:
    """Which rows of a table are due: a condition and its values."""

    sql: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Part:
    """A table, or one partition of one.

    Attributes:
        since: The beginning of its month; None where it is not one month's.
        until: The end of its month.
    """

    name: str
    since: datetime | None = None
    until: datetime | None = None


def due_rows(rule: Rule, kind: Kind, policy: Policy, now: datetime) -> Due:
    """Return the condition under which a row's period is over."""
    values: dict[str, object] = {"cutoff": policy.cutoff(kind, now)}
    cutoff = "CAST(:cutoff AS timestamptz)"
    if rule.has_operator:
        own = policy.own_cutoffs(kind, now)
        cases = ""
        for number, (operator_id, at) in enumerate(own.items()):
            values |= {f"operator_{number}": operator_id, f"cutoff_{number}": at}
            cases += (
                f" WHEN operator_id = :operator_{number} THEN CAST(:cutoff_{number} AS timestamptz)"
            )
        cutoff = f"(CASE{cases} ELSE {cutoff} END)" if cases else cutoff
    condition = f"{rule.ended} < {cutoff}"
    if rule.act is Act.FORGET:
        values["forgotten"] = FORGOTTEN
        condition += " AND plate_sealed <> :forgotten"
    return Due(condition, values)


async def parts_of(unit: UnitOfWork, table: str) -> list[Part]:
    """Return the partitions of a table, oldest first; the table itself where it has none."""
    names = [str(row.relname) for row in await unit.run(_CHILDREN, {"table": table})]
    parts = [Part(name, *_month(name.removeprefix(f"{table}_"))) for name in names]
    return parts or [Part(table)]


async def delete_batch(unit: UnitOfWork, part: Part, due: Due) -> int:
    """Delete some due rows; whoever works on one just now keeps it until the next time."""
    # A row's place is only unique within one partition, which is why each is asked by itself.
    statement = (
        f'DELETE FROM "{part.name}" WHERE ctid IN (SELECT ctid FROM "{part.name}" '  # noqa: S608
        f"WHERE {due.sql} LIMIT :rows FOR UPDATE SKIP LOCKED)"
    )
    values = {**due.values, "rows": ROWS_PER_BATCH}
    return (await unit.run(text(statement), values)).rowcount


async def forget_batch(unit: UnitOfWork, part: Part, due: Due) -> int:
    """Take plate and driver off some due stays; an index that leads nowhere takes the plate's."""
    statement = (
        f'UPDATE "{part.name}" SET plate_index = gen_random_uuid(), '  # noqa: S608
        "plate_sealed = :forgotten, driver_id = NULL WHERE ctid IN ("
        f'SELECT ctid FROM "{part.name}" WHERE {due.sql} LIMIT :rows FOR UPDATE SKIP LOCKED)'
    )
    values = {**due.values, "rows": ROWS_PER_BATCH}
    return (await unit.run(text(statement), values)).rowcount


async def drop_part(unit: UnitOfWork, part: Part, due: Due) -> int | None:
    """Drop a month in which every row is due; returns its rows, or None where one is not.

    Nobody writes into it between the look and the end; readers of other months wait for the
    commit alone.
    """
    await unit.run(_LOCK_TIMEOUT)
    await unit.run(text(f'LOCK TABLE "{part.name}" IN SHARE MODE'))
    counts = text(
        f"SELECT count(*) AS rows, count(*) FILTER (WHERE ({due.sql}) IS NOT TRUE) AS alive "  # noqa: S608
        f'FROM "{part.name}"'
    )
    found = (await unit.run(counts, due.values)).one()
    if found.alive:
        return None
    await unit.run(text(f'DROP TABLE "{part.name}"'))
    return int(found.rows)


async def count(unit: UnitOfWork, table: str, condition: str, values: Mapping[str, object]) -> int:
    """Count rows, up to COUNTED_MAX."""
    statement = text(
        f'SELECT count(*) FROM (SELECT FROM "{table}" WHERE {condition} LIMIT :rows) AS found'  # noqa: S608
    )
    return int((await unit.run(statement, {**values, "rows": COUNTED_MAX})).scalar_one())


async def oldest(unit: UnitOfWork, rule: Rule) -> datetime | None:
    """Return when the oldest row ended that has."""
    statement = text(f'SELECT min({rule.ended}) FROM "{rule.table}"')  # noqa: S608
    return (await unit.run(statement)).scalar_one()


async def tables(unit: UnitOfWork) -> set[str]:
    """Return every table of the database; a partition belongs to its table."""
    statement = text(
        """
        SELECT class.relname FROM pg_class AS class
        JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
        WHERE namespace.nspname = current_schema() AND class.relkind IN ('r', 'p')
            AND NOT class.relispartition
        """
    )
    return {str(row.relname) for row in await unit.run(statement)}


def _month(name: str) -> tuple[datetime | None, datetime | None]:
    year, _, month = name.partition("_")
    if not (year.isdigit() and month.isdigit()):
        return None, None
    is_last = int(month) == _DECEMBER
    since = datetime(int(year), int(month), 1, tzinfo=UTC)
    return since, datetime(int(year) + is_last, 1 if is_last else int(month) + 1, 1, tzinfo=UTC)

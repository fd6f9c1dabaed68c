"""Letting go of what has been kept long enough: in small steps, again and again.

Each step is a transaction of its own and finds by itself what is left to do: a process that dies
in the middle, or two at once, change nothing of the outcome.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from parking.flows.retention import rows
from parking.flows.retention.kinds import KINDS, Act, Kind, Rule
from parking.flows.retention.policy import DAYS_MAX, Policy
from parking.flows.retention.rows import Due, Part
from parking.kit.database import Database, UnitOfWork
from parking.kit.errors import ParkingError

# Of one table in one run: what is left has its turn in the next.
BATCHES_PER_RUN_MAX: Final = 100
_LOCK_NOT_AVAILABLE: Final = "55P03"
_Step = Callable[[UnitOfWork, Part, Due], Awaitable[int]]

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TableReport:
    """How one table stands.

    Attributes:
        days: The period; None for as long as what it belongs to.
        rows: Up to `rows.COUNTED_MAX`; `due` likewise.
        oldest: When the oldest row ended that has.
    """

    kind: str
    table: str
    act: Act
    days: int | None
    rows: int
    due: int
    oldest: datetime | None
    why_kept: str


async def report(database: Database, policy: Policy) -> list[TableReport]:
    """Return how every table stands; a reading, which changes nothing."""
    found: list[TableReport] = []
    for kind in KINDS:
        for rule in kind.rules:
            async with database.begin() as unit:
                found.append(await _stand(unit, kind, rule, policy))
    return found


async def apply(database: Database, policy: Policy) -> dict[str, int]:
    """Let go of what is due, up to a bound; returns rows by table, of those that had any.

    Repeated until nothing is returned, everything due is gone, but for rows that somebody works
    on and for months that are in use.
    """
    done: dict[str, int] = {}
    for kind in KINDS:
        for rule in kind.rules:
            if rule.act is Act.KEEP:
                continue
            try:
                count = await _apply(database, kind, rule, policy)
            except ParkingError as error:
                # One table that is in use must not keep the others; its turn comes again.
                _log.warning("retention.postponed", table=rule.table, error=repr(error))
                continue
            if count:
                done[rule.table] = count
                _log.info("retention.done", table=rule.table, act=rule.act, rows=count)
    return done


async def _apply(database: Database, kind: Kind, rule: Rule, policy: Policy) -> int:
    now = database.clock.now()
    due = rows.due_rows(rule, kind, policy, now)
    latest = max([policy.cutoff(kind, now), *policy.own_cutoffs(kind, now).values()])
    async with database.begin() as unit:
        parts = await rows.parts_of(unit, rule.table)
    count = 0
    for part in parts:
        if part.since is not None and part.since >= latest:
            # Nothing ends before it begins: months of which nothing is due are not even read.
            continue
        is_past = part.until is not None and part.until <= latest
        if is_past and rule.act in {Act.DELETE, Act.DROP}:
            dropped = await _drop(database, part, due)
            if dropped is not None:
                count += dropped
                continue
        if rule.act is not Act.DROP:
            step = rows.forget_batch if rule.act is Act.FORGET else rows.delete_batch
            count += await _in_batches(database, part, due, step)
    return count


async def _drop(database: Database, part: Part, due: Due) -> int | None:
    try:
        async with database.begin() as unit:
            return await rows.drop_part(unit, part, due)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        _log.info("retention.month_in_use", part=part.name)
        return None


async def _in_batches(database: Database, part: Part, due: Due, step: _Step) -> int:
    count = 0
    for _ in range(BATCHES_PER_RUN_MAX):
        async with database.begin() as unit:
            done = await step(unit, part, due)
        count += done
        if done < rows.ROWS_PER_BATCH:
            break
    return count


async def _stand(unit: UnitOfWork, kind: Kind, rule: Rule, policy: Policy) -> TableReport:
    days = None if kind.days is None else policy.days.get(kind.name, min(kind.days, DAYS_MAX))
    is_kept = rule.act is Act.KEEP
    due = rows.due_rows(rule, kind, policy, unit.now())
    return TableReport(
        kind=kind.name,
        table=rule.table,
        act=rule.act,
        days=days,
        rows=await rows.count(unit, rule.table, "true", {}),
        due=0 if is_kept else await rows.count(unit, rule.table, due.sql, due.values),
        oldest=None if is_kept else await rows.oldest(unit, rule),
        why_kept=kind.why_kept,
    )

"""Every query about compared days, runs and differences."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import case, func, null, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.locks import lock
from parking.reconciliation.models import (
    DayState,
    DifferenceState,
    ReconciliationDifference,
    ReconciliationRun,
    SettlementDay,
)

# A page, and one row more that tells whether another page follows.
PAGE_MAX: Final = 101
ROWS_AT_ONCE_MAX: Final = 500
CODES_MAX: Final = 200

_TAKE_DUE = text(
    """
    UPDATE settlement_days SET next_try_at = :until, tries = tries + 1
    FROM (
        SELECT provider, day FROM settlement_days
        WHERE next_try_at <= :now AND provider = ANY(:providers)
        ORDER BY next_try_at, day LIMIT 1 FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE settlement_days.provider = due.provider AND settlement_days.day = due.day
    RETURNING settlement_days.provider, settlement_days.day, settlement_days.tries,
        settlement_days.state
    """
)


@dataclass(frozen=True, slots=True)
class DueDay:
    """A provider's day whose turn has come."""

    provider: str
    day: date
    tries: int
    state: DayState


async def add_day(unit: UnitOfWork, provider: str, day: date, due_at: datetime) -> None:
    """Let a day be compared from `due_at` on; again changes nothing."""
    statement = insert(SettlementDay).values(
        provider=provider, day=day, state=DayState.WAITING, tries=0, next_try_at=due_at
    )
    await unit.run(statement.on_conflict_do_nothing())


async def take_due_day(
    unit: UnitOfWork, providers: Collection[str], lease: timedelta
) -> DueDay | None:
    """Take the day whose turn came first, for `lease`; None where none is due."""
    values = {"now": unit.now(), "until": unit.now() + lease, "providers": list(providers)}
    row = (await unit.run(_TAKE_DUE, values)).one_or_none()
    return None if row is None else DueDay(row.provider, row.day, row.tries, DayState(row.state))


async def note_day(
    unit: UnitOfWork,
    due: DueDay,
    state: DayState,
    *,
    next_try_at: datetime | None,
    error: str | None,
) -> None:
    """Write down how a taken day went."""
    statement = (
        update(SettlementDay)
        .where(col(SettlementDay.provider) == due.provider, col(SettlementDay.day) == due.day)
        .values(state=state, next_try_at=next_try_at, last_error=error)
    )
    await unit.run(statement)


async def upsert_differences(unit: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    """Store differences; known ones are seen again, and those that had gone are open again.

    What a person resolved stays resolved.
    """
    state = col(ReconciliationDifference.state)
    is_resolved = state == DifferenceState.RESOLVED
    for start in range(0, len(rows), ROWS_AT_ONCE_MAX):
        new = insert(ReconciliationDifference).values(list(rows[start : start + ROWS_AT_ONCE_MAX]))
        seen_again: dict[str, Any] = {
            name: new.excluded[name]
            for name in ("last_run_id", "ours_minor", "theirs_minor", "reference")
        }
        seen_again["state"] = case((is_resolved, state), else_=new.excluded["state"])
        closed_at = col(ReconciliationDifference.closed_at)
        seen_again["closed_at"] = case((is_resolved, closed_at), else_=null())
        statement = new.on_conflict_do_update(index_elements=["operator_id", "id"], set_=seen_again)
        await unit.run(statement)


async def close_gone(
    unit: UnitOfWork, operator_id: UUID, provider: str, day: date, run_id: UUID
) -> None:
    """Close the open differences of a day that its newest run did not find any more."""
    statement = (
        update(ReconciliationDifference)
        .where(col(ReconciliationDifference.operator_id) == operator_id)
        .where(col(ReconciliationDifference.provider) == provider)
        .where(col(ReconciliationDifference.day) == day)
        .where(col(ReconciliationDifference.state) == DifferenceState.OPEN)
        .where(col(ReconciliationDifference.last_run_id) != run_id)
        .values(state=DifferenceState.GONE, closed_at=unit.now())
        .execution_options(synchronize_session=False)
    )
    await unit.run(statement)


async def lock_difference(
    unit: UnitOfWork, operator_id: UUID, difference_id: UUID
) -> ReconciliationDifference | None:
    """Lock a difference: of two people, the second sees what the first wrote."""
    return await lock(unit, ReconciliationDifference, operator_id=operator_id, id=difference_id)


async def page_differences(
    unit: UnitOfWork,
    operator_id: UUID,
    *,
    state: DifferenceState,
    first: int,
    before: UUID | None,
) -> Sequence[ReconciliationDifference]:
    """Return an operator's differences in a state, the newest first."""
    statement = (
        select(ReconciliationDifference)
        .where(col(ReconciliationDifference.operator_id) == operator_id)
        .where(col(ReconciliationDifference.state) == state)
        .order_by(col(ReconciliationDifference.id).desc())
        .limit(min(first, PAGE_MAX))
    )
    if before is not None:
        statement = statement.where(col(ReconciliationDifference.id) < before)
    return (await unit.session.exec(statement)).all()


async def page_runs(
    unit: UnitOfWork, operator_id: UUID, *, first: int, before: UUID | None
) -> Sequence[ReconciliationRun]:
    """Return an operator's runs, newest first."""
    statement = (
        select(ReconciliationRun)
        .where(col(ReconciliationRun.operator_id) == operator_id)
        .order_by(col(ReconciliationRun.id).desc())
        .limit(min(first, PAGE_MAX))
    )
    if before is not None:
        statement = statement.where(col(ReconciliationRun.id) < before)
    return (await unit.session.exec(statement)).all()


async def count_open(unit: UnitOfWork) -> dict[tuple[str, str], int]:
    """Return how many differences of the installation are open, by (provider, code)."""
    counted = func.count()
    statement = (
        select(ReconciliationDifference.provider, ReconciliationDifference.code, counted)
        .where(col(ReconciliationDifference.state) == DifferenceState.OPEN)
        .group_by(col(ReconciliationDifference.provider), col(ReconciliationDifference.code))
        .limit(CODES_MAX)
    )
    found = await unit.session.exec(statement)
    return {(provider, code): count for provider, code, count in found}

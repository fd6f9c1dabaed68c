"""Every query about disputes and suspected misreads."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.disputes.models import (
    Dispute,
    DisputeState,
    DriverDispute,
    MisreadSuspicion,
)
from parking.kit.database import UnitOfWork
from parking.kit.locks import lock

DUE_MAX: Final = 50
# A page, and one row more that tells whether another page follows.
PAGE_MAX: Final = 100
# More disputes of one stay than this are no list that anybody reads.
DISPUTES_PER_STAY_MAX: Final = 20

_LOCK_DRIVER = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_TAKE_DUE = text(
    """
    UPDATE disputes SET next_try_at = :until, tries = tries + 1
    FROM (
        SELECT operator_id, id FROM disputes WHERE next_try_at <= :now
        ORDER BY next_try_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE disputes.operator_id = due.operator_id AND disputes.id = due.id
    RETURNING disputes.operator_id, disputes.id
    """
)
_TAKE_SUSPICIONS = text(
    """
    UPDATE misread_suspicions SET next_try_at = :until, tries = tries + 1
    FROM (
        SELECT operator_id, presentation_id FROM misread_suspicions WHERE next_try_at <= :now
        ORDER BY next_try_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE misread_suspicions.operator_id = due.operator_id
        AND misread_suspicions.presentation_id = due.presentation_id
    RETURNING misread_suspicions.operator_id, misread_suspicions.presentation_id,
        misread_suspicions.tries
    """
)


async def lock_driver(unit: UnitOfWork, driver_id: UUID) -> None:
    """Let the driver's other disputes wait: limits are counted by one at a time."""
    await unit.run(_LOCK_DRIVER, {"name": f"disputes:{driver_id}"})


async def opened_since(unit: UnitOfWork, driver_id: UUID, since: datetime) -> Sequence[datetime]:
    """Return when the driver's latest disputes were opened, oldest first."""
    statement = (
        select(DriverDispute.opened_at)
        .where(col(DriverDispute.driver_id) == driver_id, col(DriverDispute.opened_at) > since)
        .order_by(col(DriverDispute.opened_at))
        .limit(PAGE_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def count_automatic(unit: UnitOfWork, driver_id: UUID, since: datetime) -> int:
    """Return how many disputes of the driver were refunded, or are being, without a person."""
    statement = (
        select(func.count())
        .select_from(DriverDispute)
        .where(col(DriverDispute.driver_id) == driver_id, col(DriverDispute.opened_at) > since)
        .where(col(DriverDispute.is_automatic))
    )
    return int((await unit.session.exec(statement)).one())


async def add_to_driver(unit: UnitOfWork, row: DriverDispute) -> bool:
    """Add a dispute to the driver's list; False where one of the same line is open."""
    statement = (
        insert(DriverDispute)
        .values(**row.model_dump())
        .on_conflict_do_nothing(
            index_elements=["driver_id", "bill_id", "line_index"],
            index_where=col(DriverDispute.closed_at).is_(None),
        )
    )
    return (await unit.run(statement)).rowcount == 1


async def find_open(
    unit: UnitOfWork, driver_id: UUID, bill_id: UUID, line_index: int
) -> DriverDispute | None:
    """Return the driver's open dispute of a line."""
    statement = (
        select(DriverDispute)
        .where(col(DriverDispute.driver_id) == driver_id, col(DriverDispute.bill_id) == bill_id)
        .where(col(DriverDispute.line_index) == line_index)
        .where(col(DriverDispute.closed_at).is_(None))
    )
    return (await unit.session.exec(statement)).one_or_none()


async def find_of_driver(
    unit: UnitOfWork, driver_id: UUID, dispute_id: UUID
) -> DriverDispute | None:
    """Return one of the driver's own."""
    return await unit.session.get(DriverDispute, (driver_id, dispute_id))


async def page_of_driver(
    unit: UnitOfWork, driver_id: UUID, *, first: int, before: UUID | None
) -> Sequence[Dispute]:
    """Return the driver's disputes, newest first."""
    listed = select(DriverDispute).where(col(DriverDispute.driver_id) == driver_id)
    if before is not None:
        listed = listed.where(col(DriverDispute.dispute_id) < before)
    newest = listed.order_by(col(DriverDispute.dispute_id).desc()).limit(min(first, PAGE_MAX + 1))
    keys = [(row.operator_id, row.dispute_id) for row in await unit.session.exec(newest)]
    if not keys:
        return []
    statement = (
        select(Dispute)
        .where(col(Dispute.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(Dispute.id).in_({dispute_id for _, dispute_id in keys}))
        .order_by(col(Dispute.id).desc())
    )
    return (await unit.session.exec(statement)).all()


async def close_of_driver(unit: UnitOfWork, dispute: Dispute, *, is_automatic: bool) -> None:
    """Mark the dispute closed in the driver's list, so that the line may be disputed again."""
    statement = (
        update(DriverDispute)
        .where(col(DriverDispute.driver_id) == dispute.driver_id)
        .where(col(DriverDispute.dispute_id) == dispute.id)
        .values(closed_at=unit.now(), is_automatic=is_automatic)
    )
    await unit.run(statement)


async def find_dispute(unit: UnitOfWork, operator_id: UUID, dispute_id: UUID) -> Dispute | None:
    """Return a dispute as it is stored now."""
    statement = (
        select(Dispute)
        .where(col(Dispute.operator_id) == operator_id, col(Dispute.id) == dispute_id)
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def lock_dispute(unit: UnitOfWork, operator_id: UUID, dispute_id: UUID) -> Dispute | None:
    """Lock a dispute: of two who decide, the second sees the first."""
    return await lock(unit, Dispute, operator_id=operator_id, id=dispute_id)


async def disputes_of_session(
    unit: UnitOfWork, operator_id: UUID, session_id: UUID
) -> Sequence[Dispute]:
    """Return a stay's disputes, oldest first."""
    statement = (
        select(Dispute)
        .where(col(Dispute.operator_id) == operator_id, col(Dispute.session_id) == session_id)
        .order_by(col(Dispute.id))
        .limit(DISPUTES_PER_STAY_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def page(
    unit: UnitOfWork,
    operator_id: UUID,
    *,
    state: DisputeState | None,
    is_review_due: bool | None,
    first: int,
    before: UUID | None,
    places: Collection[UUID] | None = None,
) -> Sequence[Dispute]:
    """Return an operator's disputes, at `places` only, newest first."""
    statement = select(Dispute).where(col(Dispute.operator_id) == operator_id)
    if state is not None:
        statement = statement.where(col(Dispute.state) == state)
    if places is not None:
        statement = statement.where(col(Dispute.place_id).in_(list(places)))
    if is_review_due is not None:
        statement = statement.where(col(Dispute.is_review_due) == is_review_due)
    if before is not None:
        statement = statement.where(col(Dispute.id) < before)
    newest = statement.order_by(col(Dispute.id).desc()).limit(min(first, PAGE_MAX + 1))
    return (await unit.session.exec(newest)).all()


async def take_due(unit: UnitOfWork, lease: timedelta) -> list[tuple[UUID, UUID]]:
    """Take decisions that wait to be carried out, for `lease`; returns (operator, dispute)."""
    now = unit.now()
    rows = await unit.run(_TAKE_DUE, {"now": now, "until": now + lease, "rows": DUE_MAX})
    return [(row.operator_id, row.id) for row in rows]


async def add_suspicion(unit: UnitOfWork, row: MisreadSuspicion) -> None:
    """Remember a car without a stay; again changes nothing."""
    await unit.run(insert(MisreadSuspicion).values(**row.model_dump()).on_conflict_do_nothing())


async def take_suspicions(unit: UnitOfWork, lease: timedelta) -> list[tuple[UUID, UUID, int]]:
    """Take suspicions to look into, for `lease`; returns (operator, presentation, tries)."""
    now = unit.now()
    rows = await unit.run(_TAKE_SUSPICIONS, {"now": now, "until": now + lease, "rows": DUE_MAX})
    return [(row.operator_id, row.presentation_id, int(row.tries)) for row in rows]


async def drop_suspicion(unit: UnitOfWork, operator_id: UUID, presentation_id: UUID) -> bool:
    """Forget a suspicion; returns whether it was there."""
    statement = (
        delete(MisreadSuspicion)
        .where(col(MisreadSuspicion.operator_id) == operator_id)
        .where(col(MisreadSuspicion.presentation_id) == presentation_id)
    )
    return (await unit.run(statement)).rowcount == 1

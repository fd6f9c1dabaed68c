"""What is owed after departure: the list of it, and what ends it."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, or_, text, update
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from parking.kit.database import UnitOfWork
from parking.payments import credit, ledger
from parking.payments.credit_models import OwedBill
from parking.payments.credit_rules import COLLECTION_BACKOFF, FIRST_COLLECTED_AFTER
from parking.payments.models import Bill, BillState

DUE_MAX: Final = 50
# A list that a driver, a page or a desk shows.
OWED_MAX: Final = 100

_TAKE_DUE = text(
    """
    UPDATE owed_bills SET next_try_at = :now + :lease
    FROM (
        SELECT operator_id, id FROM owed_bills WHERE next_try_at <= :now
        ORDER BY owed_at, id LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE owed_bills.operator_id = due.operator_id AND owed_bills.id = due.id
    RETURNING owed_bills.operator_id, owed_bills.id, owed_bills.driver_id, owed_bills.owed_at
    """
)


async def owe(
    unit: UnitOfWork, bill: Bill, *, plate_index: UUID, place_id: UUID, at: datetime
) -> None:
    """Let a locked bill be paid after the car has left; it is collected from its driver."""
    bill.state = BillState.OWED
    if bill.session_id is None or not bill.total_minor:
        return
    wait = COLLECTION_BACKOFF[0] if bill.attempts else FIRST_COLLECTED_AFTER
    unit.session.add(
        OwedBill(
            operator_id=bill.operator_id,
            id=bill.id,
            session_id=bill.session_id,
            place_id=place_id,
            plate_index=plate_index,
            driver_id=bill.driver_id,
            amount_minor=bill.total_minor,
            currency=bill.currency,
            owed_at=at,
            next_try_at=None if bill.driver_id is None else unit.now() + wait,
        )
    )


async def close(unit: UnitOfWork, bill: Bill) -> OwedBill | None:
    """End what a locked bill that is paid, taken back or replaced left behind.

    Called before its state changes. A bill that was neither owed nor used any credit costs no
    statement.

    Returns:
        How it stood in the list of what is owed, if it did.
    """
    await credit.give_back(unit, bill)
    if bill.state == BillState.WRITTEN_OFF:
        await ledger.post_reinstated(unit, bill, source=bill.id)
    return await unlist(unit, bill)


async def unlist(unit: UnitOfWork, bill: Bill) -> OwedBill | None:
    """Take a locked bill off the list of what is owed; returns how it stood there."""
    if bill.state != BillState.OWED:
        return None
    listed = await find(unit, bill.operator_id, bill.id)
    statement = delete(OwedBill).where(
        col(OwedBill.operator_id) == bill.operator_id, col(OwedBill.id) == bill.id
    )
    await unit.run(statement)
    if listed is not None:
        unit.session.expunge(listed)
    return listed


def list_version(unit: UnitOfWork, version: Bill, before: OwedBill) -> None:
    """List a bill's new version as the one before it was."""
    known = before.model_dump(exclude={"id", "amount_minor"})
    unit.session.add(OwedBill(**known, id=version.id, amount_minor=version.total_minor))


async def stop_collecting(unit: UnitOfWork, bill: Bill) -> None:
    """Let a bill that was just listed wait for its driver: nobody is charged for it by itself."""
    statement = (
        update(OwedBill)
        .where(col(OwedBill.operator_id) == bill.operator_id, col(OwedBill.id) == bill.id)
        .values(next_try_at=None, is_contested=True)
    )
    await unit.session.flush()
    await unit.run(statement)


async def hand_over(unit: UnitOfWork, bill: Bill, driver_id: UUID | None) -> None:
    """Let another driver, or none, owe an unpaid bill; its stay is locked."""
    if bill.driver_id == driver_id:
        return
    # Credit is a person's: whoever owes the bill now may have none.
    await credit.give_back(unit, bill)
    before, bill.driver_id = bill.driver_id, driver_id
    await ledger.post_moved(unit, bill, before)


async def find(unit: UnitOfWork, operator_id: UUID, bill_id: UUID) -> OwedBill | None:
    """Return how a bill stands in the list of what is owed, as it is stored now."""
    return await unit.session.get(OwedBill, (operator_id, bill_id), populate_existing=True)


async def of_driver(unit: UnitOfWork, driver_id: UUID) -> list[OwedBill]:
    """Return what a driver owes anywhere, the oldest first."""
    statement = select(OwedBill).where(col(OwedBill.driver_id) == driver_id)
    return await _oldest(unit, statement)


async def of_plate(
    unit: UnitOfWork, plate_index: UUID, operator_ids: Collection[UUID]
) -> list[OwedBill]:
    """Return what a car owes at some operators, whoever drove it, the oldest first."""
    statement = (
        select(OwedBill)
        .where(col(OwedBill.plate_index) == plate_index)
        .where(col(OwedBill.operator_id).in_(list(operator_ids)))
    )
    return await _oldest(unit, statement)


async def given_up(
    unit: UnitOfWork, operator_id: UUID, places: Collection[UUID] | None = None
) -> list[OwedBill]:
    """Return what is owed to an operator and not collected by itself any more, the oldest first.

    With `places`, at these only.
    """
    statement = select(OwedBill).where(
        col(OwedBill.operator_id) == operator_id, col(OwedBill.next_try_at).is_(None)
    )
    if places is not None:
        statement = statement.where(col(OwedBill.place_id).in_(list(places)))
    return await _oldest(unit, statement)


async def take_due(unit: UnitOfWork, lease: timedelta) -> list[OwedBill]:
    """Take what is to be collected now, for `lease`; the oldest first."""
    values = {"now": unit.now(), "lease": lease, "rows": DUE_MAX}
    keys = [(row.operator_id, row.id) for row in await unit.run(_TAKE_DUE, values)]
    found = [await find(unit, *key) for key in keys]
    return sorted((one for one in found if one is not None), key=lambda one: (one.owed_at, one.id))


async def send_to_partner(
    unit: UnitOfWork, listed: OwedBill, *, collector_id: UUID, place_id: UUID
) -> None:
    """Let a partner collect it next, and at once, at the place that the driver has just left."""
    statement = (
        update(OwedBill)
        .where(col(OwedBill.operator_id) == listed.operator_id, col(OwedBill.id) == listed.id)
        .values(collector_id=collector_id, collector_place_id=place_id, next_try_at=unit.now())
    )
    await unit.run(statement)


async def take_from_partner(unit: UnitOfWork, listed: OwedBill) -> None:
    """Let its owner collect it again: the partner cannot."""
    statement = (
        update(OwedBill)
        .where(col(OwedBill.operator_id) == listed.operator_id, col(OwedBill.id) == listed.id)
        .values(collector_id=None, collector_place_id=None)
    )
    await unit.run(statement)


async def _oldest(unit: UnitOfWork, statement: SelectOfScalar[OwedBill]) -> list[OwedBill]:
    oldest = statement.order_by(col(OwedBill.owed_at), col(OwedBill.id)).limit(OWED_MAX)
    return list(await unit.session.exec(oldest))


async def busy(unit: UnitOfWork, listed: Collection[OwedBill]) -> set[UUID]:
    """Return which of some owed bills are being paid just now; one statement."""
    statement = (
        select(Bill.id)
        .where(col(Bill.operator_id).in_({one.operator_id for one in listed}))
        .where(col(Bill.id).in_([one.id for one in listed]))
        .where(or_(col(Bill.live_attempt_id).is_not(None), col(Bill.claim_id).is_not(None)))
    )
    return set(await unit.session.exec(statement))

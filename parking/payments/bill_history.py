"""Every query about bills of the past: all versions, whatever became of them."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.ids import floor_id, id_time
from parking.payments.models import Bill, BillState, PaymentAttempt, Refund
from parking.payments.repository import CLOCKS_APART_MAX, REFUNDS_MAX, find_bill
from parking.payments.versions import VERSIONS_MAX, version_id

# A stay that is prepaid again and again still has an end.
BILLS_PER_STAY_MAX = 500
_FIRST = text(
    """
    WITH RECURSIVE version AS (
        SELECT bills.id AS asked_id, bills.operator_id, bills.id, bills.corrects_id, 1 AS number
        FROM unnest(CAST(:operator_ids AS uuid[]), CAST(:bill_ids AS uuid[]))
            AS asked (operator_id, id)
        JOIN bills ON bills.operator_id = asked.operator_id AND bills.id = asked.id
        UNION ALL
        SELECT version.asked_id, bills.operator_id, bills.id, bills.corrects_id, number + 1
        FROM version
        JOIN bills ON bills.operator_id = version.operator_id AND bills.id = version.corrects_id
        WHERE version.number < :versions
    )
    SELECT asked_id, id FROM version WHERE corrects_id IS NULL
    """
)


async def find_versions(unit: UnitOfWork, bill: Bill) -> list[Bill]:
    """Return all versions of a bill, the first one first; the bill itself is among them."""
    before: list[Bill] = []
    earliest = bill
    while earliest.corrects_id is not None and len(before) < VERSIONS_MAX:
        found = await find_bill(unit, bill.operator_id, earliest.corrects_id)
        if found is None:
            break
        before.append(found)
        earliest = found
    after: list[Bill] = []
    newest: Bill | None = bill
    while newest is not None and newest.state == BillState.CORRECTED and len(after) < VERSIONS_MAX:
        newest = await find_bill(unit, bill.operator_id, version_id(newest.id))
        if newest is not None:
            after.append(newest)
    return [*reversed(before), bill, *after]


async def find_first_ids(unit: UnitOfWork, bills: Collection[Bill]) -> dict[UUID, UUID]:
    """Return the id of each bill's first version by its own; one statement however many."""
    first = {bill.id: bill.id for bill in bills}
    corrected = [bill for bill in bills if bill.corrects_id is not None]
    if corrected:
        asked = {
            "operator_ids": [bill.operator_id for bill in corrected],
            "bill_ids": [bill.id for bill in corrected],
            "versions": VERSIONS_MAX,
        }
        first |= {row.asked_id: row.id for row in await unit.run(_FIRST, asked)}
    return first


async def find_history_of(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[UUID, list[Bill]]:
    """Return the bills of many stays by session, newest first, corrected ones too; none voided.

    Args:
        unit: The transaction.
        keys: (operator, session).
    """
    found: dict[UUID, list[Bill]] = {session_id: [] for _, session_id in keys}
    if not keys:
        return found
    earliest = min(id_time(session_id) for _, session_id in keys)
    statement = (
        select(Bill)
        .where(col(Bill.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(Bill.session_id).in_({session_id for _, session_id in keys}))
        .where(col(Bill.id) >= floor_id(earliest - CLOCKS_APART_MAX))
        .where(col(Bill.state) != BillState.VOID)
        .order_by(col(Bill.id).desc())
        .limit(BILLS_PER_STAY_MAX * len(keys))
    )
    for bill in await unit.session.exec(statement):
        if bill.session_id is not None:
            found[bill.session_id].append(bill)
    return found


async def find_some(
    unit: UnitOfWork, operator_id: UUID, bill_ids: Collection[UUID]
) -> dict[UUID, Bill]:
    """Return some bills by id; those that do not exist are left out."""
    if not bill_ids:
        return {}
    statement = (
        select(Bill)
        .where(col(Bill.operator_id) == operator_id)
        .where(col(Bill.id).in_(list(bill_ids)))
    )
    return {bill.id: bill for bill in await unit.session.exec(statement)}


async def find_refunds(unit: UnitOfWork, attempt: PaymentAttempt) -> Sequence[Refund]:
    """Return what was given back out of a payment, or was tried to be, oldest first."""
    statement = (
        select(Refund)
        .where(col(Refund.operator_id) == attempt.operator_id)
        .where(col(Refund.attempt_id) == attempt.id)
        # A refund's id derives from its attempt's and has its time.
        .where(col(Refund.id) >= floor_id(id_time(attempt.id)))
        .order_by(col(Refund.requested_at), col(Refund.id))
        .limit(REFUNDS_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def find_owner(unit: UnitOfWork, bill_id: UUID) -> UUID | None:
    """Return whose bill it is; for a person at the command line, it looks at every operator."""
    statement = select(Bill.operator_id).where(col(Bill.id) == bill_id).limit(1)
    return (await unit.session.exec(statement)).one_or_none()

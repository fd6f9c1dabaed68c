"""What a car leaves owing, on credit or because somebody let it out."""

from datetime import datetime, timedelta
from uuid import UUID

from parking.drivers import stays
from parking.events.types import EventType
from parking.kit.database import UnitOfWork
from parking.payments import credit, credit_rules, mandate_rows, owing, partners
from parking.payments import repository as payments
from parking.payments.credit_models import OwedBill
from parking.payments.models import Bill, BillState, MandateState
from parking.places import service as places
from parking.sessions.events import tell
from parking.sessions.models import Session


async def let_go(unit: UnitOfWork, session: Session, bill: Bill) -> bool:
    """Let a locked stay's locked bill be paid after departure; returns whether the driver may.

    The driver's credit is then used for all that the bill says, also where it was before.
    """
    if bill.driver_id is None:
        return False
    policy = await credit.find_policy(unit, bill.operator_id, bill.currency)
    if policy is None or not credit_rules.covers(policy, session.place_id):
        return False
    period = timedelta(days=policy.arrears_days)
    longest_at = unit.now() - period
    if await credit.has_arrears(unit, bill.operator_id, bill.driver_id, before=longest_at):
        return False
    past = await stays.list_ended_at(unit, bill.driver_id, bill.operator_id)
    good_bills = await credit.count_good(unit, bill, past, paid_within=period)
    has_mandate = await _has_mandate(unit, bill.driver_id)
    if not credit_rules.is_trusted(policy, has_mandate=has_mandate, good_bills=good_bills):
        return False
    return await credit.take(unit, bill, limit_minor=credit_rules.limit_minor(policy, good_bills))


async def owe_unpaid(unit: UnitOfWork, session: Session, *, at: datetime) -> None:
    """Let the bills of a stay that has just ended be owed; money under way settles by itself.

    A car that left on credit owes even while a payment of before is not settled: if that took the
    money after all, the bill is paid.
    """
    for bill in await payments.find_bills(unit, session.operator_id, session.id):
        is_paying = bill.live_attempt_id is not None and not bill.credit_minor
        if bill.state == BillState.ISSUED and not is_paying:
            locked = await payments.lock_bill(unit, bill.operator_id, bill.id)
            if locked is not None and locked.state == BillState.ISSUED:
                await owe(unit, session, locked, at=at)
    if session.driver_id is not None:
        await partners.send_debts(unit, session.driver_id, session.operator_id, session.place_id)


async def owe(unit: UnitOfWork, session: Session, bill: Bill, *, at: datetime) -> None:
    """Let an unpaid bill of a locked stay be owed from `at` on, and tell its driver."""
    await owing.owe(unit, bill, plate_index=session.plate_index, place_id=session.place_id, at=at)
    if not bill.total_minor:
        return
    place = await places.require_place(unit, session.operator_id, session.place_id)
    payload = {
        "amount_minor": bill.total_minor,
        "currency": bill.currency,
        "place_name": place.name,
        "timezone": place.timezone,
    }
    tell(unit, session, EventType.BILL_OWED, payload)


async def refused(unit: UnitOfWork, session: Session, bill: Bill, attempt_id: UUID) -> None:
    """Count a charge of an owed bill that failed long after it was sent; all is locked."""
    listed = await owing.find(unit, bill.operator_id, bill.id)
    if listed is not None and listed.awaited_attempt_id == attempt_id:
        await count_try(unit, session, listed)


async def count_try(unit: UnitOfWork, session: Session, listed: OwedBill) -> None:
    """Count a try to collect in vain, and tell the driver what is still owed."""
    listed.tries += 1
    listed.awaited_attempt_id = None
    wait = credit_rules.next_try_after(listed.tries)
    listed.next_try_at = None if wait is None else unit.now() + wait
    place = await places.require_place(unit, session.operator_id, session.place_id)
    payload = {
        "amount_minor": listed.amount_minor,
        "currency": listed.currency,
        "place_name": place.name,
        "timezone": place.timezone,
        "is_last_try": wait is None,
    }
    tell(unit, session, EventType.COLLECTION_FAILED, payload)


async def give_credit_back(unit: UnitOfWork, session: Session) -> None:
    """Let a car that backed out of the exit use no credit any more."""
    for bill in await payments.find_bills(unit, session.operator_id, session.id):
        if bill.credit_minor:
            locked = await payments.lock_bill(unit, bill.operator_id, bill.id)
            if locked is not None:
                await credit.give_back(unit, locked)


async def _has_mandate(unit: UnitOfWork, driver_id: UUID) -> bool:
    known = await mandate_rows.find_mandates(unit, driver_id)
    return any(mandate.state == MandateState.ACTIVE for mandate in known)

"""Taking money over the counter: for a bill of one's own, or one that is owed to a partner."""

from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.payments import cross_place, settlement
from parking.flows.payments.cross_place import Debt, OwedPayment, PaidHow
from parking.flows.payments.settlement import Settled
from parking.kit.database import ConflictError, UnitOfWork
from parking.kit.money import Money
from parking.lanes import repository as lanes
from parking.payments import ledger, repository, versions
from parking.payments import service as payments
from parking.payments.errors import BillUnknownError, NothingDueError, PaymentInProgressError
from parking.payments.models import AttemptKind, Bill
from parking.payments.port import ChargeResult, OrderStatus
from parking.payments.rules import LIVE_STATES, UNPAID_STATES
from parking.places import repository as place_rows
from parking.sessions import repository as session_rows
from parking.sessions import service as sessions


async def take_cash(
    context: ParkingContext, operator_id: UUID, owner_id: UUID, bill_id: UUID, *, by: str
) -> OwedPayment:
    """Write down that a bill was paid at an operator's desk; again changes nothing.

    A car that stands at the exit with it is let out.

    Args:
        context: The domain's surroundings.
        operator_id: Whose desk it is.
        owner_id: Whose bill it is: the same, or a partner's.
        bill_id: A bill of a stay.
        by: Who took the money.

    Raises:
        BillUnknownError: there is no such bill of theirs.
        NothingDueError: it is paid, in another way.
        PaymentInProgressError: it is being paid in another way.
        PartnershipUnknownError: the operators are no partners.
    """
    if owner_id != operator_id:
        debt = await _debt(context, operator_id, owner_id, bill_id, by)
        return await cross_place.by_cash(context, debt)
    try:
        return await _take(context, operator_id, bill_id, by)
    except PaymentInProgressError:
        # A page that somebody left open would hold the desk up for as long as it lives.
        if not await _close_page(context, operator_id, bill_id):
            raise
        return await _take(context, operator_id, bill_id, by)


async def _take(context: ParkingContext, operator_id: UUID, bill_id: UUID, by: str) -> OwedPayment:
    async with context.database.begin() as unit:
        seen = await repository.find_bill(unit, operator_id, bill_id)
        if seen is None or seen.session_id is None:
            raise BillUnknownError("billId: expected one of a stay")
        stay = await session_rows.find_session(unit, operator_id, seen.session_id)
        exit_id = None if stay is None else stay.exit_presentation_id
        lane = None
        if exit_id is not None:
            lane = await lanes.lock_presentation(unit, operator_id, exit_id)
        session = await sessions.lock_session(unit, operator_id, seen.session_id)
        bill = await versions.lock_newest(unit, operator_id, bill_id)
        if session is None or session.exit_presentation_id != exit_id:
            raise ConflictError("session: its exit lane changed")
        amount = Money(bill.total_minor, bill.currency)
        if bill.state not in UNPAID_STATES:
            await _require_cash(unit, bill)
            return OwedPayment(PaidHow.SUCCEEDED, amount)
        payments.require_free(bill)
        attempt = await payments.take_in_hand(
            unit, bill, kind=AttemptKind.CASH, account=ledger.CASH_DESK, number=bill.id.hex, by=by
        )
        result = ChargeResult(number=attempt.number, status=OrderStatus.SUCCEEDED, amount=amount)
        await settlement.follow_stay(unit, Settled(lane, session, bill, attempt), session, result)
        return OwedPayment(PaidHow.SUCCEEDED, amount)


async def _require_cash(unit: UnitOfWork, bill: Bill) -> None:
    """Accept a repetition; refuse what was paid in another way, or never had to be."""
    attempt = None
    if bill.paid_attempt_id is not None:
        attempt = await repository.find_attempt(unit, bill.operator_id, bill.paid_attempt_id)
    if attempt is None or attempt.kind != AttemptKind.CASH:
        raise NothingDueError("billId: expected one that is to be paid")


async def _debt(
    context: ParkingContext, operator_id: UUID, owner_id: UUID, bill_id: UUID, by: str
) -> Debt:
    """Return a partner's debt at the operator's first place that takes its currency."""
    async with context.database.begin() as unit:
        owed = await repository.find_bill(unit, owner_id, bill_id)
        own = await place_rows.list_places(unit, operator_id)
    place = next((one for one in own if owed is not None and one.currency == owed.currency), None)
    if place is None:
        raise BillUnknownError("billId: expected one that you can collect")
    return Debt(owner_id, bill_id, operator_id, place.id, by)


async def _close_page(context: ParkingContext, operator_id: UUID, bill_id: UUID) -> bool:
    """Close the bill's open payment page; returns whether there was one."""
    async with context.database.begin() as unit:
        bill = await repository.find_bill(unit, operator_id, bill_id)
        live_id = None if bill is None else bill.live_attempt_id
        live = (
            None if live_id is None else await repository.find_attempt(unit, operator_id, live_id)
        )
    if live is None or live.kind != AttemptKind.CHECKOUT or live.state not in LIVE_STATES:
        return False
    await settlement.close(context, operator_id, live.id)
    return True

"""A driver pays by hand what they owe: to its operator, or at a partner's place."""

from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.pay_link import pay_url
from parking.flows.payments import charging, checkout, cross_place
from parking.flows.payments.cross_place import Debt, OwedPayment, PaidHow
from parking.kit.money import Money
from parking.payments import partners, repository
from parking.payments.errors import BillUnknownError, NothingDueError, PaymentInProgressError
from parking.payments.models import AttemptState, Bill, BillState
from parking.payments.rules import LIVE_STATES

BY_DRIVER = "driver"


async def pay(
    context: ParkingContext,
    driver_id: UUID,
    operator_id: UUID,
    bill_id: UUID,
    *,
    by_page: bool = False,
    at: tuple[UUID, UUID] | None = None,
) -> OwedPayment:
    """Pay an owed bill by the driver's mandates, or on the provider's page.

    Doing it twice charges once: after a payment nothing is owed. Where no mandate pays, a page
    is opened.

    Args:
        context: The domain's surroundings.
        driver_id: Who owes it.
        operator_id: To whom.
        bill_id: The bill.
        by_page: Open a page at once.
        at: Operator and place where to pay it; None for where it is owed.

    Raises:
        BillUnknownError: not a bill of this driver.
        NothingDueError: it is not owed any more.
        PaymentInProgressError: another payment of it is under way.
        PaymentUnavailableError: no mandate was charged, and the provider opened no page.
        PartnershipUnknownError: the place's operator does not collect for the owner.
    """
    bill = await _own(context, driver_id, operator_id, bill_id)
    if at is not None and at[0] != operator_id:
        return await _at_partner(context, bill, at, by_page=by_page)
    amount = Money(bill.total_minor, bill.currency)
    if not by_page and bill.state == BillState.OWED:
        attempt = await charging.charge_bill(context, operator_id, bill_id)
        if attempt is not None and attempt.state == AttemptState.SUCCEEDED:
            return OwedPayment(PaidHow.SUCCEEDED, amount)
        if attempt is not None and attempt.state in LIVE_STATES:
            return OwedPayment(PaidHow.PENDING, amount)
    address = _address(context, bill)
    url = await checkout.open_bill_page(context, operator_id, bill_id, address)
    return OwedPayment(PaidHow.CHECKOUT, amount, url if checkout.opens(url) else address)


async def choose(context: ParkingContext, driver_id: UUID, *, is_wanted: bool) -> None:
    """Let what the driver owes at partners be paid when they leave a place, or not any more."""
    async with context.database.begin() as unit:
        await partners.choose(unit, driver_id, is_wanted=is_wanted)


async def is_chosen(context: ParkingContext, driver_id: UUID) -> bool:
    """Return whether the driver wants that."""
    async with context.database.begin() as unit:
        return await partners.wants_payment(unit, driver_id)


async def _own(context: ParkingContext, driver_id: UUID, operator_id: UUID, bill_id: UUID) -> Bill:
    async with context.database.begin() as unit:
        bill = await repository.find_bill(unit, operator_id, bill_id)
    if bill is None or bill.driver_id != driver_id or bill.session_id is None:
        raise BillUnknownError("billId: expected one of yours")
    if bill.state not in {BillState.OWED, BillState.WRITTEN_OFF}:
        raise NothingDueError("billId: it is not owed")
    if bill.claim_id is not None:
        raise PaymentInProgressError("billId: another payment of it is under way")
    return bill


async def _at_partner(
    context: ParkingContext, bill: Bill, at: tuple[UUID, UUID], *, by_page: bool
) -> OwedPayment:
    debt = Debt(bill.operator_id, bill.id, at[0], at[1], BY_DRIVER)
    if not by_page:
        paid = await cross_place.by_mandate(context, debt, is_waited_for=True)
        if paid.status != PaidHow.REFUSED:
            return paid
    return await cross_place.by_page(context, debt, _address(context, bill))


def _address(context: ParkingContext, bill: Bill) -> str:
    """Return where the provider sends the payer's browser back to."""
    if bill.session_id is None:
        return context.public_url
    return pay_url(context, bill.operator_id, bill.session_id)

"""Paying for a stay before leaving: by the driver's mandate, or on the provider's page."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from parking.drivers import stays
from parking.flows.bills import live_bill
from parking.flows.bills.billing import current_bill, priced_at
from parking.flows.context import ParkingContext
from parking.flows.pay_link import pay_url
from parking.flows.payments import checkout, choosing
from parking.flows.payments.charging import call_provider, new_charge
from parking.flows.payments.deadline import GATE_DEADLINE_S, Deadline
from parking.flows.payments.step import NewCharge
from parking.kit.money import Money
from parking.payments import repository
from parking.payments.errors import NothingDueError, PaymentInProgressError
from parking.payments.models import AttemptState, BillState
from parking.sessions import service as sessions
from parking.sessions.errors import SessionUnknownError


class PrepaymentStatus(StrEnum):
    """What became of a payment: settled, open at the provider, or to be made on its page."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    CHECKOUT = "checkout"


@dataclass(frozen=True, slots=True)
class Prepayment:
    """The outcome of paying now; `checkout_url` is set with CHECKOUT."""

    status: PrepaymentStatus
    amount: Money
    checkout_url: str | None = None


async def prepay(context: ParkingContext, driver_id: UUID, session_id: UUID) -> Prepayment:
    """Pay what the driver's stay costs now; leaving is free for a grace time after it.

    Doing it twice charges once: after a payment nothing is due.

    Raises:
        SessionUnknownError: not a stay of this driver.
        NothingDueError: it is paid, free so far, or over.
        PaymentInProgressError: another payment of it is under way.
        PaymentUnavailableError: no mandate was charged, and the provider opened no page.
    """
    async with context.database.begin() as unit:
        stay = await stays.find_stay(unit, driver_id, session_id)
    if stay is None:
        raise SessionUnknownError("sessionId: expected one of yours")
    deadline = Deadline.after(GATE_DEADLINE_S)
    # Each turn tries a mandate that was not tried before, so the turns end.
    while True:
        may_charge = deadline.allows_try()
        step, amount = await _next_charge(
            context, driver_id, stay.operator_id, session_id, may_charge=may_charge
        )
        if step is None:
            url = await checkout.open_page(context, stay.operator_id, session_id)
            if not checkout.opens(url):
                # The bill's page shows the code, or leads the phone that opens it somewhere else.
                url = pay_url(context, stay.operator_id, session_id)
            return Prepayment(PrepaymentStatus.CHECKOUT, amount, url)
        await call_provider(context, step, deadline=deadline)
        state = await _state(context, step)
        if state == AttemptState.SUCCEEDED:
            return Prepayment(PrepaymentStatus.SUCCEEDED, amount)
        if state != AttemptState.FAILED:
            return Prepayment(PrepaymentStatus.PENDING, amount)


async def _next_charge(
    context: ParkingContext,
    driver_id: UUID,
    operator_id: UUID,
    session_id: UUID,
    *,
    may_charge: bool,
) -> tuple[NewCharge | None, Money]:
    async with context.database.begin() as unit:
        session = await sessions.lock_session(unit, operator_id, session_id)
        if session is None or session.driver_id != driver_id:
            raise SessionUnknownError("sessionId: expected one of yours")
        live = await live_bill.compute(unit, session, await priced_at(unit, session))
        if session.left_at is not None or not live.due:
            raise NothingDueError("sessionId: nothing is due")
        bill = await current_bill(unit, session, live, session.exit_presentation_id)
        locked = await repository.lock_bill(unit, operator_id, bill.id)
        if locked is None or locked.state == BillState.PAID:
            raise NothingDueError("sessionId: nothing is due")
        if locked.live_attempt_id is not None:
            raise PaymentInProgressError("sessionId: another payment of it is under way")
        amount = Money(locked.total_minor, locked.currency)
        attempt = None
        if may_charge:
            occasion = await choosing.occasion_of(unit, locked, session=session)
            attempt = await choosing.begin_charge(context, unit, locked, occasion)
        if attempt is None:
            return None, amount
        return await new_charge(context, unit, attempt, locked, session=session), amount


async def _state(context: ParkingContext, step: NewCharge) -> AttemptState:
    async with context.database.begin() as unit:
        attempt = await repository.find_attempt(unit, step.operator_id, step.attempt_id)
    return AttemptState.FAILED if attempt is None else AttemptState(attempt.state)

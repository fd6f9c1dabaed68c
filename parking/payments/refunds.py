"""Refunds, one transaction each; the provider is called between them, by `flows.refunds`."""

from datetime import timedelta
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id
from parking.kit.money import Money
from parking.payments import chargebacks, ledger, repository
from parking.payments.errors import RefundConflictError, RefundTooLargeError
from parking.payments.models import Bill, PaymentAttempt, Refund, RefundState
from parking.payments.port import (
    DESCRIPTION_LENGTH_MAX,
    OrderStatus,
    RefundOrder,
    RefundResult,
    order_number,
)
from parking.payments.rules import LIVE_REFUND_STATES, next_refund_state, query_delay
from parking.payments.service import AmountMismatchError, sent_order

REFUND_ORDER = "refund"
RETRY_CAUSE = "retry:"
DESK_CAUSE = "desk:"
TO_HAND_OUT = "to_be_handed_out"
# Whoever asked for it sends it right after the commit; should that process die, the sweep does.
FIRST_SENT_AFTER = timedelta(seconds=2)


async def find_known(
    unit: UnitOfWork, attempt: PaymentAttempt, amount: Money, *, cause: str
) -> Refund | None:
    """Return the refund that this cause already has of an attempt.

    Raises:
        RefundConflictError: it was of another amount.
    """
    refund_id = derive_id(attempt.id, f"refund:{cause}")
    known = await repository.find_refund(unit, attempt.operator_id, refund_id)
    if known is not None and Money(known.amount_minor, known.currency) != amount:
        raise RefundConflictError("cause: it was refunded before, with another amount")
    return known


async def store(
    unit: UnitOfWork,
    bill: Bill,
    attempt: PaymentAttempt,
    amount: Money,
    *,
    cause: str,
    reason: str,
    by: str,
) -> Refund:
    """Store a refund before the provider hears of it.

    Args:
        unit: The transaction.
        bill: The version that says the lower price.
        attempt: Locked; it took the money.
        amount: More than nothing.
        cause: New for this attempt.
        reason: What the payer reads; shortened to what providers take.
        by: Who asked for it.

    Raises:
        RefundTooLargeError: more would go back than the attempt took.
    """
    await _require_held(unit, attempt, amount)
    if not reason.strip():
        raise InvalidInputError("reason", "what the payer reads")
    refund_id = derive_id(attempt.id, f"refund:{cause}")
    refund = Refund(
        operator_id=attempt.operator_id,
        id=refund_id,
        bill_id=bill.id,
        attempt_id=attempt.id,
        session_id=attempt.session_id,
        pass_id=attempt.pass_id,
        driver_id=attempt.driver_id or bill.driver_id,
        provider=attempt.provider,
        charge_number=attempt.number,
        number=order_number(refund_id),
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        state=RefundState.SENT,
        cause=cause,
        reason=reason.strip()[:DESCRIPTION_LENGTH_MAX],
        requested_by=by,
        requested_at=unit.now(),
        next_query_at=unit.now() + FIRST_SENT_AFTER,
    )
    unit.session.add(refund)
    await repository.remember_order(
        unit,
        number=refund.number,
        owner_id=refund.operator_id,
        subject_id=refund.id,
        kind=REFUND_ORDER,
    )
    return refund


async def _require_held(unit: UnitOfWork, attempt: PaymentAttempt, amount: Money) -> None:
    held = attempt.amount_minor - await repository.refunded_minor(unit, attempt)
    held -= await chargebacks.taken_back_minor(unit, attempt)
    if amount.amount_minor > held or amount.currency != attempt.currency:
        most = Money(max(held, 0), attempt.currency).format()
        raise RefundTooLargeError(f"amount: expected at most {most}")


def order_of(refund: Refund, attempt: PaymentAttempt) -> RefundOrder:
    """Return the provider's order for a refund of an attempt's money."""
    return RefundOrder(
        number=refund.number,
        charge=sent_order(attempt),
        amount=Money(refund.amount_minor, refund.currency),
        reason=refund.reason,
        reference=refund.provider_reference,
    )


def is_by_hand(refund: Refund) -> bool:
    """Return whether no provider holds the money: it was paid at a desk, or at a partner's."""
    return ledger.account_of_refund(refund) == ledger.CASH_DESK


def by_hand(refund: Refund) -> RefundResult:
    """Return what becomes of such a refund: whoever decides on it at the desk hands it out.

    What nobody at the desk asked for waits on their list, as one that failed: trying it again is
    handing it out.
    """
    is_at_desk = refund.cause.startswith((DESK_CAUSE, RETRY_CAUSE))
    return RefundResult(
        number=refund.number,
        charge_number=refund.charge_number,
        status=OrderStatus.SUCCEEDED if is_at_desk else OrderStatus.FAILED,
        failure_code=None if is_at_desk else TO_HAND_OUT,
        amount=Money(refund.amount_minor, refund.currency),
    )


async def apply_result(unit: UnitOfWork, refund: Refund, result: RefundResult) -> bool:
    """Write down what the provider said; returns whether the locked refund's state changed.

    Raises:
        AmountMismatchError: the provider gave another amount back, or of another charge; nothing
            was written.
    """
    asked = Money(refund.amount_minor, refund.currency)
    if result.amount not in {None, asked} or result.charge_number != refund.charge_number:
        raise AmountMismatchError(f"refund: expected {asked.format()} of the charge it was for")
    if refund.state == RefundState.SUCCEEDED and result.came_back:
        # Such as a card that was closed meanwhile: staff send it again in another way.
        refund.state = RefundState.FAILED
        refund.failure_code = result.failure_code
        await ledger.post_refund_returned(unit, refund)
        return True
    if refund.state not in LIVE_REFUND_STATES:
        return False
    before = refund.state
    refund.state = next_refund_state(RefundState(before), result)
    refund.failure_code = result.failure_code
    refund.provider_reference = result.provider_reference or refund.provider_reference
    if refund.state in LIVE_REFUND_STATES:
        refund.next_query_at = unit.now() + query_delay(refund.queries)
        refund.queries += 1
        return refund.state != before
    refund.finished_at = unit.now()
    if refund.state == RefundState.SUCCEEDED:
        await ledger.post_refunded(unit, refund)
    return True


async def postpone(unit: UnitOfWork, operator_id: UUID, refund_id: UUID) -> None:
    """Ask about a refund later, and later each time: its answers cannot be believed."""
    refund = await repository.lock_refund(unit, operator_id, refund_id)
    if refund is not None and refund.state in LIVE_REFUND_STATES:
        refund.next_query_at = unit.now() + query_delay(refund.queries)
        refund.queries += 1

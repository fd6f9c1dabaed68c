"""A refund that a person at the desk decides on."""

from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.payments import pass_settlement, refunds
from parking.flows.payments.refund_view import RefundView, view_of
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments import repository
from parking.payments.errors import BillUnknownError, RefundUnknownError
from parking.payments.models import Refund
from parking.sessions import service as sessions

KEY_LENGTH_MAX = 100
REASON_LENGTH_MAX = 120


async def refund_bill(
    context: ParkingContext,
    operator_id: UUID,
    bill_id: UUID,
    amount: Money,
    *,
    key: str,
    reason: str,
    by: str,
) -> RefundView:
    """Give a part of a paid bill back; the same key again returns the same refund.

    Args:
        context: The domain's surroundings.
        operator_id: Whose desk it is.
        bill_id: Any version of the bill.
        amount: What goes back.
        key: Names the decision, so that a repetition is known as one.
        reason: What the payer reads.
        by: Who decides.

    Raises:
        BillUnknownError: the operator has no such bill.
        InvalidInputError: the key or the reason is unusable.
        NothingToRefundError: the bill took no money.
        RefundTooLargeError: it holds less.
        RefundConflictError: the key was used for another amount.
    """
    if not 0 < len(key) <= KEY_LENGTH_MAX:
        raise InvalidInputError("refundKey", f"1 to {KEY_LENGTH_MAX} characters")
    if not 0 < len(reason.strip()) <= REASON_LENGTH_MAX:
        raise InvalidInputError("reason", f"1 to {REASON_LENGTH_MAX} characters")
    async with context.database.begin() as unit:
        bill = await repository.find_bill(unit, operator_id, bill_id)
        if bill is None:
            raise BillUnknownError("billId: expected one of yours")
        if bill.session_id is not None:
            await sessions.lock_session(unit, operator_id, bill.session_id)
        elif bill.pass_id is not None:
            await pass_settlement.lock(unit, operator_id, bill.pass_id)
        refund = await refunds.request_refund(
            unit, bill, amount, cause=f"desk:{key}", reason=reason, by=by
        )
    return await _sent(context, refund)


async def retry(
    context: ParkingContext, operator_id: UUID, refund_id: UUID, *, by: str
) -> RefundView:
    """Send the money of a failed refund again; errors as in `refunds.retry_refund`."""
    async with context.database.begin() as unit:
        refund = await refunds.retry_refund(unit, operator_id, refund_id, by=by)
    return await _sent(context, refund)


async def _sent(context: ParkingContext, refund: Refund) -> RefundView:
    await refunds.send_all(context, refund.operator_id, [refund.id])
    async with context.database.begin() as unit:
        stored = await repository.find_refund(unit, refund.operator_id, refund.id)
    if stored is None:
        raise RefundUnknownError("refundId: expected one of yours")
    return view_of(stored)

"""Money back to a bank account, within GoCardless' limits."""

from parking.payments.port import (
    ANSWER_MISMATCH,
    NUMBER_CONFLICT,
    OrderStatus,
    RefundOrder,
    RefundResult,
)
from parking.payments.providers.gocardless.answers import (
    CHARGE,
    NUMBER,
    Payment,
    Refund,
    RefundAnswer,
    RefundsAnswer,
)
from parking.payments.providers.gocardless.charges import (
    PAGE_ROWS,
    PAGES_EXCEEDED,
    PAGES_MAX,
    payment_of,
)
from parking.payments.providers.gocardless.transport import Failure, GoCardlessClient

EXCEEDS_CHARGE = "exceeds_charge"
NOT_REFUNDABLE = "not_refundable"
TOTAL_CHANGED = "total_amount_confirmation_invalid"
_TAKEN = {"confirmed", "paid_out"}
_FAILURES = {"refund_payment_invalid_state": NOT_REFUNDABLE}


async def refund(client: GoCardlessClient, order: RefundOrder) -> RefundResult:
    """Give money back, once for this number."""
    payment = await payment_of(client, order.charge)
    if isinstance(payment, Failure):
        return _unknown(order, payment.code)
    if payment is None:
        return _failed(order, NOT_REFUNDABLE)
    known = await _find(client, order, payment)
    if known is not None:
        return _judged(order, known)
    if payment.status not in _TAKEN:
        return _failed(order, NOT_REFUNDABLE)
    if payment.amount_refunded + order.amount.amount_minor > payment.amount:
        return _failed(order, EXCEEDS_CHARGE)
    return await _send(client, order, payment)


async def query(client: GoCardlessClient, order: RefundOrder) -> RefundResult:
    """Return where the refund stands."""
    if order.reference is not None:
        answer = await client.get(RefundAnswer, f"/refunds/{order.reference}")
        return _judged(order, answer if isinstance(answer, Failure) else answer.refunds)
    payment = await payment_of(client, order.charge)
    if isinstance(payment, Failure):
        return _unknown(order, payment.code)
    known = None if payment is None else await _find(client, order, payment)
    if known is None:
        return _result(order, OrderStatus.NOT_FOUND, None)
    return _judged(order, known)


async def _send(client: GoCardlessClient, order: RefundOrder, payment: Payment) -> RefundResult:
    body = {
        "refunds": {
            "amount": order.amount.amount_minor,
            # Tells GoCardless that we know of every refund before this one.
            "total_amount_confirmation": payment.amount_refunded + order.amount.amount_minor,
            "metadata": {NUMBER: order.number, CHARGE: order.charge.number},
            "links": {"payment": payment.id},
        }
    }
    answer = await client.post(RefundAnswer, "/refunds", body, key=order.number)
    if not isinstance(answer, Failure):
        return _judged(order, answer.refunds)
    if not answer.is_refusal:
        return _unknown(order, answer.code)
    # The same refund may have been sent beside this one, and come first.
    known = await _find(client, order, payment)
    if known is not None:
        return _judged(order, known)
    if answer.conflicting_id is not None or answer.code == TOTAL_CHANGED:
        return _unknown(order, answer.code)
    return _failed(order, _FAILURES.get(answer.code, answer.code))


async def _find(
    client: GoCardlessClient, order: RefundOrder, payment: Payment
) -> Refund | Failure | None:
    terms = {"payment": payment.id, "limit": str(PAGE_ROWS)}
    for _ in range(PAGES_MAX):
        page = await client.get(RefundsAnswer, "/refunds", terms)
        if isinstance(page, Failure):
            return page
        for found in page.refunds:
            if found.metadata.get(NUMBER) == order.number:
                return found
        if page.meta.cursors.after is None:
            return None
        terms["after"] = page.meta.cursors.after
    return Failure(PAGES_EXCEEDED)


def _judged(order: RefundOrder, found: Refund | Failure) -> RefundResult:
    if isinstance(found, Failure):
        if found.says_not_found:
            return _result(order, OrderStatus.NOT_FOUND, None)
        return _unknown(order, found.code)
    if found.metadata.get(NUMBER) != order.number:
        return _unknown(order, ANSWER_MISMATCH)
    if found.money != order.amount:
        return _unknown(order, NUMBER_CONFLICT)
    return found.result(order.number, order.charge.number)


def _result(order: RefundOrder, status: OrderStatus, code: str | None) -> RefundResult:
    return RefundResult(
        number=order.number, charge_number=order.charge.number, status=status, failure_code=code
    )


def _unknown(order: RefundOrder, code: str) -> RefundResult:
    return _result(order, OrderStatus.UNKNOWN, code)


def _failed(order: RefundOrder, code: str) -> RefundResult:
    return _result(order, OrderStatus.FAILED, code)

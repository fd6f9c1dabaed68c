"""Payments under a mandate, found again by the number in their metadata."""

from datetime import datetime, timedelta

import structlog

from parking.kit.clock import Clock
from parking.kit.money import Money
from parking.payments.port import (
    AGREEMENT_INACTIVE,
    ANSWER_MISMATCH,
    CLOSED,
    NUMBER_CONFLICT,
    ChargeOrder,
    ChargeResult,
    OrderStatus,
    SentOrder,
)
from parking.payments.providers.gocardless.answers import (
    AMOUNT,
    CURRENCY,
    NUMBER,
    Payment,
    PaymentAnswer,
    PaymentsAnswer,
)
from parking.payments.providers.gocardless.transport import Failure, GoCardlessClient

PAGE_ROWS = 100
PAGES_MAX = 10
# Our clocks may differ by so much.
CLOCK_SLACK = timedelta(hours=1)
# No delivery of ours is still under way after that: port.DEADLINE_S_MAX is half of it.
CLOSE_AGE_MIN = timedelta(seconds=60)
TOO_YOUNG = "too_young"
PAGES_EXCEEDED = "pages_exceeded"
_CANCELLABLE = {"pending_customer_approval", "pending_submission"}
_FAILURES = {"mandate_is_inactive": AGREEMENT_INACTIVE}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def charge(client: GoCardlessClient, order: ChargeOrder) -> ChargeResult:
    """Make the payment of this number, once."""
    if order.instrument is None:
        return _failed(order.number, AGREEMENT_INACTIVE)
    body = {
        "payments": {
            "amount": order.amount.amount_minor,
            "currency": order.amount.currency,
            "description": order.description,
            "metadata": {
                NUMBER: order.number,
                AMOUNT: str(order.amount.amount_minor),
                CURRENCY: order.amount.currency,
            },
            "links": {"mandate": order.instrument},
        }
    }
    answer = await client.post(
        PaymentAnswer, "/payments", body, key=order.number, deadline_s=order.deadline_s
    )
    if not isinstance(answer, Failure):
        return _judged(order.number, order.amount, answer.payments)
    if answer.conflicting_id is not None:
        return await _before(client, order, answer.conflicting_id)
    if not answer.is_refusal:
        return _unknown(order.number, answer.code)
    return await _refused(client, order, answer.code)


async def _refused(client: GoCardlessClient, order: ChargeOrder, code: str) -> ChargeResult:
    # An earlier delivery may have made the payment before there was a reason to refuse.
    found = await _find(client, order.number, order.instrument, order.sent_at)
    if isinstance(found, Failure):
        return _unknown(order.number, found.code)
    if found is not None:
        return _judged(order.number, order.amount, found)
    return _failed(order.number, _FAILURES.get(code, code))


async def query(client: GoCardlessClient, order: SentOrder) -> ChargeResult:
    """Return where the payment stands."""
    found = await payment_of(client, order)
    if isinstance(found, Failure):
        return _unknown(order.number, found.code)
    if found is None:
        return ChargeResult(number=order.number, status=OrderStatus.NOT_FOUND)
    return _judged(order.number, order.amount, found)


async def close(client: GoCardlessClient, order: SentOrder, clock: Clock) -> ChargeResult:
    """Cancel the payment where that is still possible."""
    found = await payment_of(client, order)
    if isinstance(found, Failure):
        return _unknown(order.number, found.code)
    if found is None:
        # Nothing at GoCardless can stop a delivery that is still under way.
        if clock.now() - order.sent_at < CLOSE_AGE_MIN:
            return _unknown(order.number, TOO_YOUNG)
        return _failed(order.number, CLOSED)
    if found.status not in _CANCELLABLE:
        return _judged(order.number, order.amount, found)
    return await _cancel(client, order, found)


async def _cancel(client: GoCardlessClient, order: SentOrder, found: Payment) -> ChargeResult:
    answer = await client.post(PaymentAnswer, f"/payments/{found.id}/actions/cancel", {})
    if not isinstance(answer, Failure):
        return _judged(order.number, order.amount, answer.payments)
    if not answer.is_refusal:
        return _unknown(order.number, answer.code)
    return await query(client, order)


async def payment_of(client: GoCardlessClient, order: SentOrder) -> Payment | Failure | None:
    """Return an order's payment; None where there is none."""
    if order.reference is None:
        return await _find(client, order.number, order.instrument, order.sent_at)
    answer = await client.get(PaymentAnswer, f"/payments/{order.reference}")
    if not isinstance(answer, Failure):
        return answer.payments
    return None if answer.says_not_found else answer


async def _find(
    client: GoCardlessClient, number: str, mandate: str | None, sent_at: datetime | None
) -> Payment | Failure | None:
    if mandate is None:
        return None
    query_terms = {"mandate": mandate, "limit": str(PAGE_ROWS)}
    if sent_at is not None:
        query_terms["created_at[gte]"] = (sent_at - CLOCK_SLACK).isoformat()
    for _ in range(PAGES_MAX):
        page = await client.get(PaymentsAnswer, "/payments", query_terms)
        if isinstance(page, Failure):
            return page
        for payment in page.payments:
            if payment.metadata.get(NUMBER) == number:
                return payment
        if page.meta.cursors.after is None:
            return None
        query_terms["after"] = page.meta.cursors.after
    return Failure(PAGES_EXCEEDED)


async def _before(client: GoCardlessClient, order: ChargeOrder, payment_id: str) -> ChargeResult:
    answer = await client.get(PaymentAnswer, f"/payments/{payment_id}")
    if isinstance(answer, Failure):
        return _unknown(order.number, answer.code)
    made = answer.payments
    if made.money != order.amount or made.links.mandate != order.instrument:
        return _unknown(order.number, NUMBER_CONFLICT)
    return _judged(order.number, order.amount, made)


def _judged(number: str, amount: Money, payment: Payment) -> ChargeResult:
    if payment.agrees(number, amount):
        return payment.result()
    _log.error("gocardless_answer_mismatch", asked=number, payment=payment.id)
    return _unknown(number, ANSWER_MISMATCH)


def _unknown(number: str, code: str) -> ChargeResult:
    return ChargeResult(number=number, status=OrderStatus.UNKNOWN, failure_code=code)


def _failed(number: str, code: str) -> ChargeResult:
    return ChargeResult(number=number, status=OrderStatus.FAILED, failure_code=code)

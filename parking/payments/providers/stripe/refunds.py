"""Money back: looked up in the payment's own list before it is sent, whatever the key remembers."""

from dataclasses import replace

from stripe.params import RefundListParams

from parking.payments.port import (
    ANSWER_MISMATCH,
    NUMBER_CONFLICT,
    OrderStatus,
    RefundOrder,
    RefundResult,
    SentOrder,
)
from parking.payments.providers.stripe.amounts import to_stripe
from parking.payments.providers.stripe.answers import (
    CHARGE_NUMBER,
    NUMBER,
    Refund,
    RefundPage,
)
from parking.payments.providers.stripe.charges import AMOUNT_UNSUPPORTED
from parking.payments.providers.stripe.lookup import PAGE_ITEMS, PAGES_MAX, TOO_MANY, Lookup
from parking.payments.providers.stripe.transport import Caller, Failure

NOT_REFUNDABLE = "not_refundable"
EXCEEDS_CHARGE = "exceeds_charge"


class Refunds:
    """Refunds of payments."""

    def __init__(self, caller: Caller, lookup: Lookup) -> None:
        self._caller = caller
        self._api = caller.stripe.v1
        self._lookup = lookup

    async def refund(self, order: RefundOrder) -> RefundResult:
        """Give money back; see `PaymentProvider.refund`."""
        payment = await self._payment(order.charge)
        if isinstance(payment, Failure):
            return _unknown(order, payment.code)
        value = to_stripe(order.amount)
        if payment is None or value is None:
            code = NOT_REFUNDABLE if payment is None else AMOUNT_UNSUPPORTED
            return replace(_unknown(order, code), status=OrderStatus.FAILED)
        found = await self._find(order, payment)
        if isinstance(found, Refund) and found.money != order.amount:
            return _unknown(order, NUMBER_CONFLICT)
        if found is not None:
            return _result(order, payment, found)
        work = self._api.refunds.create_async(
            {
                "payment_intent": payment,
                "amount": value,
                "reason": "requested_by_customer",
                "metadata": {
                    NUMBER: order.number,
                    CHARGE_NUMBER: order.charge.number,
                    "sesame_reason": order.reason,
                },
            },
            {"idempotency_key": order.number},
        )
        return _result(order, payment, await self._caller.call(Refund, work))

    async def query(self, order: RefundOrder) -> RefundResult:
        """Return where the refund stands; see `PaymentProvider.query_refund`."""
        payment = await self._payment(order.charge)
        if isinstance(payment, Failure):
            return _unknown(order, payment.code)
        found = None if payment is None else await self._find(order, payment)
        if payment is None or found is None:
            return RefundResult(
                number=order.number,
                charge_number=order.charge.number,
                status=OrderStatus.NOT_FOUND,
            )
        return _result(order, payment, found)

    async def _payment(self, charge: SentOrder) -> str | Failure | None:
        """Return the id of the PaymentIntent that took the money."""
        if charge.reference is not None and charge.reference.startswith("pi_"):
            return charge.reference
        if charge.is_checkout:
            page = await self._lookup.session(charge)
            return page if page is None or isinstance(page, Failure) else page.payment_intent
        found = await self._lookup.intent(charge)
        return found if found is None or isinstance(found, Failure) else found.id

    async def _find(self, order: RefundOrder, payment: str) -> Refund | Failure | None:
        if order.reference is not None:
            found = await self._caller.call(
                Refund, self._api.refunds.retrieve_async(order.reference)
            )
            if not (isinstance(found, Failure) and found.says_not_found):
                return found
        params: RefundListParams = {"payment_intent": payment, "limit": PAGE_ITEMS}
        for _ in range(PAGES_MAX):
            work = self._api.refunds.list_async(params)
            page = await self._caller.call(RefundPage, work)
            if isinstance(page, Failure):
                return None if page.says_not_found else page
            for item in page.data:
                if item.number == order.number:
                    return item
            if not page.has_more or not page.data:
                return None
            params["starting_after"] = page.data[-1].id
        return Failure(TOO_MANY)


def _result(order: RefundOrder, payment: str, answer: Refund | Failure) -> RefundResult:
    if isinstance(answer, Refund):
        agreed = (answer.number, answer.charge_number, answer.money, answer.payment_intent) == (
            order.number,
            order.charge.number,
            order.amount,
            payment,
        )
        return answer.result() if agreed else _unknown(order, ANSWER_MISMATCH)
    if answer.says_key_used:
        return _unknown(order, NUMBER_CONFLICT)
    if answer.is_refusal:
        return replace(_unknown(order, _refusal(answer)), status=OrderStatus.FAILED)
    return _unknown(order, answer.code)


def _refusal(failure: Failure) -> str:
    if failure.param == "amount" or failure.code == "charge_already_refunded":
        return EXCEEDS_CHARGE
    if failure.code in {"resource_missing", "payment_intent_unexpected_state"}:
        return NOT_REFUNDABLE
    return failure.code


def _unknown(order: RefundOrder, code: str) -> RefundResult:
    return RefundResult(
        number=order.number,
        charge_number=order.charge.number,
        status=OrderStatus.UNKNOWN,
        failure_code=code,
    )

"""Bills paid by hand: one hosted Checkout Session a number, for cards."""

from datetime import UTC, datetime, timedelta

from stripe.params.checkout import SessionCreateParams

from parking.payments.port import (
    ANSWER_MISMATCH,
    CLOSED,
    ChargeResult,
    Checkout,
    CheckoutOrder,
    OrderStatus,
    ProviderRefusedError,
    ProviderUnavailableError,
    SentOrder,
)
from parking.payments.providers.stripe.agreements import must
from parking.payments.providers.stripe.amounts import to_stripe
from parking.payments.providers.stripe.answers import (
    CHECKOUT_KIND,
    KIND,
    NUMBER,
    Session,
    agrees,
    mismatch,
    unknown,
)
from parking.payments.providers.stripe.charges import AMOUNT_UNSUPPORTED, Charges
from parking.payments.providers.stripe.lookup import Lookup
from parking.payments.providers.stripe.transport import Caller, Failure

# Stripe's least is half an hour after the page was made; the other half is for repetitions.
PAGE_LIFETIME = timedelta(hours=1)


class Checkouts:
    """Payment pages."""

    def __init__(self, caller: Caller, charges: Charges, lookup: Lookup) -> None:
        self._caller = caller
        self._api = caller.stripe.v1
        self._charges = charges
        self._lookup = lookup

    async def start(self, order: CheckoutOrder) -> Checkout:
        """Open a page; see `PaymentProvider.start_checkout`."""
        value = to_stripe(order.amount)
        if value is None:
            raise ProviderRefusedError(AMOUNT_UNSUPPORTED)
        ours = {NUMBER: order.number, KIND: CHECKOUT_KIND}
        params: SessionCreateParams = {
            "mode": "payment",
            "allowed_payment_method_types": ["card"],
            "client_reference_id": order.number,
            "metadata": ours,
            "payment_intent_data": {"metadata": ours, "description": order.description},
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.amount.currency.lower(),
                        "unit_amount": value,
                        "product_data": {"name": order.description},
                    },
                }
            ],
            "success_url": order.return_url,
            "cancel_url": order.return_url,
        }
        if order.sent_at is not None:
            # From the order's own time: a repetition must say the same.
            params["expires_at"] = int((order.sent_at + PAGE_LIFETIME).timestamp())
        work = self._api.checkout.sessions.create_async(params, {"idempotency_key": order.number})
        page = must(await self._caller.call(Session, work))
        if page.number != order.number or page.money != order.amount:
            raise ProviderUnavailableError(ANSWER_MISMATCH)
        if page.livemode != self._caller.livemode:
            raise ProviderUnavailableError(ANSWER_MISMATCH)
        if page.url is None:
            raise ProviderRefusedError(CLOSED)
        return Checkout(
            url=page.url,
            expires_at=datetime.fromtimestamp(page.expires_at, UTC),
            reference=page.id,
        )

    async def query(self, order: SentOrder) -> ChargeResult:
        """Return where the checkout stands; see `PaymentProvider.query`."""
        if order.reference is not None and order.reference.startswith("pi_"):
            return await self._charges.query(order)
        page = await self._lookup.session(order)
        if isinstance(page, Failure):
            return unknown(order.number, page.code)
        if page is None:
            # Perhaps it was closed before its page was made.
            return await self._charges.query(order)
        return self._verdict(order, page)

    async def close(self, order: SentOrder) -> ChargeResult:
        """Make the page take no money any more; see `PaymentProvider.close`."""
        page = await self._lookup.session(order)
        if isinstance(page, Failure):
            return unknown(order.number, page.code)
        if page is None:
            return await self._charges.close(order)
        stands = self._verdict(order, page)
        if stands.status != OrderStatus.ACCEPTED or page.status != "open":
            return stands
        work = self._api.checkout.sessions.expire_async(
            page.id, {}, {"idempotency_key": f"{page.id}-expire"}
        )
        ended = await self._caller.call(Session, work)
        if isinstance(ended, Failure) and ended.is_refusal:
            # Somebody is paying, or has paid.
            ended = await self._lookup.session_by_id(page.id)
        if isinstance(ended, Failure):
            return unknown(order.number, ended.code)
        return self._verdict(order, ended)

    def _verdict(self, order: SentOrder, page: Session) -> ChargeResult:
        if not agrees(page, order, livemode=self._caller.livemode):
            return mismatch(order.number)
        return page.result(order.number)

"""Stripe behind the payment port: calls out, and notices in."""

from collections.abc import Mapping
from datetime import date

from parking.kit.clock import Clock
from parking.payments.port import (
    AccountKind,
    AgreementRequest,
    AgreementStarted,
    AgreementState,
    ChargeOrder,
    ChargeResult,
    Checkout,
    CheckoutOrder,
    Notice,
    NoticeOutcome,
    NoticeRefusedError,
    NoticeReply,
    ProviderTraits,
    RefundOrder,
    RefundResult,
    SentOrder,
    SettlementRow,
)
from parking.payments.providers.stripe.agreements import Agreements
from parking.payments.providers.stripe.charges import Charges
from parking.payments.providers.stripe.checkouts import Checkouts
from parking.payments.providers.stripe.lookup import Lookup
from parking.payments.providers.stripe.notices import BODY_BYTES_MAX, parse_event
from parking.payments.providers.stripe.refunds import Refunds
from parking.payments.providers.stripe.settings import StripeSettings
from parking.payments.providers.stripe.settlement import Settlements
from parking.payments.providers.stripe.signature import SignatureRefusedError, check
from parking.payments.providers.stripe.transport import Caller

_TRAITS = ProviderTraits(account=AccountKind.CARD, notice_bytes_max=BODY_BYTES_MAX)
# Stripe repeats whatever is not answered 2xx, for days, and then stops talking to the endpoint.
_REPLIES = {
    NoticeOutcome.TAKEN: NoticeReply(status=200, body=b'{"received": true}'),
    NoticeOutcome.REFUSED: NoticeReply(status=400, body=b'{"code": "PAYMENT_NOTICE_REFUSED"}'),
    NoticeOutcome.BUSY: NoticeReply(status=503, body=b'{"code": "BUSY"}'),
    NoticeOutcome.IMPOSSIBLE: NoticeReply(status=200, body=b'{"received": true}'),
}


class StripeProvider:
    """A `PaymentProvider` for cards."""

    def __init__(self, settings: StripeSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._caller = Caller(settings)
        lookup = Lookup(self._caller)
        self._agreements = Agreements(self._caller, clock)
        self._charges = Charges(self._caller, self._agreements, lookup, clock)
        self._checkouts = Checkouts(self._caller, self._charges, lookup)
        self._refunds = Refunds(self._caller, lookup)
        self._settlements = Settlements(self._caller, clock)

    @property
    def name(self) -> str:
        """See `PaymentProvider.name`."""
        return "stripe"

    @property
    def traits(self) -> ProviderTraits:
        """See `PaymentProvider.traits`."""
        return _TRAITS

    async def start_agreement(self, request: AgreementRequest) -> AgreementStarted:
        """See `PaymentProvider.start_agreement`."""
        return await self._agreements.start(request)

    async def query_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.query_agreement`."""
        del plate
        return await self._agreements.state(reference)

    async def cancel_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.cancel_agreement`."""
        del plate
        return await self._agreements.cancel(reference)

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """See `PaymentProvider.charge`."""
        return await self._charges.charge(order)

    async def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """See `PaymentProvider.start_checkout`."""
        return await self._checkouts.start(order)

    async def query(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.query`."""
        if order.is_checkout:
            return await self._checkouts.query(order)
        return await self._charges.query(order)

    async def close(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.close`."""
        if order.is_checkout:
            return await self._checkouts.close(order)
        return await self._charges.close(order)

    async def refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.refund`."""
        return await self._refunds.refund(order)

    async def query_refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.query_refund`."""
        return await self._refunds.query(order)

    def verify_notices(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:
        """See `PaymentProvider.verify_notices`."""
        sent = {name.lower(): value for name, value in headers.items()}
        if len(body) > BODY_BYTES_MAX:
            raise NoticeRefusedError("body")
        try:
            header = sent.get("stripe-signature", "")
            check(header, body, self._settings.webhook_secrets, self._clock.now())
        except SignatureRefusedError as error:
            raise NoticeRefusedError(error.reason) from error
        return parse_event(self._settings, body)

    def notice_reply(self, outcome: NoticeOutcome) -> NoticeReply:
        """See `PaymentProvider.notice_reply`."""
        return _REPLIES[outcome]

    async def fetch_settlement(self, day: date) -> tuple[SettlementRow, ...]:
        """See `PaymentProvider.fetch_settlement`."""
        return await self._settlements.fetch(day)

    async def aclose(self) -> None:
        """See `PaymentProvider.aclose`."""
        await self._caller.aclose()

"""GoCardless behind the payment port: calls out, and events in."""

from collections.abc import Mapping
from datetime import UTC, date

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
    ProviderRefusedError,
    ProviderTraits,
    RefundOrder,
    RefundResult,
    SentOrder,
    SettlementNotReadyError,
    SettlementRow,
)
from parking.payments.providers.gocardless import agreements, charges, refunds, settlement
from parking.payments.providers.gocardless.notices import (
    BODY_BYTES_MAX,
    parse_events,
    require_signature,
)
from parking.payments.providers.gocardless.settings import GoCardlessSettings
from parking.payments.providers.gocardless.transport import GoCardlessClient

NO_CHECKOUT = "no_checkout"
SIGNATURE_HEADER = "webhook-signature"
TRAITS = ProviderTraits(
    account=AccountKind.BANK,
    settles_at_gate=False,
    has_checkout=False,
    currencies=frozenset({agreements.SCHEME_CURRENCY}),
    timezone="UTC",
    notice_bytes_max=BODY_BYTES_MAX,
)
# 498 is what GoCardless asks for where a signature does not fit; any 2xx ends the repetitions.
_REPLIES = {
    NoticeOutcome.TAKEN: NoticeReply(status=204),
    NoticeOutcome.REFUSED: NoticeReply(status=498, body=b'{"code":"PAYMENT_NOTICE_REFUSED"}'),
    NoticeOutcome.BUSY: NoticeReply(status=503, body=b'{"code":"BUSY"}'),
    NoticeOutcome.IMPOSSIBLE: NoticeReply(status=204),
}


class GoCardlessProvider:
    """A `PaymentProvider` for debits that take days."""

    def __init__(self, settings: GoCardlessSettings, clock: Clock) -> None:
        self._secret = settings.webhook_secret
        self._clock = clock
        self._client = GoCardlessClient(settings)

    @property
    def name(self) -> str:
        """See `PaymentProvider.name`."""
        return "gocardless"

    @property
    def traits(self) -> ProviderTraits:
        """See `PaymentProvider.traits`."""
        return TRAITS

    async def start_agreement(self, request: AgreementRequest) -> AgreementStarted:
        """See `PaymentProvider.start_agreement`; the page is another one each time."""
        return await agreements.start(self._client, request)

    async def query_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.query_agreement`; the instrument (a mandate) is a reference too."""
        del plate
        return await agreements.query(self._client, reference)

    async def cancel_agreement(self, reference: str, *, plate: str | None = None) -> AgreementState:
        """See `PaymentProvider.cancel_agreement`."""
        del plate
        return await agreements.cancel(self._client, reference)

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """See `PaymentProvider.charge`; `ACCEPTED` for days, and never guaranteed."""
        return await charges.charge(self._client, order)

    async def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """See `PaymentProvider.start_checkout`; one bill is not worth a mandate."""
        del order
        raise ProviderRefusedError(NO_CHECKOUT)

    async def query(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.query`."""
        return await charges.query(self._client, order)

    async def close(self, order: SentOrder) -> ChargeResult:
        """See `PaymentProvider.close`; no promise about a delivery still under way."""
        return await charges.close(self._client, order, self._clock)

    async def refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.refund`."""
        return await refunds.refund(self._client, order)

    async def query_refund(self, order: RefundOrder) -> RefundResult:
        """See `PaymentProvider.query_refund`."""
        return await refunds.query(self._client, order)

    def verify_notices(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:
        """See `PaymentProvider.verify_notices`; no time is signed, only ids stop repeats."""
        if len(body) > BODY_BYTES_MAX:
            raise NoticeRefusedError("body")
        sent = {name.lower(): value for name, value in headers.items()}
        require_signature(body, sent.get(SIGNATURE_HEADER), self._secret)
        return parse_events(body)

    def notice_reply(self, outcome: NoticeOutcome) -> NoticeReply:
        """See `PaymentProvider.notice_reply`."""
        return _REPLIES[outcome]

    async def fetch_settlement(self, day: date) -> tuple[SettlementRow, ...]:
        """See `PaymentProvider.fetch_settlement`."""
        if day >= self._clock.now().astimezone(UTC).date():
            raise SettlementNotReadyError(f"GoCardless has not closed {day} yet")
        return await settlement.fetch(self._client, day)

    async def aclose(self) -> None:
        """See `PaymentProvider.aclose`."""
        await self._client.aclose()

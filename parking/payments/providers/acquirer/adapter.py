"""The acquirer behind the payment port."""

from datetime import date

from parking.kit.clock import Clock
from parking.payments.port import (
    AccountKind,
    ChargeOrder,
    ChargeResult,
    Checkout,
    CheckoutOrder,
    ProviderTraits,
    SettlementRow,
)
from parking.payments.providers.acquirer.answers import ChargebackAnswer, CheckoutAnswer
from parking.payments.providers.acquirer.settlement import fetch_settlement
from parking.payments.providers.acquirer.signature import SCHEME
from parking.payments.signed_wire import (
    AgreementAnswer,
    AgreementStartedAnswer,
    Failure,
    OrderAnswer,
    RefundAnswer,
    SignedNotice,
    SignedWireProvider,
    SignedWireSettings,
    Wire,
)

WIRE = Wire(
    name="acquirer",
    traits=ProviderTraits(account=AccountKind.WALLET),
    scheme=SCHEME,
    agreements="/v1/agreements",
    charges="/v1/charges",
    refunds="/v1/refunds",
    refunded="charge",
    agreement=AgreementAnswer,
    started=AgreementStartedAnswer,
    order=OrderAnswer,
    refund=RefundAnswer,
    topics={
        "agreement": ("agreement", SignedNotice[AgreementAnswer]),
        "charge": ("charge", SignedNotice[OrderAnswer]),
        "refund": ("refund", SignedNotice[RefundAnswer]),
        "chargeback": ("chargeback", SignedNotice[ChargebackAnswer]),
    },
)


class AcquirerProvider(SignedWireProvider):
    """A `PaymentProvider` for wallets behind an acquirer."""

    def __init__(self, settings: SignedWireSettings, clock: Clock) -> None:
        super().__init__(WIRE, settings, clock)

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """See `PaymentProvider.charge`."""
        return await self._charge(order, {"agreement": order.agreement_reference})

    async def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """See `PaymentProvider.start_checkout`."""
        body: dict[str, object] = {
            "number": order.number,
            "amount_minor": order.amount.amount_minor,
            "currency": order.amount.currency,
            "description": order.description,
            "return_url": order.return_url,
        }
        answer = await self._client.call(CheckoutAnswer, "POST", "/v1/checkouts", body)
        if isinstance(answer, Failure) or not answer.agrees(order.number, order.amount):
            raise self._page_error(order.number, answer)
        return Checkout(url=answer.url, expires_at=answer.expires_at)

    async def fetch_settlement(self, day: date) -> tuple[SettlementRow, ...]:
        """See `PaymentProvider.fetch_settlement`."""
        return await fetch_settlement(self._client, day)

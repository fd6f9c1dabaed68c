"""The ETC acquirer behind the payment port."""

from datetime import date

from parking.kit.clock import Clock
from parking.payments.port import (
    AGREEMENT_INACTIVE,
    AccountKind,
    ChargeOrder,
    ChargeResult,
    Checkout,
    CheckoutOrder,
    OrderStatus,
    ProviderRefusedError,
    ProviderTraits,
    SettlementRow,
)
from parking.payments.providers.etc.answers import (
    CURRENCY,
    ContractAnswer,
    ContractStartedAnswer,
    CorrectionAnswer,
    DeductionAnswer,
)
from parking.payments.providers.etc.settlement import fetch_settlement
from parking.payments.providers.etc.signature import SCHEME
from parking.payments.signed_wire import (
    SignedNotice,
    SignedWireProvider,
    SignedWireSettings,
    Wire,
)

ANTENNA_MISSING = "antenna_missing"
NO_CHECKOUT = "no_checkout"
TIMEZONE = "Asia/Shanghai"
# What the road operators publish for cars: yuan 2,000 each, 20,000 and 20 times a day.
CHARGE_MINOR_MAX = 2_000_00
DAY_MINOR_MAX = 20_000_00
DAY_CHARGES_MAX = 20

WIRE = Wire(
    name="etc",
    traits=ProviderTraits(
        account=AccountKind.ETC,
        has_checkout=False,
        needs_plate=True,
        needs_antenna=True,
        currencies=frozenset({CURRENCY}),
        charge_minor_max=CHARGE_MINOR_MAX,
        day_minor_max=DAY_MINOR_MAX,
        day_charges_max=DAY_CHARGES_MAX,
        timezone=TIMEZONE,
    ),
    scheme=SCHEME,
    agreements="/v1/contracts",
    charges="/v1/deductions",
    refunds="/v1/corrections",
    refunded="deduction",
    agreement=ContractAnswer,
    started=ContractStartedAnswer,
    order=DeductionAnswer,
    refund=CorrectionAnswer,
    topics={
        "contract": ("agreement", SignedNotice[ContractAnswer]),
        "deduction": ("charge", SignedNotice[DeductionAnswer]),
        "correction": ("refund", SignedNotice[CorrectionAnswer]),
    },
)


class EtcProvider(SignedWireProvider):
    """A `PaymentProvider` for cars with an ETC unit."""

    def __init__(self, settings: SignedWireSettings, clock: Clock) -> None:
        super().__init__(WIRE, settings, clock)

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """See `PaymentProvider.charge`; taken through the antenna of the stay's lane."""
        stay = order.stay
        if order.instrument is None:
            return await self._close_unsendable(order, AGREEMENT_INACTIVE)
        if stay is None or stay.antenna is None or stay.left_at is None:
            return await self._close_unsendable(order, ANTENNA_MISSING)
        return await self._charge(
            order,
            {
                "contract": order.agreement_reference,
                "obu": order.instrument,
                "plate": stay.plate,
                "antenna": stay.antenna,
                "entered_at": stay.entered_at.isoformat(),
                "left_at": stay.left_at.isoformat(),
            },
        )

    async def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """See `PaymentProvider.start_checkout`; a unit has no page to pay on."""
        del order
        raise ProviderRefusedError(NO_CHECKOUT)

    async def fetch_settlement(self, day: date) -> tuple[SettlementRow, ...]:
        """See `PaymentProvider.fetch_settlement`; the day is one of Asia/Shanghai."""
        return await fetch_settlement(self._client, day)

    async def _close_unsendable(self, order: ChargeOrder, failure_code: str) -> ChargeResult:
        # An earlier delivery under this number may be on its way: only the acquirer can say no.
        result = await self._close(order.number, order.amount)
        if result.status is not OrderStatus.FAILED:
            return result
        return ChargeResult(
            number=order.number, status=OrderStatus.FAILED, failure_code=failure_code
        )

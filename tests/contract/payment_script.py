"""What is asked of a provider in the contract suite, with what its traits want to know."""

from uuid import UUID

from parking.kit.clock import SystemClock
from parking.kit.money import Money
from parking.payments.port import (
    AgreementRequest,
    ChargeOrder,
    ChargeResult,
    CheckoutOrder,
    RefundOrder,
    SentOrder,
    StayDetails,
)
from tests.contract.payment_stages import Stage, new_number

AMOUNT_MINOR = 1250
PLATE = "京A12345"
PAYER = "payer-1"
ANTENNA = "antenna-1"


def price_of(stage: Stage) -> Money:
    """Return the usual price, in a currency that the provider takes."""
    return Money(AMOUNT_MINOR, currency_of(stage))


def currency_of(stage: Stage) -> str:
    """Return the currency that the suite uses with this provider."""
    currencies = stage.provider.traits.currencies
    return "CNY" if not currencies or "CNY" in currencies else min(currencies)


def agreement_request(stage: Stage) -> AgreementRequest:
    """Return a driver's wish."""
    traits = stage.provider.traits
    return AgreementRequest(
        number=new_number(),
        description="Parking without a password",
        return_url="https://app.parkside.example/mandates",
        payer_id=PAYER if traits.needs_payer else None,
        plate=plate_of(stage),
    )


def plate_of(stage: Stage) -> str | None:
    """Return the plate of the suite's only car, for providers that ask for it."""
    return PLATE if stage.provider.traits.needs_plate else None


async def signed_agreement(stage: Stage) -> str:
    """Return the reference of an agreement that the payer has confirmed."""
    started = await stage.provider.start_agreement(agreement_request(stage))
    await stage.confirm(started)
    return started.reference


async def charge_order(stage: Stage, amount: Money | None = None) -> ChargeOrder:
    """Return an order that has not been sent, under an agreement of its own."""
    traits = stage.provider.traits
    reference = await signed_agreement(stage)
    state = await stage.provider.query_agreement(reference, plate=plate_of(stage))
    stay = None
    if traits.needs_plate or traits.needs_antenna:
        now = SystemClock().now()
        stay = StayDetails(
            number=new_number(),
            plate=PLATE,
            place_id=UUID(int=1),
            place_name="Riverside",
            entered_at=now,
            left_at=now,
            antenna=ANTENNA if traits.needs_antenna else None,
        )
    return ChargeOrder(
        number=new_number(),
        agreement_reference=reference,
        amount=amount or price_of(stage),
        description="停车 Riverside, 2 h 10 min",
        deadline_s=5,
        instrument=state.instrument,
        stay=stay,
    )


def checkout_order(stage: Stage) -> CheckoutOrder:
    """Return a bill to be paid by hand."""
    return CheckoutOrder(
        number=new_number(),
        amount=price_of(stage),
        description="Riverside, 2 h 10 min",
        return_url="https://api.parkside.example/pay/abc",
    )


def as_sent(order: ChargeOrder | CheckoutOrder, amount: Money | None = None) -> SentOrder:
    """Return what an order is found by, without what its answer said."""
    is_charge = isinstance(order, ChargeOrder)
    return SentOrder(
        number=order.number,
        amount=amount or order.amount,
        is_checkout=not is_charge,
        sent_at=SystemClock().now(),
        instrument=order.instrument if is_charge else None,
    )


def refund_order(order: ChargeOrder, amount_minor: int) -> RefundOrder:
    """Return a refund of a charge."""
    return RefundOrder(
        number=new_number(),
        charge=as_sent(order),
        amount=Money(amount_minor, order.amount.currency),
        reason="Barrier opened late",
    )


async def take(stage: Stage, order: ChargeOrder) -> ChargeResult:
    """Charge, and wait for the end where the provider takes its time."""
    result = await stage.provider.charge(order)
    return result if result.status.definitive else await stage.until_settled(as_sent(order))


async def ended(stage: Stage, order: ChargeOrder) -> ChargeResult:
    """Ask, and wait for the end where the provider takes its time."""
    result = await stage.provider.query(as_sent(order))
    return result if result.status.definitive else await stage.until_settled(as_sent(order))

"""Paying what is owed after departure."""

from typing import Annotated

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import BILL_KIND, decode_keys
from api.idempotency import by_driver, keyed
from api.request import Info
from api.types.money import Money
from parking.flows.payments import owed_payment
from parking.flows.payments.cross_place import PaidHow

strawberry.enum(
    PaidHow,
    name="OwedPaymentStatus",
    description="SUCCEEDED: paid. PENDING: the provider has not answered yet. REFUSED: no account "
    "paid. CHECKOUT: open `checkoutUrl` and pay there.",
)


@strawberry.type(description="What became of the payment.")
class OwedPaid:
    """What became of the payment."""

    status: PaidHow
    amount: Money
    checkout_url: str | None


@strawberry.type(description="The choice is kept.")
class PartnerPaymentsSet:
    """The choice is kept."""

    enabled: bool


@strawberry.input
class PayOwedInput:
    """What to pay, and how."""

    bill_id: strawberry.ID = strawberry.field(description="Of `Viewer.owed`.")
    by_page: bool = strawberry.field(
        default=False, description="Open the provider's page instead of charging an account."
    )
    place_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Pay it at this place, of an operator that collects for the other one.",
    )


@strawberry.input
class SetPartnerPaymentsInput:
    """Whether to pay what is owed elsewhere at each exit."""

    enabled: bool


@keyed(by_driver)
async def pay_owed(info: Info, given: Annotated[PayOwedInput, Given]) -> OwedPaid:
    """Pay an owed bill."""
    driver_id = await info.context.driver_id()
    operator_id, bill_id = decode_keys(given.bill_id, kind=BILL_KIND, count=2, field="billId")
    at = None
    if given.place_id is not None:
        keys = decode_keys(given.place_id, kind="Place", count=2, field="placeId")
        at = keys[0], keys[1]
    paid = await owed_payment.pay(
        info.context.parking, driver_id, operator_id, bill_id, by_page=given.by_page, at=at
    )
    return OwedPaid(
        status=paid.status, amount=Money.of(paid.amount), checkout_url=paid.checkout_url
    )


@keyed(by_driver, at_once=True)
async def set_partner_payments(
    info: Info, given: Annotated[SetPartnerPaymentsInput, Given]
) -> PartnerPaymentsSet:
    """Keep the choice."""
    driver_id = await info.context.driver_id()
    await owed_payment.choose(info.context.parking, driver_id, is_wanted=given.enabled)
    return PartnerPaymentsSet(enabled=given.enabled)


@strawberry.type
class OwedMutations:
    """The mutations of this module."""

    pay_owed = strawberry.mutation(
        pay_owed,
        graphql_type=outcome_of(OwedPaid, "PayOwedResult"),
        description="Pay an amount of `Viewer.owed`: by your accounts in their order, else on the "
        "provider's page. Repeating it charges once.",
    )
    set_partner_payments = strawberry.mutation(
        set_partner_payments,
        graphql_type=outcome_of(PartnerPaymentsSet, "SetPartnerPaymentsResult"),
        description="Let what you owe at partner operators be charged whenever you leave a place "
        "of an operator that collects for them, or not any more.",
    )

"""Paying before leaving."""

from typing import Annotated

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import decode_id
from api.idempotency import by_driver, keyed
from api.request import Info
from api.types.money import Money
from parking.flows.payments import prepay

strawberry.enum(
    prepay.PrepaymentStatus,
    name="PrepaymentStatus",
    description="SUCCEEDED: paid. PENDING: the provider has not answered yet; `sessionUpdated` "
    "tells. CHECKOUT: open `checkoutUrl` and pay there.",
)


@strawberry.type(description="What became of the payment.")
class Prepaid:
    """What became of the payment."""

    status: prepay.PrepaymentStatus
    amount: Money
    checkout_url: str | None


@strawberry.input
class PrepayInput:
    """What to pay."""

    session_id: strawberry.ID


@keyed(by_driver)
async def prepay_session(info: Info, given: Annotated[PrepayInput, Given]) -> Prepaid:
    """Pay for a running stay."""
    driver_id = await info.context.driver_id()
    session_id = decode_id(given.session_id, kind="Session", field="sessionId")
    payment = await prepay.prepay(info.context.parking, driver_id, session_id)
    return Prepaid(
        status=payment.status,
        amount=Money.of(payment.amount),
        checkout_url=payment.checkout_url,
    )


@strawberry.type
class PaymentMutations:
    """The mutations of this module."""

    prepay = strawberry.mutation(
        prepay_session,
        graphql_type=outcome_of(Prepaid, "PrepayResult"),
        description="Pay now for a running stay; leaving is then free for a while. Repeating it "
        "charges once.",
    )

"""Binding and unbinding plates."""

from typing import Annotated

import strawberry

from api.acting import Given, outcome_of, raise_refusal
from api.global_ids import decode_id
from api.idempotency import by_driver, keyed
from api.request import Info
from api.types.plate import Plate, PlateClaim
from parking.flows import plate_payment
from parking.flows.binding import adopt_open_stays, unbind
from parking.kit.errors import InvalidInputError
from parking.plates import service


@strawberry.type(description="The plate waits for its proof.")
class PlateClaimed:
    """The plate waits for its proof."""

    claim: PlateClaim


@strawberry.type(description="The plate is the driver's: gates open for it from now on.")
class PlateBound:
    """The plate is the driver's."""

    plate: Plate


@strawberry.type(description="The plate is no longer the driver's, from the next gate on.")
class PlateUnbound:
    """The plate is no longer the driver's."""

    plate_id: strawberry.ID


@strawberry.input
class BindPlateInput:
    """The plate to bind."""

    plate: str = strawberry.field(description="As it is written; separators do not matter.")


@strawberry.input
class ConfirmPlateBindingInput:
    """The proof of a claim."""

    claim_id: strawberry.ID
    code: str = strawberry.field(description="The six digits on the lane's display.")


@strawberry.type(description="Pay on this page, which is yours alone.")
class PlatePaymentStarted:
    """The payment page is open."""

    checkout_url: str = strawberry.field(
        description="Once it is paid the plate is bound, or the claim goes to staff: look at "
        "`viewer { plates plateClaims }`."
    )


@strawberry.input
class PayToBindPlateInput:
    """The proof of a claim by payment."""

    claim_id: strawberry.ID
    pay_link: str = strawberry.field(
        description="What the code on the exit's display says, as it was scanned."
    )
    provider: str | None = strawberry.field(
        default=None, description="One of the page's ways to pay; null for the usual one."
    )


@strawberry.input
class UnbindPlateInput:
    """The plate to unbind."""

    plate_id: strawberry.ID


@keyed(by_driver, at_once=True)
async def bind_plate(info: Info, given: Annotated[BindPlateInput, Given]) -> PlateClaimed:
    """Claim a plate."""
    driver_id = await info.context.driver_id()
    async with info.context.parking.database.begin() as unit:
        claim = await service.claim_plate(unit, driver_id, given.plate)
    return PlateClaimed(claim=PlateClaim.of(claim))


@keyed(by_driver)
async def confirm_plate_binding(
    info: Info, given: Annotated[ConfirmPlateBindingInput, Given]
) -> PlateBound:
    """Prove a claim with the lane's code."""
    driver_id = await info.context.driver_id()
    claim_id = decode_id(given.claim_id, kind="PlateClaim", field="claimId")
    async with info.context.parking.database.begin() as unit:
        outcome = await service.confirm_claim(unit, driver_id, claim_id, given.code)
    bound = raise_refusal(outcome)
    await adopt_open_stays(info.context.parking, bound.plate)
    return PlateBound(plate=Plate.of(bound))


@keyed(by_driver)
async def pay_to_bind_plate(
    info: Info, given: Annotated[PayToBindPlateInput, Given]
) -> PlatePaymentStarted:
    """Open the payment page that proves a claim."""
    driver_id = await info.context.driver_id()
    claim_id = decode_id(given.claim_id, kind="PlateClaim", field="claimId")
    if len(given.pay_link) > plate_payment.LINK_LENGTH_MAX:
        raise InvalidInputError("payLink", f"at most {plate_payment.LINK_LENGTH_MAX} characters")
    url = await plate_payment.begin(
        info.context.parking, driver_id, claim_id, given.pay_link, given.provider
    )
    return PlatePaymentStarted(checkout_url=url)


@keyed(by_driver)
async def unbind_plate(info: Info, given: Annotated[UnbindPlateInput, Given]) -> PlateUnbound:
    """Unbind a plate."""
    driver_id = await info.context.driver_id()
    binding_id = decode_id(given.plate_id, kind="Plate", field="plateId")
    await unbind(info.context.parking, driver_id, binding_id)
    return PlateUnbound(plate_id=given.plate_id)


@strawberry.type
class PlateMutations:
    """The mutations of this module."""

    bind_plate = strawberry.mutation(
        bind_plate,
        graphql_type=outcome_of(PlateClaimed, "BindPlateResult"),
        description="Claim a plate. The next lane that the car stands at shows a code for ten "
        "minutes; `confirmPlateBinding` takes it. The answer is the same whether or not somebody "
        "else has the plate. Claiming it again returns the same claim.",
    )
    confirm_plate_binding = strawberry.mutation(
        confirm_plate_binding,
        graphql_type=outcome_of(PlateBound, "ConfirmPlateBindingResult"),
        description="Prove a claim with the code on the lane's display; five attempts a claim. "
        "`CLAIM_IN_REVIEW` says that staff look at the vehicle licence instead.",
    )
    pay_to_bind_plate = strawberry.mutation(
        pay_to_bind_plate,
        graphql_type=outcome_of(PlatePaymentStarted, "PayToBindPlateResult"),
        description="Prove a claim on the spot: pay the bill of the car that stands at an exit "
        "now, on a page of your own. It counts while the display asks for the money, for ten "
        "minutes. `PAY_LINK_WRONG` says that no exit shows this link for the claimed plate.",
    )
    unbind_plate = strawberry.mutation(
        unbind_plate,
        graphql_type=outcome_of(PlateUnbound, "UnbindPlateResult"),
        description="Unbind a plate at any time, effective at the next gate. Repeating it changes "
        "nothing.",
    )

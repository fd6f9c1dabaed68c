"""Binding and unbinding plates."""

from typing import Annotated

import strawberry

from api.acting import Given, outcome_of, raise_refusal
from api.global_ids import decode_id
from api.idempotency import by_driver, keyed
from api.request import Info
from api.types.plate import Plate, PlateClaim
from parking.flows.binding import adopt_open_stays, unbind
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
    unbind_plate = strawberry.mutation(
        unbind_plate,
        graphql_type=outcome_of(PlateUnbound, "UnbindPlateResult"),
        description="Unbind a plate at any time, effective at the next gate. Repeating it changes "
        "nothing.",
    )

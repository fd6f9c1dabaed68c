"""What staff decide about claims on a plate."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from parking.flows.binding import adopt_open_stays, end_mandates
from parking.kit.errors import InvalidInputError
from parking.plates import service

_CLAIM = "PendingClaim"


@strawberry.type(description="A driver's open claim on a plate.")
class PendingClaim:
    """A driver's open claim on a plate."""

    id: strawberry.ID
    plate: str
    created_at: datetime
    expires_at: datetime
    in_review: bool = strawberry.field(
        description="True when no code helps the driver any more: it waits for you."
    )

    @classmethod
    def of(cls, claim: service.PlateClaim) -> "PendingClaim":
        """Return the claim for staff; it does not say whose it is."""
        return cls(
            id=encode_id(_CLAIM, claim.plate_index, claim.claim_id),
            plate=claim.plate,
            created_at=claim.created_at,
            expires_at=claim.expires_at,
            in_review=claim.in_review,
        )


@strawberry.type(description="The plate is bound to the claim's driver.")
class BindingApproved:
    """The plate is bound."""

    plate: str
    bound_at: datetime


@strawberry.type(description="The claim is refused.")
class BindingRefused:
    """The claim is refused."""

    claim_id: strawberry.ID


@strawberry.input
class ApprovePlateBindingInput:
    """Which claim, and by what proof."""

    claim_id: strawberry.ID
    licence_checked: bool = strawberry.field(
        description="Must be true: you have seen the vehicle licence and the driver's identity."
    )


@strawberry.input
class RefusePlateBindingInput:
    """Which claim."""

    claim_id: strawberry.ID


@keyed(by_staff)
async def approve_plate_binding(
    info: Info, given: Annotated[ApprovePlateBindingInput, Given]
) -> BindingApproved:
    """Bind a plate by its vehicle licence."""
    staff = info.context.staff()
    if not given.licence_checked:
        raise InvalidInputError("licenceChecked", "true, after the vehicle licence was seen")
    plate_index, claim_id = decode_keys(given.claim_id, kind=_CLAIM, count=2, field="claimId")
    async with info.context.parking.database.begin() as unit:
        bound = await service.approve_claim(
            unit, plate_index, claim_id, staff_name=staff.recorded_name
        )
        # Whoever had the plate before allowed charges for a car of theirs, not for this one.
        await end_mandates(unit, plate_index, await service.active_binding(unit, plate_index))
    await adopt_open_stays(info.context.parking, bound.plate)
    return BindingApproved(plate=bound.plate, bound_at=bound.bound_at)


@keyed(by_staff, at_once=True)
async def refuse_plate_binding(
    info: Info, given: Annotated[RefusePlateBindingInput, Given]
) -> BindingRefused:
    """Refuse a claim."""
    staff = info.context.staff()
    plate_index, claim_id = decode_keys(given.claim_id, kind=_CLAIM, count=2, field="claimId")
    async with info.context.parking.database.begin() as unit:
        await service.refuse_claim(unit, plate_index, claim_id, staff_name=staff.recorded_name)
    return BindingRefused(claim_id=given.claim_id)


@strawberry.type
class ClaimQueries:
    """The reads about claims."""

    @strawberry.field(description="Every driver's open claims on a plate, oldest first.")
    async def pending_claims(self, info: Info, plate: str) -> list[PendingClaim]:
        """Return the open claims on a plate."""
        info.context.staff()
        async with info.context.parking.database.begin() as unit:
            claims = await service.list_claims_of_plate(unit, plate)
        return [PendingClaim.of(claim) for claim in claims]


@strawberry.type
class ClaimMutations:
    """The writes about claims."""

    approve_plate_binding = strawberry.mutation(
        approve_plate_binding,
        graphql_type=outcome_of(BindingApproved, "ApprovePlateBindingResult"),
        description="Bind the plate to the claim's driver. Another driver's binding of it ends: "
        "the vehicle licence outweighs it. Your name is kept with the decision.",
    )
    refuse_plate_binding = strawberry.mutation(
        refuse_plate_binding,
        graphql_type=outcome_of(BindingRefused, "RefusePlateBindingResult"),
        description="Refuse the claim. Repeating it changes nothing.",
    )

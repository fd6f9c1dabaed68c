"""What staff decide about claims on a plate."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.staff.licence_pictures import picture_url
from parking.flows.binding import adopt_open_stays, end_mandates
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.plates import licences, repository, service
from parking.plates.licences import StoredPicture
from parking.plates.models import ClaimRefusal

_CLAIM: Final = "PendingClaim"
CLAIMS_PER_PAGE_MAX: Final = repository.CLAIMS_READ_MAX
strawberry.enum(
    ClaimRefusal,
    name="PlateClaimRefusal",
    description="Why a claim is refused; its driver is told this word and no more.",
)


@strawberry.type(description="A picture of a vehicle licence; it is deleted some time after.")
class LicencePicture:
    """A picture of a vehicle licence."""

    url: str = strawberry.field(description="Fetch it with your staff token.")
    uploaded_at: datetime


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

    is_contested: bool = strawberry.field(
        description="True when the driver has shown to be in the car, and the plate was another "
        "driver's: nobody is charged for it until you decide. Tell neither of the other."
    )
    licence_pictures: list[LicencePicture] = strawberry.field(
        description="What the driver sent of the vehicle licence, oldest first."
    )

    @classmethod
    def of(
        cls, context: ParkingContext, claim: service.PlateClaim, pictures: Sequence[StoredPicture]
    ) -> "PendingClaim":
        """Return the claim for staff; it does not say whose it is."""
        return cls(
            id=encode_id(_CLAIM, claim.plate_index, claim.claim_id),
            plate=claim.plate,
            created_at=claim.created_at,
            expires_at=claim.expires_at,
            in_review=claim.in_review,
            is_contested=claim.is_contested,
            licence_pictures=[
                LicencePicture(
                    url=picture_url(context.public_url, stored), uploaded_at=stored.uploaded_at
                )
                for stored in pictures
            ],
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
    """Which claim, and why."""

    claim_id: strawberry.ID
    reason: ClaimRefusal = strawberry.field(
        default=ClaimRefusal.OTHER, description="The driver is told it."
    )


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
        await service.refuse_claim(
            unit,
            plate_index,
            claim_id,
            staff_name=staff.recorded_name,
            refusal=given.reason,
        )
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
            return await _pending(info.context.parking, unit, claims)

    @strawberry.field(
        description="The claims that wait for you, the longest first: a licence came, no code "
        "helps any more, or the plate is contested. At most 100."
    )
    async def claims_in_review(self, info: Info, first: int = 20) -> list[PendingClaim]:
        """Return the claims that staff have to decide on."""
        info.context.staff()
        if not 0 < first <= CLAIMS_PER_PAGE_MAX:
            raise InvalidInputError("first", f"1 to {CLAIMS_PER_PAGE_MAX}")
        async with info.context.parking.database.begin() as unit:
            claims = await service.list_reviews(unit, first=first)
            return await _pending(info.context.parking, unit, claims)


async def _pending(
    context: ParkingContext, unit: UnitOfWork, claims: Sequence[service.PlateClaim]
) -> list[PendingClaim]:
    keys = [(claim.plate_index, claim.claim_id) for claim in claims]
    found = await licences.list_pictures(unit, keys) if keys else {}
    return [PendingClaim.of(context, claim, found.get(claim.claim_id, [])) for claim in claims]


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
        description="Refuse the claim. A plate that it contested goes on as before. Repeating it "
        "changes nothing.",
    )

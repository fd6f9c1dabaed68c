"""What merchants and the operator take off a stay that is running."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import decode_id, decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.types.bill import Bill
from parking.flows.validation import StayNamed, ValidatedStay, validate_stay
from parking.sessions.errors import SessionUnknownError


@strawberry.type(description="The validation counts for the stay; the driver's bill shows it.")
class StayValidated:
    """The validation counts."""

    session_id: strawberry.ID
    validation: str
    merchant: str | None
    granted_by: str
    granted_at: datetime
    bill: Bill = strawberry.field(description="As of now, with the validation.")

    @classmethod
    def of(cls, validated: ValidatedStay) -> "StayValidated":
        """Return what was granted."""
        return cls(
            session_id=encode_id("Session", validated.session_id),
            validation=validated.validation,
            merchant=validated.merchant,
            granted_by=validated.granted_by,
            granted_at=validated.granted_at,
            bill=Bill.of(validated.bill),
        )


@strawberry.input
class ValidateStayInput:
    """Which stay, and what for. Give `sessionId`, or `plate` and `placeId`."""

    validation: str = strawberry.field(description="Its name in the place's rate table.")
    session_id: strawberry.ID | None = None
    plate: str | None = None
    place_id: strawberry.ID | None = None
    merchant: str | None = strawberry.field(
        default=None,
        description="Whose customer the driver is; a rate for the merchant's customers counts.",
    )


@keyed(by_staff, at_once=True, repeats=True)
async def grant_validation(info: Info, given: Annotated[ValidateStayInput, Given]) -> StayValidated:
    """Validate a running stay."""
    staff = info.context.staff()
    named = StayNamed(plate=given.plate)
    if given.session_id is not None:
        key = decode_id(given.session_id, kind="Session", field="sessionId")
        named = StayNamed(session_id=key)
    elif given.place_id is not None:
        operator_id, place_id = decode_keys(given.place_id, kind="Place", count=2, field="placeId")
        if operator_id != staff.operator_id:
            raise SessionUnknownError("session_id: expected a stay of yours that is running")
        named = StayNamed(place_id=place_id, plate=given.plate)
    validated = await validate_stay(
        info.context.parking,
        staff.operator_id,
        named,
        validation=given.validation,
        merchant=given.merchant,
        by=staff.name,
    )
    return StayValidated.of(validated)


@strawberry.type
class ValidationMutations:
    """The writes about validations."""

    validate_stay = strawberry.mutation(
        grant_validation,
        graphql_type=outcome_of(StayValidated, "ValidateStayResult"),
        description="Let a coupon count for a stay that is running and not paid. The driver sees "
        "the new bill at once. Repeating it changes nothing.",
    )

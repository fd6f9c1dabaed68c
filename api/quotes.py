"""Prices for whoever asks: a place's tariff, and what a stay would cost."""

from datetime import datetime

import strawberry

from api.global_ids import decode_keys
from api.request import Info
from api.types.tariff import Quote, QuotedVehicleInput
from parking.flows import quotes
from parking.kit.errors import InvalidInputError
from parking.tariffs.rules import Circumstances

PLACE: str = "Place"
_MODEL_FIELD = "circumstances.vehicle"


def circumstances_of(vehicle: QuotedVehicleInput | None) -> Circumstances:
    """Return what a client says of the vehicle.

    Raises:
        InvalidInputError: the class is none that tariffs know.
    """
    given = vehicle or QuotedVehicleInput()
    try:
        return Circumstances.from_json(
            {
                "vehicle": {
                    "vehicle_class": given.vehicle_class,
                    "is_ev": given.is_ev,
                    "is_resident": given.is_resident,
                },
                "has_pass": given.has_pass,
            }
        )
    except InvalidInputError as error:
        field = error.field.replace(_MODEL_FIELD, "vehicle")
        raise InvalidInputError(field, error.expected) from error


@strawberry.type
class QuoteQueries:
    """The reads about prices."""

    @strawberry.field(
        description="What a stay at a place costs, by the rate table in force at its entry. "
        "What earlier stays used of allowances is not counted."
    )
    async def quote(
        self,
        info: Info,
        place_id: strawberry.ID,
        entered_at: datetime,
        left_at: datetime,
        vehicle: QuotedVehicleInput | None = None,
    ) -> Quote:
        """Return what a stay costs."""
        await info.context.driver_id()
        operator_id, place_key = decode_keys(place_id, kind=PLACE, count=2, field="placeId")
        found = await quotes.quote(
            info.context.parking,
            operator_id,
            place_key,
            entered_at=entered_at,
            left_at=left_at,
            circumstances=circumstances_of(vehicle),
        )
        return Quote.of(found)

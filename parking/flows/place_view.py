"""A place as whoever parks there sees it."""

from dataclasses import dataclass
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.places import repository as places


@dataclass(frozen=True, slots=True)
class PlaceView:
    """Where the car stands; times are shown in its zone."""

    operator_id: UUID
    id: UUID
    name: str
    timezone: str
    currency: str


async def find_place(
    context: ParkingContext, operator_id: UUID, place_id: UUID
) -> PlaceView | None:
    """Return a place; it is the same for everybody."""
    async with context.database.begin() as unit:
        place = await places.find_place(unit, operator_id, place_id)
    if place is None:
        return None
    return PlaceView(place.operator_id, place.id, place.name, place.timezone, place.currency)

"""An operator's places as its staff see them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.places import repository
from parking.places.models import IdentifiedArea, Place


@dataclass(frozen=True, slots=True)
class PlaceWithAreas:
    """A place with its levels and zones."""

    place: Place
    areas: Sequence[IdentifiedArea]


async def list_places(
    context: ParkingContext, operator_id: UUID, *, only: Collection[UUID] | None = None
) -> list[PlaceWithAreas]:
    """Return an operator's places with their areas, oldest first; two statements."""
    async with context.database.begin() as unit:
        places = await repository.list_places(unit, operator_id)
        areas = await repository.list_areas(unit, operator_id)
    return [
        PlaceWithAreas(place, [area for area in areas if area.place_id == place.id])
        for place in places
        if only is None or place.id in only
    ]

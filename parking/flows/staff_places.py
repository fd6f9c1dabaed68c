"""An operator's places as its staff see them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.places import positions, repository
from parking.places.models import IdentifiedArea, Place
from parking.places.positions import Whereabouts


@dataclass(frozen=True, slots=True)
class PlaceWithAreas:
    """A place with its levels and zones; `where` is None until somebody says it."""

    place: Place
    areas: Sequence[IdentifiedArea]
    where: Whereabouts | None


async def list_places(
    context: ParkingContext, operator_id: UUID, *, only: Collection[UUID] | None = None
) -> list[PlaceWithAreas]:
    """Return an operator's places with their areas, oldest first; three statements."""
    async with context.database.begin() as unit:
        places = await repository.list_places(unit, operator_id)
        areas = await repository.list_areas(unit, operator_id)
        rows = await positions.list_positions(unit, operator_id)
    where = {row.place_id: positions.whereabouts_of(row) for row in rows}
    return [
        PlaceWithAreas(
            place, [area for area in areas if area.place_id == place.id], where.get(place.id)
        )
        for place in places
        if only is None or place.id in only
    ]

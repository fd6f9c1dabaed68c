"""The operator's places, whose ids other acts need."""

import strawberry

from api.global_ids import encode_id
from api.request import Info
from api.staff.positions import StaffPosition
from parking.flows import staff_places

AREA_ID = "IdentifiedArea"


@strawberry.type(description="A level or zone of a place.")
class StaffArea:
    """A level or zone of a place."""

    id: strawberry.ID
    name: str
    supply: int = strawberry.field(description="How many spaces it has.")


@strawberry.type(description="A place of yours.")
class StaffPlace:
    """A place of the operator."""

    id: strawberry.ID
    name: str
    timezone: str
    currency: str
    areas: list[StaffArea]
    where: StaffPosition | None = strawberry.field(
        description="Null until somebody says it: drivers do not find the place by then."
    )

    @classmethod
    def of(cls, view: staff_places.PlaceWithAreas) -> "StaffPlace":
        """Return the place for its operator's staff."""
        place = view.place
        return cls(
            id=encode_id("Place", place.operator_id, place.id),
            name=place.name,
            timezone=place.timezone,
            currency=place.currency,
            areas=[
                StaffArea(
                    id=encode_id(AREA_ID, area.operator_id, area.id),
                    name=area.name,
                    supply=area.supply,
                )
                for area in view.areas
            ],
            where=None if view.where is None else StaffPosition.of(view.where),
        )


@strawberry.type
class PlaceQueries:
    """The reads about places."""

    @strawberry.field(description="Your places with their areas, oldest first.")
    async def places(self, info: Info) -> list[StaffPlace]:
        """Return the operator's places."""
        staff = info.context.staff()
        views = await staff_places.list_places(
            info.context.parking, staff.operator_id, only=staff.places
        )
        return [StaffPlace.of(view) for view in views]

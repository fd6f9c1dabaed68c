"""How much room a place has, as drivers see it."""

import strawberry

from parking.flows.occupancy_desk import AreaView


@strawberry.type(description="How much room a level or zone has for anybody.")
class AreaAvailability:
    """How much room an area has."""

    name: str
    spaces: int = strawberry.field(
        description="Without those that are kept for the holders of passes."
    )
    free: int = strawberry.field(description="0 where more cars stand there than it has spaces.")
    is_full: bool = strawberry.field(
        description="What the sign at the entry says: it goes out only when some are free again."
    )

    @classmethod
    def of(cls, view: AreaView) -> "AreaAvailability":
        """Return the area for a driver; it does not say who stands there."""
        return cls(
            name=view.area.name,
            spaces=view.public.row.spaces,
            free=view.public.free,
            is_full=view.public.row.is_full,
        )

"""Places as drivers see them."""

from typing import Annotated

import strawberry

from api.global_ids import Node, decode_keys, encode_id
from api.request import Info
from api.types.tariff import Tariff
from parking.flows.driver_view import PlaceView
from parking.flows.quotes import tell_tariff

_PLACE = "Place"


@strawberry.type(description="A car park or a street zone.")
class Place(Node):
    """A car park or a street zone."""

    name: str
    timezone: str = strawberry.field(
        description="IANA name: show the stay's times on this wall clock."
    )
    currency: str = strawberry.field(description="ISO 4217: what the place charges in.")

    @strawberry.field(description="What the place charges those who enter now, in words.")
    async def tariff(
        self,
        info: Info,
        locale: Annotated[str, strawberry.argument(description="`en`, `de` or `zh`.")] = "en",
    ) -> Tariff:
        """Return what the place charges."""
        operator_id, place_id = decode_keys(self.id, kind=_PLACE, count=2, field="id")
        parking = info.context.parking
        return Tariff.of(await tell_tariff(parking, operator_id, place_id, locale=locale))

    @classmethod
    def of(cls, view: PlaceView) -> "Place":
        """Return the place for a client."""
        return cls(
            id=encode_id(_PLACE, view.operator_id, view.id),
            name=view.name,
            timezone=view.timezone,
            currency=view.currency,
        )

"""Places as drivers see them."""

from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from api.global_ids import Node, decode_keys, encode_id
from api.request import Info, RequestContext
from api.types.tariff import Tariff
from api.types.told_later import told_later
from parking.flows.place_view import PlaceView
from parking.flows.quotes import ToldTariff, tell_tariffs
from parking.kit.errors import ParkingError

_PLACE = "Place"
_LOADER: Final = "tariffs"
# Operator, place, locale.
_Asked = tuple[UUID, UUID, str]


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
        return await _tariff(info.context, operator_id, place_id, locale)

    @classmethod
    def of(cls, view: PlaceView) -> "Place":
        """Return the place for a client."""
        return _told_later(view)


_told_later = told_later(Place, {"id": lambda view: encode_id(_PLACE, view.operator_id, view.id)})


async def _tariff(
    context: RequestContext, operator_id: UUID, place_id: UUID, locale: str
) -> Tariff:
    """Return a place's tariff; a list of many places costs what one of them does."""
    loader: DataLoader[_Asked, Tariff] | None = context.loaders.get(_LOADER)
    if loader is None:

        async def load(asked: list[_Asked]) -> Sequence[Tariff | BaseException]:
            told = await tell_tariffs(context.parking, set(asked))
            return [_told(told[each]) for each in asked]

        # Without a cache: another version may come into force while a subscription goes on.
        loader = DataLoader(load_fn=load, cache=False)
        context.loaders[_LOADER] = loader
    return await loader.load((operator_id, place_id, locale))


def _told(found: ToldTariff | ParkingError) -> Tariff | BaseException:
    # A refusal is of this place only: the others are told all the same.
    return found if isinstance(found, ParkingError) else Tariff.of(found)

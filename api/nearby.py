"""Where to park: places near by, and how much room a place will have."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import strawberry

from api.config import PAGE_SIZE
from api.global_ids import decode_keys
from api.quotes import PLACE, circumstances_of
from api.request import Info
from api.types.money import MoneyInput, checked_money
from api.types.nearby import (
    AreaForecast,
    ExpectedHour,
    ExpectedSpaces,
    GeoPositionInput,
    NearbyPlace,
    NearbyPlaceConnection,
    NearbyPlaceEdge,
    PlannedStayInput,
)
from api.types.page import PageInfo, require_page_size
from api.types.tariff import QuotedVehicleInput
from parking.flows.guidance import expected, nearby
from parking.flows.guidance.nearby import NearbyAsk, NearbyOrder, NearbyPage, SortKey
from parking.kit.errors import InvalidInputError
from parking.kit.geography import Position

HOURS_SHOWN: Final = 12
CURSOR_LENGTH_MAX: Final = 200
_NUMBERS: Final = 3
_CURSOR_PARTS: Final = 6
_NUMBER_MAX: Final = 2**62


@strawberry.type
class NearbyQueries:
    """The reads about where to park."""

    @strawberry.field(
        description="Places near a position: how far, how long on foot, how many spaces are free "
        "now and expected at arrival, what the stay costs, and how to get there. Without a token "
        "as well; with one, also which of your passes covers the stay."
    )
    async def nearby_places(  # noqa: PLR0913 - one parameter for each argument
        self,
        info: Info,
        *,
        near: Annotated[
            GeoPositionInput, strawberry.argument(description="Where you want to be in the end.")
        ],
        radius_m: Annotated[
            int,
            strawberry.argument(
                description=f"Metres around it, up to {nearby.NEARBY_RADIUS_M_MAX}."
            ),
        ] = nearby.RADIUS_M,
        stay: Annotated[
            PlannedStayInput | None,
            strawberry.argument(description="Without it there is no price and no forecast."),
        ] = None,
        vehicle: Annotated[
            QuotedVehicleInput | None,
            strawberry.argument(description="Without it the price may be a range."),
        ] = None,
        free_min: Annotated[
            int | None,
            strawberry.argument(
                description="So many spaces must be free now. Without it one, for who comes within "
                "the hour; later than that full places are shown with what is expected."
            ),
        ] = None,
        order: Annotated[
            NearbyOrder, strawberry.argument(description="What comes first.")
        ] = NearbyOrder.DISTANCE,
        minute_worth: Annotated[
            MoneyInput | None,
            strawberry.argument(description="What you would pay to walk a minute less."),
        ] = None,
        first: int = PAGE_SIZE,
        after: str | None = None,
    ) -> NearbyPlaceConnection:
        """Return a page of places near a position."""
        require_page_size(first, at_least=1)
        context = info.context
        ask = NearbyAsk(
            near=Position.of(near.latitude, near.longitude, field="near"),
            radius_m=radius_m,
            stay=None if stay is None else nearby.PlannedStay(stay.from_, stay.minutes),
            free_min=free_min,
            vehicle=None if vehicle is None else circumstances_of(vehicle),
            order=order,
            minute_worth=checked_money(minute_worth, field="minuteWorth"),
            # A token that is no good is refused, so that the app gets another one.
            driver_id=None if context.token is None else await context.driver_id(),
        )
        begins = None if after is None else _key_of(after, order)
        page = await nearby.find_nearby(context.parking, ask, first=first, after=begins)
        return _connection(page, order, after)

    @strawberry.field(
        description="How many spaces each level or zone of a place is expected to have, hour by "
        "hour: by what is usual at that hour of the week and by how full it is now."
    )
    async def availability_forecast(
        self,
        info: Info,
        place_id: strawberry.ID,
        from_: Annotated[
            datetime | None,
            strawberry.argument(
                name="from", description="The first hour; without it, now. Up to a week ahead."
            ),
        ] = None,
        hours: Annotated[
            int, strawberry.argument(description=f"1 to {expected.ASKED_HOURS_MAX}.")
        ] = HOURS_SHOWN,
    ) -> list[AreaForecast]:
        """Return how many spaces a place is expected to have."""
        await info.context.driver_id()
        operator_id, place = decode_keys(place_id, kind=PLACE, count=2, field="placeId")
        parking = info.context.parking
        areas = await expected.show(
            parking, operator_id, place, begins_at=from_ or parking.clock.now(), hours=hours
        )
        return [
            AreaForecast(
                name=area.name,
                spaces=area.spaces,
                free_now=area.free,
                hours=[
                    ExpectedHour(at=one.at, free=ExpectedSpaces.of(one.free)) for one in area.hours
                ],
            )
            for area in areas
        ]


def _cursor(key: SortKey, order: NearbyOrder) -> str:
    numbers = (key.group, key.value, key.distance_mm)
    text = ":".join((order.value, *map(str, numbers), key.operator_id.hex, key.place_id.hex))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _connection(page: NearbyPage, order: NearbyOrder, after: str | None) -> NearbyPlaceConnection:
    edges = [
        NearbyPlaceEdge(cursor=_cursor(found.key, order), node=NearbyPlace.of(found))
        for found in page.places
    ]
    cursors = [edge.cursor for edge in edges]
    return NearbyPlaceConnection(
        as_of=page.as_of,
        edges=edges,
        page_info=PageInfo.of(cursors, has_more=page.has_more, after=after),
    )


def _key_of(cursor: str, order: NearbyOrder) -> SortKey:
    """Return where a page goes on.

    Raises:
        InvalidInputError: it is no cursor of this list in this order.
    """
    expected_words = "a cursor of this list in this order"
    if len(cursor) > CURSOR_LENGTH_MAX or not cursor.isascii():
        raise InvalidInputError("after", expected_words)
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        parts = text.split(":")
        if len(parts) != _CURSOR_PARTS or parts[0] != order.value:
            raise InvalidInputError("after", expected_words)
        group, value, distance_mm = (int(part) for part in parts[1 : _NUMBERS + 1])
        key = SortKey(group, value, distance_mm, UUID(hex=parts[4]), UUID(hex=parts[5]))
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError("after", expected_words) from error
    if not all(0 <= number <= _NUMBER_MAX for number in key[:_NUMBERS]):
        raise InvalidInputError("after", expected_words)
    return key

"""Places near by, as drivers see them."""

from datetime import datetime
from typing import Final

import strawberry

from api.types.money import Money
from api.types.page import PageInfo
from api.types.place import Place
from parking.flows.guidance import nearby, pass_cover, planned_price
from parking.flows.place_view import PlaceView
from parking.guidance import forecast, navigation
from parking.kit.geography import Position
from parking.places import positions

_MINUTE_S: Final = 60
_KILO: Final = 1000

strawberry.enum(
    positions.EntranceUse,
    name="EntranceUse",
    description="Who goes in there. More values may come: show an unknown one as EVERYBODY.",
)
strawberry.enum(
    nearby.NearbyOrder,
    name="NearbyOrder",
    description="DISTANCE: the nearest first. PRICE: of the nearest two hundred the cheapest "
    "first; places that charge in another currency come after, by distance, and then those whose "
    "price is not known. TOTAL: as PRICE, with the walk there and back at what `minuteWorth` says.",
)
strawberry.enum(
    planned_price.PriceFactor,
    name="PriceFactor",
    description="What a price hangs on. More values may come. ALLOWANCE_USED: free minutes of the "
    "day that earlier stays may have used.",
)


@strawberry.type(description="A position in WGS-84, as satellite receivers give it.")
class GeoPosition:
    """A position."""

    latitude: float = strawberry.field(description="Degrees, the north is positive.")
    longitude: float = strawberry.field(description="Degrees, the east is positive.")

    @classmethod
    def of(cls, position: Position) -> "GeoPosition":
        """Return the position for a client."""
        return cls(latitude=position.latitude, longitude=position.longitude)


@strawberry.input(description="A position in WGS-84, as satellite receivers give it.")
class GeoPositionInput:
    """A position that a client sends."""

    latitude: float = strawberry.field(description="Degrees from -90 to 90.")
    longitude: float = strawberry.field(description="Degrees from -180 to 180.")


@strawberry.input(description="When somebody wants to park, and for how long.")
class PlannedStayInput:
    """A stay that is planned."""

    from_: datetime = strawberry.field(
        name="from", description="When the car is to come: now, or up to 31 days later."
    )
    minutes: int = strawberry.field(description="For how long, up to 31 days.")


@strawberry.type(description="A way into a place.")
class PlaceEntrance:
    """A way into a place."""

    name: str
    position: GeoPosition = strawberry.field(description="Where it is.")
    use: positions.EntranceUse = strawberry.field(description="Who goes in there.")

    @classmethod
    def of(cls, entrance: positions.Entrance) -> "PlaceEntrance":
        """Return the entrance for a client."""
        return cls(name=entrance.name, position=GeoPosition.of(entrance.position), use=entrance.use)


@strawberry.type(
    description="How many spaces are expected to be free: what is usual at that hour of the week, "
    "and how far it is off that now."
)
class ExpectedSpaces:
    """How many spaces are expected to be free."""

    expected: int = strawberry.field(description="The middle of what is expected.")
    low: int = strawberry.field(description="With `high`, holds the number in 80 % of the cases.")
    high: int = strawberry.field(description="With `low`, holds the number in 80 % of the cases.")
    weeks: int = strawberry.field(description="How many weeks that hour is known from.")

    @classmethod
    def of(cls, free: forecast.FreeSpaces | None) -> "ExpectedSpaces | None":
        """Return the forecast for a client; None where there is not enough history."""
        if free is None:
            return None
        return cls(expected=free.expected, low=free.low, high=free.high, weeks=free.weeks)


@strawberry.type(description="What a planned stay costs by the rate table in force at arrival.")
class PlannedPrice:
    """What a planned stay costs."""

    amount: Money = strawberry.field(
        description="For the vehicle that was named, or for a car without any rights."
    )
    low: Money = strawberry.field(description="The least that it can be; often the same.")
    high: Money = strawberry.field(description="The most that it can be; often the same.")
    depends_on: list[planned_price.PriceFactor] = strawberry.field(
        description="What makes the difference between `low` and `high`; empty for none."
    )

    @classmethod
    def of(cls, price: planned_price.PlannedPrice | None) -> "PlannedPrice | None":
        """Return the price for a client; None where none is known."""
        if price is None:
            return None
        return cls(
            amount=Money.of(price.amount),
            low=Money.of(price.low),
            high=Money.of(price.high),
            depends_on=list(price.depends_on),
        )


@strawberry.type(description="A pass of yours that covers the stay. Its spaces may be taken.")
class PassCover:
    """A pass that covers a stay."""

    name: str
    is_whole_stay: bool = strawberry.field(description="False where it covers a part of it.")
    is_whole_place: bool = strawberry.field(description="False where it counts in one area only.")

    @classmethod
    def of(cls, cover: pass_cover.PassCover | None) -> "PassCover | None":
        """Return the cover for a client; None for none."""
        if cover is None:
            return None
        return cls(
            name=cover.name,
            is_whole_stay=cover.is_whole_stay,
            is_whole_place=cover.area_id is None,
        )


@strawberry.type(
    description="Addresses that open an app with the way to the entrance for cars, each in the "
    "coordinates that the app's map is drawn in."
)
class NavigationLinks:
    """Addresses that open a navigation app."""

    geo: str = strawberry.field(description="For whatever app the phone opens, as RFC 5870 says.")
    apple: str = strawberry.field(description="Apple Maps.")
    google: str = strawberry.field(description="Google Maps.")
    amap: str = strawberry.field(description="Amap (AutoNavi), by its page.")
    baidu: str = strawberry.field(description="Baidu Map's app.")

    @classmethod
    def of(cls, links: navigation.NavigationLinks) -> "NavigationLinks":
        """Return the addresses for a client."""
        return cls(
            geo=links.geo,
            apple=links.apple,
            google=links.google,
            amap=links.amap,
            baidu=links.baidu,
        )


@strawberry.type(description="A place near by, for the stay that was asked for.")
class NearbyPlace:
    """A place near by."""

    place: Place = strawberry.field(description="The place.")
    position: GeoPosition = strawberry.field(description="Where it is.")
    address: str = strawberry.field(description="As on an envelope; empty for none.")
    entrances: list[PlaceEntrance] = strawberry.field(description="The ways in; may be empty.")
    distance_m: int = strawberry.field(description="Metres in a straight line.")
    walking_minutes: int = strawberry.field(
        description="On foot from its nearest entrance to `near`, reckoned from the distance."
    )
    spaces: int = strawberry.field(
        description="Without those that are kept for the holders of passes."
    )
    free_now: int = strawberry.field(description="As counted at its gates.")
    expected: ExpectedSpaces | None = strawberry.field(
        description="At arrival; null without `stay`, and where there is not enough history."
    )
    price: PlannedPrice | None = strawberry.field(
        description="Null without `stay`, and where no rate table is in force."
    )
    total: Money | None = strawberry.field(
        description="Price and walk; null without `minuteWorth` in the place's currency."
    )
    covered_by: PassCover | None = strawberry.field(
        description="Your pass that covers the stay; null for none, and for who is not signed in."
    )
    navigation: NavigationLinks = strawberry.field(description="The way there by car.")

    @classmethod
    def of(cls, found: nearby.NearbyPlace) -> "NearbyPlace":
        """Return the place for a client."""
        row = found.row
        view = PlaceView(row.operator_id, row.place_id, row.name, row.timezone, row.currency)
        return cls(
            place=Place.of(view),
            position=GeoPosition.of(row.whereabouts.position),
            address=row.whereabouts.address,
            entrances=[PlaceEntrance.of(one) for one in row.whereabouts.entrances],
            distance_m=round(row.distance_mm / _KILO),
            walking_minutes=-(-found.walking_s // _MINUTE_S),
            spaces=row.spaces,
            free_now=row.free,
            expected=ExpectedSpaces.of(found.expected),
            price=PlannedPrice.of(found.price),
            total=None if found.total is None else Money.of(found.total),
            covered_by=PassCover.of(found.cover),
            navigation=NavigationLinks.of(found.links),
        )


@strawberry.type(description="A place in a page.")
class NearbyPlaceEdge:
    """A place in a page."""

    cursor: str
    node: NearbyPlace = strawberry.field(description="The place near by.")


@strawberry.type(description="Places near by, in the order that was asked for.")
class NearbyPlaceConnection:
    """A page of places near by."""

    as_of: datetime = strawberry.field(description="When they were counted.")
    edges: list[NearbyPlaceEdge]
    page_info: PageInfo


@strawberry.type(description="What an area is expected to have at an hour.")
class ExpectedHour:
    """What an area is expected to have at an hour."""

    at: datetime
    free: ExpectedSpaces | None = strawberry.field(
        description="Null where there is not enough history of that hour."
    )


@strawberry.type(description="What a level or zone has for anybody, now and in the hours to come.")
class AreaForecast:
    """What an area has now, and is expected to have."""

    name: str
    spaces: int = strawberry.field(
        description="Without those that are kept for the holders of passes."
    )
    free_now: int = strawberry.field(description="As counted at its gates.")
    hours: list[ExpectedHour] = strawberry.field(description="One for each hour asked for.")

"""Places near a position, for a planned stay: how far, how long on foot, how full, how dear.

However many places a page has, it takes the same statements: the nearest with their counts, their
areas, what is usual at that hour, the rate tables that this process has not read yet, and three
for the passes of who is signed in.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.flows.context import ParkingContext
from parking.flows.guidance import expected, nearby_rows, pass_cover
from parking.flows.guidance.nearby_rows import BEGINNING, After, NearRow
from parking.flows.guidance.pass_cover import Held, PassCover
from parking.flows.guidance.planned_price import PlannedPrice, planned_price
from parking.guidance.forecast import FreeSpaces
from parking.guidance.navigation import NavigationLinks, links_to
from parking.guidance.walking import walking_s
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.geography import Position, distance_m
from parking.kit.money import Money
from parking.tariffs import service as tariffs
from parking.tariffs.rules import NO_CIRCUMSTANCES, Circumstances, RateTable, price

RADIUS_M: Final = 2000
NEARBY_RADIUS_M_MAX: Final = 50_000
# Of so many, the nearest, are the cheapest found.
CANDIDATES_MAX: Final = 200
FREE_MIN_MAX: Final = 1000
STAY_MINUTES_MAX: Final = 31 * 24 * 60
ARRIVAL_DAYS_AHEAD_MAX: Final = 31
WORTH_MINOR_MAX: Final = 1_000_000
# Who comes later than this is not told to drive past what is full at this moment.
SOON: Final = timedelta(hours=1)
_LATE: Final = timedelta(minutes=5)
_MINUTE_S: Final = 60


class NearbyOrder(StrEnum):
    """What comes first."""

    DISTANCE = "distance"
    PRICE = "price"
    TOTAL = "total"


class SortKey(NamedTuple):
    """Where a place stands in its order.

    Attributes:
        group: 0; of an order by money, 1 for other currencies and 2 for unknown prices.
        value: What is compared within the group.
    """

    group: int
    value: int
    distance_mm: int
    operator_id: UUID
    place_id: UUID


@dataclass(frozen=True, slots=True)
class PlannedStay:
    """When somebody wants to park, and for how long."""

    arrives_at: datetime
    minutes: int

    @property
    def leaves_at(self) -> datetime:
        """Return when the stay is to end."""
        return self.arrives_at + timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class NearbyAsk:
    """What somebody looks for.

    Attributes:
        near: Where they want to be in the end.
        stay: None where they only look around: no price, and nothing is forecast.
        free_min: Public spaces that must be free now; None for one, for who comes within SOON.
        vehicle: None where nothing was said of it.
        minute_worth: What they would pay to walk a minute less; for the order by total.
        driver_id: None for nobody.
    """

    near: Position
    radius_m: int = RADIUS_M
    stay: PlannedStay | None = None
    free_min: int | None = None
    vehicle: Circumstances | None = None
    order: NearbyOrder = NearbyOrder.DISTANCE
    minute_worth: Money | None = None
    driver_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class NearbyPlace:
    """A place near by.

    Attributes:
        walking_s: From its nearest entrance to where the driver wants to be.
        expected: At arrival; None without a stay, and where there is not enough history.
        price: None without a stay, and where no rate table is in force.
        total: Price and worth of the walk there and back; None without either.
    """

    row: NearRow
    walking_s: int
    expected: FreeSpaces | None
    price: PlannedPrice | None
    total: Money | None
    cover: PassCover | None
    links: NavigationLinks
    key: SortKey


@dataclass(frozen=True, slots=True)
class NearbyPage:
    """Places in the order that was asked for; `as_of` is when they were counted."""

    as_of: datetime
    places: list[NearbyPlace]
    has_more: bool


async def find_nearby(
    context: ParkingContext, ask: NearbyAsk, *, first: int, after: SortKey | None = None
) -> NearbyPage:
    """Return a page of places near a position.

    Args:
        context: The domain's surroundings.
        ask: What somebody looks for.
        first: At most so many.
        after: The last place of the page before.

    Raises:
        InvalidInputError: names the field that is out of its bounds.
    """
    now = context.clock.now()
    _require(ask, now)
    async with context.database.begin() as unit:
        rows = await _candidates(unit, ask, now, first, after)
        tables = await _tables(unit, rows) if ask.stay is not None else {}
    # Two hundred prices take a while: nobody waits for this connection meanwhile.
    ranked, has_more = await asyncio.to_thread(_ranked, ask, rows, tables, first, after)
    if not ranked:
        return NearbyPage(now, [], has_more)
    found = await _Surroundings.read(context, ask, [row for _, row in ranked], now)
    places = await asyncio.to_thread(_places, ask, ranked, tables, found, now)
    return NearbyPage(now, places, has_more)


@dataclass(frozen=True, slots=True)
class _Surroundings:
    areas: Mapping[tuple[UUID, UUID], list[nearby_rows.AreaCount]]
    known: Mapping[tuple[UUID, UUID], expected.Pattern]
    held: Held

    @classmethod
    async def read(
        cls, context: ParkingContext, ask: NearbyAsk, rows: Sequence[NearRow], now: datetime
    ) -> "_Surroundings":
        if ask.stay is None:
            return cls({}, {}, ())
        zones = {row.key: ZoneInfo(row.timezone) for row in rows}
        held: Held = ()
        async with context.database.begin() as unit:
            areas = await nearby_rows.list_areas(unit, [row.key for row in rows])
            counted = [(area, zones[key]) for key, of_place in areas.items() for area in of_place]
            known = await expected.read(unit, counted, (now, max(ask.stay.arrives_at, now)))
            if ask.driver_id is not None:
                held = await pass_cover.list_held(unit, ask.driver_id)
        return cls(areas, known, held)


async def _candidates(
    unit: UnitOfWork, ask: NearbyAsk, now: datetime, first: int, after: SortKey | None
) -> list[NearRow]:
    begins, rows = BEGINNING, CANDIDATES_MAX
    if ask.order is NearbyOrder.DISTANCE:
        # One more than asked for tells whether there is a next page.
        rows = first + 1
        if after is not None:
            begins = After(after.distance_mm, after.operator_id, after.place_id)
    return await nearby_rows.list_nearest(
        unit,
        ask.near,
        radius_m=ask.radius_m,
        free_min=_free_min(ask, now),
        arrives_at=now if ask.stay is None else ask.stay.arrives_at,
        after=begins,
        rows=rows,
    )


def _free_min(ask: NearbyAsk, now: datetime) -> int:
    if ask.free_min is not None:
        return ask.free_min
    return 1 if ask.stay is None or ask.stay.arrives_at <= now + SOON else 0


async def _tables(unit: UnitOfWork, rows: Sequence[NearRow]) -> dict[tuple[UUID, UUID], RateTable]:
    keys = {(row.operator_id, row.rate_table_id) for row in rows if row.rate_table_id is not None}
    loaded = await tariffs.load_many(unit, keys) if keys else {}
    return {
        row.key: loaded[row.operator_id, row.rate_table_id]
        for row in rows
        if row.rate_table_id is not None and (row.operator_id, row.rate_table_id) in loaded
    }


def _ranked(
    ask: NearbyAsk,
    rows: Sequence[NearRow],
    tables: Mapping[tuple[UUID, UUID], RateTable],
    first: int,
    after: SortKey | None,
) -> tuple[list[tuple[SortKey, NearRow]], bool]:
    keyed = [(_key(ask, row, tables, rows[0].currency), row) for row in rows]
    keyed.sort(key=lambda one: one[0])
    rest = [one for one in keyed if after is None or one[0] > after]
    return rest[:first], len(rest) > first


def _key(
    ask: NearbyAsk,
    row: NearRow,
    tables: Mapping[tuple[UUID, UUID], RateTable],
    nearest_currency: str,
) -> SortKey:
    group, value = 0, row.distance_mm
    if ask.order is not NearbyOrder.DISTANCE:
        wanted = nearest_currency if ask.minute_worth is None else ask.minute_worth.currency
        found = _price(ask, tables.get(row.key), plain=True)
        if found is None:
            group = 2
        elif found.amount.currency != wanted:
            # Nobody says how many yuan a euro is.
            group = 1
        elif ask.order is NearbyOrder.PRICE:
            value = found.amount.amount_minor
        else:
            value = _total_minor(ask, row, found)
    return SortKey(group, value, row.distance_mm, row.operator_id, row.place_id)


def _places(
    ask: NearbyAsk,
    ranked: Sequence[tuple[SortKey, NearRow]],
    tables: Mapping[tuple[UUID, UUID], RateTable],
    found: _Surroundings,
    now: datetime,
) -> list[NearbyPlace]:
    return [_place(ask, key, row, tables, found, now) for key, row in ranked]


def _place(
    ask: NearbyAsk,
    key: SortKey,
    row: NearRow,
    tables: Mapping[tuple[UUID, UUID], RateTable],
    found: _Surroundings,
    now: datetime,
) -> NearbyPlace:
    zone, stay, worth = ZoneInfo(row.timezone), ask.stay, ask.minute_worth
    planned = _price(ask, tables.get(row.key), plain=False)
    total = None
    if planned is not None and worth is not None and worth.currency == planned.amount.currency:
        total = Money(_total_minor(ask, row, planned), worth.currency)
    return NearbyPlace(
        row=row,
        walking_s=_walking_s(ask, row),
        expected=None
        if stay is None
        else expected.of_place(
            found.areas.get(row.key, ()), found.known, zone, now=now, at=max(stay.arrives_at, now)
        ),
        price=planned,
        total=total,
        cover=None
        if stay is None
        else pass_cover.cover_of(
            found.held, row.key, zone, arrives_at=stay.arrives_at, leaves_at=stay.leaves_at
        ),
        links=links_to(row.whereabouts.for_vehicles, name=row.name, timezone=row.timezone),
        key=key,
    )


def _price(ask: NearbyAsk, table: RateTable | None, *, plain: bool) -> PlannedPrice | None:
    """Return the price of the stay; `plain` leaves out what else it could be."""
    if ask.stay is None or table is None:
        return None
    circumstances = ask.vehicle or NO_CIRCUMSTANCES
    if plain:
        total = price(table, ask.stay.arrives_at, ask.stay.leaves_at, circumstances).total
        return PlannedPrice(total, total, total, ())
    return planned_price(
        table,
        ask.stay.arrives_at,
        ask.stay.leaves_at,
        circumstances,
        is_said=ask.vehicle is not None,
    )


def _walking_s(ask: NearbyAsk, row: NearRow) -> int:
    return walking_s(distance_m(row.whereabouts.on_foot(ask.near), ask.near))


def _total_minor(ask: NearbyAsk, row: NearRow, planned: PlannedPrice) -> int:
    worth = 0 if ask.minute_worth is None else ask.minute_worth.amount_minor
    # There and back, rounded half up to whole minor units.
    walked = (2 * _walking_s(ask, row) * worth + _MINUTE_S // 2) // _MINUTE_S
    return planned.amount.amount_minor + walked


def _require(ask: NearbyAsk, now: datetime) -> None:
    if not 0 < ask.radius_m <= NEARBY_RADIUS_M_MAX:
        raise InvalidInputError("radiusM", f"1 to {NEARBY_RADIUS_M_MAX} metres")
    if ask.free_min is not None and not 0 <= ask.free_min <= FREE_MIN_MAX:
        raise InvalidInputError("freeMin", f"0 to {FREE_MIN_MAX} spaces")
    if ask.stay is not None:
        _require_stay(ask.stay, now)
    elif ask.order is not NearbyOrder.DISTANCE:
        raise InvalidInputError("stay", "a stay, to order by what it costs")
    if (ask.minute_worth is None) and ask.order is NearbyOrder.TOTAL:
        raise InvalidInputError("minuteWorth", "an amount, to order by the total")
    if ask.minute_worth is not None and not 0 <= ask.minute_worth.amount_minor <= WORTH_MINOR_MAX:
        raise InvalidInputError("minuteWorth.amountMinor", f"0 to {WORTH_MINOR_MAX}")


def _require_stay(stay: PlannedStay, now: datetime) -> None:
    if stay.arrives_at.utcoffset() is None:
        raise InvalidInputError("stay.from", "a time with a UTC offset")
    latest = now + timedelta(days=ARRIVAL_DAYS_AHEAD_MAX)
    if not now - _LATE <= stay.arrives_at <= latest:
        raise InvalidInputError("stay.from", f"now, or up to {ARRIVAL_DAYS_AHEAD_MAX} days later")
    if not 0 < stay.minutes <= STAY_MINUTES_MAX:
        raise InvalidInputError("stay.minutes", f"1 to {STAY_MINUTES_MAX}")

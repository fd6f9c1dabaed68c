"""How much room places are expected to have: counted now, and by what is usual at that hour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.flows.context import ParkingContext
from parking.flows.guidance import nearby_rows
from parking.flows.guidance.nearby_rows import AreaCount
from parking.guidance import patterns
from parking.guidance.forecast import FreeSpaces, forecast, free_spaces, together
from parking.guidance.patterns import Pattern
from parking.guidance.week import between
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.places import service as places

HOURS_AHEAD_MAX: Final = 7 * 24
ASKED_HOURS_MAX: Final = 48

Key = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class ExpectedAt:
    """What an area is expected to have at a time; None where that hour has not enough history."""

    at: datetime
    free: FreeSpaces | None


@dataclass(frozen=True, slots=True)
class ExpectedArea:
    """What an area has now, and what it is expected to have, hour by hour."""

    name: str
    spaces: int
    free: int
    hours: list[ExpectedAt]


async def show(
    context: ParkingContext, operator_id: UUID, place_id: UUID, *, begins_at: datetime, hours: int
) -> list[ExpectedArea]:
    """Return what a place's areas are expected to have, at each of some hours from a time on.

    Raises:
        PlaceUnknownError: there is no such place.
        InvalidInputError: the time is naive, past or too far away, or the hours are too many.
    """
    now = context.clock.now()
    _require_ahead(now, begins_at, hours)
    asked = [begins_at + timedelta(hours=number) for number in range(hours)]
    async with context.database.begin() as unit:
        place = await places.require_place(unit, operator_id, place_id)
        zone = ZoneInfo(place.timezone)
        areas = (await nearby_rows.list_areas(unit, [(operator_id, place_id)])).get(
            (operator_id, place_id), []
        )
        known = await read(unit, [(area, zone) for area in areas], (now, *asked))
    return [
        ExpectedArea(
            area.name,
            area.spaces,
            area.free,
            [ExpectedAt(at, _of_area(area, known, zone, now, at)) for at in asked],
        )
        for area in areas
    ]


async def read(
    unit: UnitOfWork, areas: Sequence[tuple[AreaCount, ZoneInfo]], moments: Sequence[datetime]
) -> dict[Key, Pattern]:
    """Return what is known of areas at some moments, each on its own wall clock; one statement."""
    asked: set[tuple[UUID, UUID, int]] = set()
    hours: dict[str, set[int]] = {}
    for area, zone in areas:
        if zone.key not in hours:
            near = [between(moment, zone) for moment in moments]
            hours[zone.key] = {hour for one in near for hour in (one.before, one.after)}
        asked |= {(area.operator_id, area.area_id, hour) for hour in hours[zone.key]}
    return await patterns.find(unit, asked)


def of_place(
    areas: Sequence[AreaCount],
    known: Mapping[Key, Pattern],
    zone: ZoneInfo,
    *,
    now: datetime,
    at: datetime,
) -> FreeSpaces | None:
    """Return what a place is expected to have; None where any of its areas is not known enough."""
    found = [_of_area(area, known, zone, now, at) for area in areas if area.spaces]
    sure = [one for one in found if one is not None]
    return together(sure) if sure and len(sure) == len(found) else None


def _of_area(
    area: AreaCount, known: Mapping[Key, Pattern], zone: ZoneInfo, now: datetime, at: datetime
) -> FreeSpaces | None:
    pattern = known.get((area.operator_id, area.area_id))
    if pattern is None:
        return None
    found = forecast(pattern.hours, pattern.persistence, zone, share_now=area.share, now=now, at=at)
    return None if found is None else free_spaces(found, area.spaces)


def _require_ahead(now: datetime, begins_at: datetime, hours: int) -> None:
    if begins_at.utcoffset() is None:
        raise InvalidInputError("from", "a time with a UTC offset")
    if not 0 < hours <= ASKED_HOURS_MAX:
        raise InvalidInputError("hours", f"1 to {ASKED_HOURS_MAX}")
    if not now - timedelta(minutes=5) <= begins_at <= now + timedelta(hours=HOURS_AHEAD_MAX):
        raise InvalidInputError("from", f"now, or up to {HOURS_AHEAD_MAX} hours later")

"""What a merchant may be called, where it is, and when it is open: pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from parking.kit.errors import InvalidInputError

NAME_LENGTH_MAX: Final = 100
VALIDATION_LENGTH_MAX: Final = 100
PLACES_MAX: Final = 200
RANGES_PER_DAY_MAX: Final = 6
BUDGET_MINOR_MAX: Final = 1_000_000_000_000
LATITUDE_E6_MAX: Final = 90_000_000
LONGITUDE_E6_MAX: Final = 180_000_000
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES_PER_DAY: Final = 1440
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
_RANGE_LENGTH: Final = 2


class Category(StrEnum):
    """What a merchant is; segments and offers choose by it."""

    RESTAURANT = "restaurant"
    CAFE = "cafe"
    SHOP = "shop"
    SUPERMARKET = "supermarket"
    CINEMA = "cinema"
    SPORT = "sport"
    HEALTH = "health"
    HOTEL = "hotel"
    SERVICE = "service"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantTerms:
    """A merchant as staff describe it; fields as in `Merchant`."""

    name: str
    category: Category
    timezone: str
    currency: str
    place_ids: Sequence[UUID] | None = None
    latitude_e6: int | None = None
    longitude_e6: int | None = None
    opening_hours: Mapping[str, Any] = field(default_factory=dict[str, Any])
    validation: str | None = None
    validation_minor: int = 0
    budget_minor: int | None = None
    budget_month_minor: int | None = None


def require_terms(terms: MerchantTerms) -> None:
    """Check what staff say of a merchant.

    Raises:
        InvalidInputError: names the field that does not fit.
    """
    _require(
        0 < len(terms.name.strip()) <= NAME_LENGTH_MAX, "name", f"1 to {NAME_LENGTH_MAX} characters"
    )
    zone_of(terms.timezone)
    code = terms.currency
    _require(len(code) == 3 and code.isascii() and code.isupper(), "currency", "such as CNY")  # noqa: PLR2004 - ISO 4217
    if terms.place_ids is not None:
        count = len(set(terms.place_ids))
        is_usable = 0 < count == len(terms.place_ids) <= PLACES_MAX
        _require(is_usable, "placeIds", f"1 to {PLACES_MAX} places, each once")
    _check_point(terms)
    _check_hours(terms.opening_hours)
    named = terms.validation
    is_named = named is None or 0 < len(named.strip()) <= VALIDATION_LENGTH_MAX
    _require(is_named, "validation", f"1 to {VALIDATION_LENGTH_MAX} characters, or none")
    for name, value in (
        ("validationPrice", terms.validation_minor),
        ("budget", terms.budget_minor),
        ("budgetMonth", terms.budget_month_minor),
    ):
        _require(
            value is None or 0 <= value <= BUDGET_MINOR_MAX,
            name,
            f"0 to {BUDGET_MINOR_MAX}, or none",
        )


def zone_of(timezone: str) -> ZoneInfo:
    """Return a merchant's time zone.

    Raises:
        InvalidInputError: there is none of this name.
    """
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInputError("timezone", "such as Asia/Shanghai") from error


def month_of(at: datetime, timezone: str) -> str:
    """Return the month of a moment on the merchant's wall clock, such as `2026-11`."""
    return at.astimezone(zone_of(timezone)).strftime("%Y-%m")


def is_open(opening_hours: Mapping[str, Any], timezone: str, at: datetime) -> bool | None:
    """Return whether a merchant is open; None where its hours are not known.

    A range that ends before it begins goes on after midnight.
    """
    if not opening_hours:
        return None
    local = at.astimezone(zone_of(timezone))
    minute = local.hour * 60 + local.minute
    today = _ranges(opening_hours, local.weekday())
    before = _ranges(opening_hours, (local.weekday() - 1) % len(DAYS))
    if any(start <= minute < (end if end > start else _MINUTES_PER_DAY) for start, end in today):
        return True
    return any(end < start and minute < end for start, end in before)


def _ranges(hours: Mapping[str, Any], weekday: int) -> list[tuple[int, int]]:
    found = cast("list[list[str]]", hours.get(DAYS[weekday], []))
    return [(_minute(start), _minute(end)) for start, end in found]


def _minute(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


def _check_point(terms: MerchantTerms) -> None:
    latitude, longitude = terms.latitude_e6, terms.longitude_e6
    _require((latitude is None) == (longitude is None), "longitude", "both coordinates, or neither")
    _require(latitude is None or abs(latitude) <= LATITUDE_E6_MAX, "latitude", "-90 to 90 degrees")
    _require(
        longitude is None or abs(longitude) <= LONGITUDE_E6_MAX, "longitude", "-180 to 180 degrees"
    )


def _check_hours(hours: Mapping[str, Any]) -> None:
    expected = 'such as {"mon": [["10:00", "22:00"]]}'
    for day, ranges in hours.items():
        _require(day in DAYS and isinstance(ranges, list), "openingHours", expected)
        listed = cast("list[object]", ranges)
        _require(len(listed) <= RANGES_PER_DAY_MAX, "openingHours", "at most 6 ranges a day")
        for item in listed:
            pair = cast("list[object]", item) if isinstance(item, list) else []
            is_pair = len(pair) == _RANGE_LENGTH and all(
                isinstance(clock, str) and _CLOCK.fullmatch(clock) for clock in pair
            )
            _require(is_pair and pair[0] != pair[1], "openingHours", expected)


def _require(holds: bool, name: str, expected: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise InvalidInputError(name, expected)

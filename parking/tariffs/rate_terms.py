"""The plain values that tariffs are made of: names, minutes, amounts, wall times and days."""

import re
from datetime import date
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from parking.tariffs.model_part import items

STAY_DAYS_MAX: Final = 400
MINUTES_PER_DAY: Final = 1440
MINUTES_MAX: Final = STAY_DAYS_MAX * MINUTES_PER_DAY
AMOUNT_MINOR_MAX: Final = 1_000_000_000
NAME_CHARACTERS_MAX: Final = 100
_DAYS_MAX: Final = 16
_ZONE_OF_THE_MACHINE: Final = "localtime"
_CURRENCY = re.compile(r"[A-Z]{3}")
_WALL_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")


def _require_wall_time(text: str) -> str:
    if not _WALL_TIME.fullmatch(text):
        raise ValueError("a local time from 00:00 to 24:00")
    return text


def _require_currency(text: str) -> str:
    if not _CURRENCY.fullmatch(text):
        raise ValueError("a currency code such as EUR")
    return text


def _require_date(text: str) -> str:
    try:
        canonical = date.fromisoformat(text).isoformat()
    except ValueError:
        canonical = None
    if canonical != text:
        raise ValueError("a date such as 2025-12-25")
    return text


def _require_zone(name: str) -> str:
    if name == _ZONE_OF_THE_MACHINE:
        raise ValueError("a time zone that is the same on every machine")
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError("a time zone such as Europe/Berlin") from error
    return name


def _require_start_of_day(window: tuple[str, str]) -> tuple[str, str]:
    if window[0] == "24:00":
        raise ValueError("a window that starts before 24:00")
    return window


def minute_of_day(wall_time: str) -> int:
    """Return the minutes after midnight that a checked `HH:MM` names."""
    return int(wall_time[:2]) * 60 + int(wall_time[3:])


Name = Annotated[str, Field(max_length=NAME_CHARACTERS_MAX)]
GivenName = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
Minutes = Annotated[int, Field(ge=1, le=MINUTES_MAX)]
MinutesFromZero = Annotated[int, Field(ge=0, le=MINUTES_MAX)]
AmountMinor = Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)]
CurrencyCode = Annotated[str, AfterValidator(_require_currency)]
LocalDate = Annotated[str, AfterValidator(_require_date)]
ZoneName = Annotated[str, Field(max_length=64), AfterValidator(_require_zone)]
WallTime = Annotated[str, AfterValidator(_require_wall_time)]
Window = Annotated[
    tuple[WallTime, WallTime], Field(strict=False), AfterValidator(_require_start_of_day)
]
Day = Literal[
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sun",
    "workday",
    "nonworkday",
    "holiday",
    "noholiday",
]
Days = Annotated[tuple[Day, ...], items(least=1, most=_DAYS_MAX)]
VehicleClass = Literal["car", "motorcycle", "van", "truck", "bus", "other"]

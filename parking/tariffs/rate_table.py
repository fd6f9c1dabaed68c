"""A tariff as data: the model of a rate table, checked before anything is priced by it."""

import re
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from parking.kit.errors import InvalidInputError

STAY_DAYS_MAX: Final = 400
MINUTES_PER_DAY: Final = 1440
_MINUTES_MAX: Final = STAY_DAYS_MAX * MINUTES_PER_DAY
_AMOUNT_MINOR_MAX: Final = 1_000_000_000
_COLLECTIONS_MAX: Final = 64
_LINES_MAX: Final = 64
_CAPS_MAX: Final = 16
_PACKAGES_MAX: Final = 32
_HOLIDAYS_MAX: Final = 2000
_DAYS_MAX: Final = 16
_PACKAGE_DAYS_MAX: Final = 31
_WALL_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")
_WHOLE_DAY = ("00:00", "24:00")


def _require_wall_time(text: str) -> str:
    if not _WALL_TIME.fullmatch(text):
        raise ValueError("a local time from 00:00 to 24:00")
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


# JSON has lists where the model has tuples; only the container is lenient, never its items.
_Name = Annotated[str, Field(max_length=100)]
_Minutes = Annotated[int, Field(ge=1, le=_MINUTES_MAX)]
_MinutesFromZero = Annotated[int, Field(ge=0, le=_MINUTES_MAX)]
_AmountMinor = Annotated[int, Field(ge=0, le=_AMOUNT_MINOR_MAX)]
_WallTime = Annotated[str, AfterValidator(_require_wall_time)]
Window = Annotated[
    tuple[_WallTime, _WallTime], Field(strict=False), AfterValidator(_require_start_of_day)
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
Days = Annotated[tuple[Day, ...], Field(strict=False, min_length=1, max_length=_DAYS_MAX)]


class _Part(BaseModel):
    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )


class RateLine(_Part):
    """What one range `[from, to)` of the ladder costs.

    free: nothing. flat: once. increment: `value` for each block that starts.
    per_second: `value` for each block, in proportion to the seconds, rounded up.
    """

    kind: Literal["free", "flat", "increment", "per_second"]
    from_minutes: _MinutesFromZero = Field(default=0, alias="from")
    to_minutes: _Minutes | None = Field(default=None, alias="to")
    block_minutes: _Minutes | None = Field(default=None, alias="block")
    amount_minor: _AmountMinor = Field(default=0, alias="value")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.to_minutes is not None and self.to_minutes <= self.from_minutes:
            raise ValueError("`to` later than `from`")
        if (self.block_minutes is not None) != (self.kind in {"increment", "per_second"}):
            raise ValueError("`block` for increment and per_second, and only for them")
        if self.kind == "free" and self.amount_minor:
            raise ValueError("no `value` for a free line")
        if self.kind != "free" and "amount_minor" not in self.model_fields_set:
            raise ValueError(f"`value` for a line of kind {self.kind}")
        return self


class RateLineCollection(_Part):
    """A ladder of lines and the local days and hours in which it counts."""

    name: _Name = ""
    days: Days | None = None
    window: Window = _WHOLE_DAY
    clock: Literal["session", "window", "charged"] = "session"
    cap_minor: _AmountMinor | None = Field(default=None, alias="cap")
    join_days: bool | None = None
    lines: Annotated[tuple[RateLine, ...], Field(strict=False, min_length=1, max_length=_LINES_MAX)]

    @property
    def is_joined(self) -> bool:
        """Whether two days in a row are one stretch, so that a block may run over midnight."""
        if self.join_days is not None:
            return self.join_days
        # A cap of a collection holds for one window: joined days would share a single cap.
        return self.window == _WHOLE_DAY and self.cap_minor is None

    @cached_property
    def ladder(self) -> tuple[RateLine, ...]:
        """The lines in the order of their ranges."""
        return tuple(sorted(self.lines, key=lambda line: line.from_minutes))

    @model_validator(mode="after")
    def _check(self) -> Self:
        for lower, upper in pairwise(self.ladder):
            if lower.to_minutes is None or lower.to_minutes > upper.from_minutes:
                raise ValueError(
                    f"`lines` whose ranges do not overlap (from {upper.from_minutes} does)"
                )
        return self


class RateCap(_Part):
    """The most that the blocks starting in one period cost together.

    With `collection` only its blocks count, and a period begins with the first of them.
    """

    per: Literal["rolling", "calendar_day", "session"]
    minutes: _Minutes | None = None
    amount_minor: _AmountMinor = Field(alias="amount")
    once: bool = False
    collection: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.per == "rolling" and self.minutes is None:
            raise ValueError("`minutes` for a rolling cap")
        if self.per == "calendar_day" and self.minutes is not None:
            raise ValueError("no `minutes` for a calendar_day cap")
        if self.per == "session" and self.minutes is not None and self.collection is None:
            raise ValueError("no `minutes` for a session cap without `collection`")
        return self


class RatePackage(_Part):
    """A price for the whole stay when it enters and leaves in the given local windows."""

    name: _Name = ""
    days: Days | None = None
    enter: Window
    exit: Window
    day_offset: Annotated[int, Field(ge=0, le=_PACKAGE_DAYS_MAX)] = 0
    amount_minor: _AmountMinor = Field(alias="amount")


class RateTable(_Part):
    """One version of a tariff; amounts in the currency's minor units, times in minutes."""

    timezone: Annotated[str, Field(max_length=64), AfterValidator(_require_zone)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    name: _Name = ""
    version: Annotated[int, Field(ge=1)] | None = None
    tick: Literal["second", "minute"] = "second"
    grace_minutes: _MinutesFromZero = Field(default=0, alias="grace")
    free_first_minutes: _MinutesFromZero = Field(default=0, alias="free_first")
    ladder_reset: Literal["session", "rolling", "calendar_day"] = "session"
    ladder_minutes: _Minutes | None = None
    holidays: Annotated[
        tuple[Annotated[str, AfterValidator(_require_date)], ...],
        Field(strict=False, max_length=_HOLIDAYS_MAX),
    ] = ()
    collections: Annotated[
        tuple[RateLineCollection, ...],
        Field(strict=False, min_length=1, max_length=_COLLECTIONS_MAX),
    ]
    caps: Annotated[tuple[RateCap, ...], Field(strict=False, max_length=_CAPS_MAX)] = ()
    packages: Annotated[tuple[RatePackage, ...], Field(strict=False, max_length=_PACKAGES_MAX)] = ()

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of the windows and calendar days."""
        return ZoneInfo(self.timezone)

    @cached_property
    def holiday_ordinals(self) -> frozenset[int]:
        """The holidays as proleptic Gregorian ordinals."""
        return frozenset(date.fromisoformat(text).toordinal() for text in self.holidays)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.ladder_minutes is not None) != (self.ladder_reset == "rolling"):
            raise ValueError("`ladder_minutes` with ladder_reset rolling, and only with it")
        for index, cap in enumerate(self.caps):
            if cap.collection is not None and cap.collection >= len(self.collections):
                raise ValueError(f"`caps.{index}.collection` to be the index of a collection")
        return self


_PLAIN_EXPECTATIONS = {"missing": "a value", "extra_forbidden": "no field of this name"}
_PREFIXES = ("Value error, ", "Input should be ", "String should ", "Tuple should ")


def read_rate_table(data: object) -> RateTable:
    """Return the rate table that the JSON value `data` describes.

    Raises:
        InvalidInputError: names the path of the first field that does not fit.
    """
    try:
        return RateTable.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(step) for step in ("rate_table", *first["loc"]))
        expected = _PLAIN_EXPECTATIONS.get(first["type"], first["msg"])
        for prefix in _PREFIXES:
            expected = expected.removeprefix(prefix)
        raise InvalidInputError(path, expected) from error

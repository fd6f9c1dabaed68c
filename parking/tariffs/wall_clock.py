"""Between instants and the local wall clock, in whole seconds since 1970 (UTC)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from parking.kit.errors import InvalidInputError
from parking.tariffs.rate_table import MINUTES_PER_DAY

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
# Room on both sides for periods that begin before a stay or end after it.
_SECONDS_MIN: Final = 0
_SECONDS_MAX: Final = (datetime(2400, 1, 1, tzinfo=UTC) - _EPOCH) // _SECOND
_WALL_CACHE_ENTRIES_MAX: Final = 8192


def seconds_of(moment: datetime, field: str) -> int:
    """Return the whole seconds since 1970 (UTC), a fraction dropped.

    Raises:
        InvalidInputError: `moment`, called `field` in the message, is naive or absurd.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise InvalidInputError(field, "a time with a UTC offset")
    seconds = whole_seconds(moment)
    if not _SECONDS_MIN <= seconds < _SECONDS_MAX:
        raise InvalidInputError(field, "a time between the years 1970 and 2400")
    return seconds


def whole_seconds(moment: datetime) -> int:
    """Return the whole seconds since 1970 (UTC) of an aware time, a fraction dropped."""
    return (moment - _EPOCH) // _SECOND


def instant_of(seconds: int) -> datetime:
    """Return the instant in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def local_day(zone: ZoneInfo, seconds: int) -> int:
    """Return the ordinal of the local calendar day."""
    return datetime.fromtimestamp(seconds, zone).toordinal()


@lru_cache(maxsize=_WALL_CACHE_ENTRIES_MAX)
def wall_seconds(zone: ZoneInfo, day: int, minute: int) -> int:
    """Return when the wall clock of `day` first shows `minute` or, where it skips it, jumps over.

    Args:
        zone: The place's time zone.
        day: Ordinal of the local calendar day.
        minute: Minutes after midnight; from 1440 on it falls on a following day.
    """
    wall = datetime.fromordinal(day + minute // MINUTES_PER_DAY)
    wall += timedelta(minutes=minute % MINUTES_PER_DAY)
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return (instant - _EPOCH) // _SECOND
    return _jump_seconds(zone, wall)


def _jump_seconds(zone: ZoneInfo, wall: datetime) -> int:
    """Return when the clock jumps over `wall`, a local time that does not exist."""
    # The offset before the jump (fold 0) puts `wall` after it, the one after (fold 1) before it.
    early = (wall.replace(tzinfo=zone, fold=1).astimezone(UTC) - _EPOCH) // _SECOND
    late = (wall.replace(tzinfo=zone, fold=0).astimezone(UTC) - _EPOCH) // _SECOND
    offset_before = instant_of(early).astimezone(zone).utcoffset()
    while late - early > 1:
        middle = (early + late) // 2
        if instant_of(middle).astimezone(zone).utcoffset() == offset_before:
            early = middle
        else:
            late = middle
    return late

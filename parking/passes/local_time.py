"""Between a place's wall clock and instants: pure, right on the days when clocks change."""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

MINUTES_PER_DAY: Final = 1440
_SECOND: Final = timedelta(seconds=1)


def local_day(zone: ZoneInfo, at: datetime) -> date:
    """Return the day that the wall clock shows at an aware time."""
    return at.astimezone(zone).date()


def midnight(zone: ZoneInfo, day: date) -> datetime:
    """Return when `day` begins, in UTC."""
    return instant_of(zone, day, 0)


def instant_of(zone: ZoneInfo, day: date, minute: int) -> datetime:
    """Return when the clock of `day` first shows `minute` or, where it skips it, jumps over it.

    Args:
        zone: The place's time zone.
        day: The local calendar day.
        minute: Minutes after its midnight by the wall clock; from 1440 on it is the next day's.

    Returns:
        An aware time in UTC.
    """
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 - a wall clock's time has no offset
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    return _jump(zone, wall)


def _jump(zone: ZoneInfo, wall: datetime) -> datetime:
    """Return when the clock jumps over `wall`, a local time that does not exist."""
    # The offset after the jump puts `wall` before it, the offset before the jump after it.
    early = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    late = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    offset_before = early.astimezone(zone).utcoffset()
    while late - early > _SECOND:
        middle = early + (late - early) // 2 // _SECOND * _SECOND
        if middle.astimezone(zone).utcoffset() == offset_before:
            early = middle
        else:
            late = middle
    return late

"""On which local days and hours a pass is valid, as ranges of time: pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from parking.passes.local_time import MINUTES_PER_DAY, instant_of, local_day

WHOLE_WEEK: Final = frozenset(range(7))
# Longer than the longest period with its grace, so that no valid pass is cut short.
DAYS_MAX: Final = 400

Range = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Hours:
    """The local hours of some weekdays.

    Attributes:
        weekdays: On which the hours begin; Monday is 0.
        from_minute: Minutes after midnight.
        to_minute: At most 1440; not later than `from_minute` means on the next day.
    """

    weekdays: frozenset[int] = WHOLE_WEEK
    from_minute: int = 0
    to_minute: int = MINUTES_PER_DAY

    @property
    def is_always(self) -> bool:
        """Whether the pass is valid at every hour of the week."""
        whole_day = (self.from_minute, self.to_minute) == (0, MINUTES_PER_DAY)
        return whole_day and self.weekdays == WHOLE_WEEK


def covered_ranges(
    hours: Hours, zone: ZoneInfo, starts_at: datetime, ends_at: datetime
) -> tuple[Range, ...]:
    """Return the parts of `[starts_at, ends_at)` that fall into the hours, oldest first, in UTC.

    Hours are those of the wall clock: on the day when clocks change, 07:00 to 19:00 still is what
    the clock shows. Ranges that touch are one. At most DAYS_MAX days are looked at.
    """
    if ends_at <= starts_at:
        return ()
    if hours.is_always:
        return ((starts_at, ends_at),)
    ranges = (
        (max(begins, starts_at), min(ends, ends_at))
        for begins, ends in _windows(hours, zone, starts_at, ends_at)
    )
    return _joined((begins, ends) for begins, ends in ranges if begins < ends)


def _windows(
    hours: Hours, zone: ZoneInfo, starts_at: datetime, ends_at: datetime
) -> Iterable[Range]:
    past_midnight = MINUTES_PER_DAY if hours.to_minute <= hours.from_minute else 0
    # Hours that began on the evening before may still run.
    day = local_day(zone, starts_at) - timedelta(days=1)
    last = min(local_day(zone, ends_at), day + timedelta(days=DAYS_MAX))
    while day <= last:
        if day.weekday() in hours.weekdays:
            begins = instant_of(zone, day, hours.from_minute)
            yield begins, instant_of(zone, day, hours.to_minute + past_midnight)
        day += timedelta(days=1)


def _joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    joined: list[Range] = []
    for begins, ends in ranges:
        if joined and begins <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(ends, joined[-1][1]))
        else:
            joined.append((begins, ends))
    return tuple(joined)

"""Hours of the week as the wall clock of a place shows them."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

HOURS_OF_DAY: Final = 24
_HALF_HOUR: Final = timedelta(minutes=30)
_MINUTES: Final = 60.0


class Between(NamedTuple):
    """A moment between the middles of two hours.

    Attributes:
        before: The hour of the week whose middle is the last one.
        after: The one whose middle comes next; on a day of other clocks not always `before` + 1.
        share: How much of the way has passed, 0 to less than 1.
    """

    before: int
    after: int
    share: float


def hour_of_week(at: datetime, zone: ZoneInfo) -> int:
    """Return 0 for Monday from 00:00 to 01:00, 167 for the last hour of Sunday.

    When clocks go back an hour comes twice and both are the same hour; when they go forward one
    does not come in that week.
    """
    local = at.astimezone(zone)
    return local.weekday() * HOURS_OF_DAY + local.hour


def between(at: datetime, zone: ZoneInfo) -> Between:
    """Return between which hours' middles a moment lies; half an hour is half an hour of time."""
    earlier, later = at - _HALF_HOUR, at + _HALF_HOUR
    local = earlier.astimezone(zone)
    share = (local.minute + local.second / _MINUTES) / _MINUTES
    return Between(hour_of_week(earlier, zone), hour_of_week(later, zone), share)

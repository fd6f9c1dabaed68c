"""When a test's day begins: the same hour whenever the tests run."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from parking.kit.clock import SystemClock

ZONE: Final = ZoneInfo("Asia/Shanghai")
HOUR: Final = 10


def this_morning() -> datetime:
    """Return ten o'clock of this day at the place, past or to come.

    A stay of half a day then ends before midnight, where prices begin a new line. It is this day,
    because there are partitions from the month of the migration on.
    """
    now = SystemClock().now().astimezone(ZONE)
    return now.replace(hour=HOUR, minute=0, second=0, microsecond=0)

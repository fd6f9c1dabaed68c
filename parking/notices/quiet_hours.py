"""When a driver wants to be left alone, by the clock on the driver's own wall."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from parking.kit.errors import InvalidInputError
from parking.notices.models import NoticeBook


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of day until another, the next day's where it is the earlier one."""

    starts_at: time
    ends_at: time
    timezone: str

    def __post_init__(self) -> None:
        if self.starts_at.tzinfo is not None or self.ends_at.tzinfo is not None:
            raise InvalidInputError("starts_at", "a time of day such as 22:00, without a zone")
        if self.starts_at == self.ends_at:
            raise InvalidInputError("ends_at", "another time than the start")
        if self.timezone not in _known_zones():
            raise InvalidInputError("timezone", "an IANA name such as Asia/Shanghai")

    def until(self, now: datetime) -> datetime | None:
        """Return when the quiet hours end that `now` lies in; None if it lies in none.

        Where clocks are set back or forward inside the quiet hours, the wall's clock decides.
        """
        zone = ZoneInfo(self.timezone)
        wall = now.astimezone(zone)
        if not self._covers(wall.time()):
            return None
        days = (wall.date(), wall.date() + timedelta(days=1))
        ends = sorted(
            datetime.combine(day, self.ends_at, tzinfo=zone).replace(fold=fold).astimezone(UTC)
            for day in days
            for fold in (0, 1)
        )
        # An end that the wall's clock leaves out has a twin before it, within the quiet hours.
        return next(
            end for end in ends if end > now and not self._covers(end.astimezone(zone).time())
        )

    def _covers(self, at: time) -> bool:
        if self.starts_at < self.ends_at:
            return self.starts_at <= at < self.ends_at
        return at >= self.starts_at or at < self.ends_at


def quiet_hours_of(book: NoticeBook) -> QuietHours | None:
    """Return a driver's quiet hours; None where the driver set none.

    None too where this machine does not know the zone any more: told at a bad time is better
    than never told.
    """
    if book.quiet_starts_at is None or book.quiet_ends_at is None or book.quiet_timezone is None:
        return None
    if book.quiet_timezone not in _known_zones():
        return None
    return QuietHours(book.quiet_starts_at, book.quiet_ends_at, book.quiet_timezone)


@cache
def _known_zones() -> frozenset[str]:
    # Finding them reads hundreds of files, and every message asks.
    return frozenset(available_timezones())

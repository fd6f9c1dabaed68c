"""When a campaign writes: at times on a place's wall, or when a driver does something."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator

from parking.campaigns.filters import DAYS_MAX
from parking.campaigns.parts import Part

DAY: Final = timedelta(days=1)
_TIME: Final = r"^([01]\d|2[0-3]):[0-5]\d$"
_DATE_TIME: Final = r"^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d$"
_WallTime = Annotated[str, Field(pattern=_TIME)]
_Id = Annotated[UUID, Field(strict=False)]


class _OnTheWall(Part):
    timezone: str

    @field_validator("timezone")
    @classmethod
    def _require_zone(cls, name: str) -> str:
        if name not in _zones():
            raise ValueError("an IANA name such as Asia/Shanghai")
        return name


class Schedule(_OnTheWall):
    """At one moment, or every day or week from it on."""

    kind: Literal["schedule"]
    at: Annotated[str, Field(pattern=_DATE_TIME)]
    repeats: Literal["never", "daily", "weekly"] = "never"
    last_day: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None

    @field_validator("at")
    @classmethod
    def _require_time(cls, at: str) -> str:
        datetime.fromisoformat(at)
        return at

    @field_validator("last_day")
    @classmethod
    def _require_day(cls, day: str | None) -> str | None:
        if day is not None:
            date.fromisoformat(day)
        return day


class Lapse(_OnTheWall):
    """Every day, to those who did not come for so many days; once for each lapse."""

    kind: Literal["lapse"]
    days: Annotated[int, Field(ge=7, le=DAYS_MAX)]
    at: _WallTime


class BeforeVisit(_OnTheWall):
    """Every day, to those who are expected at a place so many days later."""

    kind: Literal["before_visit"]
    place_id: _Id
    days_ahead: Annotated[int, Field(ge=0, le=7)] = 1
    percent_min: Annotated[int, Field(ge=1, le=100)] = 50
    at: _WallTime


class OnEntry(Part):
    """Right after a driver came in, at most once on an operator's day."""

    kind: Literal["on_entry"]


class AfterPayment(Part):
    """Right after a driver paid for a stay, at most once on an operator's day."""

    kind: Literal["after_payment"]


Trigger = Annotated[
    Schedule | Lapse | BeforeVisit | OnEntry | AfterPayment, Field(discriminator="kind")
]
TRIGGER_TAGS: Final = frozenset(("schedule", "lapse", "before_visit", "on_entry", "after_payment"))


def first_run_at(trigger: Trigger, now: datetime) -> datetime | None:
    """Return when a campaign that starts now runs first; None for what events trigger.

    A single moment that has passed is now: whoever approved it wants it to be sent.
    """
    match trigger:
        case Schedule():
            start = _on_wall(datetime.fromisoformat(trigger.at), trigger.timezone)
            if start >= now or trigger.repeats == "never":
                return max(start, now)
            return next_run_at(trigger, start, now)
        case Lapse() | BeforeVisit():
            zone = ZoneInfo(trigger.timezone)
            wall = datetime.combine(now.astimezone(zone).date(), time.fromisoformat(trigger.at))
            first = _on_wall(wall, trigger.timezone)
            return first if first >= now else next_run_at(trigger, first, now)
        case OnEntry() | AfterPayment():
            return None


def next_run_at(trigger: Trigger, last: datetime, now: datetime) -> datetime | None:
    """Return when a campaign runs after the run that was due at `last`; None for never again.

    Runs that were missed while nothing worked are left out: a reminder of yesterday is none.
    """
    if isinstance(trigger, OnEntry | AfterPayment):
        return None
    if isinstance(trigger, Schedule) and trigger.repeats == "never":
        return None
    weekly = isinstance(trigger, Schedule) and trigger.repeats == "weekly"
    step = 7 * DAY if weekly else DAY
    wall = last.astimezone(ZoneInfo(trigger.timezone)).replace(tzinfo=None)
    # By the hour that was asked for: the last run's may have been moved by a change of the clock.
    wall = datetime.combine(wall.date(), _time_of(trigger))
    missed = max(0, (now - last) // step)
    wall += step * missed
    following = _on_wall(wall + step, trigger.timezone)
    while following <= now:
        wall += step
        following = _on_wall(wall + step, trigger.timezone)
    last_day = trigger.last_day if isinstance(trigger, Schedule) else None
    if last_day is not None and (wall + step).date() > date.fromisoformat(last_day):
        return None
    return following


def local_day(trigger: Schedule | Lapse | BeforeVisit, at: datetime) -> date:
    """Return the day on the trigger's wall."""
    return at.astimezone(ZoneInfo(trigger.timezone)).date()


def _time_of(trigger: Schedule | Lapse | BeforeVisit) -> time:
    if isinstance(trigger, Schedule):
        return datetime.fromisoformat(trigger.at).time()
    return time.fromisoformat(trigger.at)


def _on_wall(wall: datetime, timezone: str) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())

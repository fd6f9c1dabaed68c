"""When a campaign writes: at times on a place's wall, or when a driver does something."""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from parking.campaigns.filters import DAYS_MAX
from parking.campaigns.parts import Part

DAY: Final = timedelta(days=1)
YEARS: Final = range(2020, 2101)
# A run that is begun later than this is of another hour of the day than was asked for.
LATE_MAX: Final = timedelta(hours=6)
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _required_time(found: str) -> str:
    if not _TIME.fullmatch(found):
        raise ValueError("a time such as 09:30")
    return found


def _required_day(found: str) -> str:
    try:
        is_known = bool(_DATE.fullmatch(found)) and date.fromisoformat(found).year in YEARS
    except ValueError:
        is_known = False
    if not is_known:
        raise ValueError(f"a day such as 2026-05-31, of the years {YEARS[0]} to {YEARS[-1]}")
    return found


def _required_moment(found: str) -> str:
    day, _, wall_time = found.partition("T")
    try:
        return f"{_required_day(day)}T{_required_time(wall_time)}"
    except ValueError as error:
        raise ValueError(
            f"day and time such as 2026-05-31T09:30, of the years {YEARS[0]} to {YEARS[-1]}"
        ) from error


def _shown(*patterns: re.Pattern[str]) -> Any:  # noqa: ANN401 - metadata of a field
    """Return what the published form says of a text that is read by a function."""
    return Field(json_schema_extra={"pattern": f"^{'T'.join(each.pattern for each in patterns)}$"})


_WallTime = Annotated[str, AfterValidator(_required_time), _shown(_TIME)]
_WallDay = Annotated[str, AfterValidator(_required_day), _shown(_DATE)]
_WallMoment = Annotated[str, AfterValidator(_required_moment), _shown(_DATE, _TIME)]
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
    at: _WallMoment
    repeats: Literal["never", "daily", "weekly"] = "never"
    last_day: _WallDay | None = None

    @field_validator("last_day")
    @classmethod
    def _require_later(cls, day: str | None, known: ValidationInfo) -> str | None:
        first = str(known.data.get("at", ""))[:10]
        if day is not None and (day < first or known.data.get("repeats") == "never"):
            raise ValueError("a day not before `at`, of what repeats")
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
    # One less: a day on the wall may be an hour longer.
    missed = max(0, (now - last) // step - 1)
    wall += step * missed
    following = _on_wall(wall + step, trigger.timezone)
    while following <= now:
        wall += step
        following = _on_wall(wall + step, trigger.timezone)
    last_day = trigger.last_day if isinstance(trigger, Schedule) else None
    if last_day is not None and (wall + step).date() > date.fromisoformat(last_day):
        return None
    return following


def is_missed(trigger: Trigger, due_at: datetime, now: datetime) -> bool:
    """Return whether a run that repeats is so late that the next one comes in its place."""
    match trigger:
        case Schedule(repeats="never"):
            return False
        case Schedule() | Lapse() | BeforeVisit() | OnEntry() | AfterPayment():
            return now - due_at > LATE_MAX


def _time_of(trigger: Schedule | Lapse | BeforeVisit) -> time:
    if isinstance(trigger, Schedule):
        return datetime.fromisoformat(trigger.at).time()
    return time.fromisoformat(trigger.at)


def _on_wall(wall: datetime, timezone: str) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)


@cache
def _zones() -> frozenset[str]:
    # What these two mean is up to the machine.
    return frozenset(available_timezones() - {"localtime", "Factory"})

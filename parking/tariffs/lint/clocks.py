"""What the days do on which the clocks change."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from parking.kit.money import Money
from parking.tariffs.lint.findings import Finding, Severity, WorkedStay, worked_stay
from parking.tariffs.lint.week import date_text, wall_text
from parking.tariffs.rate_table import MINUTES_PER_DAY, RateTable, minute_of_day
from parking.tariffs.wall_clock import instant_of, local_day, seconds_of, wall_seconds

_DAYS_AHEAD: Final = 400
_WEEK_DAYS: Final = 7
_NOON: Final = 720
_HOUR: Final = 60
# A day without an edge has none that could be moved.
_WHOLE_DAY: Final = ("00:00", "24:00")


class _Change(NamedTuple):
    """A change of the clocks: the wall clock goes from `shown` to `then`, minutes of `day`."""

    day: int
    shown: int
    then: int

    @property
    def is_skip(self) -> bool:
        return self.then > self.shown

    @property
    def span(self) -> tuple[int, int]:
        """The minutes that never come, or come twice."""
        return min(self.shown, self.then), max(self.shown, self.then)


def clock_findings(table: RateTable, at: datetime) -> Iterator[Finding]:
    """Yield what the next changes of the clocks do to prices and windows."""
    for change in _changes(table, at):
        yield from _prices(table, change)
        yield from _windows(table, change)
        if not change.is_skip and table.ladder_reset == "calendar_day":
            yield from _longer_day(table, change)


def _changes(table: RateTable, at: datetime) -> Iterator[_Change]:
    """Yield the next changes, at most one of each direction."""
    first = local_day(table.zone, seconds_of(at, "at"))
    seen: set[bool] = set()
    for day in range(first, first + _DAYS_AHEAD):
        change = _change_on(table, day)
        if change is not None and change.is_skip not in seen:
            seen.add(change.is_skip)
            yield change


def _change_on(table: RateTable, day: int) -> _Change | None:
    # From just before midnight on: some clocks change at midnight itself.
    lower, upper = wall_seconds(table.zone, day, 0) - 1, wall_seconds(table.zone, day + 1, 0) - 1
    before = _offset(table, lower)
    if _offset(table, upper) == before:
        return None
    while upper - lower > 1:
        middle = (lower + upper) // 2
        if _offset(table, middle) == before:
            lower = middle
        else:
            upper = middle
    # Both on the wall clock: what it would show at the change, and what it shows.
    then = instant_of(upper).astimezone(table.zone)
    shown = then - (_offset(table, upper) - before)
    midnight = datetime.fromordinal(day)
    return _Change(
        day,
        (shown.replace(tzinfo=None) - midnight) // timedelta(minutes=1),
        (then.replace(tzinfo=None) - midnight) // timedelta(minutes=1),
    )


def _offset(table: RateTable, seconds: int) -> timedelta:
    return instant_of(seconds).astimezone(table.zone).utcoffset() or timedelta()


def _prices(table: RateTable, change: _Change) -> Iterator[Finding]:
    """Yield a stay over the change whose price is not that of the week before."""
    edge = change.span[1]
    spans = (
        (0, change.span[0] - _HOUR, edge + _HOUR),
        (-1, _NOON, MINUTES_PER_DAY + _NOON),
        (0, 0, MINUTES_PER_DAY),
    )
    for offset, starts, ends in spans:
        day = change.day + offset
        here, before = (
            worked_stay(
                table,
                wall_seconds(table.zone, each, max(starts, 0)),
                wall_seconds(table.zone, each, ends),
            )
            for each in (day, day - _WEEK_DAYS)
        )
        if here.amount_minor != before.amount_minor:
            yield _price_finding(table, change, here, before)
            return


def _price_finding(
    table: RateTable, change: _Change, here: WorkedStay, before: WorkedStay
) -> Finding:
    entered, left = (at.astimezone(table.zone) for at in here[:2])
    amounts = [Money(stay.amount_minor, table.currency).format() for stay in (here, before)]
    more = "more" if here.amount_minor > before.amount_minor else "less"
    how = "are set forward" if change.is_skip else "are set back"
    return Finding(
        Severity.NOTE,
        "clock_change_price",
        "timezone",
        f"on {date_text(change.day)} the clocks {how}: from {entered:%a %H:%M} to {left:%a %H:%M} "
        f"costs {amounts[0]}, {more} than the {amounts[1]} of a week before",
        (here, before),
    )


def _windows(table: RateTable, change: _Change) -> Iterator[Finding]:
    """Yield the windows that begin or end at a time that never comes, or comes twice."""
    named = [
        (f"collections.{index}.window", each.window) for index, each in enumerate(table.collections)
    ]
    for index, package in enumerate(table.packages):
        named += [(f"packages.{index}.enter", package.enter)]
        named += [(f"packages.{index}.exit", package.exit)]
    low, high = change.span
    for path, window in named:
        for text in window if window != _WHOLE_DAY else ():
            if low <= minute_of_day(text) < high:
                yield _window_finding(table, change, path, text)


def _window_finding(table: RateTable, change: _Change, path: str, text: str) -> Finding:
    low, high = change.span
    if change.is_skip:
        words = f"does not exist: the window's edge is at {wall_text(high % MINUTES_PER_DAY)}"
    else:
        words = "comes twice: the first one is the window's edge"
    entered_s = wall_seconds(table.zone, change.day, max(low - _HOUR, 0))
    left_s = wall_seconds(table.zone, change.day, high + _HOUR)
    return Finding(
        Severity.NOTE,
        "clock_change_window",
        path,
        f"on {date_text(change.day)} {text} {words}",
        (worked_stay(table, entered_s, left_s),),
    )


def _longer_day(table: RateTable, change: _Change) -> Iterator[Finding]:
    """Yield the ladders that end before a day of more than 24 hours does."""
    starts_s = wall_seconds(table.zone, change.day, 0)
    ends_s = wall_seconds(table.zone, change.day + 1, 0)
    minutes = (ends_s - starts_s) // 60
    for index, collection in enumerate(table.collections):
        last = collection.ladder[-1]
        if last.to_minutes is not None and MINUTES_PER_DAY <= last.to_minutes < minutes:
            position = collection.lines.index(last)
            yield Finding(
                Severity.NOTE,
                "clock_change_ladder",
                f"collections.{index}.lines.{position}.to",
                f"{date_text(change.day)} has {minutes} minutes: no line covers those from "
                f"{last.to_minutes} on, which cost nothing",
                (worked_stay(table, starts_s, ends_s),),
            )

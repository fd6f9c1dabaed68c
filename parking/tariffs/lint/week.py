"""Days to try a rate table on: a week like any other, and its holidays."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from parking.tariffs.rate_table import MINUTES_PER_DAY, RateTable, minute_of_day
from parking.tariffs.schedule import day_matches
from parking.tariffs.wall_clock import local_day, seconds_of, wall_seconds

DAYS_PER_WEEK: Final = 7
DAY_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOLIDAY: Final = "holiday"
_WEEKS_TRIED_MAX: Final = 60
_DAY_S: Final = 86_400
_MIDNIGHT: Final = "24:00"


class Span(NamedTuple):
    """Minutes `[starts, ends)` of a local day and the collections whose windows hold them."""

    starts: int
    ends: int
    collections: tuple[int, ...]


class TriedDay(NamedTuple):
    """A day with its name, its ordinal and what counts when on it."""

    name: str
    day: int
    spans: tuple[Span, ...]

    def wall_s(self, table: RateTable, minute: int) -> int:
        """Return the instant at which the day's wall clock shows `minute`."""
        return wall_seconds(table.zone, self.day, minute)


def tried_days(table: RateTable, at: datetime) -> list[TriedDay]:
    """Return a plain week from Monday on, then a holiday for each weekday that has one."""
    monday = plain_monday(table, at)
    days = [(DAY_NAMES[index], monday + index) for index in range(DAYS_PER_WEEK)]
    by_weekday = {day % DAYS_PER_WEEK: day for day in sorted(table.holiday_ordinals)}
    days += [(HOLIDAY, day) for _, day in sorted(by_weekday.items())]
    return [TriedDay(name, day, _spans(table, day)) for name, day in days]


def plain_monday(table: RateTable, at: datetime) -> int:
    """Return the first Monday from `at` on whose week has no holiday and no change of clocks."""
    today = local_day(table.zone, seconds_of(at, "at"))
    first = today + (DAYS_PER_WEEK - (today + 6) % DAYS_PER_WEEK) % DAYS_PER_WEEK
    for week in range(_WEEKS_TRIED_MAX):
        monday = first + week * DAYS_PER_WEEK
        # From the evening before, whose windows may run over midnight, to the next Monday's end.
        days = range(monday - 1, monday + DAYS_PER_WEEK + 1)
        lengths = {
            wall_seconds(table.zone, day + 1, 0) - wall_seconds(table.zone, day, 0) for day in days
        }
        if lengths == {_DAY_S} and table.holiday_ordinals.isdisjoint(days):
            return monday
    return first


def _spans(table: RateTable, day: int) -> tuple[Span, ...]:
    windows = list(_windows(table, day))
    edges = {0, MINUTES_PER_DAY}
    for starts, ends, _ in windows:
        edges |= {starts, ends}
    spans: list[Span] = []
    for starts, ends in pairwise(sorted(edges)):
        held = {index for low, high, index in windows if low <= starts < high}
        spans.append(Span(starts, ends, tuple(sorted(held))))
    return tuple(spans)


def _windows(table: RateTable, day: int) -> Iterable[tuple[int, int, int]]:
    """Yield start, end and index of the windows on the day, cut at its midnights."""
    for index, collection in enumerate(table.collections):
        opens, closes = (minute_of_day(text) for text in collection.window)
        over_midnight = closes <= opens
        if day_matches(table, collection.days, day):
            yield opens, MINUTES_PER_DAY if over_midnight else closes, index
        if over_midnight and closes and day_matches(table, collection.days, day - 1):
            yield 0, closes, index


def wall_text(minute: int) -> str:
    """Return a minute of the day as a wall clock shows it; the end of the day is 24:00."""
    return _MIDNIGHT if minute == MINUTES_PER_DAY else f"{minute // 60:02d}:{minute % 60:02d}"


def times_in_words(times: Iterable[tuple[str, int, int]]) -> str:
    """Return days and minutes in words, such as `Mon-Fri 20:00-24:00, Sat 00:00-24:00`."""
    names: dict[tuple[int, int], list[str]] = {}
    for name, starts, ends in times:
        named = names.setdefault((starts, ends), [])
        if name not in named:
            named.append(name)
    return ", ".join(
        f"{days_in_words(named)} {wall_text(starts)}-{wall_text(ends)}"
        for (starts, ends), named in names.items()
    )


def days_in_words(names: Sequence[str]) -> str:
    """Return the names of days in the week's order, runs of three and more as a range."""
    order = (*DAY_NAMES, HOLIDAY)
    numbered = enumerate(order.index(name) for name in names if name in DAY_NAMES)
    parts: list[str] = []
    for _, group in groupby(numbered, key=lambda pair: pair[1] - pair[0]):
        run = [order[number] for _, number in group]
        parts += [f"{run[0]}-{run[-1]}"] if len(run) > 2 else run  # noqa: PLR2004 - two are listed
    return ", ".join([*parts, *(name for name in names if name == HOLIDAY)])


def date_text(day: int) -> str:
    """Return the date of a day's ordinal."""
    return date.fromordinal(day).isoformat()

"""Minutes of a ladder that no line covers, and lines that no stay reaches."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from parking.tariffs.lint.findings import Finding, Severity, WorkedStay, worked_stay
from parking.tariffs.lint.week import DAY_NAMES, DAYS_PER_WEEK, TriedDay
from parking.tariffs.rate_table import (
    MINUTES_PER_DAY,
    STAY_DAYS_MAX,
    RateLineCollection,
    RateTable,
)

_MINUTES_PER_WEEK: Final = DAYS_PER_WEEK * MINUTES_PER_DAY
_NEVER: Final = STAY_DAYS_MAX * MINUTES_PER_DAY
_SHOWN_MINUTES: Final = 60


class _Start(NamedTuple):
    """Where a collection begins to count on a tried day."""

    day: TriedDay
    minute: int


def ladder_findings(table: RateTable, days: Sequence[TriedDay]) -> Iterator[Finding]:
    """Yield the gaps of each ladder and the lines beyond what a stay can reach on it."""
    for index, collection in enumerate(table.collections):
        start = _first_start(days, index)
        if start is None:
            continue
        reach = reach_minutes(table, days, index)
        yield from _gaps(table, days, start, index, reach)
        for position, line in enumerate(collection.lines):
            if line.from_minutes >= reach:
                yield Finding(
                    Severity.ERROR,
                    "line_unreachable",
                    f"collections.{index}.lines.{position}",
                    f"the line begins at minute {line.from_minutes}, and this ladder never gets "
                    f"beyond minute {reach}: {_why_short(table, collection)}",
                    (_stay(table, days, start, index, min(reach, line.from_minutes)),),
                )


def reach_minutes(table: RateTable, days: Sequence[TriedDay], index: int) -> int:
    """Return the minute of the ladder that no stay gets beyond; `_NEVER` where there is none."""
    collection = table.collections[index]
    period = _NEVER
    if table.ladder_reset == "calendar_day":
        period = MINUTES_PER_DAY
    elif table.ladder_minutes is not None:
        period = table.ladder_minutes
    if collection.clock == "window":
        return min(period, _longest_window(days, index, collection))
    if collection.clock == "charged":
        return _most_charged(days, period)
    if table.ladder_reset == "calendar_day":
        # A stay begun before counts from midnight: the window's end is as far as that gets.
        return max(
            span.ends for day in days for span in day.spans if span.collections[:1] == (index,)
        )
    return period


def _longest_window(days: Sequence[TriedDay], index: int, collection: RateLineCollection) -> int:
    """Return the longest stretch in which the collection counts, over midnight too."""
    week = _minutes_of_week(days, lambda collections: collections[:1] == (index,))
    if not collection.is_joined and collection.window[0] < collection.window[1]:
        return max(sum(week[start : start + MINUTES_PER_DAY]) for start in _midnights())
    if all(week):
        return _NEVER if collection.is_joined else MINUTES_PER_DAY
    longest = run = 0
    for counts in week * 2:
        run = run + 1 if counts else 0
        longest = max(longest, run)
    return longest if collection.is_joined else min(longest, MINUTES_PER_DAY)


def _most_charged(days: Sequence[TriedDay], period: int) -> int:
    """Return the most minutes that count within one period: those of every collection."""
    week = _minutes_of_week(days, bool)
    if period >= _NEVER or not any(week):
        return _NEVER
    whole_weeks, rest = divmod(period, _MINUTES_PER_WEEK)
    sums = [0, *accumulate(week * 2)]
    most = max(sums[start + rest] - sums[start] for start in range(_MINUTES_PER_WEEK))
    return whole_weeks * sum(week) + most


def _minutes_of_week(
    days: Sequence[TriedDay], counts: Callable[[tuple[int, ...]], bool]
) -> list[bool]:
    week: list[bool] = []
    for day in days[: len(DAY_NAMES)]:
        for span in day.spans:
            week += [counts(span.collections)] * (span.ends - span.starts)
    return week


def _midnights() -> range:
    return range(0, _MINUTES_PER_WEEK, MINUTES_PER_DAY)


def _gaps(
    table: RateTable, days: Sequence[TriedDay], start: _Start, index: int, reach: int
) -> Iterator[Finding]:
    """Yield the minutes of the ladder without a line, up to where a stay gets."""
    collection = table.collections[index]
    positions = {id(line): position for position, line in enumerate(collection.lines)}
    ladder = collection.ladder
    holes: list[tuple[int, int | None, str]] = []
    if ladder[0].from_minutes:
        holes.append((0, ladder[0].from_minutes, f"lines.{positions[id(ladder[0])]}.from"))
    for lower, upper in pairwise(ladder):
        if lower.to_minutes is not None and lower.to_minutes < upper.from_minutes:
            path = f"lines.{positions[id(upper)]}.from"
            holes.append((lower.to_minutes, upper.from_minutes, path))
    last = ladder[-1]
    if last.to_minutes is not None and last.to_minutes < reach:
        end = None if reach >= _NEVER else reach
        holes.append((last.to_minutes, end, f"lines.{positions[id(last)]}.to"))
    for begins, ends, path in holes:
        if begins < reach:
            until = "on" if ends is None else f"to {ends}"
            shown = begins + _SHOWN_MINUTES if ends is None else ends
            stays = tuple(_stay(table, days, start, index, minute) for minute in (begins, shown))
            yield Finding(
                Severity.WARNING,
                "ladder_gap",
                f"collections.{index}.{path}",
                f"no line covers minute {begins} {until} of this ladder: that time costs nothing",
                tuple(stay for stay in stays if stay.left_at > stay.entered_at),
            )


def _first_start(days: Sequence[TriedDay], index: int) -> _Start | None:
    starts = (
        _Start(day, span.starts)
        for day in days
        for span in day.spans
        if span.collections[:1] == (index,)
    )
    return next(starts, None)


def _stay(
    table: RateTable, days: Sequence[TriedDay], start: _Start, index: int, position: int
) -> WorkedStay:
    """Return a stay from where the collection begins to the ladder's minute `position`."""
    entered_s = start.day.wall_s(table, start.minute)
    left_s = entered_s + position * 60
    if table.collections[index].clock == "charged":
        left_s = entered_s + _wall_minutes(days, start, position) * 60
    return worked_stay(table, entered_s, min(left_s, entered_s + _NEVER * 60))


def _wall_minutes(days: Sequence[TriedDay], start: _Start, charged: int) -> int:
    """Return how long a stay lasts until `charged` minutes of it counted."""
    week = _minutes_of_week(days, bool)
    names = [day.name for day in days[: len(DAY_NAMES)]]
    if start.day.name not in names or not any(week):
        return charged
    at = names.index(start.day.name) * MINUTES_PER_DAY + start.minute
    passed = 0
    while charged > 0 and passed < _NEVER:
        charged -= week[(at + passed) % _MINUTES_PER_WEEK]
        passed += 1
    return passed


def _why_short(table: RateTable, collection: RateLineCollection) -> str:
    if table.ladder_reset == "session":
        return "its window is not longer"
    if collection.clock == "session":
        return "the ladder starts again before"
    return "its windows end or the ladder starts again before"

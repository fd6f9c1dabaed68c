"""Which collection of a rate table counts when: the stay cut at windows, days and periods."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from parking.tariffs.rate_table import RateTable
from parking.tariffs.rate_terms import MINUTES_PER_DAY, Days, minute_of_day
from parking.tariffs.wall_clock import local_day, wall_seconds

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WORKDAYS_PER_WEEK = 5
# Hundreds of tables may be in memory, each with a cache of its own.
_DAYS_CACHED_MAX = 128


class Tile(NamedTuple):
    """A range `[starts_s, ends_s)` in which one collection counts, or none.

    Attributes:
        starts_s: Seconds since 1970.
        ends_s: Seconds since 1970.
        collection: Index in the rate table; None outside all windows.
        occurrence_s: Names the occurrence of the window: the later of its start and the period's.
        is_joined: The stretch of the tile before goes on.
        period_s: When the ladder's period began.
    """

    starts_s: int
    ends_s: int
    collection: int | None
    occurrence_s: int
    is_joined: bool
    period_s: int


class _Stretch(NamedTuple):
    starts_s: int
    ends_s: int
    collection: int | None
    window_s: int


def day_matches(table: RateTable, days: Days | None, day: int) -> bool:
    """Whether `days` names the local calendar day with the ordinal `day`."""
    if days is None:
        return True
    weekday = (day + 6) % 7
    if day in table.holiday_ordinals:
        if "holiday" in days or "nonworkday" in days:
            return True
        return "noholiday" not in days and _WEEKDAYS[weekday] in days
    if ("workday" if weekday < _WORKDAYS_PER_WEEK else "nonworkday") in days:
        return True
    return _WEEKDAYS[weekday] in days or days == ("noholiday",)


def tiles(table: RateTable, from_s: int, until_s: int) -> Iterator[Tile]:
    """Yield tiles that cover `[from_s, until_s)` without a gap, in order of time."""
    period_s, period_end_s = from_s, _period_end(table, from_s, until_s)
    before: Tile | None = None
    for stretch in _stretches(table, from_s, until_s):
        start = stretch.starts_s
        while start < stretch.ends_s:
            if start >= period_end_s:
                period_s, period_end_s = period_end_s, _period_end(table, period_end_s, until_s)
                before = None
            tile = _tile(table, stretch, start, min(stretch.ends_s, period_end_s), before, period_s)
            yield tile
            before, start = tile, tile.ends_s


def _tile(
    table: RateTable, stretch: _Stretch, start: int, end: int, before: Tile | None, period_s: int
) -> Tile:
    collection, occurrence_s = stretch.collection, max(stretch.window_s, period_s)
    is_joined = (
        before is not None
        and collection is not None
        and collection == before.collection
        and (occurrence_s == before.occurrence_s or table.collections[collection].is_joined)
    )
    if before is not None and is_joined:
        occurrence_s = before.occurrence_s
    return Tile(start, end, collection, occurrence_s, is_joined, period_s)


def _period_end(table: RateTable, period_s: int, until_s: int) -> int:
    if table.ladder_minutes is not None:
        return period_s + table.ladder_minutes * 60
    if table.ladder_reset == "calendar_day":
        return next_midnight(table, period_s)
    return until_s


def next_midnight(table: RateTable, seconds: int) -> int:
    """Return the first local midnight after `seconds`."""
    day = local_day(table.zone, seconds)
    midnight = seconds
    # A clock set back over midnight shows a day's first midnight before that day's last hour.
    while midnight <= seconds:
        day += 1
        midnight = wall_seconds(table.zone, day, 0)
    return midnight


def _stretches(table: RateTable, from_s: int, until_s: int) -> Iterator[_Stretch]:
    """Yield the stretches of collections, one that runs over midnight in one piece."""
    if from_s >= until_s:
        return
    first = table.collections[0]
    if first.days is None and first.is_joined and first.window == ("00:00", "24:00"):
        yield _Stretch(from_s, until_s, 0, from_s)
        return
    pending: _Stretch | None = None
    day = local_day(table.zone, from_s)
    while pending is None or pending.ends_s < until_s:
        for stretch in _day_stretches(table, day):
            if stretch.ends_s <= from_s or stretch.starts_s >= until_s:
                continue
            if pending is None:
                pending = stretch._replace(starts_s=from_s)
            elif (pending.collection, pending.window_s) == (stretch.collection, stretch.window_s):
                pending = pending._replace(ends_s=stretch.ends_s)
            else:
                yield pending
                pending = stretch
        day += 1
    yield pending._replace(ends_s=until_s)


def _day_stretches(table: RateTable, day: int) -> tuple[_Stretch, ...]:
    """Return what counts on one local day; kept for the next stay, as days are few."""
    known = table.day_cache.get(day)
    if known is None:
        if len(table.day_cache) >= _DAYS_CACHED_MAX:
            table.day_cache.clear()
        known = table.day_cache[day] = tuple(_cut_day(table, day))
    return known


def _cut_day(table: RateTable, day: int) -> Iterator[_Stretch]:
    lower_s = wall_seconds(table.zone, day, 0)
    upper_s = wall_seconds(table.zone, day, MINUTES_PER_DAY)
    if lower_s >= upper_s:
        return
    spans = _day_spans(table, day)
    edges = {lower_s, upper_s}
    for starts_s, ends_s, _ in spans:
        edges.update(edge for edge in (starts_s, ends_s) if lower_s < edge < upper_s)
    for start_s, end_s in pairwise(sorted(edges)):
        # The first collection of the table wins where windows overlap.
        winner = min(
            (
                (index, starts_s)
                for starts_s, ends_s, index in spans
                if starts_s <= start_s < ends_s
            ),
            default=(None, start_s),
        )
        yield _Stretch(start_s, end_s, *winner)


def _day_spans(table: RateTable, day: int) -> list[tuple[int, int, int]]:
    """Return start, end and index of the windows that begin on `day` or the evening before."""
    spans: list[tuple[int, int, int]] = []
    for index, collection in enumerate(table.collections):
        opens, closes = (minute_of_day(text) for text in collection.window)
        if day_matches(table, collection.days, day):
            ends = closes if closes > opens else closes + MINUTES_PER_DAY
            spans.append(
                (wall_seconds(table.zone, day, opens), wall_seconds(table.zone, day, ends), index)
            )
        if closes <= opens and day_matches(table, collection.days, day - 1):
            spans.append(
                (
                    wall_seconds(table.zone, day - 1, opens),
                    wall_seconds(table.zone, day, closes),
                    index,
                )
            )
    return spans

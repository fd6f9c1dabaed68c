"""Going through sessions week by week: what was known on a Monday, and what came of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parking.habits.snapshot import FADED_DAYS, Snapshot, empty, faded
from parking.habits.state import (
    COSINE,
    DAYS,
    FAST,
    FAST_WEEKS,
    RECENT_DAYS,
    SINE,
    SLOW,
    SLOW_WEEKS,
    weekday_of,
)

_MASK = np.int64((1 << RECENT_DAYS) - 1)
_ANGLE = 2 * np.pi / 1440


@dataclass(frozen=True, slots=True)
class Days:
    """Days with a visit, one row each, in order of day.

    Attributes:
        pair: Index of driver and place.
        day: Ordinal, local.
        minute: Of the first arrival of that day, local.
        driver: Of each pair, index; likewise `place`.
        first_day: Of each pair: the driver's first anywhere.
    """

    pair: NDArray[np.int64]
    day: NDArray[np.int64]
    minute: NDArray[np.int64]
    driver: NDArray[np.int64]
    place: NDArray[np.int64]
    first_day: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Week:
    """The pairs that are scored, as they stood on a Monday, and what came of it.

    Attributes:
        index: Which pairs of all.
        outcomes: By day and pair.
        minutes: Of arrival, by day and pair; -1 for none.
    """

    number: int
    pairs: Snapshot
    index: NDArray[np.intp]
    outcomes: NDArray[np.bool_]
    minutes: NDArray[np.int64]


def replay(days: Days, *, from_week: int) -> Iterator[Week]:
    """Yield each week from `from_week` on; only what came before a week is in its pairs."""
    if not len(days.day):
        return
    monday = int(days.day[0]) - weekday_of(int(days.day[0]))
    weeks = (int(days.day[-1]) - monday) // DAYS + 1
    bounds = np.searchsorted(days.day, monday + DAYS * np.arange(weeks + 1))
    state = empty(monday, days.driver, days.place, days.first_day)
    state.last_day[:] = monday - FADED_DAYS - 1
    for number in range(weeks):
        rows = slice(int(bounds[number]), int(bounds[number + 1]))
        pair, day, minute = days.pair[rows], days.day[rows], days.minute[rows]
        if number >= from_week:
            known = np.flatnonzero((state.visits > 0) & (state.last_day >= state.day - FADED_DAYS))
            if len(known):
                yield _week(number, state, known, (pair, day, minute))
        _advance(state, pair, day, minute)


def _week(
    number: int,
    state: Snapshot,
    known: NDArray[np.intp],
    visits: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
) -> Week:
    pair, day, minute = visits
    position = np.full(len(state), -1)
    position[known] = np.arange(len(known))
    column = position[pair]
    minutes = np.full((DAYS, len(known)), -1)
    seen = column >= 0
    minutes[day[seen] - state.day, column[seen]] = minute[seen]
    return Week(number, state.taken(known), known, minutes >= 0, minutes)


def _advance(
    state: Snapshot,
    pair: NDArray[np.int64],
    day: NDArray[np.int64],
    minute: NDArray[np.int64],
) -> None:
    """Add a week's visits to all pairs, and let everything fade to the next Monday."""
    following = state.day + DAYS
    week = np.full(1, DAYS)
    state.sums[:SLOW] *= faded(week, FAST_WEEKS)
    state.sums[SLOW:] *= faded(week, SLOW_WEEKS)
    weekday = day - state.day
    age = following - day
    slow = faded(age, SLOW_WEEKS)
    state.sums[FAST + weekday, pair] += faded(age, FAST_WEEKS)
    state.sums[SLOW + weekday, pair] += slow
    state.sums[COSINE + weekday, pair] += slow * np.cos(minute * _ANGLE)
    state.sums[SINE + weekday, pair] += slow * np.sin(minute * _ANGLE)
    state.recent[:] = (state.recent << DAYS) & _MASK
    np.bitwise_or.at(state.recent, pair, np.int64(1) << (age - 1))
    np.add.at(state.visits, pair, 1)
    np.maximum.at(state.last_day, pair, day)
    state.day = following

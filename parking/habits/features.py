"""What the probability of a visit is computed from: a dozen numbers a pair and day.

The first estimate is a hierarchical Beta: of the weeks in which the driver could have come on this
weekday, in how many they did, and as little more as is known, what is usual: the pair's own visits
a week, spread over the days as the place's visitors are. Once with a short and once with a long
memory. The other numbers say what the Beta cannot: that somebody has been away for longer than
they ever are, that they come every other week, that the place is closed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from parking.habits.snapshot import Floats, Integers, Snapshot, faded
from parking.habits.state import DAYS, FAST, FAST_WEEKS, SLOW, SLOW_WEEKS, weekday_of

NAMES: Final = (
    "always",
    "short_memory",
    "long_memory",
    "came_last_week",
    "came_two_weeks_ago",
    "came_every_other_week",
    "weeks_away",
    "visits_missed",
    "weeks_known",
    "visits_per_week",
    "driver_more_than_usual",
    "place_more_than_usual",
    "usual_day_here",
)
COUNT: Final = len(NAMES)
# How many weeks the usual counts for.
FAST_PRIOR_WEEKS: Final = 2.0
SLOW_PRIOR_WEEKS: Final = 4.0
# A place's days are those of all places, as if so many visits had been seen there.
PROFILE_PRIOR_VISITS: Final = 20.0
_VISITS_PRIOR: Final = 0.2
_WEEKS_PRIOR: Final = 2.0
_RATIO_PRIOR: Final = 0.3
_PROBABILITY_MIN: Final = 1e-4
_PROBABILITY_MAX: Final = 0.97
_MISSED_MAX: Final = 6.0
_WEEKS_AWAY_MAX: Final = 8.0


@dataclass(frozen=True, slots=True)
class PairNumbers:
    """What does not differ between the days of the week ahead."""

    weeks_away: Floats
    visits_missed: Floats
    weeks_known: Floats
    visits_per_week: Floats
    driver_more: Floats
    place_more: Floats
    fast_rate: Floats
    slow_rate: Floats


def features_of(pairs: Snapshot) -> Iterator[tuple[int, Floats]]:
    """Yield for each of the seven days from `pairs.day` on its offset and COUNT rows of numbers."""
    numbers = _pair_numbers(pairs)
    profile = _profile(pairs)
    for offset in range(DAYS):
        yield offset, _of_day(pairs, numbers, profile, offset)


def _of_day(pairs: Snapshot, numbers: PairNumbers, profile: Floats, offset: int) -> Floats:
    day = pairs.day + offset
    weekday = weekday_of(day)
    usual = profile[weekday][pairs.place]
    weeks = np.maximum((day - pairs.first_day) // DAYS, 0)
    rows = np.empty((COUNT, len(pairs)), np.float32)
    rows[0] = 1.0
    fast = pairs.sums[FAST + weekday] * np.float32(2 ** (-offset / (DAYS * FAST_WEEKS)))
    slow = pairs.sums[SLOW + weekday] * np.float32(2 ** (-offset / (DAYS * SLOW_WEEKS)))
    fast_usual, slow_usual = numbers.fast_rate * usual, numbers.slow_rate * usual
    _estimate(rows[1], fast, weight_of(weeks, FAST_WEEKS), fast_usual, FAST_PRIOR_WEEKS)
    _estimate(rows[2], slow, weight_of(weeks, SLOW_WEEKS), slow_usual, SLOW_PRIOR_WEEKS)
    came = [_came(pairs.recent, weeks_ago * DAYS - 1 - offset) for weeks_ago in (1, 2, 3, 4)]
    rows[3] = came[0]
    rows[4] = came[1]
    rows[5] = came[1] * came[3] * (1 - came[0]) * (1 - came[2])
    rows[5] -= came[0] * came[2] * (1 - came[1]) * (1 - came[3])
    rows[6] = numbers.weeks_away
    rows[7] = numbers.visits_missed
    rows[8] = numbers.weeks_known
    rows[9] = numbers.visits_per_week
    rows[10] = numbers.driver_more
    rows[11] = numbers.place_more
    rows[12] = np.log(usual * DAYS)
    return rows


def _estimate(out: Floats, came: Floats, weeks: Floats, usual: Floats, prior_weeks: float) -> None:
    """Write the hierarchical Beta's log-odds."""
    np.clip(usual, _PROBABILITY_MIN, _PROBABILITY_MAX, out=usual)
    np.divide(came + prior_weeks * usual, weeks + prior_weeks, out=out)
    np.clip(out, _PROBABILITY_MIN, _PROBABILITY_MAX, out=out)
    np.log(out / (1 - out), out=out)


def _pair_numbers(pairs: Snapshot) -> PairNumbers:
    weeks = np.maximum((pairs.day - pairs.first_day) / DAYS, 1.0).astype(np.float32)
    fast_weeks, slow_weeks = weight_of(weeks, FAST_WEEKS), weight_of(weeks, SLOW_WEEKS)
    fast = pairs.sums[FAST : FAST + DAYS].sum(0)
    slow = pairs.sums[SLOW : SLOW + DAYS].sum(0)
    fast_rate = (fast + _VISITS_PRIOR) / (fast_weeks + _WEEKS_PRIOR)
    slow_rate = (slow + _VISITS_PRIOR) / (slow_weeks + _WEEKS_PRIOR)
    away = ((pairs.day - 1 - pairs.last_day) / DAYS).astype(np.float32)
    np.clip(away, 0, _WEEKS_AWAY_MAX, out=away)
    return PairNumbers(
        weeks_away=np.log1p(away),
        visits_missed=np.sqrt(np.minimum(away * slow_rate, _MISSED_MAX)),
        weeks_known=np.log1p(slow_weeks),
        visits_per_week=np.log(fast_rate),
        driver_more=_more(pairs.driver, fast / fast_weeks, slow / slow_weeks),
        place_more=_more(pairs.place, fast / fast_weeks, slow / slow_weeks, prior=3.0),
        fast_rate=fast_rate,
        slow_rate=slow_rate,
    )


def _more(group: Integers, now: Floats, usually: Floats, *, prior: float = _RATIO_PRIOR) -> Floats:
    """Return by how much more a driver or a place sees of late, as a logarithm."""
    now_sum = np.bincount(group, now).astype(np.float32)
    usual_sum = np.bincount(group, usually).astype(np.float32)
    return np.log((now_sum + prior) / (usual_sum + prior))[group]


def _profile(pairs: Snapshot) -> Floats:
    """Return by weekday and place which part of a week's visits falls on the day."""
    count = int(pairs.place.max(initial=0)) + 1
    by_place = np.stack(
        [np.bincount(pairs.place, pairs.sums[SLOW + day], count) for day in range(DAYS)]
    )
    everywhere = by_place.sum(1) + 1
    everywhere /= everywhere.sum()
    visits = by_place + PROFILE_PRIOR_VISITS * everywhere[:, None]
    return (visits / visits.sum(0)).astype(np.float32)


def weight_of(weeks: Floats | Integers, half_life_weeks: float) -> Floats:
    """Return what so many weeks with a visit each would sum to."""
    week = 2 ** (-1 / half_life_weeks)
    left = faded((weeks * DAYS).astype(np.float32), half_life_weeks)
    return np.float32(week / (1 - week)) * (1 - left)


def _came(recent: Integers, bit: int) -> Floats:
    return (recent >> bit & 1).astype(np.float32)

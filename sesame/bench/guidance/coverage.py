"""How good forecasts of free spaces are: coverage of the interval, and the error beside others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter_ns
from typing import Final

from parking.guidance.forecast import (
    Hour,
    Persistence,
    forecast,
    learn_hour,
    learn_persistence,
)
from parking.guidance.week import hour_of_week
from sesame.bench.guidance.simulated_place import STEP, ZONE, Count, simulate

HORIZONS_H: Final = (0.5, 1.0, 2.0, 4.0, 12.0, 24.0, 72.0)
LEARNT_WEEKS: Final = 16
TRIED_WEEKS: Final = 4
SPACES: Final = 200
_STEPS_PER_HOUR: Final = int(timedelta(hours=1) / STEP)
# Off the hours' middles, where forecasts are read off a line between two of them.
_TRIED_EVERY: Final = 5


@dataclass(frozen=True, slots=True)
class HorizonReport:
    """What forecasts of one horizon were worth.

    Attributes:
        coverage: Share of the forecasts whose interval held what was counted.
        width: Mean width of the interval, as a share of the spaces.
        error: Mean distance between expected and counted, as a share of the spaces.
        error_same_as_now: The same of "as many as now".
        error_usual: The same of "as usual at that hour".
    """

    horizon_h: float
    tried: int
    coverage: float
    width: float
    error: float
    error_same_as_now: float
    error_usual: float


@dataclass(slots=True)
class Learnt:
    """What is known of a pool, as the tables keep it."""

    hours: dict[int, Hour]
    persistence: Persistence | None = None

    def take(self, count: Count) -> None:
        """Learn from a sample."""
        hour = hour_of_week(count.at, ZONE)
        known = self.hours.get(hour)
        self.persistence = learn_persistence(self.persistence, known, count.share, count.at)
        self.hours[hour] = learn_hour(known, count.share, count.at)


@dataclass(slots=True)
class _Sums:
    tried: int = 0
    held: int = 0
    width: float = 0.0
    error: float = 0.0
    error_same_as_now: float = 0.0
    error_usual: float = 0.0


def measure(*, seed: int, spaces: int = SPACES) -> list[HorizonReport]:
    """Return what forecasts of a simulated car park were worth, by horizon.

    Sixteen weeks are learnt; then every forecast is made from what is known by that moment, over
    four more weeks, and compared with what was counted later.
    """
    counts = list(simulate(seed=seed, weeks=LEARNT_WEEKS + TRIED_WEEKS + 1, spaces=spaces))
    by_time = {count.at: count for count in counts}
    begins_at = counts[0].at + timedelta(weeks=LEARNT_WEEKS)
    ends_at = begins_at + timedelta(weeks=TRIED_WEEKS)
    sums = {horizon: _Sums() for horizon in HORIZONS_H}
    learnt = Learnt({})
    for number, count in enumerate(counts):
        if count.at >= ends_at:
            break
        if number % _STEPS_PER_HOUR == _STEPS_PER_HOUR // 2:
            learnt.take(count)
        if count.at >= begins_at and number % _TRIED_EVERY == 0:
            for horizon in HORIZONS_H:
                later = by_time[count.at + timedelta(hours=horizon)]
                _try(learnt, count, later, sums[horizon])
    return [_report(horizon, sums[horizon]) for horizon in HORIZONS_H]


def update_us(counts: Sequence[Count]) -> float:
    """Return how long one sample takes to learn, in microseconds."""
    learnt = Learnt({})
    begun_ns = perf_counter_ns()
    for count in counts:
        learnt.take(count)
    return (perf_counter_ns() - begun_ns) / len(counts) / 1000


def _try(learnt: Learnt, count: Count, later: Count, sums: _Sums) -> None:
    found, usual = _forecast(learnt, count, later.at), _usual(learnt, count, later.at)
    if found is None or usual is None:
        return
    sums.tried += 1
    sums.held += found[1] <= later.share <= found[2]
    sums.width += found[2] - found[1]
    sums.error += abs(found[0] - later.share)
    sums.error_same_as_now += abs(count.share - later.share)
    sums.error_usual += abs(usual - later.share)


def _forecast(learnt: Learnt, count: Count, at: datetime) -> tuple[float, float, float] | None:
    if learnt.persistence is None:
        return None
    found = forecast(
        learnt.hours, learnt.persistence, ZONE, share_now=count.share, now=count.at, at=at
    )
    return None if found is None else (found.expected, found.low, found.high)


def _usual(learnt: Learnt, count: Count, at: datetime) -> float | None:
    """Return what is expected when nothing is known of today."""
    nothing = Persistence(None, -1e9, 0.0, count.at)
    found = forecast(learnt.hours, nothing, ZONE, share_now=count.share, now=count.at, at=at)
    return None if found is None else found.expected


def _report(horizon_h: float, sums: _Sums) -> HorizonReport:
    tried = max(sums.tried, 1)
    return HorizonReport(
        horizon_h=horizon_h,
        tried=sums.tried,
        coverage=round(sums.held / tried, 4),
        width=round(sums.width / tried, 4),
        error=round(sums.error / tried, 4),
        error_same_as_now=round(sums.error_same_as_now / tried, 4),
        error_usual=round(sums.error_usual / tried, 4),
    )

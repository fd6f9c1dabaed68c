"""How full a pool will be: its usual week, blended with how far it is off that now. Pure.

Each hour of the week keeps a decayed mean and spread of the occupied share; each pool keeps how
far a deviation from the usual week lasts into the next hour. A forecast is the usual share of that
hour plus what is left of today's deviation, which fades with the horizon; the interval grows from
nothing to the hour's own spread as it does. (A first-order autoregression around a weekly mean.)
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil, floor, sqrt
from typing import Final
from zoneinfo import ZoneInfo

from parking.guidance.week import between

# A sample of eight weeks ago counts half as much as today's.
HALF_LIFE: Final = timedelta(weeks=8)
# An hour of which fewer weeks are known forecasts nothing.
SAMPLES_MIN: Final = 4
# Two samples are neighbours if they are an hour apart, give or take a worker's delay.
NEIGHBOUR_MIN: Final = timedelta(minutes=40)
NEIGHBOUR_MAX: Final = timedelta(minutes=90)
# How much of a pair of deviations is left after an hour: half of it after two weeks.
_PAIR_DECAY: Final = 0.5 ** (1 / (14 * 24))
# What is believed of a pool before its first pair: as if it had been seen so often.
_PRIOR_PAIRS: Final = 24.0
_PRIOR_PERSISTENCE: Final = 0.7
_PERSISTENCE_MAX: Final = 0.99
# A share is never known better than this: one car comes or goes, and history is short.
_SPREAD_MIN: Final = 0.01
_DEVIATION_MAX: Final = 4.0
INTERVAL_SHARE: Final = 0.8
# Student's t for a one-sided 90 %, so that 80 % lie between: degrees of freedom, and the factor.
_T_DEGREES: Final = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 60)
_T_FACTORS: Final = (
    3.078,
    1.886,
    1.638,
    1.533,
    1.476,
    1.440,
    1.397,
    1.372,
    1.341,
    1.325,
    1.310,
    1.296,
)


@dataclass(frozen=True, slots=True)
class Hour:
    """What an hour of the week is known to be; see `HourPattern`, which keeps it."""

    samples: int
    weight: float
    weight_squares: float
    mean: float
    squares: float
    sampled_at: datetime

    @property
    def spread(self) -> float:
        """Return the standard deviation of the occupied share."""
        freedom = self.weight - self.weight_squares / self.weight
        return max(sqrt(self.squares / freedom), _SPREAD_MIN) if freedom > 0 else _SPREAD_MIN

    @property
    def size(self) -> float:
        """Return how many equally old samples would know as much."""
        return self.weight * self.weight / self.weight_squares


@dataclass(frozen=True, slots=True)
class Persistence:
    """How long a pool stays off its usual week; see `PoolPattern`, which keeps it."""

    deviation: float | None
    products: float
    squares: float
    sampled_at: datetime

    @property
    def per_hour(self) -> float:
        """Return how much of a deviation is left an hour later, 0 to less than 1."""
        products = self.products + _PRIOR_PAIRS * _PRIOR_PERSISTENCE
        return min(max(products / (self.squares + _PRIOR_PAIRS), 0.0), _PERSISTENCE_MAX)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of a pool, as shares of its spaces.

    Attributes:
        expected: Occupied share.
        low: With `high`, holds the occupied share in INTERVAL_SHARE of the cases.
        samples: How many weeks the hour is known from.
    """

    expected: float
    low: float
    high: float
    samples: int


@dataclass(frozen=True, slots=True)
class FreeSpaces:
    """A forecast in spaces; the interval is rounded outward.

    Attributes:
        weeks: How many weeks the hour is known from.
    """

    expected: int
    low: int
    high: int
    weeks: int


def learn_hour(known: Hour | None, share: float, at: datetime) -> Hour:
    """Return what is known of an hour after one more sample; the work does not grow with age.

    Args:
        known: What was known before; None for nothing.
        share: Occupied share, 0 to 1.
        at: When it was counted; weeks without a sample decay too.
    """
    if known is None:
        return Hour(1, 1.0, 1.0, share, 0.0, at)
    kept = 0.5 ** (max((at - known.sampled_at) / HALF_LIFE, 0.0))
    weight = known.weight * kept + 1.0
    step = share - known.mean
    mean = known.mean + step / weight
    return Hour(
        known.samples + 1,
        weight,
        known.weight_squares * kept * kept + 1.0,
        min(max(mean, 0.0), 1.0),
        known.squares * kept + step * (share - mean),
        at,
    )


def learn_persistence(
    known: Persistence | None, hour: Hour | None, share: float, at: datetime
) -> Persistence:
    """Return what is known of a pool after one more sample.

    Args:
        known: What was known before; None for nothing.
        hour: The hour as it was known before this sample.
        share: Occupied share, 0 to 1.
        at: When it was counted.
    """
    deviation = None
    if hour is not None and hour.samples >= SAMPLES_MIN:
        deviation = _limited((share - hour.mean) / hour.spread)
    if known is None:
        return Persistence(deviation, 0.0, 0.0, at)
    last, next_ = known.deviation, replace(known, deviation=deviation, sampled_at=at)
    if last is None or deviation is None:
        return next_
    if not NEIGHBOUR_MIN <= at - known.sampled_at <= NEIGHBOUR_MAX:
        return next_
    return replace(
        next_,
        products=known.products * _PAIR_DECAY + last * deviation,
        squares=known.squares * _PAIR_DECAY + last * last,
    )


def forecast(
    hours: Mapping[int, Hour],
    persistence: Persistence,
    zone: ZoneInfo,
    *,
    share_now: float,
    now: datetime,
    at: datetime,
) -> Forecast | None:
    """Return what is expected at a time; None where that hour has not enough history.

    Args:
        hours: What is known, by hour of the week.
        persistence: How long deviations last here.
        zone: The wall clock of the place.
        share_now: Occupied share as counted now.
        now: When that was.
        at: For when; a time before now counts as now.
    """
    usual = _usual(hours, zone, at)
    if usual is None:
        return None
    horizon_h = max((at - now) / timedelta(hours=1), 0.0)
    left, today = persistence.per_hour**horizon_h, _usual(hours, zone, now)
    if horizon_h == 0.0:
        return Forecast(share_now, share_now, share_now, usual.samples)
    if today is None:
        # Nobody knows how far it is off today.
        left, deviation = 0.0, 0.0
    else:
        deviation = _limited((share_now - today.mean) / today.spread)
    expected = usual.mean + usual.spread * left * deviation
    # A mean of few weeks is itself uncertain.
    unknown = sqrt((1 - left * left) * (1 + 1 / usual.size))
    half = usual.spread * unknown * _factor(usual.size)
    return Forecast(
        _share(expected), _share(expected - half), _share(expected + half), usual.samples
    )


def free_spaces(found: Forecast, spaces: int) -> FreeSpaces:
    """Return a forecast in spaces of a pool that has so many."""
    return FreeSpaces(
        expected=round(spaces * (1 - found.expected)),
        low=floor(spaces * (1 - found.high) + 1e-9),
        high=ceil(spaces * (1 - found.low) - 1e-9),
        weeks=found.samples,
    )


def together(areas: list[FreeSpaces]) -> FreeSpaces:
    """Return what areas are expected to have together.

    As if they always filled together: where they do not, the interval is wider than it need be.
    """
    return FreeSpaces(
        expected=sum(area.expected for area in areas),
        low=sum(area.low for area in areas),
        high=sum(area.high for area in areas),
        weeks=min(area.weeks for area in areas),
    )


@dataclass(frozen=True, slots=True)
class _Usual:
    mean: float
    spread: float
    size: float
    samples: int


def _usual(hours: Mapping[int, Hour], zone: ZoneInfo, at: datetime) -> _Usual | None:
    """Return what is usual at a moment, on the line between the middles of two hours."""
    found = between(at, zone)
    before, after = hours.get(found.before), hours.get(found.after)
    if before is None or after is None:
        return None
    samples = min(before.samples, after.samples)
    if samples < SAMPLES_MIN:
        return None
    rest = 1 - found.share
    return _Usual(
        rest * before.mean + found.share * after.mean,
        rest * before.spread + found.share * after.spread,
        min(before.size, after.size),
        samples,
    )


def _factor(size: float) -> float:
    degrees = max(size - 1, 1.0)
    # The next lower number of degrees: the wider interval.
    index = bisect_left(_T_DEGREES, degrees)
    if index < len(_T_DEGREES) and _T_DEGREES[index] == degrees:
        return _T_FACTORS[index]
    return _T_FACTORS[max(index - 1, 0)]


def _limited(deviation: float) -> float:
    return min(max(deviation, -_DEVIATION_MAX), _DEVIATION_MAX)


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)

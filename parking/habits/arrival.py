"""When a driver comes, if they come: from the times of earlier arrivals, on a clock's circle."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from parking.habits.snapshot import Floats, Snapshot
from parking.habits.state import COSINE, DAYS, MINUTES, SINE, SLOW, weekday_of

# What an arrival on another weekday counts.
OTHER_DAYS: Final = 0.3
# Half a window: this many circular deviations, which four of five arrivals are within, and no
# less than half an hour.
WINDOW_DEVIATIONS: Final = 1.3
WINDOW_MINUTES_MIN: Final = 30.0
WINDOW_MINUTES_MAX: Final = 360.0
# As if one arrival more had been spread all over this many minutes.
_PRIOR_LENGTH: Final = 0.85
_LENGTH_MIN: Final = 0.05
_LENGTH_MAX: Final = 0.9999


def windows(pairs: Snapshot, offset: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for a day the minute around which each pair's driver comes, and how far around it.

    Args:
        pairs: Each with at least one visit.
        offset: The day, from `pairs.day` on.
    """
    weekday = weekday_of(pairs.day + offset)
    weights = np.full(DAYS, OTHER_DAYS, np.float32)
    weights[weekday] = 1
    count = weights @ pairs.sums[SLOW : SLOW + DAYS]
    cosine = weights @ pairs.sums[COSINE : COSINE + DAYS]
    sine = weights @ pairs.sums[SINE : SINE + DAYS]
    centre = np.arctan2(sine, cosine) * (MINUTES / (2 * np.pi)) % MINUTES
    half = np.clip(
        WINDOW_DEVIATIONS * _deviation(count, np.hypot(cosine, sine)),
        WINDOW_MINUTES_MIN,
        WINDOW_MINUTES_MAX,
    )
    return centre.astype(np.int64) % MINUTES, half.astype(np.int64)


def minutes_apart(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how far times of the day are from each other, the shorter way round."""
    apart = np.abs(one - other) % MINUTES
    return np.minimum(apart, MINUTES - apart)


def _deviation(count: Floats, length: Floats) -> Floats:
    """Return the circular standard deviation in minutes; few arrivals say little of it."""
    mean = (length + _PRIOR_LENGTH) / (count + 1)
    np.clip(mean, _LENGTH_MIN, _LENGTH_MAX, out=mean)
    return np.sqrt(-2 * np.log(mean)) * np.float32(MINUTES / (2 * np.pi))

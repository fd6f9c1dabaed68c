"""The weights that an installation begins with. docs/habits.md says how to fit them again."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from parking.habits.features import NAMES
from parking.habits.fitting import Weights

# `sesame habits fit`: simulated drivers only.
SHIPPED: Final[Mapping[str, float]] = {
    "always": -0.636,
    "short_memory": -0.469,
    "long_memory": 1.234,
    "came_last_week": 0.366,
    "came_two_weeks_ago": 0.217,
    "came_every_other_week": 0.092,
    "weeks_away": -0.046,
    "visits_missed": -0.303,
    "weeks_known": 0.062,
    "visits_per_week": 0.485,
    "driver_more_than_usual": 2.345,
    "place_more_than_usual": -0.563,
    "usual_day_here": 0.101,
}
# What an installation's own outcomes must outweigh.
TRUST: Final = 50.0
EVIDENCE_WEEKS: Final = 26
REFIT_WEEKS: Final = 4
# A visit that was seen to come or not is a row; more than this say nothing new.
EVIDENCE_ROWS_MAX: Final = 1_000_000


def weights_of(named: Mapping[str, float]) -> Weights:
    """Return the weights in the order of the features; one that is not named counts nothing."""
    return np.array([named.get(name, 0.0) for name in NAMES])


def shipped() -> Weights:
    """Return the weights to begin with."""
    return weights_of(SHIPPED)


def named(weights: Weights) -> dict[str, float]:
    """Return the weights by feature, to be stored."""
    return {name: round(float(each), 4) for name, each in zip(NAMES, weights, strict=True)}

"""Who is expected where on which day."""

from typing import Final

import numpy as np

from parking.habits.features import features_of
from parking.habits.fitting import Weights, probability
from parking.habits.snapshot import Floats, Snapshot
from parking.habits.state import DAYS

# A visit is acted on from this probability on, and after so many days with a visit.
FIRES_FROM: Final = 0.5
FIRE_VISITS_MIN: Final = 3


def score_week(pairs: Snapshot, weights: Weights) -> Floats:
    """Return the probability of a visit by day, from `pairs.day` on, and pair."""
    scores = np.empty((DAYS, len(pairs)), np.float32)
    for offset, features in features_of(pairs):
        scores[offset] = probability(weights, features)
    return scores


def score_day(pairs: Snapshot, weights: Weights, offset: int) -> Floats:
    """Return the probability of a visit on one of the seven days by pair."""
    for each, features in features_of(pairs):
        if each == offset:
            return probability(weights, features)
    raise ValueError(f"offset: expected 0 to {DAYS - 1}, got {offset}")

"""Fitting the weights of the features to what drivers did: a logistic regression by Newton.

The weights that are there before count as evidence, so that few outcomes move them little.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parking.habits.features import COUNT
from parking.habits.snapshot import Floats

Weights = NDArray[np.float64]
STEPS_MAX: Final = 12
_CONVERGED: Final = 1e-4
_LOG_ODDS_MAX: Final = 12.0
_SPREAD_MIN: Final = 1e-9


@dataclass(slots=True)
class Evidence:
    """Rows of features with what followed, gathered piece by piece."""

    features: list[Floats]
    outcomes: list[NDArray[np.bool_]]

    @property
    def count(self) -> int:
        """How many outcomes there are."""
        return sum(len(each) for each in self.outcomes)


def probability(weights: Weights, features: Floats) -> Floats:
    """Return the probability of a visit; `features` has a row a feature."""
    # Not a product of BLAS: its threads cost more than they save here, and wait for busy cores.
    odds = np.einsum("i,ij->j", weights.astype(np.float32), features)
    np.clip(odds, -_LOG_ODDS_MAX, _LOG_ODDS_MAX, out=odds)
    np.negative(odds, out=odds)
    np.exp(odds, out=odds)
    odds += 1
    return np.reciprocal(odds, out=odds)


def fit(evidence: Evidence, before: Weights, *, trust: float) -> Weights:
    """Return the most likely weights.

    Args:
        evidence: What was seen.
        before: The weights without it.
        trust: How firmly they stand: the precision of each weight about its value before.
    """
    weights = before.astype(np.float64)
    for _ in range(STEPS_MAX):
        gradient = -trust * (weights - before)
        curvature = trust * np.eye(COUNT)
        for features, outcomes in zip(evidence.features, evidence.outcomes, strict=True):
            expected = probability(weights, features)
            spread = np.maximum(expected * (1 - expected), _SPREAD_MIN)
            gradient += features @ (outcomes - expected)
            curvature += (features * spread) @ features.T
        step = np.linalg.solve(curvature, gradient)
        # A step that overshoots is no step: outcomes that are all alike have no best weights.
        step *= min(1.0, 2.0 / max(np.abs(step).max(), _SPREAD_MIN))
        weights = weights + step
        if np.abs(step).max() < _CONVERGED:
            break
    return weights

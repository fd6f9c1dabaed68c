"""How good probabilities are, once it is known what happened."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parking.habits.snapshot import Floats

Outcomes = NDArray[np.bool_]
BINS: Final = 10


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """What became of predictions of about the same probability."""

    predicted: float
    happened: float
    count: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How one way of predicting did.

    Attributes:
        precision: Of what fired; None where nothing did.
        calibration_error: How far what happened was from what was predicted, on average over the
            predictions, in ten bins of equal width.
    """

    average_precision: float
    precision: float | None
    recall: float
    fired: int
    calibration_error: float
    brier: float
    bins: tuple[ReliabilityBin, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the figures, rounded."""
        return {
            "average_precision": round(self.average_precision, 4),
            "precision": None if self.precision is None else round(self.precision, 4),
            "recall": round(self.recall, 4),
            "fired": self.fired,
            "expected_calibration_error": round(self.calibration_error, 5),
            "brier": round(self.brier, 6),
            "bins": [asdict(each) for each in self.bins],
        }


def figures_of(scores: Floats, outcomes: Outcomes, fired: Outcomes) -> Figures:
    """Return how predictions did.

    Args:
        scores: Probabilities.
        outcomes: What happened, with at least one visit.
        fired: What would have been acted on.
    """
    hits = int((fired & outcomes).sum())
    bins = _bins(scores, outcomes)
    off = sum(abs(each.predicted - each.happened) * each.count for each in bins)
    return Figures(
        average_precision=average_precision(scores, outcomes),
        precision=hits / int(fired.sum()) if fired.any() else None,
        recall=hits / int(outcomes.sum()),
        fired=int(fired.sum()),
        calibration_error=off / len(scores),
        brier=float(np.square(scores - outcomes).mean(dtype=np.float64)),
        bins=bins,
    )


def average_precision(scores: Floats, outcomes: Outcomes) -> float:
    """Return the precision, averaged over the recall; equal scores are one step."""
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(outcomes[order])
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    precision, recall = hits[last] / (last + 1), hits[last] / hits[-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def _bins(scores: Floats, outcomes: Outcomes) -> tuple[ReliabilityBin, ...]:
    which = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(which, minlength=BINS)
    predicted = np.bincount(which, scores, BINS)
    happened = np.bincount(which, outcomes, BINS)
    return tuple(
        ReliabilityBin(
            round(float(predicted[one] / counts[one]), 5),
            round(float(happened[one] / counts[one]), 5),
            int(counts[one]),
        )
        for one in range(BINS)
        if counts[one]
    )

"""Predicting each week of a file of sessions from the weeks before it, and looking at what came."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parking.habits.arrival import minutes_apart, windows
from parking.habits.features import features_of
from parking.habits.fitting import Evidence, Weights, fit, probability
from parking.habits.scoring import FIRE_VISITS_MIN, FIRES_FROM
from parking.habits.snapshot import Floats, Integers
from parking.habits.state import DAYS
from parking.habits.weights import (
    EVIDENCE_ROWS_MAX,
    EVIDENCE_WEEKS,
    REFIT_WEEKS,
    TRUST,
    named,
    shipped,
)
from parking.kit.errors import InvalidInputError
from sesame.habits.figures import Figures, figures_of
from sesame.habits.replay import Days, Week, replay

FROM_WEEK: Final = 6
SCORES_MAX: Final = 200_000_000
_SEED: Final = 1
_NEAR_MINUTES: Final = 90
_BASELINE_FIRES_FROM: Final = 0.5


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How it went, and how simple rules would have done on the same driver-place-days.

    Attributes:
        within_window: Which part of the visits came within the predicted window of arrival.
        near: Which part came at most 90 minutes from the predicted time.
        weights: As they were in the end.
    """

    weeks: int
    scored: int
    visits: int
    habits: Figures
    last_week: Figures
    two_of_four: Figures
    within_window: float
    near: float
    weights: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        best = self.last_week.average_precision
        return {
            "weeks": self.weeks,
            "driver_place_days": self.scored,
            "visits": self.visits,
            "base_rate": round(self.visits / self.scored, 5),
            "fires_from": {"probability": FIRES_FROM, "visits": FIRE_VISITS_MIN},
            "habits": self.habits.to_json(),
            "baselines": {
                "same_day_last_week": self.last_week.to_json(),
                "two_of_last_four": self.two_of_four.to_json(),
            },
            "times_same_day_last_week": round(self.habits.average_precision / best, 3),
            "arrival": {
                "within_window": round(self.within_window, 4),
                "within_90_minutes": round(self.near, 4),
            },
            "weights": self.weights,
        }


@dataclass(slots=True)
class _Gathered:
    """What was predicted so far, week by week, and what came of it."""

    scores: list[Floats] = field(default_factory=list[Floats])
    outcomes: list[NDArray[np.bool_]] = field(default_factory=list[NDArray[np.bool_]])
    known: list[NDArray[np.bool_]] = field(default_factory=list[NDArray[np.bool_]])
    last_week: list[Floats] = field(default_factory=list[Floats])
    of_four: list[Floats] = field(default_factory=list[Floats])
    arrivals: int = 0
    within: int = 0
    near: int = 0


class _Fitter:
    """Keeps the newest weeks' outcomes, thinned, and fits the weights to them now and then."""

    def __init__(self, *, refits: bool) -> None:
        self.weights: Weights = shipped()
        self._refits = refits
        self._weeks: list[tuple[Floats, NDArray[np.bool_]]] = []
        self._count = 0
        self._draw = np.random.default_rng(_SEED)

    def begin_week(self) -> None:
        """Fit, where it is time."""
        if self._refits and self._count and self._count % REFIT_WEEKS == 0:
            evidence = Evidence([one[0] for one in self._weeks], [one[1] for one in self._weeks])
            self.weights = fit(evidence, shipped(), trust=TRUST)
        self._count += 1

    def learn(self, features: list[Floats], outcomes: NDArray[np.bool_]) -> None:
        """Keep a week's outcomes."""
        if not self._refits:
            return
        rows = np.concatenate(features, axis=1)
        happened = outcomes.reshape(-1)
        rows_max = EVIDENCE_ROWS_MAX // EVIDENCE_WEEKS
        if len(happened) > rows_max:
            chosen = self._draw.choice(len(happened), rows_max, replace=False)
            rows, happened = rows[:, chosen], happened[chosen]
        self._weeks = [*self._weeks[1 - EVIDENCE_WEEKS :], (rows, happened)]


def evaluate(
    days: Days,
    *,
    from_week: int = FROM_WEEK,
    refits: bool = True,
    on_week: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Predict each week from what came before it.

    Args:
        days: In order.
        from_week: How many weeks are only learned from.
        refits: Fit the weights to what was seen, every REFIT_WEEKS weeks; else the shipped ones
            are used throughout.
        on_week: Is told which week was done.

    Raises:
        InvalidInputError: there is nothing to score, or too much.
    """
    found, fitter, weeks = _Gathered(), _Fitter(refits=refits), 0
    scored = 0
    for week in replay(days, from_week=from_week):
        scored += DAYS * len(week.pairs)
        if scored > SCORES_MAX:
            raise InvalidInputError("sessions", f"at most {SCORES_MAX} driver-place-days")
        fitter.begin_week()
        _score(week, fitter, found)
        weeks += 1
        on_week(week.number)
    if not any(each.any() for each in found.outcomes):
        raise InvalidInputError(
            "sessions", f"visits after week {from_week}, by whoever came before"
        )
    return _evaluation(found, weeks, named(fitter.weights))


def _score(week: Week, fitter: _Fitter, found: _Gathered) -> None:
    kept: list[Floats] = []
    known = week.pairs.visits >= FIRE_VISITS_MIN
    for offset, features in features_of(week.pairs):
        kept.append(features)
        found.scores.append(probability(fitter.weights, features))
        found.outcomes.append(week.outcomes[offset])
        found.known.append(known)
        came = list(_came(week.pairs.recent, offset))
        found.last_week.append(came[0])
        found.of_four.append((came[0] + came[1] + came[2] + came[3]) / np.float32(len(came)))
        _look_at_arrivals(week, offset, found)
    fitter.learn(kept, week.outcomes)


def _came(recent: Integers, offset: int) -> Iterator[Floats]:
    """Yield whether there was a visit on this weekday one, two, three and four weeks ago."""
    for weeks_ago in range(1, 5):
        yield (recent >> (weeks_ago * DAYS - 1 - offset) & 1).astype(np.float32)


def _look_at_arrivals(week: Week, offset: int, found: _Gathered) -> None:
    came = week.outcomes[offset]
    if not came.any():
        return
    centre, half = windows(week.pairs, offset)
    apart = minutes_apart(centre[came], week.minutes[offset][came])
    found.arrivals += int(came.sum())
    found.within += int((apart <= half[came]).sum())
    found.near += int((apart <= _NEAR_MINUTES).sum())


def _evaluation(found: _Gathered, weeks: int, weights: dict[str, float]) -> Evaluation:
    scores, outcomes = np.concatenate(found.scores), np.concatenate(found.outcomes)
    last_week, of_four = np.concatenate(found.last_week), np.concatenate(found.of_four)
    fired = (scores >= FIRES_FROM) & np.concatenate(found.known)
    return Evaluation(
        weeks=weeks,
        scored=len(scores),
        visits=int(outcomes.sum()),
        habits=figures_of(scores, outcomes, fired),
        last_week=figures_of(last_week, outcomes, last_week >= _BASELINE_FIRES_FROM),
        two_of_four=figures_of(of_four, outcomes, of_four >= _BASELINE_FIRES_FROM),
        within_window=found.within / found.arrivals,
        near=found.near / found.arrivals,
        weights=weights,
    )

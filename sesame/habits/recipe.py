"""How the shipped weights came to be: fitted to simulated drivers, the same ones each time."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from parking.habits.features import features_of
from parking.habits.fitting import Evidence, fit
from parking.habits.weights import named, weights_of
from sesame.habits.evaluation import FROM_WEEK
from sesame.habits.replay import Days, replay
from sesame.habits.session_file import read_sessions
from sesame.habits.simulation import Scene, simulate, write_visits

WEEKS: Final = 52
# Seeds that no test and no figure in docs/habits.md uses.
SCENES: Final = ((Scene.CITY, 2500, (11, 12)), (Scene.GARAGE, 500, (21, 22, 23, 24)))
# The two memories, equally, weigh as much as ten outcomes; nothing else is presumed.
TRUST: Final = 10.0
BEFORE: Final = {"short_memory": 0.5, "long_memory": 0.5}
DIGITS: Final = 3


def fit_shipped() -> dict[str, float]:
    """Return the weights to ship, by feature."""
    evidence = Evidence([], [])
    for days in _simulated():
        for week in replay(days, from_week=FROM_WEEK):
            for offset, features in features_of(week.pairs):
                evidence.features.append(features)
                evidence.outcomes.append(week.outcomes[offset])
    weights = fit(evidence, weights_of(BEFORE), trust=TRUST)
    return {name: round(weight, DIGITS) for name, weight in named(weights).items()}


def _simulated() -> Iterator[Days]:
    with tempfile.TemporaryDirectory(prefix="sesame-habits-") as folder:
        path = Path(folder) / "sessions.csv"
        for scene, drivers, seeds in SCENES:
            for seed in seeds:
                write_visits(path, simulate(scene, drivers=drivers, weeks=WEEKS, seed=seed))
                yield read_sessions(path).days

"""An A/A test of the measurement: campaigns without any effect, drawn and measured as real ones."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from parking.campaigns.drawing import PERMILLE, draw
from parking.campaigns.statistics import CONFIDENCE, Finding, Share, uplift
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id, floor_id

CAMPAIGNS: Final = 1000
DRIVERS: Final = 1000
BASE_PERMILLE: Final = 200
HOLDOUT_PERMILLE: Final = 200
SEED: Final = 8
# Of a thousand intervals of 95 %, so many cover zero but for bad luck.
COVERED_MIN: Final = 0.93
COVERED_MAX: Final = 0.97
DRAWS_MAX: Final = 20_000_000
_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What the intervals said of effects that are not there."""

    campaigns: int
    drivers: int
    covered: int
    more: int
    less: int

    @property
    def covered_share(self) -> float:
        """How many intervals had zero in them, of all."""
        return self.covered / self.campaigns

    @property
    def is_right(self) -> bool:
        """Whether they hold what they say."""
        return COVERED_MIN <= self.covered_share <= COVERED_MAX


def run_trial(
    *,
    campaigns: int = CAMPAIGNS,
    drivers: int = DRIVERS,
    base_permille: int = BASE_PERMILLE,
    holdout_permille: int = HOLDOUT_PERMILLE,
    seed: int = SEED,
) -> TrialReport:
    """Measure campaigns whose drivers do the same whichever arm the hash puts them in.

    Raises:
        InvalidInputError: there would be nothing to measure, or too much.
    """
    if campaigns < 1 or drivers < 1 or campaigns * drivers > DRAWS_MAX:
        raise InvalidInputError("campaigns", f"1 to {DRAWS_MAX} draws of drivers in all")
    dice = random.Random(seed)  # noqa: S311 - a plan that repeats, not a secret
    origin = floor_id(_EPOCH)
    ids = [derive_id(origin, f"driver {number}") for number in range(drivers)]
    found: list[Finding] = []
    for number in range(campaigns):
        salt = derive_id(origin, f"campaign {seed} {number}")
        counts = {True: [0, 0], False: [0, 0]}
        for driver_id in ids:
            arm = counts[draw(salt, driver_id) < holdout_permille]
            arm[0] += dice.random() * PERMILLE < base_permille
            arm[1] += 1
        held_out, assigned = Share(*counts[True]), Share(*counts[False])
        found.append(uplift(assigned, held_out, confidence=CONFIDENCE).finding)
    return TrialReport(
        campaigns=campaigns,
        drivers=drivers,
        covered=found.count(Finding.INCONCLUSIVE),
        more=found.count(Finding.MORE),
        less=found.count(Finding.LESS),
    )

"""A car park that fills and empties by chance, from a seed: nothing of it knows the forecast.

Cars come by the hour of the week and stay for some hours, and each day is busier or quieter than
usual as a whole: what is forecast must be found in counts, as at a real gate.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

STEP: Final = timedelta(minutes=10)
# Some days before summer time begins, and through its end.
STARTS_AT: Final = datetime(2025, 3, 3, tzinfo=UTC)
ZONE: Final = ZoneInfo("Europe/Berlin")
SATURDAY: Final = 5
# Cars that come in an hour, as a share of the spaces, by hour of the day.
_WORKDAY: Final = (
    (0.01,) * 6
    + (0.05, 0.16, 0.26, 0.22, 0.16, 0.14, 0.18, 0.18, 0.14, 0.12, 0.12)
    + (0.16, 0.14, 0.08, 0.05, 0.03, 0.02, 0.01)
)
_WEEKEND: Final = (
    (0.02,) * 8 + (0.04, 0.08, 0.14, 0.18, 0.18, 0.18, 0.16, 0.14) + (0.10,) * 4 + (0.06,) * 4
)
_STAY_H: Final = 3.2


@dataclass(frozen=True, slots=True)
class Count:
    """How many cars stood there at a moment."""

    at: datetime
    occupied: int
    spaces: int

    @property
    def share(self) -> float:
        """Return the occupied share."""
        return self.occupied / self.spaces


def simulate(*, seed: int, weeks: int, spaces: int, day_spread: float = 0.2) -> Iterator[Count]:
    """Yield the count of each STEP, beginning at STARTS_AT.

    Args:
        seed: The same seed gives the same counts.
        weeks: How long.
        spaces: Cars that find none drive on.
        day_spread: By how much a day is busier or quieter, as a share of itself.
    """
    dice = Random(seed)  # noqa: S311 - a simulation, no secret
    occupied, busy, day = 0, 1.0, None
    hours = STEP / timedelta(hours=1)
    for number in range(int(timedelta(weeks=weeks) / STEP)):
        at = STARTS_AT + number * STEP
        local = at.astimezone(ZONE)
        if local.date() != day:
            day, busy = local.date(), max(0.3, dice.gauss(1.0, day_spread))
        shares = _WEEKEND if local.weekday() >= SATURDAY else _WORKDAY
        come = _drawn(dice, shares[local.hour] * spaces * busy * hours)
        go = sum(dice.random() < hours / _STAY_H for _ in range(occupied))
        occupied = min(occupied - go + come, spaces)
        yield Count(at, occupied, spaces)


def _drawn(dice: Random, mean: float) -> int:
    """Return a number of cars: as many as come in time when each comes by itself (Poisson)."""
    count, waited = 0, dice.expovariate(1.0)
    while waited < mean:
        count += 1
        waited += dice.expovariate(1.0)
    return count

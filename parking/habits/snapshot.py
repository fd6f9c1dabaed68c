"""Many drivers' habits at once, all on the same day, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parking.habits.state import DAYS, FAST_WEEKS, RECENT_DAYS, SLOW_WEEKS, SUMS

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
# Whoever was not seen for so long is not scored, and is forgotten: half a year.
FADED_DAYS: Final = 182
_MASK: Final = np.int64((1 << RECENT_DAYS) - 1)


@dataclass(slots=True)
class Snapshot:
    """Pairs of a driver and a place as they stand at the beginning of a day.

    Attributes:
        day: An ordinal; only earlier visits are in it.
        driver: Index of the driver, from 0 on; likewise `place`.
        recent: Bit i: there was a visit i + 1 days before `day`.
        sums: SUMS rows with a column a pair, see `HabitState.sums`, faded to `day`.
    """

    day: int
    driver: Integers
    place: Integers
    first_day: Integers
    last_day: Integers
    visits: Integers
    recent: Integers
    sums: Floats

    def __len__(self) -> int:
        return len(self.driver)

    def taken(self, index: NDArray[np.intp]) -> "Snapshot":
        """Return the pairs at these positions."""
        return Snapshot(
            self.day,
            self.driver[index],
            self.place[index],
            self.first_day[index],
            self.last_day[index],
            self.visits[index],
            self.recent[index],
            np.ascontiguousarray(self.sums[:, index]),
        )


def empty(day: int, driver: Integers, place: Integers, first_day: Integers) -> Snapshot:
    """Return pairs that have no visit yet."""
    count = len(driver)
    zeros = np.zeros(count, np.int64)
    never = np.full(count, day - RECENT_DAYS, np.int64)
    sums = np.zeros((SUMS, count), np.float32)
    return Snapshot(day, driver, place, first_day, never, zeros, zeros.copy(), sums)


def of_rows(
    day: int,
    driver: Integers,
    place: Integers,
    first_day: Integers,
    last_day: Integers,
    visits: Integers,
    recent: Integers,
    packed: Sequence[bytes],
) -> Snapshot:
    """Return what rows hold, faded to the beginning of `day`.

    What stands in a row about `day` itself or later is still in it: take the rows of the day
    before, or accept that today's visitors have come.
    """
    sums = np.frombuffer(b"".join(packed), np.float32).reshape(-1, SUMS).T.copy()
    found = Snapshot(day, driver, place, first_day, last_day, visits, recent, sums)
    age = np.maximum(day - last_day, 0)
    found.sums[:DAYS] *= faded(age, FAST_WEEKS)
    found.sums[DAYS:] *= faded(age, SLOW_WEEKS)
    found.recent = _aligned(recent, day - 1 - last_day)
    return found


def faded(days: Integers | Floats, half_life_weeks: float) -> Floats:
    """Return how much of a visit is left after so many days."""
    return np.exp2(days.astype(np.float32) * np.float32(-1 / (DAYS * half_life_weeks)))


def _aligned(recent: Integers, days: Integers) -> Integers:
    later = np.where(days < RECENT_DAYS, recent << np.clip(days, 0, RECENT_DAYS - 1), 0) & _MASK
    # A visit on `day` itself is no visit before it.
    return np.where(days < 0, recent >> np.clip(-days, 0, RECENT_DAYS), later)

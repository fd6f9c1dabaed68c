"""What the charges of a stay add up to; they are read one by one, as far as somebody asks."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from parking.kit.errors import InvalidInputError
from parking.tariffs.caps import Charge

# A table of tiny windows and periods could otherwise make one stay cost seconds of work.
CHARGES_MAX: Final = 100_000
STEPS_MAX: Final = 200_000
_CHARGES_AHEAD_MAX: Final = 20_000


class LadderMeter:
    """What the ladders and caps charge."""

    def __init__(self, source: Iterator[Charge]) -> None:
        self._source = source
        self._charges: list[Charge] = []
        self._starts_s: list[int] = []
        # What is charged before each charge, and one more: before the next.
        self._before_minor = [0]

    @property
    def count(self) -> int:
        """How many charges were read."""
        return len(self._charges)

    def started(self, at_s: int) -> list[Charge]:
        """Return the charges that have started by `at_s`."""
        return self._charges[: self._started_count(at_s)]

    def total_minor(self, at_s: int) -> int:
        """Return what is charged by `at_s`."""
        count = self._started_count(at_s)
        if not count:
            return 0
        return self._before_minor[count - 1] + self._charges[count - 1].net_minor(at_s)

    def reached_s(self, minor: int) -> int | None:
        """Return the first second at which at least `minor` is charged; None if it never is."""
        ahead_max = min(len(self._charges) + _CHARGES_AHEAD_MAX, CHARGES_MAX)
        while self._before_minor[-1] < minor:
            is_last = bool(self._charges) and self._charges[-1].is_last
            if is_last or len(self._charges) >= ahead_max or not self._read():
                return None
        index = bisect_left(self._before_minor, minor) - 1
        return self._charges[index].run.reached_s(minor - self._before_minor[index])

    def steps(self, until_s: int) -> list[tuple[int, int]]:
        """Return when the total rises, until `until_s`, and to what.

        Raises:
            InvalidInputError: these are more than `STEPS_MAX`.
        """
        steps: list[tuple[int, int]] = []
        for before_minor, charge in zip(self._before_minor, self.started(until_s), strict=False):
            if len(steps) + charge.step_count_max(until_s) > STEPS_MAX:
                raise InvalidInputError("until", f"a time within {STEPS_MAX} price steps")
            if charge.final_minor:
                steps += charge.steps(before_minor, until_s)
        return steps

    def _started_count(self, at_s: int) -> int:
        while not self._starts_s or self._starts_s[-1] < at_s:
            if not self._read():
                break
        return bisect_left(self._starts_s, at_s)

    def _read(self) -> bool:
        """Read one more charge; False if there is none."""
        charge = next(self._source, None)
        if charge is None:
            return False
        if len(self._charges) >= CHARGES_MAX:
            raise InvalidInputError("rate_table", f"at most {CHARGES_MAX} charges in one stay")
        self._charges.append(charge)
        self._starts_s.append(charge.run.starts_s)
        self._before_minor.append(self._before_minor[-1] + charge.final_minor)
        return True

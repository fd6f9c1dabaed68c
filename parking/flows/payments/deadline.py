"""How long somebody waits for all tries to take the money together."""

from dataclasses import dataclass
from time import perf_counter
from typing import Self

# A car at a closed gate: enough for the slowest honest provider, with one question after it.
GATE_DEADLINE_S = 7.0
# With less time than this left, no other mandate is tried: the display asks for the money.
TRY_S_MIN = 1.0


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment that all tries share.

    Attributes:
        ends_s: By the process' own monotonic clock.
    """

    ends_s: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Return the moment that is so far away."""
        return cls(perf_counter() + seconds)

    def left_s(self) -> float:
        """Return how long it is till then; 0 once it has passed."""
        return max(self.ends_s - perf_counter(), 0.0)

    def allows_try(self) -> bool:
        """Return whether one more mandate may be tried."""
        return self.left_s() >= TRY_S_MIN

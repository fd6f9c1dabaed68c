"""Whether one more window fits among those that are promised already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from parking.offers.risk import expected_max


@dataclass(frozen=True, slots=True)
class Window:
    """From one moment until before another.

    Attributes:
        is_standing: Whether its car is there already, so that it comes with certainty.
    """

    starts_at: datetime
    ends_at: datetime
    is_standing: bool = False


@dataclass(frozen=True, slots=True)
class Supply:
    """What a pool has: spaces, how surely drivers come, and the risk that is accepted."""

    spaces: int
    show_up: float
    risk_basis_points: int

    def allows(self, *, expected: int, standing: int) -> bool:
        """Return whether so many may be expected while so many stand there."""
        free = self.spaces - standing
        return expected <= expected_max(free, self.show_up, self.risk_basis_points)


def fits(taken: Sequence[Window], wanted: Window, supply: Supply) -> bool:
    """Return whether the pool bears the risk at every moment of the wanted window."""
    changes: list[tuple[datetime, int, bool]] = []
    for window in (*taken, wanted):
        starts_at = max(window.starts_at, wanted.starts_at)
        ends_at = min(window.ends_at, wanted.ends_at)
        if starts_at < ends_at:
            changes += [(starts_at, 1, window.is_standing), (ends_at, -1, window.is_standing)]
    # Whoever leaves at a moment makes room for whoever comes at it.
    changes.sort(key=lambda change: (change[0], change[1]))
    expected = standing = 0
    for position, (at, change, is_standing) in enumerate(changes):
        if is_standing:
            standing += change
        else:
            expected += change
        is_last_of_moment = position + 1 == len(changes) or changes[position + 1][0] != at
        if is_last_of_moment and not supply.allows(expected=expected, standing=standing):
            return False
    return True

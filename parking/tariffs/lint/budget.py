"""How many stays a look at a rate table may price."""

from typing import Final

from parking.tariffs.rate_table import RateTable

UNITS_MAX: Final = 150_000
_DAY_S: Final = 86_400


class Budget:
    """Counts what pricing costs, so that a table of a thousand parts ends as soon as any other.

    A unit is about what one part of a table costs for one day of a stay.
    """

    def __init__(self) -> None:
        self._units = 0

    @property
    def is_spent(self) -> bool:
        """Whether something was not tried for want of budget."""
        return self._units > UNITS_MAX

    def allows(self, table: RateTable, seconds: int) -> bool:
        """Take what pricing a stay of so many seconds costs; False when that is too much."""
        parts = len(table.collections) + len(table.caps) + len(table.packages)
        self._units += 1 + (seconds // _DAY_S + 1) * parts
        return not self.is_spent

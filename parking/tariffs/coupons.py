"""Validations that were granted: what they take off the price of a stay."""

from collections.abc import Iterator
from typing import Final

from parking.tariffs.circumstances import Circumstances
from parking.tariffs.rate_rights import PERCENT_MAX, RateValidation
from parking.tariffs.rate_table import RateTable

# Free minutes come before the ladder; of the rest, a share is best taken before an amount.
_ORDER = ("percent", "amount", "free")
# Never on a bill: what the stay would cost with more free minutes is only compared.
MORE_MINUTES: Final = "more minutes"


class Coupons:
    """The granted validations that the table has; each counts once, in an order of their kinds.

    Attributes:
        free_minutes: Those that make the first minutes free, in the table's order.
    """

    def __init__(
        self, table: RateTable, circumstances: Circumstances, *, free_minutes: int = 0
    ) -> None:
        granted = [each for each in table.validations if each.name in circumstances.validations]
        self.free_minutes = [each for each in granted if each.kind == "minutes"]
        if free_minutes:
            more = RateValidation(name=MORE_MINUTES, kind="minutes", value=free_minutes)
            self.free_minutes.append(more)
        self._reductions = [each for kind in _ORDER for each in granted if each.kind == kind]

    def __bool__(self) -> bool:
        return bool(self._reductions)

    def due_minor(self, minor: int) -> int:
        """Return what is left of a price; never less for a higher one."""
        for each in self._reductions:
            minor -= _reduction_minor(each, minor)
        return minor

    def reductions(self, minor: int) -> Iterator[tuple[str, int]]:
        """Yield the name of each validation and how much it takes off a price."""
        for each in self._reductions:
            reduction_minor = _reduction_minor(each, minor)
            minor -= reduction_minor
            yield each.name, reduction_minor

    def price_for_more(self, minor: int, minor_max: int) -> int | None:
        """Return the lowest price above `minor` that leaves more due; None up to `minor_max`."""
        if not self._reductions:
            return minor + 1
        due_minor = self.due_minor(minor)
        if self.due_minor(minor_max) <= due_minor:
            return None
        lower_minor, upper_minor = minor, minor_max
        while upper_minor - lower_minor > 1:
            middle_minor = (lower_minor + upper_minor) // 2
            if self.due_minor(middle_minor) > due_minor:
                upper_minor = middle_minor
            else:
                lower_minor = middle_minor
        return upper_minor


def _reduction_minor(validation: RateValidation, minor: int) -> int:
    if validation.kind == "free":
        return minor
    if validation.kind == "amount":
        return min(minor, validation.value or 0)
    # Rounded up: the fraction of a minor unit is the driver's.
    return -(-minor * (validation.value or 0) // PERCENT_MAX)

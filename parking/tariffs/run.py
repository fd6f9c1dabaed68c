"""A run: equal blocks in a row, or one flat or free stretch, and what they cost in time."""

from enum import StrEnum
from typing import NamedTuple


class PriceReason(StrEnum):
    """Why a line is on a bill."""

    GRACE = "grace"
    FREE_FIRST = "free_first"
    FREE = "free"
    NO_CHARGE_HOURS = "no_charge_hours"
    FLAT = "flat"
    FLAT_ALREADY_CHARGED = "flat_already_charged"
    INCREMENT = "increment"
    PER_SECOND = "per_second"
    PACKAGE = "package"
    PASS = "pass"  # noqa: S105 - a right to park, no secret
    ALLOWANCE = "allowance"
    VALIDATION = "validation"
    COUPON = "coupon"


class Run(NamedTuple):
    """Equal blocks one after the other, or one flat or free stretch.

    Attributes:
        reason: What is charged, or why nothing is.
        collection: Index in the rate table; None outside all windows.
        occurrence_s: Names the occurrence of the collection's window.
        starts_s: Start of the first block, seconds since 1970.
        ends_s: Where the next run may start.
        block_s: Length of a block; 0 for what has none.
        block_count: How many blocks start in the run; 0 for what has none.
        amount_minor: What one block, or the flat stretch, costs.
        origin_s: From where `per_second` counts, so that a cut of the run changes no rounding.
        is_last: No later run of the stay can cost anything.
        note: Names the right that makes it free; empty without one.
    """

    reason: PriceReason
    collection: int | None
    occurrence_s: int
    starts_s: int
    ends_s: int
    block_s: int = 0
    block_count: int = 0
    amount_minor: int = 0
    origin_s: int = 0
    is_last: bool = False
    note: str = ""

    @property
    def final_minor(self) -> int:
        """What the run costs once it is over."""
        if self.reason is PriceReason.INCREMENT:
            return self.amount_minor * self.block_count
        if self.reason is PriceReason.PER_SECOND:
            return self._prorated_minor(self.ends_s) - self._prorated_minor(self.starts_s)
        return self.amount_minor

    def gross_minor(self, at_s: int) -> int:
        """Return what the run costs by `at_s`: a block is charged when it has started."""
        if at_s <= self.starts_s:
            return 0
        if self.reason is PriceReason.INCREMENT:
            return self.amount_minor * self._started(at_s)
        if self.reason is PriceReason.PER_SECOND:
            end_s = min(at_s, self.ends_s)
            return self._prorated_minor(end_s) - self._prorated_minor(self.starts_s)
        return self.amount_minor

    def reached_s(self, minor: int) -> int:
        """Return the first second at which the run costs `minor`, at most its final amount."""
        if self.reason is PriceReason.INCREMENT:
            return self.starts_s + (-(-minor // self.amount_minor) - 1) * self.block_s + 1
        if self.reason is PriceReason.PER_SECOND:
            before_minor = self._prorated_minor(self.starts_s) + minor - 1
            return self.origin_s + before_minor * self.block_s // self.amount_minor + 1
        return self.starts_s + 1

    def started_count(self, at_s: int) -> int | None:
        """Return how many blocks have started by `at_s`; None for what does not count them."""
        return self._started(at_s) if self.reason is PriceReason.INCREMENT else None

    def _started(self, at_s: int) -> int:
        return min(self.block_count, -((self.starts_s - at_s) // self.block_s))

    def _prorated_minor(self, at_s: int) -> int:
        return -(-self.amount_minor * (at_s - self.origin_s) // self.block_s)

"""What a stay costs, line by line, and when that changes next: a pure function."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.tariffs.meter import CHANGE_HORIZON_DAYS, StayMeter
from parking.tariffs.price_lines import PriceLine, price_lines
from parking.tariffs.rate_table import STAY_DAYS_MAX, RateTable, read_rate_table
from parking.tariffs.run import PriceReason
from parking.tariffs.wall_clock import instant_of, seconds_of

__all__ = [
    "CHANGE_HORIZON_DAYS",
    "STAY_DAYS_MAX",
    "PriceLine",
    "PriceReason",
    "PricedStay",
    "RateTable",
    "price",
    "read_rate_table",
]

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class PricedStay:
    """What a stay costs at an instant.

    Attributes:
        total: What is due in all.
        lines: Cover the stay without a gap; their amounts add up to `total`.
        next_change_at: First instant after the pricing at which the total differs; None if it
            does not within `CHANGE_HORIZON_DAYS`.
    """

    total: Money
    lines: tuple[PriceLine, ...]
    next_change_at: datetime | None


def price(table: RateTable, entered_at: datetime, as_of: datetime) -> PricedStay:
    """Return what a stay that began at `entered_at` costs at `as_of`.

    A block is charged when it has started: an exit at its very start does not pay for it. Times
    count in whole seconds, fractions dropped, so that a printed bill holds all that it takes to
    recompute it.

    Args:
        table: The table in force at entry; a later change does not apply.
        entered_at: Entry time, timezone-aware.
        as_of: Exit time, or now for a live bill; timezone-aware, not before entry.

    Raises:
        InvalidInputError: a time is naive, the exit comes before the entry, or the stay is
            longer than `STAY_DAYS_MAX`.
    """
    entered_s = seconds_of(entered_at, "entered_at")
    exact_s = seconds_of(as_of, "as_of")
    if as_of < entered_at:
        raise InvalidInputError("as_of", "a time not before entered_at")
    if exact_s - entered_s > STAY_DAYS_MAX * _DAY_S:
        raise InvalidInputError("as_of", f"a stay of at most {STAY_DAYS_MAX} days")
    meter = StayMeter(table, entered_s, exact_s)
    at_s = meter.tick_of(exact_s)
    lines = price_lines(table, meter, at_s)
    total_minor = meter.total_minor(at_s)
    change_s = meter.next_change_s(at_s)
    return PricedStay(
        total=Money(total_minor, table.currency),
        lines=lines,
        next_change_at=None if change_s is None else instant_of(change_s),
    )

"""What a stay costs, line by line, and when that changes next: a pure function."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.tariffs.circumstances import (
    NO_CIRCUMSTANCES,
    Circumstances,
    Exemption,
    Vehicle,
)
from parking.tariffs.coupon_meter import CouponMeter, lines_of_meter, meter_of
from parking.tariffs.meter import CHANGE_HORIZON_DAYS, StayMeter
from parking.tariffs.price_lines import LinesOver, PriceLine
from parking.tariffs.rate_table import STAY_DAYS_MAX, RateTable, RateVariant, read_rate_table
from parking.tariffs.run import PriceReason
from parking.tariffs.wall_clock import instant_of, seconds_of

__all__ = [
    "CHANGE_HORIZON_DAYS",
    "NO_CIRCUMSTANCES",
    "STAY_DAYS_MAX",
    "Circumstances",
    "Exemption",
    "KeptPrice",
    "PriceLine",
    "PriceReason",
    "PriceStep",
    "PricedStay",
    "Pricing",
    "RateTable",
    "Vehicle",
    "price",
    "price_curve",
    "price_with_curve",
    "read_rate_table",
    "steps_after",
]

# Of a kept stay: one of many weeks in a table of short windows would fill the memory.
CHARGES_KEPT_MAX: Final = 100
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class PricedStay:
    """What a stay costs at an instant.

    Attributes:
        total: What is due in all.
        lines: Cover the stay without a gap; their amounts add up to `total`.
        find_change: Looks ahead for `next_change_at`: that takes longer than the price.
        allowances_taken_s: What this stay took of allowances, by name and period.
        variant: Name of the table's variant that counted; empty for the table itself.
    """

    total: Money
    lines: tuple[PriceLine, ...]
    find_change: Callable[[], datetime | None] = field(repr=False, compare=False)
    allowances_taken_s: Mapping[str, Mapping[str, int]] = field(
        default_factory=dict[str, dict[str, int]]
    )
    variant: str = ""

    @property
    def next_change_at(self) -> datetime | None:
        """First instant after the pricing at which the total differs.

        None if it does not within `CHANGE_HORIZON_DAYS`.
        """
        return self.find_change()


class PriceStep(NamedTuple):
    """From `at` on (UTC), until the next step, a stay that ends then costs `total_minor`."""

    at: datetime
    total_minor: int


Pricing = Callable[[RateTable, datetime, datetime, Circumstances], PricedStay]


def price(
    table: RateTable,
    entered_at: datetime,
    as_of: datetime,
    circumstances: Circumstances = NO_CIRCUMSTANCES,
) -> PricedStay:
    """Return what a stay that began at `entered_at` costs at `as_of`.

    A block is charged when it has started: an exit at its very start does not pay for it. Times
    count in whole seconds, fractions dropped, so that a printed bill holds all that it takes to
    recompute it.

    Args:
        table: The table in force at entry; a later change does not apply.
        entered_at: Entry time, timezone-aware.
        as_of: Exit time, or now for a live bill; timezone-aware, not before entry.
        circumstances: All else that counts; nothing is looked up.

    Raises:
        InvalidInputError: a time is naive, the exit comes before the entry, or the stay is
            longer than `STAY_DAYS_MAX`.
    """
    entered_s, exact_s = _seconds(table, entered_at, as_of, "as_of", circumstances)
    variant = table.variant_for(circumstances)
    meter = meter_of(table.table_of(variant), circumstances, entered_s, exact_s)
    return _priced(meter, variant, exact_s)


class KeptPrice:
    """`price` of one stay, again and again: what was found out about the stay is kept.

    For one thread, and always with the same table, entry and circumstances.
    """

    def __init__(self) -> None:
        self._meter: StayMeter | CouponMeter | None = None
        self._over = LinesOver()

    def __call__(
        self,
        table: RateTable,
        entered_at: datetime,
        as_of: datetime,
        circumstances: Circumstances = NO_CIRCUMSTANCES,
    ) -> PricedStay:
        """Return what `price` returns; raises as it does."""
        entered_s, exact_s = _seconds(table, entered_at, as_of, "as_of", circumstances)
        variant = table.variant_for(circumstances)
        meter = self._meter
        if meter is None:
            meter = meter_of(table.table_of(variant), circumstances, entered_s, exact_s)
            self._meter, self._over = meter, LinesOver()

        def find_change() -> datetime | None:
            # The horizon is counted from `as_of`, and that of a kept stay from its first price.
            return price(table, entered_at, as_of, circumstances).next_change_at

        priced = _priced(meter, variant, exact_s, find_change, self._over)
        if meter.charges_known > CHARGES_KEPT_MAX:
            self._meter, self._over = None, LinesOver()
        return priced


def price_with_curve(
    table: RateTable,
    entered_at: datetime,
    as_of: datetime,
    circumstances: Circumstances = NO_CIRCUMSTANCES,
) -> tuple[PricedStay, tuple[PriceStep, ...]]:
    """Return `price` and `price_curve` until then, for the cost of little more than one."""
    entered_s, exact_s = _seconds(table, entered_at, as_of, "as_of", circumstances)
    variant = table.variant_for(circumstances)
    meter = meter_of(table.table_of(variant), circumstances, entered_s, exact_s)
    return _priced(meter, variant, exact_s), _curve(meter, exact_s)


def price_curve(
    table: RateTable,
    entered_at: datetime,
    until: datetime,
    circumstances: Circumstances = NO_CIRCUMSTANCES,
) -> tuple[PriceStep, ...]:
    """Return what the stay costs from `entered_at` to `until`: a step wherever that changes.

    The first step is the entry itself; at each later one `price` gives another total than a
    second before.

    Raises:
        InvalidInputError: as `price`.
    """
    entered_s, until_s = _seconds(table, entered_at, until, "until", circumstances)
    effective = table.table_of(table.variant_for(circumstances))
    return _curve(meter_of(effective, circumstances, entered_s, until_s), until_s)


def steps_after(
    table: RateTable,
    entered_at: datetime,
    as_of: datetime,
    circumstances: Circumstances = NO_CIRCUMSTANCES,
) -> Iterator[PriceStep]:
    """Yield the steps of the price after `as_of`, each when it is asked for, to the horizon.

    Raises:
        InvalidInputError: as `price`.
    """
    entered_s, exact_s = _seconds(table, entered_at, as_of, "as_of", circumstances)
    effective = table.table_of(table.variant_for(circumstances))
    meter = meter_of(effective, circumstances, entered_s, exact_s)
    change_s = meter.next_change_s(meter.tick_of(exact_s))
    while change_s is not None:
        yield PriceStep(instant_of(change_s), meter.total_minor(change_s))
        change_s = meter.next_change_s(change_s)


def _priced(
    meter: StayMeter | CouponMeter,
    variant: RateVariant | None,
    exact_s: int,
    find_change: Callable[[], datetime | None] | None = None,
    over: LinesOver | None = None,
) -> PricedStay:
    at_s = meter.tick_of(exact_s)

    def look_ahead() -> datetime | None:
        change_s = meter.next_change_s(at_s)
        return None if change_s is None else instant_of(change_s)

    return PricedStay(
        total=Money(meter.total_minor(at_s), meter.table.currency),
        lines=lines_of_meter(meter, at_s, over),
        find_change=find_change or look_ahead,
        allowances_taken_s=meter.allowances_taken_s(at_s),
        variant="" if variant is None else variant.name,
    )


def _curve(meter: StayMeter | CouponMeter, until_s: int) -> tuple[PriceStep, ...]:
    return tuple([PriceStep(instant_of(at_s), minor) for at_s, minor in meter.curve(until_s)])


def _seconds(
    table: RateTable,
    entered_at: datetime,
    until: datetime,
    name: str,
    circumstances: Circumstances,
) -> tuple[int, int]:
    """Return entry and end of what is priced, in whole seconds since 1970."""
    entered_s = seconds_of(entered_at, "entered_at")
    until_s = seconds_of(until, name)
    if until < entered_at:
        raise InvalidInputError(name, "a time not before entered_at")
    if circumstances.continues_from is not None:
        continued_s = seconds_of(circumstances.continues_from, "circumstances.continues_from")
        if continued_s > entered_s:
            raise InvalidInputError("circumstances.continues_from", "a time not after entered_at")
        entered_s = continued_s
    if _is_too_long(table, entered_s, until_s):
        raise InvalidInputError(name, f"a stay of at most {STAY_DAYS_MAX} days")
    return entered_s, until_s


def _is_too_long(table: RateTable, entered_s: int, until_s: int) -> bool:
    """Whether the stay is longer than `STAY_DAYS_MAX`, be they days of 24 hours or local days."""
    if until_s - entered_s <= STAY_DAYS_MAX * _DAY_S:
        return False
    # Where clocks went back once more than forward, so many local days have an hour more.
    entered, until = (
        instant_of(at_s).astimezone(table.zone).replace(tzinfo=None)
        for at_s in (entered_s, until_s)
    )
    return until - entered > timedelta(days=STAY_DAYS_MAX)

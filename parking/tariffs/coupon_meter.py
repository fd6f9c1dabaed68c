"""What one stay costs with the driver's coupons, at any instant up to the horizon."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Final

from parking.tariffs.circumstances import Circumstances
from parking.tariffs.coupon_choice import Reduction, best, lawful_combinations
from parking.tariffs.coupon_terms import PERCENT_MAX, CouponTerms
from parking.tariffs.meter import StayMeter
from parking.tariffs.price_lines import LinesOver, PriceLine, coupon_line, price_lines
from parking.tariffs.rate_table import RateTable

# So many steps of the price are looked at for one that a driver sees: more hide below a coupon.
_STEPS_AHEAD_MAX: Final = 5_000


class CouponMeter:
    """As `StayMeter`, less what the best lawful combination of the driver's coupons takes off."""

    def __init__(
        self, table: RateTable, circumstances: Circumstances, entered_s: int, as_of_s: int
    ) -> None:
        self.table = table
        self.entered_s = entered_s
        self._coupons = circumstances.coupons
        self._before = StayMeter(table, circumstances, entered_s, as_of_s)
        minutes = {each.value or 0 for each in self._coupons if each.kind == "minutes"}
        self._shorter = {
            count: StayMeter(table, circumstances, entered_s, as_of_s, free_minutes=count)
            for count in sorted(minutes)
        }

    @property
    def charges_known(self) -> int:
        """How many charges were read and are kept."""
        return sum(meter.charges_known for meter in self._meters())

    def tick_of(self, at_s: int) -> int:
        """Return the last tick that is not after `at_s`."""
        return self._before.tick_of(at_s)

    def total_minor(self, at_s: int) -> int:
        """Return what a stay that ends at `at_s` costs."""
        minor = self._before.total_minor(at_s)
        return minor - sum(each.amount_minor for each in self.taken(at_s))

    def taken(self, at_s: int) -> tuple[Reduction, ...]:
        """Return what coupons take off a stay that ends at `at_s`."""
        minor = self._before.total_minor(at_s)
        return best(self._coupons, minor, partial(self._minutes_price, at_s)) if minor else ()

    def lines(self, at_s: int, over: LinesOver | None = None) -> tuple[PriceLine, ...]:
        """Return the lines of a stay that ends at `at_s`."""
        lines = list(price_lines(self._before, at_s, over))
        left_minor = self._before.total_minor(at_s)
        for each in self.taken(at_s):
            left_minor -= each.amount_minor
            lines.append(coupon_line(at_s, each.coupon, each.amount_minor, left_minor))
        return tuple(lines)

    def allowances_taken_s(self, at_s: int) -> Mapping[str, Mapping[str, int]]:
        """Return what a stay that ends at `at_s` took, by allowance and period."""
        return self._before.allowances_taken_s(at_s)

    def next_change_s(self, at_s: int) -> int | None:
        """Return the first tick after `at_s` at which the total differs; None as `StayMeter`."""
        total_minor = self.total_minor(at_s)
        if not total_minor and self._is_free():
            return None
        for change_s in islice(self._changes_s(at_s), _STEPS_AHEAD_MAX):
            if self.total_minor(change_s) != total_minor:
                return change_s
        return None

    def curve(self, until_s: int) -> list[tuple[int, int]]:
        """Return the ticks from the entry to `until_s` at which the total is another, and it."""
        edges = {at_s for meter in self._meters() for at_s, _ in meter.curve(until_s)}
        steps: list[tuple[int, int]] = []
        for at_s in sorted(edges):
            minor = self.total_minor(at_s)
            if not steps or steps[-1][1] != minor:
                steps.append((at_s, minor))
        return steps

    def _meters(self) -> tuple[StayMeter, ...]:
        return (self._before, *self._shorter.values())

    def _minutes_price(self, at_s: int, count: int) -> int:
        return self._shorter[count].total_minor(at_s)

    def _is_free(self) -> bool:
        """Whether a coupon that may count takes everything, however long the stay becomes."""
        return any(_takes_all(each) for some in lawful_combinations(self._coupons) for each in some)

    def _changes_s(self, at_s: int) -> Iterator[int]:
        """Yield every tick after `at_s` at which a price before coupons differs."""
        ahead = {meter: meter.next_change_s(at_s) for meter in self._meters()}
        while any(change_s is not None for change_s in ahead.values()):
            next_s = min(change_s for change_s in ahead.values() if change_s is not None)
            yield next_s
            for meter, change_s in ahead.items():
                if change_s == next_s:
                    ahead[meter] = meter.next_change_s(next_s)


def _takes_all(coupon: CouponTerms) -> bool:
    is_all = coupon.kind == "free" or (coupon.kind == "percent" and coupon.value == PERCENT_MAX)
    return is_all and coupon.amount_minor_max is None


def meter_of(
    table: RateTable, circumstances: Circumstances, entered_s: int, as_of_s: int
) -> StayMeter | CouponMeter:
    """Return what meters a stay."""
    kind = CouponMeter if circumstances.coupons else StayMeter
    return kind(table, circumstances, entered_s, as_of_s)


def lines_of_meter(
    meter: StayMeter | CouponMeter, at_s: int, over: LinesOver | None = None
) -> tuple[PriceLine, ...]:
    """Return the lines of a stay that ends at `at_s`; `over` as in `price_lines`."""
    if isinstance(meter, CouponMeter):
        return meter.lines(at_s, over)
    return price_lines(meter, at_s, over)

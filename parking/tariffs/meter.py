"""The running total of one stay and the instants at which it changes."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain
from operator import itemgetter
from typing import Final

from parking.tariffs.allowances import AllowanceBalance, taken_s
from parking.tariffs.caps import Charge, charges
from parking.tariffs.circumstances import Circumstances
from parking.tariffs.coupons import Coupons
from parking.tariffs.exemptions import exempt_ranges
from parking.tariffs.ladder import runs
from parking.tariffs.ladder_meter import LadderMeter
from parking.tariffs.opening import opening
from parking.tariffs.packages import PackageOffer, package_offers
from parking.tariffs.rate_table import RateTable
from parking.tariffs.run import Run

CHANGE_HORIZON_DAYS: Final = 400
_DAY_S: Final = 86_400
_PRICE_MINOR_MAX: Final = 1 << 62


class StayMeter:
    """What one stay costs, at any instant up to the horizon.

    All instants are whole seconds since 1970 and on the table's tick, counted from the entry.

    Args:
        table: Of the entry.
        circumstances: Without regard to its coupons: see `CouponMeter`.
        entered_s: When the stay began.
        as_of_s: From when the horizon counts.
        free_minutes: So many more of the first minutes are free.
    """

    def __init__(
        self,
        table: RateTable,
        circumstances: Circumstances,
        entered_s: int,
        as_of_s: int,
        *,
        free_minutes: int = 0,
    ) -> None:
        self.table = table
        self.entered_s = entered_s
        self.coupons = Coupons(table, circumstances, free_minutes=free_minutes)
        self._tick_s = 60 if table.tick == "minute" else 1
        self._until_s = as_of_s + CHANGE_HORIZON_DAYS * _DAY_S
        self._offers = package_offers(table, entered_s)
        exempt = exempt_ranges(circumstances, entered_s, self._until_s)
        balance = AllowanceBalance(table, circumstances)
        start = opening(table, self.coupons, exempt, balance, entered_s, self._until_s)
        self.counts_from_s = start.counts_from_s
        self._grace_ends_s = start.counts_from_s + table.grace_minutes * 60
        ladder = runs(table, exempt, balance, start.begins_s, self._until_s)
        self._ladder = LadderMeter(
            chain(map(_free, start.runs), charges(table, ladder, start.begins_s))
        )

    @property
    def charges_known(self) -> int:
        """How many charges were read and are kept."""
        return self._ladder.count

    def tick_of(self, at_s: int) -> int:
        """Return the last tick that is not after `at_s`."""
        return at_s - (at_s - self.entered_s) % self._tick_s

    def is_in_grace(self, at_s: int) -> bool:
        """Whether a stay that ends at `at_s` is short enough to cost nothing."""
        return at_s <= self._grace_ends_s

    def charges(self, at_s: int) -> list[Charge]:
        """Return what has started by `at_s`, in order of time."""
        return self._ladder.started(at_s)

    def ladder_minor(self, at_s: int) -> int:
        """Return what the ladders and caps charge by `at_s`, before grace and packages."""
        return self._ladder.total_minor(at_s)

    def package(self, at_s: int) -> PackageOffer | None:
        """Return the package that makes a stay that ends at `at_s` cheaper, the cheapest first."""
        if not self._offers:
            return None
        valid = (offer for offer in self._offers if offer.from_s <= at_s < offer.until_s)
        cheapest = min(valid, key=lambda offer: offer.amount_minor, default=None)
        if cheapest is None or cheapest.amount_minor >= self.ladder_minor(at_s):
            return None
        return cheapest

    def price_minor(self, at_s: int) -> int:
        """Return what a stay that ends at `at_s` costs before validations."""
        if self.is_in_grace(at_s):
            return 0
        package = self.package(at_s)
        return self.ladder_minor(at_s) if package is None else package.amount_minor

    def total_minor(self, at_s: int) -> int:
        """Return what a stay that ends at `at_s` costs."""
        return self.coupons.due_minor(self.price_minor(at_s))

    def allowances_taken_s(self, at_s: int) -> dict[str, dict[str, int]]:
        """Return what a stay that ends at `at_s` took, by allowance and period."""
        if not self.table.allowances or self.is_in_grace(at_s) or self.package(at_s) is not None:
            return {}
        return taken_s(self.table, [charge.run for charge in self.charges(at_s)], at_s)

    def next_change_s(self, at_s: int) -> int | None:
        """Return the first tick after `at_s` at which the total differs.

        None if it does not within `CHANGE_HORIZON_DAYS`, or within more stretches that cost
        nothing than any real table has in that time. Between two candidates the total cannot
        change, so each is tried in turn; there are at most two more than edges of packages.
        """
        total_minor = self.total_minor(at_s)
        candidate_s = self._candidate_s(at_s)
        while candidate_s is not None and candidate_s < self._until_s:
            if self.total_minor(candidate_s) != total_minor:
                return candidate_s
            candidate_s = self._candidate_s(candidate_s)
        return None

    def curve(self, until_s: int) -> list[tuple[int, int]]:
        """Return the ticks from the entry to `until_s` at which the total is another, and it."""
        steps = self._after_grace(self._ladder.steps(until_s), until_s)
        if self._offers or self.coupons or self._tick_s > 1:
            return list(self._changes(steps, until_s))
        return [(self.entered_s, 0), *steps]

    def _after_grace(self, steps: list[tuple[int, int]], until_s: int) -> list[tuple[int, int]]:
        """Return the steps, of which those within grace are one at its end."""
        after_s = self._grace_ends_s + 1
        count = bisect_right(steps, after_s, key=itemgetter(0))
        if not count:
            return steps
        within = [(after_s, steps[count - 1][1])] if after_s <= until_s else []
        return within + steps[count:]

    def _changes(self, steps: list[tuple[int, int]], until_s: int) -> Iterator[tuple[int, int]]:
        """Yield the steps of the total that those of ladder, packages and grace result in."""
        edges = {edge for offer in self._offers for edge in offer[:2]}
        edges |= {at_s for at_s, _ in steps} | {self._grace_ends_s + 1}
        last_minor = self.total_minor(self.entered_s)
        yield self.entered_s, last_minor
        for at_s in sorted({self._tick_from(edge) for edge in edges}):
            if not self.entered_s < at_s <= until_s:
                continue
            minor = self.total_minor(at_s)
            if minor != last_minor:
                yield at_s, minor
                last_minor = minor

    def _tick_from(self, at_s: int) -> int:
        """Return the first tick that is not before `at_s`."""
        return self.tick_of(at_s + self._tick_s - 1)

    def _candidate_s(self, at_s: int) -> int | None:
        """Return the first tick after `at_s` that could bring another total."""
        edges = [edge for offer in self._offers for edge in offer[:2] if edge > at_s]
        if self.is_in_grace(at_s):
            edges.append(self._grace_ends_s + 1)
        # While a package sets the price, the ladder below it only rises.
        elif self.package(at_s) is None:
            minor = self.ladder_minor(at_s)
            more_minor = self.coupons.price_for_more(minor, _PRICE_MINOR_MAX)
            step_s = None if more_minor is None else self._ladder.reached_s(more_minor)
            if step_s is not None:
                edges.append(step_s)
        return None if not edges else self._tick_from(min(edges))


def _free(run: Run) -> Charge:
    return Charge(run, 0)

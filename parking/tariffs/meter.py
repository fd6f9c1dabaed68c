"""The running total of one stay and the instants at which it changes."""

from typing import Final

from parking.kit.errors import InvalidInputError
from parking.tariffs.caps import Charge, charges
from parking.tariffs.packages import PackageOffer, package_offers
from parking.tariffs.rate_table import RateTable

CHANGE_HORIZON_DAYS: Final = 400
# A table of tiny windows and periods could otherwise make one stay cost seconds of work.
CHARGES_MAX: Final = 100_000
_FREE_CHARGES_AHEAD_MAX: Final = 20_000
_DAY_S: Final = 86_400


class StayMeter:
    """What one stay costs, read at instants that only move forward.

    All instants are whole seconds since 1970 and on the table's tick, counted from the entry.
    """

    def __init__(self, table: RateTable, entered_s: int, as_of_s: int) -> None:
        self.entered_s = entered_s
        self.begins_s = entered_s + table.free_first_minutes * 60
        self._grace_ends_s = entered_s + table.grace_minutes * 60
        self._tick_s = 60 if table.tick == "minute" else 1
        self._until_s = as_of_s + CHANGE_HORIZON_DAYS * _DAY_S
        self._ladder = _LadderMeter(table, self.begins_s, self._until_s)
        self._offers = package_offers(table, entered_s)

    def tick_of(self, at_s: int) -> int:
        """Return the last tick that is not after `at_s`."""
        return at_s - (at_s - self.entered_s) % self._tick_s

    def is_in_grace(self, at_s: int) -> bool:
        """Whether a stay that ends at `at_s` is short enough to cost nothing."""
        return at_s <= self._grace_ends_s

    def advance(self, at_s: int) -> list[Charge]:
        """Move on to `at_s`; return the charges that have started since the last call."""
        return self._ladder.advance(at_s)

    def ladder_minor(self, at_s: int) -> int:
        """Return what the ladders and caps charge by `at_s`, before grace and packages."""
        return self._ladder.total_minor(at_s)

    def package(self, at_s: int) -> PackageOffer | None:
        """Return the package that makes a stay that ends at `at_s` cheaper, the cheapest first."""
        valid = (offer for offer in self._offers if offer.from_s <= at_s < offer.until_s)
        cheapest = min(valid, key=lambda offer: offer.amount_minor, default=None)
        if cheapest is None or cheapest.amount_minor >= self.ladder_minor(at_s):
            return None
        return cheapest

    def total_minor(self, at_s: int) -> int:
        """Return what a stay that ends at `at_s` costs."""
        if self.is_in_grace(at_s):
            return 0
        package = self.package(at_s)
        return self.ladder_minor(at_s) if package is None else package.amount_minor

    def next_change_s(self, at_s: int) -> int | None:
        """Return the first tick after `at_s` at which the total differs.

        None if it does not within `CHANGE_HORIZON_DAYS`, or within more stretches that cost
        nothing than any real table has in that time. Between two candidates the total cannot
        change, so each is tried in turn; there are at most two more than edges of packages.
        """
        total_minor = self.total_minor(at_s)
        candidate_s = self._candidate_s(at_s)
        while candidate_s is not None and candidate_s < self._until_s:
            self.advance(candidate_s)
            if self.total_minor(candidate_s) != total_minor:
                return candidate_s
            candidate_s = self._candidate_s(candidate_s)
        return None

    def _candidate_s(self, at_s: int) -> int | None:
        """Return the first tick after `at_s` that could bring another total."""
        edges = [edge for offer in self._offers for edge in offer[:2] if edge > at_s]
        if self.is_in_grace(at_s):
            edges.append(self._grace_ends_s + 1)
        # While a package sets the price, the ladder below it only rises.
        elif self.package(at_s) is None:
            step_s = self._ladder.next_step_s(at_s)
            if step_s is not None:
                edges.append(step_s)
        return None if not edges else self.tick_of(min(edges) + self._tick_s - 1)


class _LadderMeter:
    """What the ladders and caps charge."""

    def __init__(self, table: RateTable, from_s: int, until_s: int) -> None:
        self._source = charges(table, from_s, until_s)
        self._settled_minor = 0
        self._current: Charge | None = None
        self._taken = 0
        self._ahead = next(self._source, None)

    def advance(self, at_s: int) -> list[Charge]:
        started: list[Charge] = []
        while self._ahead is not None and self._ahead.run.starts_s < at_s:
            if self._current is not None:
                self._settled_minor += self._current.final_minor
            self._current = self._ahead
            started.append(self._current)
            self._take()
        return started

    def total_minor(self, at_s: int) -> int:
        if self._current is None:
            return 0
        return self._settled_minor + self._current.net_minor(at_s)

    def next_step_s(self, at_s: int) -> int | None:
        """Return the first second after `at_s` with a higher total; None if there is none."""
        if self._current is not None:
            step_s = self._current.next_step_s(at_s)
            if step_s is not None or self._current.is_last:
                return step_s
        # What costs nothing can be dropped: it never changes a total.
        for _ in range(_FREE_CHARGES_AHEAD_MAX):
            if self._ahead is None or self._ahead.final_minor:
                break
            if self._ahead.is_last:
                return None
            self._ahead = next(self._source, None)
        return None if self._ahead is None else self._ahead.next_step_s(at_s)

    def _take(self) -> None:
        self._taken += 1
        if self._taken > CHARGES_MAX:
            raise InvalidInputError("rate_table", f"at most {CHARGES_MAX} charges in one stay")
        self._ahead = next(self._source, None)

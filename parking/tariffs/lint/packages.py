"""Packages that no stay gets, and stays that cost less than shorter ones."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from parking.kit.money import Money
from parking.tariffs.lint.budget import Budget
from parking.tariffs.lint.findings import Finding, Severity, WorkedStay, worked_stay
from parking.tariffs.lint.week import TriedDay
from parking.tariffs.packages import PackageOffer, package_offers
from parking.tariffs.rate_table import MINUTES_PER_DAY, RatePackage, RateTable, minute_of_day
from parking.tariffs.rules import price_curve
from parking.tariffs.wall_clock import instant_of

ENTRIES_MAX: Final = 200
_DAY_S: Final = 86_400
# A ladder and its caps show their nature within two days.
_PLAIN_DAYS: Final = 2
_COARSE_MINUTES: Final = 360


class _Drop(NamedTuple):
    """A price that falls: the stay before and the longer, cheaper one."""

    before: WorkedStay
    after: WorkedStay

    @property
    def saved_minor(self) -> int:
        return self.before.amount_minor - self.after.amount_minor


def package_findings(
    table: RateTable, days: Sequence[TriedDay], budget: Budget
) -> Iterator[Finding]:
    """Yield the packages without a use and the prices that fall as a stay grows."""
    for index, package in enumerate(table.packages):
        entries = sorted(_package_entries(table, package, days))
        if not any(_is_used(table, index, entered_s, budget) for entered_s in entries):
            yield _unreachable(table, entries, index)
        drops = [
            drop
            for entered_s in entries
            if (drop := _drop_at(table, index, entered_s, budget)) is not None
        ]
        if drops:
            yield _falls(table, index, max(drops, key=lambda drop: drop.saved_minor))
    yield from _plain_falls(table, days, budget)


def _plain_falls(table: RateTable, days: Sequence[TriedDay], budget: Budget) -> Iterator[Finding]:
    """Yield a price that falls though no package makes it: ladders and caps must never do that."""
    if any(line.kind == "per_second" for each in table.collections for line in each.lines):
        # Its curve has a step a second, and each second adds.
        return
    plain = table.model_copy(update={"packages": ()})
    length_s = _PLAIN_DAYS * _DAY_S
    for entered_s in _entries(table, days):
        if not budget.allows(plain, length_s):
            return
        steps = price_curve(plain, instant_of(entered_s), instant_of(entered_s + length_s))
        for lower, upper in pairwise(steps):
            if upper.total_minor < lower.total_minor:
                left_s = int(upper.at.timestamp())
                before, after = (worked_stay(plain, entered_s, at) for at in (left_s - 1, left_s))
                yield _falls(table, None, _Drop(before, after))
                return


def _entries(table: RateTable, days: Sequence[TriedDay]) -> list[int]:
    """Return instants of entry through the week, about every edge of a window."""
    edges = {minute_of_day(text) for each in table.collections for text in each.window}
    minutes = {edge + step for edge in edges for step in (-1, 0, 1)}
    minutes |= set(range(0, MINUTES_PER_DAY, _COARSE_MINUTES))
    inside = sorted(minute for minute in minutes if 0 <= minute < MINUTES_PER_DAY)
    entries = [day.wall_s(table, minute) for day in days for minute in inside]
    return entries[:: -(-len(entries) // ENTRIES_MAX)]


def _package_entries(
    table: RateTable, package: RatePackage, days: Sequence[TriedDay]
) -> Iterator[int]:
    opens, closes = (minute_of_day(text) for text in package.enter)
    closes += MINUTES_PER_DAY if closes <= opens else 0
    for day in days:
        for minute in {opens, (opens + closes) // 2, closes - 1}:
            yield day.wall_s(table, minute)


def _is_used(table: RateTable, index: int, entered_s: int, budget: Budget) -> bool:
    """Whether a stay that enters then can end in the package."""
    offer = _offer(table, index, entered_s)
    if offer is None or offer.until_s <= max(offer.from_s, entered_s):
        return False
    # The ladder only rises, so that the package is worth most to the longest stay it is for.
    last_s = offer.until_s - 1
    if not budget.allows(table, 2 * (last_s - entered_s)):
        return True
    others = tuple(each for number, each in enumerate(table.packages) if number != index)
    without = table.model_copy(update={"packages": others})
    return worked_stay(table, entered_s, last_s) != worked_stay(without, entered_s, last_s)


def _offer(table: RateTable, index: int, entered_s: int) -> PackageOffer | None:
    alone = table.model_copy(update={"packages": (table.packages[index],)})
    return next(iter(package_offers(alone, entered_s)), None)


def _unreachable(table: RateTable, tried_s: Sequence[int], index: int) -> Finding:
    package = table.packages[index]
    entries = [
        (entered_s, offer)
        for entered_s in tried_s
        if (offer := _offer(table, index, entered_s)) is not None and offer.until_s > entered_s
    ]
    amount = Money(package.amount_minor, table.currency).format()
    if not entries:
        why, stays = "no stay enters and leaves in its windows", ()
    else:
        entered_s, offer = entries[0]
        why = f"whoever enters and leaves in its windows never pays more than {amount} without it"
        stays = (worked_stay(table, entered_s, offer.until_s - 1),)
    return Finding(
        Severity.ERROR,
        "package_unreachable",
        f"packages.{index}",
        f"{_named(table, index)} never counts: {why}",
        stays,
    )


def _drop_at(table: RateTable, index: int, entered_s: int, budget: Budget) -> _Drop | None:
    """Return how the price falls where the package begins: elsewhere it can only rise."""
    offer = _offer(table, index, entered_s)
    if offer is None or not entered_s < offer.from_s < offer.until_s:
        return None
    if not budget.allows(table, 2 * (offer.from_s - entered_s)):
        return None
    before, after = (worked_stay(table, entered_s, at) for at in (offer.from_s - 1, offer.from_s))
    is_paid = after.amount_minor == offer.amount_minor
    return _Drop(before, after) if is_paid and after.amount_minor < before.amount_minor else None


def _falls(table: RateTable, culprit: int | None, drop: _Drop) -> Finding:
    before = Money(drop.before.amount_minor, table.currency).format()
    after = Money(drop.after.amount_minor, table.currency).format()
    entered, earlier, later = (
        moment.astimezone(table.zone)
        for moment in (drop.after.entered_at, drop.before.left_at, drop.after.left_at)
    )
    stays = (
        f"who enters on {entered:%a} at {entered:%H:%M} pays {before} until {earlier:%a %H:%M}, "
        f"and {after} from {later:%a %H:%M} on"
    )
    if culprit is None:
        words = f"a longer stay costs less: {stays}"
        return Finding(Severity.ERROR, "longer_costs_less", "", words, (drop.before, drop.after))
    return Finding(
        Severity.WARNING,
        "longer_costs_less",
        f"packages.{culprit}",
        f"with {_named(table, culprit)} a longer stay costs less: {stays}",
        (drop.before, drop.after),
    )


def _named(table: RateTable, index: int) -> str:
    name = table.packages[index].name
    return f"packages.{index} ({name})" if name else f"packages.{index}"

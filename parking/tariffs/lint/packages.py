"""Packages that no stay gets, and stays that cost less than shorter ones."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from parking.kit.money import Money
from parking.tariffs.lint.findings import Finding, Severity, WorkedStay, worked_stay
from parking.tariffs.lint.week import TriedDay
from parking.tariffs.packages import PackageOffer, package_offers
from parking.tariffs.rate_table import MINUTES_PER_DAY, RatePackage, RateTable, minute_of_day
from parking.tariffs.rules import price_curve
from parking.tariffs.wall_clock import instant_of

ENTRIES_MAX: Final = 400
ENTRIES_MIN: Final = 16
_MINUTE_S: Final = 60
_DAY_S: Final = 86_400
# Packages reach over at most a month; a plain ladder shows its nature within two days.
_PLAIN_DAYS: Final = 2
_COARSE_MINUTES: Final = 60
_COARSE_MINUTES_PLAIN: Final = 360
_SAMPLED_EVERY_S: Final = 3600


class _Drop(NamedTuple):
    """A price that falls: the stay before and the longer, cheaper one."""

    before: WorkedStay
    after: WorkedStay

    @property
    def saved_minor(self) -> int:
        return self.before.amount_minor - self.after.amount_minor


def package_findings(table: RateTable, days: Sequence[TriedDay]) -> Iterator[Finding]:
    """Yield the packages without a use and the prices that fall as a stay grows."""
    for index, package in enumerate(table.packages):
        entries = sorted(_package_entries(table, package, days))
        if not any(_is_used(table, index, entered_s) for entered_s in entries):
            yield _unreachable(table, entries, index)
    worst: dict[int | None, _Drop] = {}
    for entered_s in _entries(table, days):
        for drop in _drops(table, entered_s):
            culprit = _culprit(table, entered_s, drop)
            known = worst.get(culprit)
            if known is None or drop.saved_minor > known.saved_minor:
                worst[culprit] = drop
    for culprit, drop in sorted(worst.items(), key=lambda item: -1 if item[0] is None else item[0]):
        yield _falls(table, culprit, drop)


def _entries(table: RateTable, days: Sequence[TriedDay]) -> list[int]:
    """Return instants of entry through the week: where packages begin and end, and some others."""
    needed: set[int] = set()
    for package in table.packages:
        needed |= set(_package_entries(table, package, days))
    edges = {minute_of_day(text) for each in table.collections for text in each.window}
    minutes = {edge + step for edge in edges for step in (-1, 0, 1)}
    minutes |= set(range(0, MINUTES_PER_DAY, _coarse_minutes(table)))
    inside = sorted(minute for minute in minutes if 0 <= minute < MINUTES_PER_DAY)
    others = [day.wall_s(table, minute) for day in days for minute in inside]
    # A table of many parts takes longer to price: it is tried less often.
    parts = len(table.collections) + len(table.caps) + len(table.packages)
    wanted = max(ENTRIES_MAX // parts, ENTRIES_MIN)
    return sorted(needed | set(others[:: -(-len(others) // wanted)]))


def _package_entries(
    table: RateTable, package: RatePackage, days: Sequence[TriedDay]
) -> Iterator[int]:
    opens, closes = (minute_of_day(text) for text in package.enter)
    closes += MINUTES_PER_DAY if closes <= opens else 0
    for day in days:
        for minute in {opens, (opens + closes) // 2, closes - 1}:
            yield day.wall_s(table, minute)


def _coarse_minutes(table: RateTable) -> int:
    return _COARSE_MINUTES if table.packages else _COARSE_MINUTES_PLAIN


def _is_used(table: RateTable, index: int, entered_s: int) -> bool:
    """Whether a stay that enters then can end in the package."""
    offer = _offer(table, index, entered_s)
    if offer is None or offer.until_s <= max(offer.from_s, entered_s):
        return False
    # The ladder only rises, so that the package is worth most to the longest stay it is for.
    last_s = offer.until_s - 1
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


def _drops(table: RateTable, entered_s: int) -> Iterator[_Drop]:
    for lower, upper in pairwise(_prices(table, entered_s)):
        if upper.amount_minor < lower.amount_minor:
            left_s = int(upper.left_at.timestamp())
            yield _Drop(worked_stay(table, entered_s, left_s - 1), upper)


def _prices(table: RateTable, entered_s: int) -> list[WorkedStay]:
    """Return the stay at instants between which its price does not fall unseen."""
    offers = package_offers(table, entered_s)
    until_s = max(
        [entered_s + _PLAIN_DAYS * _DAY_S, *(offer.until_s + _MINUTE_S for offer in offers)]
    )
    if not _changes_by_the_second(table):
        entered_at = instant_of(entered_s)
        steps = price_curve(table, entered_at, instant_of(until_s))
        return [WorkedStay(entered_at, step.at, step.total_minor) for step in steps]
    instants = set(range(entered_s, until_s, _SAMPLED_EVERY_S))
    for offer in offers:
        instants |= {offer.from_s - 1, offer.from_s, offer.until_s - 1, offer.until_s}
    return [worked_stay(table, entered_s, at) for at in sorted(instants) if at >= entered_s]


def _changes_by_the_second(table: RateTable) -> bool:
    return any(line.kind == "per_second" for each in table.collections for line in each.lines)


def _culprit(table: RateTable, entered_s: int, drop: _Drop) -> int | None:
    """Return which package makes the longer stay cheaper; None where none does."""
    left_s = int(drop.after.left_at.timestamp())
    for index, package in enumerate(table.packages):
        offer = _offer(table, index, entered_s)
        is_paid = package.amount_minor == drop.after.amount_minor
        if is_paid and offer is not None and offer.from_s <= left_s < offer.until_s:
            return index
    return None


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

"""The start of a stay: the free time at its beginning, after which the ladder starts."""

from collections.abc import Sequence
from typing import NamedTuple

from parking.tariffs.allowances import AllowanceBalance
from parking.tariffs.coupons import Coupons
from parking.tariffs.exemptions import Exempt
from parking.tariffs.rate_table import RateTable
from parking.tariffs.run import PriceReason, Run
from parking.tariffs.schedule import tiles


class Opening(NamedTuple):
    """What comes before the ladder.

    Attributes:
        runs: Free stretches from the entry on, without a gap.
        counts_from_s: From when grace counts: the entry, or the end of an exemption over it.
        begins_s: Where the ladder starts.
    """

    runs: tuple[Run, ...]
    counts_from_s: int
    begins_s: int


def opening(
    table: RateTable,
    coupons: Coupons,
    exempt: Sequence[Exempt],
    balance: AllowanceBalance,
    entered_s: int,
    until_s: int,
) -> Opening:
    """Return the free time at the beginning of a stay; what it uses is taken from `balance`."""
    runs = _exempt_runs(exempt, entered_s)
    counts_from_s = at_s = _end(runs, entered_s)
    minutes = [(PriceReason.FREE_FIRST, table.free_first_minutes, "")]
    minutes += [
        (PriceReason.VALIDATION, each.value or 0, each.name) for each in coupons.free_minutes
    ]
    for reason, count, note in minutes:
        if count:
            runs.append(Run(reason, None, at_s, at_s, at_s + count * 60, note=note))
            at_s = runs[-1].ends_s
    while at_s < until_s:
        more = _exempt_runs(exempt, at_s) or _allowance_runs(table, balance, at_s, until_s)
        if not more:
            break
        runs += more
        at_s = _end(more, at_s)
    return Opening(tuple(runs), counts_from_s, at_s)


def _end(runs: Sequence[Run], otherwise_s: int) -> int:
    return runs[-1].ends_s if runs else otherwise_s


def _exempt_runs(exempt: Sequence[Exempt], at_s: int) -> list[Run]:
    """Return the exemptions that cover `at_s` and follow one another."""
    runs: list[Run] = []
    for each in exempt:
        if each.starts_s <= at_s < each.ends_s:
            runs.append(Run(each.reason, None, at_s, at_s, each.ends_s, note=each.note))
            at_s = each.ends_s
    return runs


def _allowance_runs(
    table: RateTable, balance: AllowanceBalance, at_s: int, until_s: int
) -> list[Run]:
    """Return the allowance that covers `at_s`, if the ladder would start with a charge there."""
    if not balance:
        return []
    tile = next(tiles(table, at_s, until_s))
    if tile.collection is None:
        return []
    first = table.collections[tile.collection].ladder[0]
    if first.from_minutes or not first.amount_minor:
        return []
    run = balance.take(at_s, tile.ends_s)
    return [] if run is None else [run]

"""Caps lower than what they cap, and caps that no stay meets."""

from collections.abc import Iterator, Sequence
from typing import Final

from parking.kit.money import Money
from parking.tariffs.lint.budget import Budget
from parking.tariffs.lint.findings import Finding, Severity, worked_stay
from parking.tariffs.lint.week import TriedDay
from parking.tariffs.rate_table import RateLineCollection, RateTable

_DAY_S: Final = 86_400
# A cap that is never met takes nothing off any of these stays.
_PROBE_DAYS: Final = (1, 2, 3, 7, 30)
_ENTRIES_MAX: Final = 40
_WHOLE_CHARGES: Final = frozenset({"increment", "flat"})


def cap_findings(table: RateTable, days: Sequence[TriedDay], budget: Budget) -> Iterator[Finding]:
    """Yield the caps that do something other than their author can mean."""
    for index, cap in enumerate(table.caps):
        counted = (
            table.collections if cap.collection is None else (table.collections[cap.collection],)
        )
        path = f"caps.{index}"
        yield from _below_block(table, days, counted, f"{path}.amount", cap.amount_minor)
        rest = tuple(other for number, other in enumerate(table.caps) if number != index)
        yield from _unreachable(table, table.model_copy(update={"caps": rest}), days, path, budget)
    for index, collection in enumerate(table.collections):
        if collection.cap_minor is None:
            continue
        path = f"collections.{index}.cap"
        yield from _below_block(table, days, (collection,), path, collection.cap_minor)
        # Without its cap the collection's days would join, which the cap keeps apart.
        uncapped = collection.model_copy(
            update={"cap_minor": None, "join_days": collection.is_joined}
        )
        others = tuple(
            uncapped if number == index else other for number, other in enumerate(table.collections)
        )
        without = table.model_copy(update={"collections": others})
        yield from _unreachable(table, without, days, path, budget)


def _below_block(
    table: RateTable,
    days: Sequence[TriedDay],
    counted: Sequence[RateLineCollection],
    path: str,
    cap_minor: int,
) -> Iterator[Finding]:
    amounts = [
        line.amount_minor
        for collection in counted
        for line in collection.lines
        if line.kind in _WHOLE_CHARGES
    ]
    highest = max(amounts, default=0)
    if highest <= cap_minor:
        return
    block = Money(highest, table.currency).format()
    starts = (
        day.wall_s(table, span.starts)
        for day in days
        for span in day.spans
        if span.collections
        and any(table.collections[span.collections[0]] is each for each in counted)
    )
    entered_s = next(starts, days[0].wall_s(table, 0))
    yield Finding(
        Severity.ERROR,
        "cap_below_block",
        path,
        f"the cap of {Money(cap_minor, table.currency).format()} is lower than one block of "
        f"{block}: nobody ever pays that block in full",
        (worked_stay(table, entered_s, entered_s + _DAY_S),),
    )


def _unreachable(
    table: RateTable, without: RateTable, days: Sequence[TriedDay], path: str, budget: Budget
) -> Iterator[Finding]:
    starts = sorted({day.wall_s(table, span.starts) for day in days for span in day.spans})
    entries = starts[:: -(-len(starts) // _ENTRIES_MAX)]
    for entered_s in entries:
        for length in _PROBE_DAYS:
            left_s = entered_s + length * _DAY_S
            if not budget.allows(table, 2 * length * _DAY_S):
                return
            if worked_stay(table, entered_s, left_s) != worked_stay(without, entered_s, left_s):
                return
    yield Finding(
        Severity.WARNING,
        "cap_unreachable",
        path,
        "the cap is never met: without it every stay costs the same",
        (worked_stay(table, entries[0], entries[0] + _PROBE_DAYS[-1] * _DAY_S),),
    )

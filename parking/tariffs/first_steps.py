"""The beginning of a price curve, also of one that has a step every second."""

from datetime import datetime
from itertools import chain, islice, takewhile

from parking.tariffs.rules import Circumstances, PriceStep, RateTable, price, steps_after


def changes_by_the_second(table: RateTable) -> bool:
    """Whether any line of the table, or of a variant, counts seconds."""
    tables = [table, *(table.table_of(variant) for variant in table.variants)]
    collections = [collection for each in tables for collection in each.collections]
    return any(line.kind == "per_second" for each in collections for line in each.lines)


def first_steps(
    table: RateTable,
    entered_at: datetime,
    until: datetime,
    circumstances: Circumstances,
    *,
    steps_max: int,
) -> tuple[PriceStep, ...]:
    """Return the first `steps_max` steps of the price; the work is bounded by them.

    Raises:
        InvalidInputError: as `price`.
    """
    at_entry = price(table, entered_at, entered_at, circumstances).total.amount_minor
    steps = chain(
        (PriceStep(entered_at, at_entry),),
        steps_after(table, entered_at, entered_at, circumstances),
    )
    return tuple(islice(takewhile(lambda step: step.at <= until, steps), steps_max))

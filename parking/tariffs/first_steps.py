"""The beginning of a price curve, also of one that has a step every second."""

from datetime import datetime

from parking.tariffs.rules import Circumstances, PriceStep, RateTable, price, price_curve


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
    if not changes_by_the_second(table):
        return price_curve(table, entered_at, until, circumstances)[:steps_max]
    steps: list[PriceStep] = []
    at: datetime | None = entered_at
    while at is not None and at <= until and len(steps) < steps_max:
        priced = price(table, entered_at, at, circumstances)
        steps.append(PriceStep(at, priced.total.amount_minor))
        at = priced.next_change_at
    return tuple(steps)

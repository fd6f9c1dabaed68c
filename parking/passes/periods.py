"""When a pass's periods begin and end, and what a part of one costs: pure, in whole cents."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from parking.kit.money import divide_half_up

MONTHS_PER_YEAR = 12


class PeriodKind(StrEnum):
    """What one price pays for."""

    CALENDAR_MONTH = "calendar_month"
    DAYS = "days"


@dataclass(frozen=True, slots=True)
class PeriodTerms:
    """What one price pays for.

    Attributes:
        days: The length of a period of DAYS; None for calendar months.
        is_prorated: Periods are the months of the calendar, and the first, begun in the middle of
            one, costs its share. Without it a month runs from the day of the purchase.
    """

    kind: PeriodKind
    days: int | None = None
    is_prorated: bool = False


def boundary(terms: PeriodTerms, first_day: date, index: int) -> date:
    """Return the day on which the period `index` (from 0) begins: the end of the one before.

    Every boundary is counted from the first day, so that it never drifts: a pass from 31 January
    ends on the last day of February and on 31 March.
    """
    if index == 0:
        return first_day
    if terms.kind == PeriodKind.DAYS:
        return first_day + timedelta(days=index * (terms.days or 1))
    if terms.is_prorated:
        return _add_months(first_day.replace(day=1), index)
    return _add_months(first_day, index)


def first_price(terms: PeriodTerms, first_day: date, price_minor: int) -> int:
    """Return what the first period costs: price x remaining days / days of the month.

    The first day counts as a whole one. Half a cent is rounded up.
    """
    if terms.kind == PeriodKind.DAYS or not terms.is_prorated:
        return price_minor
    days_of_month = calendar.monthrange(first_day.year, first_day.month)[1]
    remaining_days = days_of_month - first_day.day + 1
    return prorate(price_minor, remaining_days, days_of_month)


def unused_price(begins: date, ends: date, today: date, paid_minor: int) -> int:
    """Return what of `paid_minor` pays for the days after `today`, of a period `[begins, ends)`.

    A day that has begun counts as used. Half a cent is rounded up.
    """
    days = (ends - begins).days
    unused_days = (ends - max(begins, today + timedelta(days=1))).days
    return prorate(paid_minor, min(max(unused_days, 0), days), days)


def prorate(amount_minor: int, part_days: int, whole_days: int) -> int:
    """Return `amount_minor` x `part_days` / `whole_days` in whole cents, half a cent rounded up."""
    return divide_half_up(amount_minor * part_days, whole_days)


def _add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * MONTHS_PER_YEAR + day.month - 1 + months, MONTHS_PER_YEAR)
    month += 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))

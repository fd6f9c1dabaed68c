"""When periods end and what a part of one costs."""

import calendar
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.passes.periods import (
    PeriodKind,
    PeriodTerms,
    boundary,
    first_price,
    prorate,
    unused_price,
)

MONTH = PeriodTerms(PeriodKind.CALENDAR_MONTH)
PRORATED = PeriodTerms(PeriodKind.CALENDAR_MONTH, is_prorated=True)
DAYS = st.dates(date(2024, 1, 1), date(2060, 12, 31))
PRICES = st.integers(0, 10_000_000)


@pytest.mark.parametrize(
    ("first", "index", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 1, 31), 2, date(2026, 3, 31)),
        (date(2026, 1, 31), 3, date(2026, 4, 30)),
        (date(2026, 1, 31), 13, date(2027, 2, 28)),
        (date(2027, 12, 31), 2, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2028, 2, 29), 48, date(2032, 2, 29)),
        (date(2026, 11, 23), 0, date(2026, 11, 23)),
        (date(2026, 11, 23), 2, date(2027, 1, 23)),
    ],
)
def test_a_month_runs_from_the_day_of_the_purchase_and_never_drifts(
    first: date, index: int, expected: date
) -> None:
    assert boundary(MONTH, first, index) == expected


def test_prorated_periods_are_the_months_of_the_calendar() -> None:
    ends = [boundary(PRORATED, date(2026, 11, 23), index) for index in range(4)]
    assert ends == [date(2026, 11, 23), date(2026, 12, 1), date(2027, 1, 1), date(2027, 2, 1)]


def test_periods_of_days() -> None:
    week = PeriodTerms(PeriodKind.DAYS, 7)
    assert boundary(week, date(2028, 2, 25), 1) == date(2028, 3, 3)
    assert boundary(week, date(2026, 2, 25), 10) == date(2026, 5, 6)


@pytest.mark.parametrize(
    ("day", "price_minor", "expected"),
    [
        (date(2026, 11, 1), 30_000, 30_000),
        (date(2026, 11, 23), 30_000, 8_000),
        (date(2026, 11, 30), 30_000, 1_000),
        (date(2026, 2, 28), 9_999, 357),  # 357.107 cents
        (date(2028, 2, 29), 9_999, 345),  # 344.79
        (date(2026, 1, 31), 31, 1),
        (date(2026, 4, 16), 1, 1),  # Half a cent is rounded up.
        (date(2026, 4, 17), 1, 0),
    ],
)
def test_the_first_month_costs_its_share(day: date, price_minor: int, expected: int) -> None:
    assert first_price(PRORATED, day, price_minor) == expected
    assert first_price(MONTH, day, price_minor) == price_minor


@given(day=DAYS, price_minor=PRICES)
def test_a_share_is_the_nearest_cent_and_never_more_than_the_price(
    day: date, price_minor: int
) -> None:
    days = calendar.monthrange(day.year, day.month)[1]
    share = first_price(PRORATED, day, price_minor)
    exact_times_days = price_minor * (days - day.day + 1)
    assert 0 <= share <= price_minor
    assert -days <= 2 * (exact_times_days - share * days) < days
    tomorrow = day + timedelta(days=1)
    if tomorrow.month == day.month:
        assert first_price(PRORATED, tomorrow, price_minor) <= share


@given(first=DAYS, index=st.integers(0, 200), terms=st.sampled_from((MONTH, PRORATED)))
def test_periods_follow_each_other_without_gap_in_every_month(
    first: date, index: int, terms: PeriodTerms
) -> None:
    begins, ends = boundary(terms, first, index), boundary(terms, first, index + 1)
    assert begins < ends
    assert (ends.year * 12 + ends.month) - (begins.year * 12 + begins.month) == 1
    last_of_month = calendar.monthrange(ends.year, ends.month)[1]
    anchor = 1 if terms.is_prorated else first.day
    assert ends.day == min(anchor, last_of_month)


def test_a_day_that_has_begun_is_used() -> None:
    begins, ends = date(2026, 11, 1), date(2026, 12, 1)
    assert unused_price(begins, ends, date(2026, 10, 20), 30_000) == 30_000
    assert unused_price(begins, ends, date(2026, 11, 1), 30_000) == 29_000
    assert unused_price(begins, ends, date(2026, 11, 29), 30_000) == 1_000
    assert unused_price(begins, ends, date(2026, 11, 30), 30_000) == 0
    assert unused_price(begins, ends, date(2026, 12, 24), 30_000) == 0
    assert unused_price(begins, ends, date(2026, 11, 10), 9_999) == 6_666
    assert prorate(5, 1, 2) == 3


@given(paid_minor=PRICES, day=DAYS, used=st.integers(-5, 400))
def test_never_more_goes_back_than_was_paid(paid_minor: int, day: date, used: int) -> None:
    ends = boundary(MONTH, day, 1)
    back = unused_price(day, ends, day + timedelta(days=used), paid_minor)
    assert 0 <= back <= paid_minor

"""A price that remembers its stay is the price."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from parking.tariffs.rules import CHARGES_KEPT_MAX, Circumstances, KeptPrice, RateTable, price
from tests.unit.tariffs.own_tables import parsed
from tests.unit.tariffs.right_strategies import circumstances, rightful_tables
from tests.unit.tariffs.strategies import ANCHORS, durations, entries


@settings(max_examples=40, derandomize=True)
@given(
    rightful_tables(with_packages=True),
    entries(),
    st.lists(durations(), min_size=2, max_size=5),
    circumstances(),
)
def test_it_is_the_price_in_any_order_of_the_moments(
    table: RateTable, entered_at: datetime, looks: list[timedelta], rights: Circumstances
) -> None:
    kept = KeptPrice()
    for look in looks:
        again = kept(table, entered_at, entered_at + look, rights)
        once = price(table, entered_at, entered_at + look, rights)
        assert again == once
        assert again.next_change_at == once.next_change_at


def test_a_stay_of_many_charges_is_not_kept() -> None:
    windows = [
        {"window": window, "cap": 100, "lines": [{"kind": "increment", "value": 10, "block": 1}]}
        for window in (["00:00", "12:00"], ["12:00", "24:00"])
    ]
    table = parsed({"timezone": "UTC", "currency": "EUR", "collections": windows})
    kept, entered_at = KeptPrice(), ANCHORS[0]
    for days in (1, CHARGES_KEPT_MAX, 1):
        left_at = entered_at + timedelta(days=days)
        assert kept(table, entered_at, left_at) == price(table, entered_at, left_at)
        assert (kept._meter is None) == (days > 1)  # pyright: ignore[reportPrivateUsage]

"""What the demo's places charge, worked by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parking.kit.money import Money
from parking.tariffs.rules import price, read_rate_table
from sesame.demo.rate_tables import DROP_OFF, OLD_TOWN, SHOPPING_CENTRE
from sesame.demo.town import PLANS

NOON_IN_BERLIN = datetime(2026, 11, 23, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("table", "stay_s", "amount"),
    [
        (SHOPPING_CENTRE, 600, Money(0, "CNY")),
        (SHOPPING_CENTRE, 601, Money(500, "CNY")),
        # From 19:00 to 19:00 in Shanghai: the day's cap, twice.
        (SHOPPING_CENTRE, 24 * 3600, Money(8000, "CNY")),
        (DROP_OFF, 0, Money(0, "CNY")),
        (DROP_OFF, 1, Money(5, "CNY")),
        (DROP_OFF, 60, Money(300, "CNY")),
        (OLD_TOWN, 0, Money(0, "EUR")),
        (OLD_TOWN, 1, Money(50, "EUR")),
        (OLD_TOWN, 601, Money(100, "EUR")),
    ],
)
def test_stays_cost(table: dict[str, Any], stay_s: int, amount: Money) -> None:
    left_at = NOON_IN_BERLIN + timedelta(seconds=stay_s)
    assert price(read_rate_table(table), NOON_IN_BERLIN, left_at).total == amount


def test_drop_off_changes_every_second() -> None:
    priced = price(read_rate_table(DROP_OFF), NOON_IN_BERLIN, NOON_IN_BERLIN + timedelta(seconds=7))
    assert priced.next_change_at == NOON_IN_BERLIN + timedelta(seconds=8)


def test_town_has_three_operators_and_five_places_in_two_zones_and_currencies() -> None:
    assert len(PLANS) == 5
    assert len({plan.operator for plan in PLANS}) == 3
    assert {plan.rate_table["timezone"] for plan in PLANS} == {"Asia/Shanghai", "Europe/Berlin"}
    assert {plan.rate_table["currency"] for plan in PLANS} == {"CNY", "EUR"}

"""When the price changes next: exact instants by hand."""

from datetime import timedelta
from typing import Any

import pytest

from parking.tariffs.rules import price, price_curve
from tests.unit.tariffs.own_tables import (
    DAY_AND_NIGHT,
    HOURLY,
    WORKED,
    flat,
    increment,
    local,
    parsed,
    table,
)

GRACE = WORKED["grace is absorbed"][0]
TICKS = WORKED["ticks of a minute"][0]
PRORATED_CAPPED = WORKED["in proportion under a daily cap, every day anew"][0]
SESSION_CAP = WORKED["a cap for the session"][0]
PACKAGES = WORKED["the cheapest package wins, also over midnight"][0]


@pytest.mark.parametrize(
    ("data", "entry", "as_of", "change"),
    [
        (HOURLY, "2025-03-03T09:00", "2025-03-03T09:00", "2025-03-03T09:00:01"),
        (HOURLY, "2025-03-03T09:00", "2025-03-03T09:00:01", "2025-03-03T10:00:01"),
        (HOURLY, "2025-03-03T09:00", "2025-03-03T10:00", "2025-03-03T10:00:01"),
        (GRACE, "2025-03-03T09:00", "2025-03-03T09:00", "2025-03-03T09:15:01"),
        (GRACE, "2025-03-03T09:00", "2025-03-03T09:15", "2025-03-03T09:15:01"),
        (GRACE, "2025-03-03T09:00", "2025-03-03T09:15:01", "2025-03-03T10:00:01"),
        (TICKS, "2025-03-03T09:00:30", "2025-03-03T09:01:30", "2025-03-03T10:01:30"),
        (PRORATED_CAPPED, "2025-03-03T09:00", "2025-03-03T09:00:01", "2025-03-03T09:00:07"),
        (PRORATED_CAPPED, "2025-03-03T09:00", "2025-03-03T15:00", "2025-03-04T09:00:01"),
        (DAY_AND_NIGHT, "2025-03-03T19:00", "2025-03-03T20:30", "2025-03-04T08:00:01"),
        # Clocks go forward in this night: 01:30 + 1 h is 03:30.
        (HOURLY, "2025-03-30T01:30", "2025-03-30T01:45", "2025-03-30T03:30:01"),
        # The package begins to hold, and ends.
        (PACKAGES, "2025-03-03T19:00", "2025-03-04T05:30", "2025-03-04T06:00"),
        (PACKAGES, "2025-03-03T19:00", "2025-03-04T06:00", "2025-03-04T10:00"),
        (PACKAGES, "2025-03-03T21:00", "2025-03-04T07:00", "2025-03-04T08:00"),
        (SESSION_CAP, "2025-03-03T09:00", "2025-03-03T11:00:01", None),
        (table({"lines": [flat(100, 0, 60)]}), "2025-03-03T09:00", "2025-03-03T09:01", None),
        (table({"lines": [increment(0, 60)]}), "2025-03-03T09:00", "2025-03-03T09:01", None),
    ],
)
def test_the_next_change_is_exact(
    data: dict[str, Any], entry: str, as_of: str, change: str | None
) -> None:
    priced = price(parsed(data), local(entry), local(as_of))
    assert priced.next_change_at == (None if change is None else local(change))


def test_a_change_beyond_the_horizon_is_no_change() -> None:
    holidays = {"days": ["holiday"], "lines": [flat(100)]}
    entered_at = local("2025-01-02T12:00")
    near = parsed(table(holidays, holidays=["2026-02-05"]))
    far = parsed(table(holidays, holidays=["2026-02-09"]))
    assert price(near, entered_at, entered_at).next_change_at == local("2026-02-05T00:00:01")
    assert price(far, entered_at, entered_at).next_change_at is None


def test_a_timer_that_fires_at_the_change_finds_another_price() -> None:
    parsed_table = parsed(DAY_AND_NIGHT)
    entered_at = local("2025-03-03T09:00:20.5")
    at, totals = entered_at, list[int]()
    while at < entered_at + timedelta(hours=26):
        priced = price(parsed_table, entered_at, at)
        totals.append(priced.total.amount_minor)
        assert priced.next_change_at is not None
        assert priced.next_change_at > at
        at = priced.next_change_at
    assert totals == [0, *range(200, 2201, 200), 2700, 2900, 3100, 3300, 3500]


def test_the_curve_has_one_step_at_the_end_of_grace_and_at_each_edge_of_a_package() -> None:
    entered_at = local("2025-03-03T09:00")
    minutes = parsed(table({"lines": [increment(5, 1)]}, grace=10))
    assert price_curve(minutes, entered_at, local("2025-03-03T09:11:30")) == (
        (entered_at, 0),
        (local("2025-03-03T09:10:01"), 55),
        (local("2025-03-03T09:11:01"), 60),
    )
    assert price_curve(minutes, entered_at, local("2025-03-03T09:10")) == ((entered_at, 0),)
    nights = price_curve(parsed(PACKAGES), local("2025-03-03T19:00"), local("2025-03-04T11:30"))
    assert nights[11:] == (
        (local("2025-03-04T05:00:01"), 3300),
        (local("2025-03-04T06:00"), 900),
        (local("2025-03-04T10:00"), 4500),
        (local("2025-03-04T10:00:01"), 4800),
        (local("2025-03-04T11:00:01"), 5100),
    )

"""What holds for every rate table and every stay."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from parking.tariffs.rules import CHANGE_HORIZON_DAYS, PricedStay, price
from tests.unit.tariffs.own_tables import increment, parsed, table
from tests.unit.tariffs.strategies import durations, entries, ladders, rate_tables

SECOND = timedelta(seconds=1)
# The same examples every time: a failure found here is a failure for everyone.
many = settings(max_examples=120, derandomize=True)
few = settings(many, max_examples=60)


def _amount(priced: PricedStay) -> int:
    return priced.total.amount_minor


@many
@given(rate_tables(with_packages=True), entries(), durations())
def test_lines_cover_the_stay_and_add_up(
    data: dict[str, Any], entered_at: datetime, duration: timedelta
) -> None:
    priced = price(parsed(data), entered_at, entered_at + duration)
    running_minor, ends_at = 0, entered_at
    for line in priced.lines:
        assert line.amount_minor >= 0
        assert line.starts_at == ends_at < line.ends_at
        assert line.capped_from_minor is None or line.capped_from_minor > line.amount_minor
        running_minor += line.amount_minor
        ends_at = line.ends_at
        assert line.running_total_minor == running_minor
    assert running_minor == _amount(priced)
    tick = timedelta(minutes=1) if data["tick"] == "minute" else SECOND
    assert ends_at <= entered_at + duration < ends_at + tick


@many
@given(rate_tables(with_packages=False), entries(), durations(), durations())
def test_a_longer_stay_never_costs_less_without_packages(
    data: dict[str, Any], entered_at: datetime, duration: timedelta, longer: timedelta
) -> None:
    parsed_table = parsed(data)
    short = price(parsed_table, entered_at, entered_at + duration)
    long = price(parsed_table, entered_at, entered_at + duration + longer)
    assert 0 <= _amount(short) <= _amount(long)


@many
@given(
    rate_tables(with_packages=True),
    entries(),
    durations(),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_the_price_is_constant_until_the_next_change_and_differs_there(
    data: dict[str, Any], entered_at: datetime, duration: timedelta, fractions: list[float]
) -> None:
    parsed_table = parsed(data)
    as_of = entered_at + duration
    priced = price(parsed_table, entered_at, as_of)
    change_at = priced.next_change_at
    if change_at is None:
        last_at = min(
            as_of + timedelta(days=CHANGE_HORIZON_DAYS) - SECOND, entered_at + timedelta(days=400)
        )
    else:
        assert change_at > as_of
        assert _amount(price(parsed_table, entered_at, change_at)) != _amount(priced)
        last_at = change_at - SECOND
    for fraction in (*fractions, 1.0):
        between = as_of + (last_at - as_of) * fraction
        later = price(parsed_table, entered_at, between)
        assert _amount(later) == _amount(priced)
        assert later.next_change_at == change_at or change_at is None


@few
@given(rate_tables(with_packages=True), entries(), st.integers(0, 2880))
def test_stepping_from_change_to_change_draws_the_whole_curve(
    data: dict[str, Any], entered_at: datetime, minutes: int
) -> None:
    parsed_table = parsed(data)
    start_at = at = entered_at + timedelta(minutes=minutes)
    curve: list[tuple[datetime, int]] = []
    for _ in range(12):
        priced = price(parsed_table, entered_at, at)
        curve.append((at, _amount(priced)))
        if priced.next_change_at is None or priced.next_change_at - start_at > timedelta(days=2):
            break
        at = priced.next_change_at
    for number in range(16):
        sample_at = start_at + (at - start_at) * (number / 16)
        expected = next(amount for since, amount in reversed(curve) if since <= sample_at)
        assert _amount(price(parsed_table, entered_at, sample_at)) == expected


@many
@given(ladders(), entries(), durations(days=6), st.integers(0, 3000), st.integers(60, 2000))
def test_a_rolling_cap_holds_in_every_period(
    lines: list[dict[str, Any]],
    entered_at: datetime,
    duration: timedelta,
    cap_minor: int,
    minutes: int,
) -> None:
    cap = {"per": "rolling", "minutes": minutes, "amount": cap_minor}
    parsed_table = parsed(table({"lines": lines, "cap": 10**6}, caps=[cap]))
    before_minor, at = 0, entered_at
    while at < entered_at + duration:
        at += timedelta(minutes=minutes)
        total_minor = _amount(price(parsed_table, entered_at, at))
        assert total_minor - before_minor <= cap_minor
        before_minor = total_minor


@many
@given(st.integers(1, 500), st.integers(1, 90), entries(), durations(days=400))
def test_a_ladder_of_one_block_length_costs_its_started_blocks(
    value: int, block: int, entered_at: datetime, duration: timedelta
) -> None:
    parsed_table = parsed(table({"lines": [increment(value, block)]}))
    blocks = -(-duration // timedelta(minutes=block))
    assert _amount(price(parsed_table, entered_at, entered_at + duration)) == value * blocks


@many
@given(st.integers(1, 500), entries(), durations(), st.sampled_from(("06:00", "13:00", "20:00")))
def test_cutting_a_stay_at_a_window_changes_nothing_for_prorated_time(
    value: int, entered_at: datetime, duration: timedelta, edge: str
) -> None:
    line = {"kind": "per_second", "value": value * 3600, "block": 60}
    whole = parsed(table({"lines": [line]}))
    halves = parsed(
        table(
            {"window": ["00:00", edge], "lines": [line]},
            {"window": [edge, "00:00"], "lines": [line]},
        )
    )
    left_at = entered_at + duration
    assert _amount(price(whole, entered_at, left_at)) == value * (duration // SECOND)
    assert price(halves, entered_at, left_at).total == price(whole, entered_at, left_at).total

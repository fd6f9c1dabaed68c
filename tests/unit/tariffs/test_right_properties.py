"""What holds whatever rights a stay has, and however its table is made."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from parking.tariffs.rules import (
    NO_CIRCUMSTANCES,
    Circumstances,
    PricedStay,
    PriceReason,
    RateTable,
    Vehicle,
    price,
    price_curve,
    price_with_curve,
)
from tests.unit.tariffs.own_tables import parsed, table
from tests.unit.tariffs.right_strategies import circumstances, rightful_tables
from tests.unit.tariffs.strategies import durations, entries, ladders

SECOND = timedelta(seconds=1)
many = settings(max_examples=50, derandomize=True)
few = settings(many, max_examples=25)


def _amount(priced: PricedStay) -> int:
    return priced.total.amount_minor


@many
@given(rightful_tables(with_packages=True), entries(), durations(), circumstances())
def test_lines_cover_the_stay_and_add_up(
    table: RateTable, entered_at: datetime, duration: timedelta, rights: Circumstances
) -> None:
    priced = price(table, entered_at, entered_at + duration, rights)
    running_minor, ends_at = 0, entered_at
    for line in priced.lines:
        assert line.starts_at == ends_at
        if line.reason is PriceReason.VALIDATION and line.amount_minor:
            assert line.amount_minor < 0
        else:
            assert line.amount_minor >= 0
        if line.reason is not PriceReason.VALIDATION:
            assert line.ends_at > line.starts_at
        if line.reason in {PriceReason.PASS, PriceReason.ALLOWANCE}:
            assert line.amount_minor == 0
            assert line.note
        running_minor += line.amount_minor
        ends_at = line.ends_at
        assert line.running_total_minor == running_minor
    assert running_minor == _amount(priced)
    assert ends_at <= entered_at + duration < ends_at + timedelta(minutes=1)


@many
@given(rightful_tables(with_packages=False), entries(), durations(), durations(), circumstances())
def test_a_longer_stay_never_costs_less_without_packages(
    table: RateTable,
    entered_at: datetime,
    duration: timedelta,
    longer: timedelta,
    rights: Circumstances,
) -> None:
    left_at = entered_at + duration
    short = price(table, entered_at, left_at, rights)
    assert 0 <= _amount(short) <= _amount(price(table, entered_at, left_at + longer, rights))


@many
@given(rightful_tables(with_packages=True), entries(), durations(2), circumstances())
def test_the_curve_is_the_price_at_each_step_and_one_second_before(
    table: RateTable, entered_at: datetime, duration: timedelta, rights: Circumstances
) -> None:
    left_at = entered_at + duration
    curve = price_curve(table, entered_at, left_at, rights)
    assert curve[0].at == entered_at
    assert curve[-1].at <= left_at
    for number in {0, 1, 2, len(curve) // 2, len(curve) - 1}:
        if number >= len(curve):
            continue
        step = curve[number]
        assert _amount(price(table, entered_at, step.at, rights)) == step.total_minor
        if number:
            before = price(table, entered_at, step.at - SECOND, rights)
            assert _amount(before) == curve[number - 1].total_minor != step.total_minor
            assert before.next_change_at == step.at
    assert _amount(price(table, entered_at, left_at, rights)) == curve[-1].total_minor


@many
@given(rightful_tables(with_packages=True), entries(), durations(), circumstances())
def test_the_live_bill_changes_at_the_steps_of_the_curve(
    table: RateTable, entered_at: datetime, duration: timedelta, rights: Circumstances
) -> None:
    left_at = entered_at + duration
    curve = price_curve(table, entered_at, left_at, rights)
    at = entered_at
    for step in curve[1:12]:
        priced = price(table, entered_at, at, rights)
        assert priced.next_change_at == step.at
        at = step.at
    if len(curve) <= 12:
        last = price(table, entered_at, at, rights)
        assert last.next_change_at is None or last.next_change_at > left_at
    assert price_with_curve(table, entered_at, left_at, rights) == (
        price(table, entered_at, left_at, rights),
        curve,
    )


@many
@given(rightful_tables(with_packages=True), entries(), durations(), circumstances())
def test_a_right_never_costs_anything(
    table: RateTable, entered_at: datetime, duration: timedelta, rights: Circumstances
) -> None:
    plain = rights.model_copy(update={"exemptions": (), "validations": ()})
    plain_table = table.model_copy(update={"allowances": ()})
    left_at = entered_at + duration
    with_all = price(table, entered_at, left_at, rights)
    with_allowances = price(table, entered_at, left_at, plain)
    with_none = price(plain_table, entered_at, left_at, plain)
    assert _amount(with_all) <= _amount(with_allowances) <= _amount(with_none)


@many
@given(rightful_tables(with_packages=False), entries(), st.lists(durations(1), max_size=6))
def test_an_allowance_never_exceeds_its_minutes_a_day_over_several_stays(
    table: RateTable, entered_at: datetime, durations_of_stays: list[timedelta]
) -> None:
    minutes_max = table.allowances[0].minutes
    used_s: dict[str, int] = {}
    at = entered_at
    for duration in durations_of_stays:
        rights = Circumstances(vehicle=Vehicle(is_ev=True), allowances_used_s={"ev": used_s})
        priced = price(table, at, at + duration, rights)
        taken_s = dict(priced.allowances_taken_s.get("ev", {}))
        shown_s = sum(
            (line.ends_at - line.starts_at) // SECOND
            for line in priced.lines
            if line.reason is PriceReason.ALLOWANCE
        )
        assert sum(taken_s.values()) == shown_s
        used_s = {day: used_s.get(day, 0) + taken_s.get(day, 0) for day in {*used_s, *taken_s}}
        assert all(0 < seconds <= minutes_max * 60 for seconds in used_s.values())
        at += duration
    for day in used_s:
        assert at + timedelta(days=2) > datetime.fromisoformat(day).replace(tzinfo=UTC)


@many
@given(
    ladders(),
    st.sampled_from(("session", "charged")),
    st.sampled_from(("session", "rolling", "calendar_day")),
    entries(),
    durations(),
    st.sampled_from(("06:00", "13:00", "20:00", "22:30")),
)
def test_cutting_a_table_at_a_window_changes_nothing_where_blocks_continue(
    lines: list[dict[str, Any]],
    clock: str,
    reset: str,
    entered_at: datetime,
    duration: timedelta,
    edge: str,
) -> None:
    fields: dict[str, Any] = {
        "straddle": "continue",
        "ladder_reset": reset,
        "caps": [{"per": "rolling", "minutes": 720, "amount": 900}],
    }
    if reset == "rolling":
        fields["ladder_minutes"] = 720
    whole = parsed(table({"clock": clock, "lines": lines}, **fields))
    halves = parsed(
        table(
            {"clock": clock, "window": ["00:00", edge], "lines": lines},
            {"clock": clock, "window": [edge, "00:00"], "lines": lines},
            **fields,
        )
    )
    left_at = entered_at + duration
    assert price(whole, entered_at, left_at).total == price(halves, entered_at, left_at).total


@few
@given(rightful_tables(with_packages=True), entries(), durations(), st.data())
def test_a_merged_stay_is_priced_from_its_original_entry(
    table: RateTable, entered_at: datetime, duration: timedelta, data: st.DataObject
) -> None:
    rights = data.draw(circumstances(entered_at))
    whole = rights.model_copy(update={"continues_from": None})
    assert rights.continues_from is not None
    left_at = entered_at + duration
    assert price(table, entered_at, left_at, rights) == price(
        table, rights.continues_from, left_at, whole
    )


@few
@given(rightful_tables(with_packages=True), entries(), circumstances())
def test_leaving_in_the_second_of_the_entry_costs_nothing(
    table: RateTable, entered_at: datetime, rights: Circumstances
) -> None:
    for circumstances_ in (rights, NO_CIRCUMSTANCES):
        priced = price(table, entered_at, entered_at, circumstances_)
        assert _amount(priced) == 0
        assert priced.allowances_taken_s == {}
        assert price_curve(table, entered_at, entered_at, circumstances_) == ((entered_at, 0),)


@few
@given(circumstances(datetime(2025, 3, 3, tzinfo=UTC)))
def test_circumstances_come_back_from_their_json(rights: Circumstances) -> None:
    assert Circumstances.from_json(rights.to_json()) == rights

"""What the bills of a stay should have said: pure sums, the newest bill first."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.flows.bills.bill_lines import Credit, StayFacts
from parking.flows.bills.waivers import WAIVED
from parking.flows.payments.repricing import Waiver, reprice, shrunk
from parking.tariffs.rules import RateTable, read_rate_table
from tests.factories.lane_world import RATE_TABLE

ENTRY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
AMOUNTS = st.integers(0, 5_000)


def table() -> RateTable:
    return read_rate_table(RATE_TABLE)


def facts(*, minutes: float, late_minutes: float = 0, given: tuple[Credit, ...] = ()) -> StayFacts:
    return StayFacts(
        priced_from=ENTRY + timedelta(minutes=late_minutes),
        priced_until=ENTRY + timedelta(minutes=minutes),
        credits=given,
    )


@pytest.mark.parametrize(
    ("totals", "target", "lowered"),
    [
        ([1000, 500], 1200, [1000, 200]),
        ([1000, 500], 800, [800, 0]),
        ([1000, 500], 1500, [1000, 500]),
        ([1000, 500], 2000, [1000, 500]),
        ([1000, 500], 0, [0, 0]),
        ([], 0, []),
    ],
)
def test_the_newest_shrinks_first(totals: list[int], target: int, lowered: list[int]) -> None:
    assert shrunk(totals, target) == lowered


@given(st.lists(AMOUNTS, max_size=6), AMOUNTS)
def test_shrinking_keeps_the_sum_and_raises_nothing(totals: list[int], target: int) -> None:
    lowered = shrunk(totals, target)
    assert sum(lowered) == min(sum(totals), target)
    assert all(0 <= after <= before for after, before in zip(lowered, totals, strict=True))


def test_a_later_entry_lowers_the_newest_bill() -> None:
    # 95 minutes cost 20.00; 50 minutes cost 10.00.
    [changed] = reprice(table(), facts(minutes=95, late_minutes=45), [500, 1500], None)
    assert (changed.index, changed.stay.due.amount_minor) == (1, 500)
    assert [line.amount_minor for line in changed.stay.lines][-1] == -500
    assert changed.facts.paid_minor == 500


def test_a_bill_that_vanishes_passes_the_rest_on_to_the_one_before() -> None:
    first, second = reprice(table(), facts(minutes=95, late_minutes=80), [1500, 500], None)
    assert [(one.index, one.stay.due.amount_minor) for one in (first, second)] == [
        (0, 500),
        (1, 0),
    ]


def test_a_price_that_rises_changes_nothing() -> None:
    assert reprice(table(), facts(minutes=200), [500, 500], None) == []


def test_a_waiver_is_a_line_of_its_own_and_is_kept_by_the_next_correction() -> None:
    waiver = Waiver(700, "broken lift")
    [changed] = reprice(table(), facts(minutes=95), [2000], waiver)
    assert changed.stay.due.amount_minor == 1300
    assert (changed.stay.lines[-1].reason, changed.stay.lines[-1].note) == (WAIVED, "broken lift")
    # The stay turns out to be 50 minutes for 10.00; 7.00 of it stay given up.
    again = facts(minutes=95, late_minutes=45, given=changed.facts.credits)
    [lower] = reprice(table(), again, [1300], None)
    assert lower.stay.due.amount_minor == 300


def test_waiving_all_leaves_nothing_on_any_bill() -> None:
    changed = reprice(table(), facts(minutes=95), [500, 1500], Waiver(None, ""))
    assert [one.stay.due.amount_minor for one in changed] == [0, 0]


def test_whoever_left_within_the_grace_owes_nothing_more() -> None:
    grace_until = ENTRY + timedelta(minutes=60)
    # The recorded exit was at 70 minutes; the car really left at 55.
    [changed] = reprice(table(), facts(minutes=55), [1000, 500], None, grace_until=grace_until)
    assert (changed.index, changed.stay.due.amount_minor) == (1, 0)


@given(
    st.lists(AMOUNTS.filter(bool), min_size=1, max_size=4),
    st.integers(0, 600),
    st.integers(0, 600),
    st.integers(0, 3000),
    st.one_of(st.none(), st.integers(0, 3000)),
    st.booleans(),
)
def test_every_corrected_bill_adds_up_by_itself(
    totals: list[int],
    minutes: int,
    late_minutes: int,
    given_up: int,
    waived: int | None,
    waives: bool,
) -> None:
    credit = (Credit(WAIVED, -given_up),) if given_up else ()
    late_minutes = min(late_minutes, minutes)
    whole = facts(minutes=minutes, late_minutes=late_minutes, given=credit)
    changed = reprice(table(), whole, totals, Waiver(waived, "") if waives else None)
    after = dict(enumerate(totals))
    for one in changed:
        assert one.stay.due.amount_minor < after[one.index]
        assert sum(line.amount_minor for line in one.stay.lines) == one.stay.due.amount_minor
        after[one.index] = one.stay.due.amount_minor
        assert one.facts.paid_minor == sum(after[index] for index in range(one.index))

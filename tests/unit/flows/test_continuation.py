"""Stays that continue others: whatever way a time is cut up, it costs what it costs whole."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parking.flows.bills.bill_lines import StayFacts, lines_of
from parking.flows.continuation import (
    CHAIN_AGE_MAX,
    billed_in,
    continue_stay,
    may_continue,
    origin_of,
)
from parking.kit.ids import new_id
from parking.payments.models import Bill, BillState
from parking.sessions.models import Session, SessionState
from parking.tariffs.circumstances import (
    GRANTS_MAX,
    NO_CIRCUMSTANCES,
    Circumstances,
    Exemption,
    Vehicle,
)
from parking.tariffs.rules import RateTable, price, read_rate_table
from tests.factories.lane_world import RATE_TABLE
from tests.unit.tariffs.right_strategies import circumstances, rightful_tables
from tests.unit.tariffs.strategies import durations, entries

ENTRY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
Pieces = list[tuple[timedelta, timedelta]]


def stay(entered_at: datetime, left_at: datetime | None, known: Circumstances) -> Session:
    some_id = new_id(entered_at)
    return Session(
        operator_id=some_id,
        id=some_id,
        place_id=some_id,
        plate_index=some_id,
        plate_sealed=b"",
        rate_table_id=some_id,
        entry_presentation_id=some_id,
        state=SessionState.LEFT,
        entered_at=entered_at,
        left_at=left_at,
        circumstances=known.to_json(),
    )


def due(table: RateTable, session: Session) -> int:
    known = Circumstances.from_json(session.circumstances)
    left_at = session.left_at or session.entered_at
    return lines_of(table, StayFacts(origin_of(session), left_at, known)).due.amount_minor


def chain(
    table: RateTable, entered_at: datetime, known: Circumstances, pieces: Pieces
) -> tuple[list[Session], list[int]]:
    """Return the stays of a vehicle that comes and goes, and what each is billed."""
    stays: list[Session] = []
    billed: list[int] = []
    for length, gap in pieces:
        if stays:
            now = known.model_copy(update={"exemptions": ()})
            known = continue_stay(stays[-1], now, entered_at, billed_minor=billed[-1])
        stays.append(stay(entered_at, entered_at + length, known))
        billed.append(due(table, stays[-1]))
        entered_at += length + gap
    return stays, billed


PIECES = st.lists(
    st.tuples(
        durations(days=1), st.integers(0, 3600).map(lambda second: timedelta(seconds=second))
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=30)
@given(rightful_tables(with_packages=False), entries(), circumstances(), PIECES)
def test_cutting_a_stay_into_pieces_changes_no_sum(
    table: RateTable, entered_at: datetime, known: Circumstances, pieces: Pieces
) -> None:
    stays, billed = chain(table, entered_at, known, pieces)
    last = Circumstances.from_json(stays[-1].circumstances)
    left_at = stays[-1].left_at
    assert left_at is not None
    assert sum(billed) == price(table, entered_at, left_at, last).total.amount_minor
    assert min(billed) >= 0
    assert {origin_of(one) for one in stays} == {entered_at}
    assert last.billed_before_minor == sum(billed[:-1])


@settings(max_examples=30)
@given(rightful_tables(with_packages=True), entries(), circumstances(), PIECES)
def test_no_piece_is_ever_billed_less_than_nothing(
    table: RateTable, entered_at: datetime, known: Circumstances, pieces: Pieces
) -> None:
    _, billed = chain(table, entered_at, known, pieces)
    assert min(billed) >= 0


def passed(start: datetime, end: datetime | None) -> Circumstances:
    return Circumstances(has_pass=True, exemptions=(Exemption(starts_at=start, ends_at=end),))


@pytest.mark.parametrize("days", [None, 30])
def test_who_has_a_pass_pays_neither_inside_nor_outside(days: int | None) -> None:
    table = read_rate_table(RATE_TABLE)
    until = None if days is None else ENTRY + timedelta(days=days)
    first = stay(ENTRY, ENTRY + timedelta(hours=3), passed(ENTRY, until))
    again_at = ENTRY + timedelta(hours=3, minutes=20)
    known = continue_stay(first, passed(again_at, until), again_at, billed_minor=0)
    second = stay(again_at, again_at + timedelta(hours=3), known)
    assert (due(table, first), due(table, second)) == (0, 0)


def test_a_pass_without_a_space_left_covers_no_more_than_it_did() -> None:
    table = read_rate_table(RATE_TABLE)
    first = stay(ENTRY, ENTRY + timedelta(hours=3), passed(ENTRY, None))
    again_at = ENTRY + timedelta(hours=3, minutes=20)
    known = continue_stay(first, NO_CIRCUMSTANCES, again_at, billed_minor=0)
    second = stay(again_at, again_at + timedelta(hours=1), known)
    # The ladder begins where the pass ended to count: at the re-entry.
    assert due(table, second) == 1000


def test_the_vehicle_of_the_original_entry_counts() -> None:
    first = Circumstances(
        vehicle=Vehicle(vehicle_class="van"),
        merchants=("Odeon",),
        validations=("cinema",),
        allowances_used_s={"ev": {"2026-03-02": 60}},
        billed_before_minor=200,
        continues_from=ENTRY - timedelta(hours=1),
    )
    new = Circumstances(
        vehicle=Vehicle(is_ev=True),
        merchants=("Book Shop", "Odeon"),
        validations=("shop",),
        allowances_used_s={"ev": {"2026-03-02": 3600}},
    )
    left_at = ENTRY + timedelta(hours=1)
    found = continue_stay(stay(ENTRY, left_at, first), new, left_at, billed_minor=300)
    assert found == first.model_copy(
        update={
            "merchants": ("Odeon", "Book Shop"),
            "validations": ("cinema", "shop"),
            "billed_before_minor": 500,
        }
    )


def test_a_chain_of_stays_ends() -> None:
    first = stay(ENTRY, ENTRY + timedelta(hours=1), NO_CIRCUMSTANCES)
    assert may_continue(first, ENTRY + CHAIN_AGE_MAX)
    assert not may_continue(first, ENTRY + CHAIN_AGE_MAX + timedelta(seconds=1))


def test_bills_that_count_are_added_up() -> None:
    some_id = new_id(ENTRY)
    bills = [
        Bill(
            operator_id=some_id,
            id=some_id,
            session_id=some_id,
            place_id=some_id,
            rate_table_id=some_id,
            state=BillState.PAID,
            total_minor=amount_minor,
            currency="CNY",
            lines=[],
            basis={},
            priced_until=ENTRY,
            issued_at=ENTRY,
        )
        for amount_minor in (500, 250)
    ]
    assert billed_in(bills) == 750


def test_a_stay_that_continues_others_can_always_be_read_again() -> None:
    old, new = (
        Circumstances(merchants=names, validations=names)
        for names in (
            tuple(f"{which} {number}" for number in range(GRANTS_MAX)) for which in ("old", "new")
        )
    )
    earlier = stay(ENTRY, ENTRY + timedelta(hours=1), old)
    continued = continue_stay(earlier, new, ENTRY + timedelta(hours=2), billed_minor=0)
    again = Circumstances.from_json(continued.to_json())
    assert (again.merchants, again.validations) == (old.merchants, old.validations)

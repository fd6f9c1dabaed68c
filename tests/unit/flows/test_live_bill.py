"""When another amount is due: exactly then, whatever was paid, credited or closed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parking.flows.bills import live_bill
from parking.flows.bills.live_bill import bill_of, due_curve
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.payments.models import Bill, BillState
from parking.sessions.models import Session, SessionState
from parking.tariffs.circumstances import NO_CIRCUMSTANCES, Circumstances
from parking.tariffs.rules import RateTable, read_rate_table
from tests.factories.lane_world import RATE_TABLE
from tests.unit.tariffs.right_strategies import circumstances, rightful_tables
from tests.unit.tariffs.strategies import durations, entries

ENTRY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
AMOUNTS = st.sampled_from((0, 0, 100, 700, 5000))


def stay(
    entered_at: datetime, known: Circumstances, prepaid_until: datetime | None = None
) -> Session:
    some_id = new_id(entered_at)
    return Session(
        operator_id=some_id,
        id=some_id,
        place_id=some_id,
        plate_index=some_id,
        plate_sealed=b"",
        rate_table_id=some_id,
        entry_presentation_id=some_id,
        state=SessionState.ACTIVE,
        entered_at=entered_at,
        prepaid_until=prepaid_until,
        circumstances=known.to_json(),
    )


def paid_bill(session: Session, amount_minor: int, priced_until: datetime) -> Bill:
    return Bill(
        operator_id=session.operator_id,
        id=new_id(priced_until),
        session_id=session.id,
        place_id=session.place_id,
        rate_table_id=session.rate_table_id,
        state=BillState.PAID,
        total_minor=amount_minor,
        currency="EUR",
        lines=[],
        basis={},
        priced_until=priced_until,
        issued_at=priced_until,
    )


@settings(max_examples=40)
@given(
    rightful_tables(with_packages=True),
    entries(),
    circumstances(),
    durations(days=2),
    AMOUNTS,
    AMOUNTS,
    st.one_of(st.none(), st.integers(-60, 600)),
)
def test_the_next_change_is_the_first_instant_with_another_amount(
    table: RateTable,
    entered_at: datetime,
    known: Circumstances,
    length: timedelta,
    paid_minor: int,
    before_minor: int,
    closed_for_s: int | None,
) -> None:
    at = entered_at + length
    known = known.model_copy(update={"billed_before_minor": before_minor})
    until = None if closed_for_s is None else at + timedelta(seconds=closed_for_s)
    session = stay(entered_at, known, until)
    bills = [paid_bill(session, paid_minor, entered_at)] if paid_minor else []
    bill = bill_of(session, table, bills, at)
    assert sum(line.amount_minor for line in bill.lines) == bill.due.amount_minor >= 0
    assert (bill.closed_until is None) == (until is None or at > until)
    if bill.next_change_at is None:
        return
    assert bill.next_change_at > at
    assert bill.later(bill.next_change_at - MOMENT).due == bill.due
    if bill.next_change_at > at + timedelta(days=3):
        return
    steps = due_curve(bill, bill.next_change_at + timedelta(minutes=90))
    for earlier, later in pairwise(steps):
        assert later.as_of > earlier.as_of
        assert later.due != earlier.due


def cny(amount_minor: int) -> Money:
    return Money(amount_minor, "CNY")


def test_a_payment_in_advance_hides_the_blocks_that_it_paid() -> None:
    """Two blocks paid, the bill closed for ten minutes: the third block is the next change."""
    at = ENTRY + timedelta(minutes=35)
    session = stay(ENTRY, NO_CIRCUMSTANCES, at + timedelta(minutes=10))
    bill = paid_bill(session, 1000, at)
    bill.currency = "CNY"
    live = bill_of(session, read_rate_table(RATE_TABLE), [bill], at)
    assert (live.due, live.paid, live.reopened_due) == (cny(0), cny(1000), cny(0))
    assert live.closed_until == ENTRY + timedelta(minutes=45)
    assert live.next_change_at == ENTRY + timedelta(minutes=60, seconds=1)


def test_a_credit_above_the_price_hides_changes_until_it_is_used_up() -> None:
    known = Circumstances(billed_before_minor=1700, continues_from=ENTRY - timedelta(minutes=20))
    session = stay(ENTRY, known)
    live = bill_of(session, read_rate_table(RATE_TABLE), [], ENTRY + timedelta(minutes=15))
    assert (live.priced_from, live.total, live.due) == (
        ENTRY - timedelta(minutes=20),
        cny(1000),
        cny(0),
    )
    assert [line.amount_minor for line in live.lines] == [1000, -1000]
    # The fourth block, 90 minutes after the original entry, is the first beyond the credit.
    assert live.next_change_at == ENTRY + timedelta(minutes=70, seconds=1)
    assert live.later(ENTRY + timedelta(minutes=70, seconds=1)).due == cny(300)


def test_a_curve_stops_at_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    live = bill_of(stay(ENTRY, NO_CIRCUMSTANCES), read_rate_table(RATE_TABLE), [], ENTRY)
    month = timedelta(days=31)
    steps = due_curve(live, ENTRY + month)
    assert [step.due.amount_minor for step in steps[:4]] == [0, 500, 1000, 1500]
    assert len(steps) == live_bill.CURVE_STEPS_MAX
    assert due_curve(live, ENTRY) == [live]
    for wrong in (ENTRY - MOMENT, ENTRY + month + MOMENT):
        with pytest.raises(InvalidInputError, match="until"):
            due_curve(live, wrong)
    monkeypatch.setattr(live_bill, "CURVE_STEPS_MAX", 2)
    assert len(due_curve(live, ENTRY + month)) == 2

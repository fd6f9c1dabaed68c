from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.reconciliation import rules
from parking.reconciliation.codes import Code
from parking.reconciliation.facts import (
    BillSide,
    BookEntry,
    BusinessDay,
    FiledRow,
    Movement,
    Opening,
    Outcome,
    PaidStay,
    Passage,
    Standing,
)

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
OPERATOR = new_id(AT)
ATTEMPT = new_id(AT)
BILL = new_id(AT)
TEN = Money(1000, "CNY")
NINE = Money(900, "CNY")
EURO = Money(1000, "EUR")
PAID_BILL = BillSide(id=BILL, standing=Standing.PAID, total=TEN, paid_by=ATTEMPT)


def entry_of(movement: Movement, outcome: Outcome) -> BookEntry:
    return BookEntry(
        movement=movement,
        key="a1",
        operator_id=OPERATOR,
        subject_id=ATTEMPT,
        amount=TEN,
        outcome=outcome,
        started_at=AT,
        finished_at=None if outcome is Outcome.UNSETTLED else AT,
        posted=TEN,
        bill=PAID_BILL if movement is Movement.CHARGE else None,
    )


def row_of(movement: Movement, amount: Money) -> FiledRow:
    return FiledRow(
        movement=movement,
        number="a1",
        reference="p1",
        amount=amount,
        fee_minor=6,
        occurred_at=AT,
    )


@pytest.mark.parametrize(
    ("movement", "outcome", "filed", "code"),
    [
        (Movement.CHARGE, Outcome.SUCCEEDED, TEN, None),
        (Movement.CHARGE, Outcome.SUCCEEDED, NINE, Code.AMOUNT_DIFFERS),
        (Movement.CHARGE, Outcome.SUCCEEDED, EURO, Code.CURRENCY_DIFFERS),
        (Movement.CHARGE, Outcome.UNSETTLED, TEN, Code.ATTEMPT_UNSETTLED),
        (Movement.CHARGE, Outcome.UNSETTLED, NINE, Code.AMOUNT_DIFFERS),
        (Movement.CHARGE, Outcome.FAILED, TEN, Code.TAKEN_AFTER_FAILURE),
        (Movement.CHARGE, Outcome.FAILED, NINE, Code.TAKEN_AFTER_FAILURE),
        (Movement.REFUND, Outcome.SUCCEEDED, TEN, None),
        (Movement.REFUND, Outcome.SUCCEEDED, NINE, Code.REFUND_AMOUNT_DIFFERS),
        (Movement.REFUND, Outcome.UNSETTLED, TEN, Code.REFUND_UNSETTLED),
        (Movement.REFUND, Outcome.FAILED, TEN, Code.REFUND_AFTER_FAILURE),
        (Movement.REFUND_RETURNED, Outcome.SUCCEEDED, TEN, None),
        (Movement.REFUND_RETURNED, Outcome.SUCCEEDED, NINE, Code.REFUND_AMOUNT_DIFFERS),
        (Movement.CHARGEBACK, Outcome.SUCCEEDED, TEN, None),
        (Movement.CHARGEBACK, Outcome.SUCCEEDED, NINE, Code.CHARGEBACK_AMOUNT_DIFFERS),
        (Movement.CHARGEBACK, Outcome.UNSETTLED, TEN, Code.CHARGEBACK_NOT_BOOKED),
    ],
)
def test_a_row_and_its_entry(
    movement: Movement, outcome: Outcome, filed: Money, code: Code | None
) -> None:
    assert rules.judge_pair(entry_of(movement, outcome), row_of(movement, filed)) == code


@pytest.mark.parametrize(
    ("movement", "code"),
    [
        (Movement.CHARGE, Code.MISSING_IN_BOOKS),
        (Movement.REFUND, Code.REFUND_MISSING_IN_BOOKS),
        (Movement.REFUND_RETURNED, Code.REFUND_RETURN_NOT_BOOKED),
        (Movement.CHARGEBACK, Code.CHARGEBACK_NOT_BOOKED),
        (Movement.CHARGEBACK_REVERSED, Code.CHARGEBACK_REVERSAL_NOT_BOOKED),
    ],
)
def test_a_row_without_an_entry(movement: Movement, code: Code) -> None:
    assert rules.judge_unknown(row_of(movement, TEN)) == code


CHARGED = entry_of(Movement.CHARGE, Outcome.SUCCEEDED)
REFUNDED = entry_of(Movement.REFUND, Outcome.SUCCEEDED)
SENT = entry_of(Movement.CHARGE, Outcome.UNSETTLED)


@pytest.mark.parametrize(
    ("entry", "awaits", "asked_again", "code"),
    [
        (CHARGED, False, None, Code.MISSING_AT_PROVIDER),
        (CHARGED, False, Outcome.SUCCEEDED, Code.MISSING_AT_PROVIDER),
        (CHARGED, False, Outcome.FAILED, Code.FAILED_AT_PROVIDER),
        (CHARGED, True, None, Code.AWAITS_NEXT_DAY),
        (REFUNDED, False, None, Code.REFUND_MISSING_AT_PROVIDER),
        (REFUNDED, True, None, Code.AWAITS_NEXT_DAY),
        (SENT, False, None, Code.ATTEMPT_UNSETTLED),
        (replace(SENT, is_slow=True), False, None, Code.PENDING_AT_PROVIDER),
        (entry_of(Movement.REFUND, Outcome.UNSETTLED), False, None, Code.REFUND_UNSETTLED),
        (entry_of(Movement.CHARGE, Outcome.FAILED), False, None, None),
        (entry_of(Movement.CHARGEBACK, Outcome.SUCCEEDED), False, None, None),
    ],
)
def test_an_entry_without_a_row(
    entry: BookEntry, *, awaits: bool, asked_again: Outcome | None, code: Code | None
) -> None:
    judged = rules.judge_absent(
        entry, awaits_next_day=awaits, asked_again=asked_again, opened_gate=False
    )
    assert judged == code


@pytest.mark.parametrize(
    ("entry", "awaits", "code"),
    [
        (CHARGED, False, Code.OPENED_MONEY_MISSING),
        (CHARGED, True, Code.AWAITS_NEXT_DAY),
        (SENT, False, Code.ATTEMPT_UNSETTLED),
    ],
)
def test_money_that_a_gate_opened_for(entry: BookEntry, *, awaits: bool, code: Code) -> None:
    for asked_again in (None, Outcome.FAILED):
        judged = rules.judge_absent(
            entry, awaits_next_day=awaits, asked_again=asked_again, opened_gate=True
        )
        assert judged == code


OTHER: UUID = new_id(AT)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (CHARGED, []),
        (REFUNDED, []),
        (replace(CHARGED, posted=None), [(Code.LEDGER_MISSING, None)]),
        (replace(REFUNDED, posted=NINE), [(Code.LEDGER_AMOUNT_DIFFERS, NINE)]),
        (replace(SENT, posted=None), []),
        (
            replace(CHARGED, bill=replace(PAID_BILL, paid_by=None)),
            [(Code.BILL_NOT_PAID, None)],
        ),
        (
            replace(CHARGED, bill=replace(PAID_BILL, paid_by=OTHER)),
            [(Code.BILL_PAID_TWICE, None)],
        ),
        (
            replace(CHARGED, bill=replace(PAID_BILL, total=NINE)),
            [(Code.BILL_AMOUNT_DIFFERS, NINE)],
        ),
        (
            replace(CHARGED, posted=None, bill=replace(PAID_BILL, paid_by=None)),
            [(Code.LEDGER_MISSING, None), (Code.BILL_NOT_PAID, None)],
        ),
    ],
)
def test_an_entry_against_ledger_and_bill(
    entry: BookEntry, expected: list[tuple[Code, Money | None]]
) -> None:
    assert list(rules.judge_books(entry)) == expected


DUE = BillSide(id=BILL, standing=Standing.DUE, total=TEN)
OWED = BillSide(id=BILL, standing=Standing.OWED, total=TEN)
UNDER_WAY = replace(DUE, has_live_attempt=True)
FREE = BillSide(id=BILL, standing=Standing.PAID, total=Money.zero("CNY"))
CHARGED_BACK = replace(OWED, was_captured=True)


@pytest.mark.parametrize(
    ("opening", "bills", "code"),
    [
        (Opening.PAID, (PAID_BILL,), None),
        (Opening.PAID, (CHARGED_BACK,), None),
        (Opening.PAID, (PAID_BILL, DUE), Code.OPENED_UNPAID),
        (Opening.PAID, (UNDER_WAY,), Code.OPENED_UNPAID),
        (Opening.PAID, (OWED,), Code.OPENED_UNPAID),
        (Opening.PAID, (), Code.OPENED_UNBILLED),
        (Opening.GUARANTEED, (UNDER_WAY,), None),
        (Opening.GUARANTEED, (PAID_BILL,), None),
        (Opening.GUARANTEED, (OWED,), Code.GUARANTEE_UNMET),
        (Opening.GUARANTEED, (DUE,), Code.OPENED_UNPAID),
        (Opening.CREDIT, (OWED,), None),
        (Opening.CREDIT, (UNDER_WAY,), None),
        (Opening.CREDIT, (PAID_BILL,), None),
        (Opening.CREDIT, (DUE,), Code.OPENED_UNPAID),
        (Opening.ZERO_DUE, (FREE,), None),
        (Opening.ZERO_DUE, (PAID_BILL, FREE), None),
        (Opening.ZERO_DUE, (OWED,), Code.OPENED_UNPAID),
        (Opening.MANUAL, (OWED,), None),
        (Opening.MANUAL, (PAID_BILL,), None),
        (Opening.MANUAL, (DUE,), Code.OPENED_UNPAID),
        (Opening.MANUAL, (), Code.OPENED_UNBILLED),
        (Opening.NO_ORDER, (PAID_BILL,), Code.LEFT_WITHOUT_ORDER),
        (Opening.OTHER, (PAID_BILL,), None),
        (Opening.OTHER, (OWED,), Code.OPENED_UNPAID),
    ],
)
def test_a_car_that_was_let_out(
    opening: Opening, bills: tuple[BillSide, ...], code: Code | None
) -> None:
    passage = Passage(
        operator_id=OPERATOR,
        presentation_id=ATTEMPT,
        session_id=BILL,
        came_at=AT,
        opening=opening,
        bills=bills,
    )
    assert rules.judge_passage(passage) == code


@pytest.mark.parametrize(
    ("has_left", "prepaid_until", "code"),
    [
        (True, AT, None),
        (False, AT, Code.PAID_NOT_LEFT),
        (False, AT + timedelta(seconds=1), None),
        (False, None, None),
    ],
)
def test_a_car_that_paid(
    *, has_left: bool, prepaid_until: datetime | None, code: Code | None
) -> None:
    stay = PaidStay(
        operator_id=OPERATOR,
        session_id=BILL,
        bill_id=BILL,
        amount=TEN,
        has_left=has_left,
        prepaid_until=prepaid_until,
    )
    assert rules.judge_stay(stay, AT + timedelta(hours=24)) == code


def test_a_day_of_the_provider_follows_its_clocks() -> None:
    shanghai = BusinessDay(date(2026, 11, 22), "Asia/Shanghai")
    assert shanghai.starts_at == datetime(2026, 11, 21, 16, tzinfo=UTC)
    assert shanghai.ends_at == datetime(2026, 11, 22, 16, tzinfo=UTC)
    spring = BusinessDay(date(2026, 3, 29), "Europe/Berlin")
    assert spring.ends_at - spring.starts_at == timedelta(hours=23)
    assert spring.has(datetime(2026, 3, 29, 21, 59, tzinfo=UTC))
    assert not spring.has(datetime(2026, 3, 29, 22, tzinfo=UTC))


def test_every_code_says_what_to_do() -> None:
    assert all(code.words.meaning and code.words.advice for code in Code)
    notes = {code for code in Code if not code.is_difference}
    assert notes == {Code.CAPTURED_ANOTHER_DAY, Code.AWAITS_NEXT_DAY, Code.PENDING_AT_PROVIDER}

"""Which rows match, and what those are that do not: pure decisions."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from parking.kit.money import Money
from parking.reconciliation.codes import Code
from parking.reconciliation.facts import (
    BillSide,
    BookEntry,
    FiledRow,
    Finding,
    Movement,
    Opening,
    Outcome,
    PaidStay,
    Passage,
    Standing,
)

# What ended this close to midnight may stand in the next day's file: clocks, and late captures.
EDGE: Final = timedelta(hours=2)
# Whoever paid and is still inside this long after the time ran out did not leave by a gate.
GONE_AFTER: Final = timedelta(hours=24)

_ABSENT: Final = {
    Movement.CHARGE: Code.MISSING_IN_BOOKS,
    Movement.REFUND: Code.REFUND_MISSING_IN_BOOKS,
    Movement.REFUND_RETURNED: Code.REFUND_RETURN_NOT_BOOKED,
    Movement.CHARGEBACK: Code.CHARGEBACK_NOT_BOOKED,
    Movement.CHARGEBACK_REVERSED: Code.CHARGEBACK_REVERSAL_NOT_BOOKED,
}
_OTHER_AMOUNT: Final = {
    Movement.CHARGE: Code.AMOUNT_DIFFERS,
    Movement.REFUND: Code.REFUND_AMOUNT_DIFFERS,
    Movement.REFUND_RETURNED: Code.REFUND_AMOUNT_DIFFERS,
    Movement.CHARGEBACK: Code.CHARGEBACK_AMOUNT_DIFFERS,
    Movement.CHARGEBACK_REVERSED: Code.CHARGEBACK_AMOUNT_DIFFERS,
}
_UNSETTLED: Final = {
    Movement.CHARGE: Code.ATTEMPT_UNSETTLED,
    Movement.REFUND: Code.REFUND_UNSETTLED,
    Movement.REFUND_RETURNED: Code.REFUND_RETURN_NOT_BOOKED,
    Movement.CHARGEBACK: Code.CHARGEBACK_NOT_BOOKED,
    Movement.CHARGEBACK_REVERSED: Code.CHARGEBACK_REVERSAL_NOT_BOOKED,
}
_AFTER_FAILURE: Final = {
    Movement.CHARGE: Code.TAKEN_AFTER_FAILURE,
    Movement.REFUND: Code.REFUND_AFTER_FAILURE,
    Movement.REFUND_RETURNED: Code.REFUND_RETURN_NOT_BOOKED,
    Movement.CHARGEBACK: Code.CHARGEBACK_NOT_BOOKED,
    Movement.CHARGEBACK_REVERSED: Code.CHARGEBACK_REVERSAL_NOT_BOOKED,
}


def judge_pair(entry: BookEntry, row: FiledRow) -> Code | None:
    """Return how a row differs from its entry; None where they agree, on whatever day."""
    if entry.outcome is Outcome.FAILED:
        return _AFTER_FAILURE[entry.movement]
    if row.amount.currency != entry.amount.currency:
        return Code.CURRENCY_DIFFERS
    if row.amount != entry.amount:
        return _OTHER_AMOUNT[entry.movement]
    return _UNSETTLED[entry.movement] if entry.outcome is Outcome.UNSETTLED else None


def judge_unknown(row: FiledRow) -> Code:
    """Return what a row is that no entry of ours stands for."""
    return _ABSENT[row.movement]


def judge_absent(
    entry: BookEntry, *, awaits_next_day: bool, asked_again: Outcome | None, opened_gate: bool
) -> Code | None:
    """Return what an entry is that no file has; None where none should have it.

    Args:
        entry: Of this day.
        awaits_next_day: It may stand in a file that is not there yet.
        asked_again: What the provider said when it was asked; None where it was not, or said
            nothing that decides.
        opened_gate: A gate opened because of it, as paid or guaranteed.
    """
    if entry.outcome is Outcome.FAILED or entry.movement.is_undone:
        return None
    if entry.outcome is Outcome.UNSETTLED:
        return Code.PENDING_AT_PROVIDER if entry.is_slow else _UNSETTLED[entry.movement]
    if awaits_next_day:
        return Code.AWAITS_NEXT_DAY
    if entry.movement is Movement.REFUND:
        return Code.REFUND_MISSING_AT_PROVIDER
    if opened_gate:
        return Code.OPENED_MONEY_MISSING
    failed = asked_again is Outcome.FAILED
    return Code.FAILED_AT_PROVIDER if failed else Code.MISSING_AT_PROVIDER


def judge_books(entry: BookEntry) -> Iterator[tuple[Code, Money | None]]:
    """Yield how an entry that succeeded differs from the ledger and from its bill.

    With each code comes what the ledger or the bill says instead.
    """
    if entry.outcome is not Outcome.SUCCEEDED or entry.movement.is_undone:
        return
    if entry.posted is None:
        yield Code.LEDGER_MISSING, None
    elif entry.posted != entry.amount:
        yield Code.LEDGER_AMOUNT_DIFFERS, entry.posted
    bill = entry.bill
    if bill is None:
        return
    if bill.paid_by is None:
        yield Code.BILL_NOT_PAID, None
    elif bill.paid_by != entry.subject_id:
        yield Code.BILL_PAID_TWICE, None
    elif bill.total != entry.amount:
        yield Code.BILL_AMOUNT_DIFFERS, bill.total


def judge_passage(passage: Passage) -> Code | None:
    """Return what is wrong with letting a car out; None where its bills bear it out."""
    if not passage.bills:
        return Code.OPENED_UNBILLED
    if passage.opening is Opening.NO_ORDER:
        return Code.LEFT_WITHOUT_ORDER
    if passage.opening is Opening.GUARANTEED and any(
        bill.standing is Standing.OWED and not bill.has_live_attempt and not bill.was_captured
        for bill in passage.bills
    ):
        return Code.GUARANTEE_UNMET
    borne_out = all(_bears_out(passage.opening, bill) for bill in passage.bills)
    return None if borne_out else Code.OPENED_UNPAID


def judge_stay(stay: PaidStay, now: datetime) -> Code | None:
    """Return whether a car that paid should have left by now, and did not."""
    if stay.has_left or stay.prepaid_until is None or now < stay.prepaid_until + GONE_AFTER:
        return None
    return Code.PAID_NOT_LEFT


def finding_of_passage(passage: Passage, code: Code) -> Finding:
    """Return the difference that a car which was let out is."""
    unpaid = next(
        (bill for bill in passage.bills if bill.standing is not Standing.PAID),
        passage.bills[0] if passage.bills else None,
    )
    return Finding(
        code=code,
        operator_id=passage.operator_id,
        subject_id=passage.presentation_id,
        at=passage.came_at,
        ours=None if unpaid is None else unpaid.total,
        bill_id=None if unpaid is None else unpaid.id,
        session_id=passage.session_id,
    )


def finding_of_stay(stay: PaidStay, code: Code, now: datetime) -> Finding:
    """Return the difference that a car which paid and did not leave is."""
    return Finding(
        code=code,
        operator_id=stay.operator_id,
        subject_id=stay.bill_id,
        at=stay.prepaid_until or now,
        ours=stay.amount,
        bill_id=stay.bill_id,
        session_id=stay.session_id,
    )


def _bears_out(opening: Opening, bill: BillSide) -> bool:
    if bill.standing is Standing.PAID or bill.was_captured or not bill.total:
        return True
    if opening is Opening.GUARANTEED:
        return bill.has_live_attempt
    # A named person's word, and credit, leave a bill that is owed or is just being paid.
    by_rule = opening in {Opening.CREDIT, Opening.MANUAL}
    return by_rule and (bill.standing is Standing.OWED or bill.has_live_attempt)

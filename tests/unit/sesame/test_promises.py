"""A gate that opens for money, judged by the bills of the stay and by the provider's books."""

from uuid import UUID, uuid4

import pytest

from sesame.bench.money.books import Books
from sesame.bench.money.promises import gate_by_money
from sesame.bench.money.rows import Row, Rows

STAY, PAID, OWED, ATTEMPT = uuid4(), uuid4(), uuid4(), uuid4()


def bill(bill_id: UUID, state: str, *, corrects: UUID | None, paid_by: UUID | None) -> Row:
    return {
        "id": bill_id,
        "session_id": STAY,
        "state": state,
        "total_minor": 1000,
        "corrects_id": corrects,
        "paid_attempt_id": paid_by,
    }


@pytest.mark.parametrize("is_disputed", [True, False])
def test_a_gate_may_open_over_a_bill_whose_money_the_payers_bank_took(*, is_disputed: bool) -> None:
    rows = Rows(
        bills=(
            bill(PAID, "corrected", corrects=None, paid_by=ATTEMPT),
            bill(OWED, "owed", corrects=PAID, paid_by=None),
        ),
        attempts=({"id": ATTEMPT, "number": "n1", "provider": "stripe"},),
        refunds=(),
        transfers=(),
        commands=({"direction": "exit", "session_id": STAY, "reason": "zero_due"},),
    )
    books = {"stripe": Books(charged_back={"n1": 1000} if is_disputed else {})}
    broken = [str(one) for one in gate_by_money(rows, books, rows.commands)]
    words = f"promise 3 is broken: a gate opened as zero_due with bill {OWED} unpaid"
    assert broken == ([] if is_disputed else [words])

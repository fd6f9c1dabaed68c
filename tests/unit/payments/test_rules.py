"""What a provider's word makes of an attempt and of a refund."""

import pytest

from parking.payments.models import AttemptState, RefundState
from parking.payments.port import ChargeResult, OrderStatus, RefundResult
from parking.payments.rules import next_refund_state, next_state, query_delay

LIVE = ("sent", "accepted", "unknown")
DEFINITIVE = ("succeeded", "failed")


@pytest.mark.parametrize(
    ("status", "following"),
    [
        (OrderStatus.ACCEPTED, "accepted"),
        (OrderStatus.SUCCEEDED, "succeeded"),
        (OrderStatus.FAILED, "failed"),
        (OrderStatus.UNKNOWN, "unknown"),
        (OrderStatus.NOT_FOUND, "unknown"),
    ],
)
def test_an_answer_moves_what_is_open_and_nothing_else(status: OrderStatus, following: str) -> None:
    charge = ChargeResult(number="T1", status=status)
    refund = RefundResult(number="R1", charge_number="T1", status=status)
    for state in LIVE:
        # An accepted order does not become unknown again.
        stays = state == "accepted" and following == "unknown"
        expected = state if stays else following
        assert next_state(AttemptState(state), charge) == expected
        assert next_refund_state(RefundState(state), refund) == expected
    for state in DEFINITIVE:
        assert next_state(AttemptState(state), charge) == state
        assert next_refund_state(RefundState(state), refund) == state


def test_questions_come_ever_later() -> None:
    waits = [query_delay(queries).total_seconds() for queries in (*range(8), 1000)]
    assert waits == [0.5, 1, 2, 5, 15, 30, 30, 30, 300]
    assert query_delay(1000, is_page=True).total_seconds() == 10

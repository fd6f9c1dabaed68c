"""What follows from what with money: pure, no I/O."""

from collections.abc import Sequence
from datetime import timedelta

from parking.payments.models import (
    AttemptProblem,
    AttemptState,
    BillState,
    PaymentAttempt,
    RefundState,
)
from parking.payments.port import (
    ANSWER_MISMATCH,
    NUMBER_CONFLICT,
    AccountKind,
    Advance,
    ChargeResult,
    OrderStatus,
    RefundResult,
)

# An unknown outcome is queried at these distances, the last one until people would have noticed.
QUERY_BACKOFF_S: Sequence[float] = (0.5, 1, 2, 5, 15, 30)
# Half an hour's worth; from then on it is asked about more seldom, and staff are told.
QUERIES_EAGER_MAX = 60
QUERY_SELDOM = timedelta(minutes=5)
# A bank collects in days, and tells us by itself: asking is for when that was lost.
BANK_QUERY_BACKOFF_S: Sequence[float] = (60, 600, 3600, 6 * 3600)
PAGE_QUERY = timedelta(seconds=10)
# No provider takes longer to collect what it has accepted; from then on staff are told.
ACCEPTED_MAX = timedelta(days=1)
BANK_ACCEPTED_MAX = timedelta(days=30)
LIVE_STATES = frozenset({AttemptState.SENT, AttemptState.ACCEPTED, AttemptState.UNKNOWN})
# What was written off may still be paid by whoever wants to.
UNPAID_STATES = frozenset({BillState.ISSUED, BillState.OWED, BillState.WRITTEN_OFF})

_STATES = {
    OrderStatus.ACCEPTED: AttemptState.ACCEPTED,
    OrderStatus.SUCCEEDED: AttemptState.SUCCEEDED,
    OrderStatus.FAILED: AttemptState.FAILED,
    OrderStatus.UNKNOWN: AttemptState.UNKNOWN,
    # The order may still be on its way: only the same number again, or closing it, settles that.
    OrderStatus.NOT_FOUND: AttemptState.UNKNOWN,
}
LIVE_REFUND_STATES = frozenset({RefundState.SENT, RefundState.ACCEPTED, RefundState.UNKNOWN})

_REFUND_STATES = {
    OrderStatus.ACCEPTED: RefundState.ACCEPTED,
    OrderStatus.SUCCEEDED: RefundState.SUCCEEDED,
    OrderStatus.FAILED: RefundState.FAILED,
    OrderStatus.UNKNOWN: RefundState.UNKNOWN,
    # It may still be on its way: only the same number again settles that.
    OrderStatus.NOT_FOUND: RefundState.UNKNOWN,
}


def next_state(state: AttemptState, result: ChargeResult) -> AttemptState:
    """Return where an attempt stands after an answer.

    A definitive state never changes, and an accepted order does not become unknown again.
    """
    if state not in LIVE_STATES:
        return state
    following = _STATES[result.status]
    if following == AttemptState.UNKNOWN and state == AttemptState.ACCEPTED:
        return state
    return following


def next_refund_state(state: RefundState, result: RefundResult) -> RefundState:
    """Return where a refund stands after an answer; as for attempts, see `next_state`."""
    if state not in LIVE_REFUND_STATES:
        return state
    following = _REFUND_STATES[result.status]
    if following == RefundState.UNKNOWN and state == RefundState.ACCEPTED:
        return state
    return following


def next_advance(known: Advance | None, told: Advance | None) -> Advance | None:
    """Return whether the payer has repaid the provider; notices about it may come in any order."""
    return known if told is None or known is Advance.REPAID else told


def problem_after(
    attempt: PaymentAttempt,
    result: ChargeResult,
    *,
    age: timedelta,
    account: AccountKind | None = None,
) -> AttemptProblem | None:
    """Return why a person must look at an attempt after an answer; None where nobody needs to."""
    if result.status is OrderStatus.ACCEPTED:
        most = BANK_ACCEPTED_MAX if account is AccountKind.BANK else ACCEPTED_MAX
        return AttemptProblem.UNANSWERED if age > most else None
    if result.status is not OrderStatus.UNKNOWN:
        return None if result.status is not OrderStatus.NOT_FOUND else attempt.problem
    if result.failure_code == ANSWER_MISMATCH:
        return AttemptProblem.AMOUNT_MISMATCH
    if result.failure_code == NUMBER_CONFLICT:
        return AttemptProblem.NUMBER_CONFLICT
    if attempt.problem is None and attempt.queries >= QUERIES_EAGER_MAX:
        return AttemptProblem.UNANSWERED
    return attempt.problem


def query_delay(
    queries: int,
    *,
    is_page: bool = False,
    account: AccountKind | None = None,
    state: AttemptState = AttemptState.UNKNOWN,
) -> timedelta:
    """Return how long to wait before the next query after `queries` of them.

    Somebody may pay on an open page at any moment, and its notice may be lost while the car stands
    at the gate: pages are asked about steadily until they expire. A debit that the bank has
    accepted is on its way for days.
    """
    if is_page:
        return PAGE_QUERY
    if account is AccountKind.BANK and state == AttemptState.ACCEPTED:
        return timedelta(seconds=_at(BANK_QUERY_BACKOFF_S, queries))
    if queries >= QUERIES_EAGER_MAX:
        return QUERY_SELDOM
    return timedelta(seconds=_at(QUERY_BACKOFF_S, queries))


def _at(distances_s: Sequence[float], queries: int) -> float:
    return distances_s[min(queries, len(distances_s) - 1)]

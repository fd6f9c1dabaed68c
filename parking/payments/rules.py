"""What follows from what with money: pure, no I/O."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from parking.kit.money import Money
from parking.payments.models import AttemptState, Mandate, MandateState, RefundState
from parking.payments.port import ChargeResult, OrderStatus, RefundResult

# An unknown outcome is queried at these distances, the last one for ever after.
QUERY_BACKOFF_S: Sequence[float] = (0.5, 1, 2, 5, 15, 60, 300)
PAGE_QUERY = timedelta(seconds=10)
LIVE_STATES = frozenset({AttemptState.SENT, AttemptState.ACCEPTED, AttemptState.UNKNOWN})

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


def query_delay(queries: int, *, is_page: bool = False) -> timedelta:
    """Return how long to wait before the next query after `queries` of them.

    Somebody may pay on an open page at any moment, and its notice may be lost while the car stands
    at the gate: pages are asked about steadily until they expire.
    """
    if is_page:
        return PAGE_QUERY
    return timedelta(seconds=QUERY_BACKOFF_S[min(queries, len(QUERY_BACKOFF_S) - 1)])


def usable_mandates(mandates: Iterable[Mandate], due: Money) -> list[Mandate]:
    """Return the mandates that may be charged `due`, in the order to try them."""
    return sorted(
        (mandate for mandate in mandates if _permits(mandate, due)), key=lambda item: item.id
    )


def _permits(mandate: Mandate, due: Money) -> bool:
    return (
        mandate.state == MandateState.ACTIVE
        and mandate.agreement_reference is not None
        and mandate.currency in {None, due.currency}
        and (mandate.amount_minor_max is None or due.amount_minor <= mandate.amount_minor_max)
    )

"""Payments that need a person: why, what to do, and what the person decided."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.payments import settlement
from parking.flows.payments.settlement import Settled
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments import repository
from parking.payments.errors import AttemptNotStuckError, AttemptUnknownError
from parking.payments.models import AttemptKind, AttemptProblem, AttemptState, PaymentAttempt
from parking.payments.port import Advance, ChargeResult, OrderStatus
from parking.payments.rules import LIVE_STATES
from parking.payments.service import AmountMismatchError

REASON_LENGTH_MAX: Final = 200
ENDED_BY_STAFF: Final = "ended_by_staff"

_log = structlog.get_logger()

WHAT_TO_DO: Final[Mapping[AttemptProblem, str]] = {
    AttemptProblem.AMOUNT_MISMATCH: (
        "The provider names another amount for this order than was asked for. Look the number up "
        "in its console. If it took money, give all of it back there; then end this payment here, "
        "and the bill can be paid anew."
    ),
    AttemptProblem.NUMBER_CONFLICT: (
        "The provider knows this number from an order with other particulars. Look the number up "
        "in its console. If it took money for it, give it back there; then end this payment here."
    ),
    AttemptProblem.UNANSWERED: (
        "The provider has not said for long how this order ended, or no process can ask it. Check "
        "that it is set up and reachable, then ask again. If its console shows that no money was "
        "taken, close the order there and end this payment here."
    ),
    AttemptProblem.TAKEN_AFTER_END: (
        "The provider took the money after this payment had ended, and its bill is paid in another "
        "way or is not due any more. Give all of it back in the provider's console; then end this "
        "payment here."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One order at a provider, as staff see it: not whose it is.

    Attributes:
        number: What the provider's console finds it by.
        what_to_do: None where nobody needs to do anything.
    """

    operator_id: UUID
    id: UUID
    bill_id: UUID
    kind: AttemptKind
    provider: str
    number: str
    provider_reference: str | None
    amount: Money
    state: AttemptState
    failure_code: str | None
    advance: Advance | None
    problem: AttemptProblem | None
    what_to_do: str | None
    sent_at: datetime
    finished_at: datetime | None
    ended_by: str | None
    ended_reason: str | None


async def list_of_bill(
    context: ParkingContext, operator_id: UUID, bill_id: UUID
) -> list[AttemptView]:
    """Return every attempt to pay one of the operator's bills, oldest first."""
    async with context.database.begin() as unit:
        attempts = await repository.find_attempts(unit, operator_id, bill_id)
    return [view_of(attempt) for attempt in attempts]


async def page_of_stuck(
    context: ParkingContext,
    operator_id: UUID,
    *,
    first: int,
    before: UUID | None,
    places: Collection[UUID] | None = None,
) -> list[AttemptView]:
    """Return the operator's attempts that need a person, at `places` only, newest first."""
    async with context.database.begin() as unit:
        attempts = await repository.page_stuck(
            unit, operator_id, first=first, before=before, places=places
        )
    return [view_of(attempt) for attempt in attempts]


async def ask_again(context: ParkingContext, operator_id: UUID, attempt_id: UUID) -> AttemptView:
    """Ask the provider now how an attempt ended; again asks again and moves nothing.

    Raises:
        AttemptUnknownError: the operator has no such attempt.
        ProviderMissingError: this process cannot ask it.
    """
    await _require(context, operator_id, attempt_id)
    try:
        await settlement.ask(context, operator_id, attempt_id)
    except AmountMismatchError:
        # It is on the list already; that is the answer.
        _log.warning("attempt.still_mismatched", attempt=str(attempt_id))
    return await _require(context, operator_id, attempt_id)


async def end_by_hand(
    context: ParkingContext, operator_id: UUID, attempt_id: UUID, *, by: str, reason: str
) -> AttemptView:
    """End an attempt that only a person can end: its bill may then be paid anew.

    The provider is asked to close it first; where it says definitively how the order ended, that
    counts, and not the person. Again changes nothing.

    Args:
        context: The domain's surroundings.
        operator_id: The attempt's owner.
        attempt_id: One with a problem.
        by: The person, who has seen at the provider that it holds no money of this order.
        reason: In the person's words.

    Raises:
        InvalidInputError: there is no reason.
        AttemptUnknownError: the operator has no such attempt.
        AttemptNotStuckError: it needs no person.
    """
    words = reason.strip()
    if not 0 < len(words) <= REASON_LENGTH_MAX or not words.isprintable():
        raise InvalidInputError("reason", f"1 to {REASON_LENGTH_MAX} printable letters")
    known = await _require(context, operator_id, attempt_id)
    if known.problem is None:
        if known.ended_by is not None:
            return known
        raise AttemptNotStuckError("paymentId: expected one that needs a person")
    if known.state in LIVE_STATES:
        await _try_to_close(context, known)

    async def sign(unit: UnitOfWork, settled: Settled) -> None:
        attempt = settled.attempt
        is_by_hand = attempt.failure_code == ENDED_BY_STAFF or attempt.problem is not None
        if not is_by_hand:
            return
        attempt.problem = None
        # The first of several people stays on record, also where the provider tells of it again.
        if attempt.ended_by is None:
            attempt.ended_by, attempt.ended_reason = by, words
        unit.session.add(attempt)

    ended = ChargeResult(
        number=known.number, status=OrderStatus.FAILED, failure_code=ENDED_BY_STAFF
    )
    await settlement.settle(context, operator_id, attempt_id, ended, then=sign)
    _log.warning("attempt.ended_by_hand", attempt=str(attempt_id), by=by)
    return await _require(context, operator_id, attempt_id)


def view_of(attempt: PaymentAttempt) -> AttemptView:
    """Return what staff see of an attempt."""
    problem = None if attempt.problem is None else AttemptProblem(attempt.problem)
    return AttemptView(
        operator_id=attempt.operator_id,
        id=attempt.id,
        bill_id=attempt.bill_id,
        kind=AttemptKind(attempt.kind),
        provider=attempt.provider,
        number=attempt.number,
        provider_reference=attempt.provider_reference,
        amount=Money(attempt.amount_minor, attempt.currency),
        state=AttemptState(attempt.state),
        failure_code=attempt.failure_code,
        advance=None if attempt.advance is None else Advance(attempt.advance),
        problem=problem,
        what_to_do=None if problem is None else WHAT_TO_DO[problem],
        sent_at=attempt.sent_at,
        finished_at=attempt.finished_at,
        ended_by=attempt.ended_by,
        ended_reason=attempt.ended_reason,
    )


async def _try_to_close(context: ParkingContext, known: AttemptView) -> None:
    if known.provider not in context.providers:
        return
    try:
        await settlement.close(context, known.operator_id, known.id)
    except AmountMismatchError:
        # As before: this is what the person has looked into.
        _log.warning("attempt.still_mismatched", attempt=str(known.id))


async def _require(context: ParkingContext, operator_id: UUID, attempt_id: UUID) -> AttemptView:
    async with context.database.begin() as unit:
        attempt = await repository.find_attempt(unit, operator_id, attempt_id)
    if attempt is None:
        raise AttemptUnknownError("paymentId: expected one of yours")
    return view_of(attempt)

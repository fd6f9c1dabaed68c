"""Use cases of a dispute that are one transaction each."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from parking.disputes import repository, rules
from parking.disputes.errors import (
    DisputeDecidedError,
    DisputesTooManyError,
    DisputeUnknownError,
)
from parking.disputes.models import (
    WHOLE_BILL,
    Dispute,
    DisputeReason,
    DisputeState,
    DriverDispute,
    MisreadSuspicion,
    Opener,
)
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id

COMMENT_CONTEXT: Final = "dispute_comment"
WORDS_CONTEXT: Final = "dispute_words"
# While the caller carries a decision out, the sweep leaves it alone.
CARRIED_OUT_WITHIN: Final = timedelta(seconds=30)
RETRY_AFTER: Final = timedelta(minutes=1)
TRIES_MAX: Final = 60
# The frames of a car may come after its read was decided on; they are part of the case.
LOOK_AFTER: Final = timedelta(seconds=5)
_BY_A_PERSON: Final = frozenset({DisputeState.ACCEPTED, DisputeState.REJECTED})
_DECIDED: Final = _BY_A_PERSON | {DisputeState.AUTO_REFUNDED}


@dataclass(frozen=True, slots=True)
class NewDispute:
    """What is contested, and what is known of it.

    Attributes:
        line_index: None for the whole bill.
        evidence: Numbers only.
        later_presentation_id: The car that showed that there was a misread.
    """

    operator_id: UUID
    session_id: UUID
    bill_id: UUID
    place_id: UUID
    driver_id: UUID
    currency: str
    reason: DisputeReason
    opened_by: Opener
    evidence: dict[str, Any]
    comment: str = ""
    line_index: int | None = None
    later_presentation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class NewDecision:
    """What somebody decides.

    Attributes:
        what: JSON values: `kind`, and with it what is to be corrected.
        words: What the driver is told.
        by: Who decides.
    """

    what: dict[str, Any]
    words: str
    by: str


async def find_standing(
    unit: UnitOfWork, driver_id: UUID, bill_id: UUID, line_index: int | None
) -> Dispute | None:
    """Return the driver's open dispute of a line, with the driver's disputes locked.

    Raises:
        DisputesTooManyError: there is none, and the driver opened too many within a day.
    """
    await repository.lock_driver(unit, driver_id)
    found = await repository.find_open(unit, driver_id, bill_id, _stored_line(line_index))
    if found is not None:
        return await repository.find_dispute(unit, found.operator_id, found.dispute_id)
    recent = await repository.opened_since(unit, driver_id, unit.now() - rules.DAY)
    if len(recent) >= rules.DISPUTES_PER_DAY_MAX:
        free_at = recent[-rules.DISPUTES_PER_DAY_MAX] + rules.DAY
        raise DisputesTooManyError(max(1, int((free_at - unit.now()).total_seconds())))
    return None


async def automatic_refunds(unit: UnitOfWork, driver_id: UUID) -> int:
    """Return how many automatic refunds the driver had lately; the driver must be locked."""
    since = unit.now() - rules.AUTOMATIC_REFUND_PERIOD
    return await repository.count_automatic(unit, driver_id, since)


async def is_decided_before(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> bool:
    """Return whether the locked stay was decided about, or is just being decided about."""
    known = await repository.disputes_of_session(unit, operator_id, session_id)
    return any(
        dispute.state in _DECIDED
        or (dispute.state == DisputeState.OPEN and dispute.decision is not None)
        for dispute in known
    )


async def open_dispute(
    unit: UnitOfWork, new: NewDispute, *, cause: rules.StaffCause | None, decision: NewDecision
) -> Dispute | None:
    """Open a dispute; None where one of the same line is open already.

    Args:
        unit: The transaction, with the driver's disputes and the stay locked.
        new: What is contested.
        cause: Why a person must decide; None where `decision` is carried out at once.
        decision: What the system decides where it decides.
    """
    now = unit.now()
    dispute = Dispute(
        operator_id=new.operator_id,
        id=new_id(now),
        session_id=new.session_id,
        bill_id=new.bill_id,
        place_id=new.place_id,
        driver_id=new.driver_id,
        line_index=new.line_index,
        reason=new.reason,
        opened_by=new.opened_by,
        comment_sealed=unit.vault.seal(new.comment, context=COMMENT_CONTEXT),
        state=DisputeState.OPEN,
        evidence=new.evidence,
        staff_cause=cause,
        later_presentation_id=new.later_presentation_id,
        # A misread that the system found itself is looked at by a person, refunded or not.
        is_review_due=new.opened_by is Opener.SYSTEM,
        currency=new.currency,
        opened_at=now,
    )
    listed = DriverDispute(
        driver_id=new.driver_id,
        dispute_id=dispute.id,
        operator_id=new.operator_id,
        bill_id=new.bill_id,
        line_index=_stored_line(new.line_index),
        is_automatic=cause is None,
        opened_at=now,
    )
    if not await repository.add_to_driver(unit, listed):
        return None
    if cause is None:
        decide(unit, dispute, decision)
    unit.session.add(dispute)
    return dispute


def decide(unit: UnitOfWork, dispute: Dispute, decision: NewDecision) -> None:
    """Write down a decision that is still to be carried out; the dispute is locked or new."""
    dispute.decision = decision.what
    dispute.decided_by = decision.by
    dispute.words_sealed = unit.vault.seal(decision.words, context=WORDS_CONTEXT)
    dispute.next_try_at = unit.now() + CARRIED_OUT_WITHIN
    dispute.tries = 0


async def claim(
    unit: UnitOfWork, operator_id: UUID, dispute_id: UUID, decision: NewDecision
) -> Dispute:
    """Let one person decide; the same decision by the same person again changes nothing.

    Raises:
        DisputeUnknownError: the operator has no such dispute.
        DisputeDecidedError: somebody else was first, or this is another decision.
    """
    dispute = await repository.lock_dispute(unit, operator_id, dispute_id)
    if dispute is None:
        raise DisputeUnknownError
    if dispute.state == DisputeState.OPEN and dispute.decision is None:
        decide(unit, dispute, decision)
    elif not _is_same(unit, dispute, decision):
        raise DisputeDecidedError
    return dispute


async def withdraw(unit: UnitOfWork, driver_id: UUID, dispute_id: UUID) -> Dispute:
    """End the driver's own dispute; again changes nothing.

    Raises:
        DisputeUnknownError: the driver has opened no such dispute.
        DisputeDecidedError: it is decided, or just being decided.
    """
    own = await repository.find_of_driver(unit, driver_id, dispute_id)
    dispute = (
        None if own is None else await repository.lock_dispute(unit, own.operator_id, dispute_id)
    )
    # What the system found is not the driver's to take back: staff look at two cars there.
    if dispute is None or dispute.opened_by == Opener.SYSTEM:
        raise DisputeUnknownError
    if dispute.state == DisputeState.WITHDRAWN:
        return dispute
    if dispute.state != DisputeState.OPEN or dispute.decision is not None:
        raise DisputeDecidedError
    await close(unit, dispute, DisputeState.WITHDRAWN, refunded_minor=None)
    return dispute


async def close(
    unit: UnitOfWork, dispute: Dispute, state: DisputeState, *, refunded_minor: int | None
) -> None:
    """End a locked, open dispute."""
    dispute.state = state
    dispute.refunded_minor = refunded_minor
    dispute.decided_at = unit.now()
    dispute.next_try_at = None
    if state in _BY_A_PERSON and dispute.decided_by is not None:
        _mark_reviewed(dispute, dispute.decided_by, unit.now())
    await repository.close_of_driver(
        unit, dispute, is_automatic=state == DisputeState.AUTO_REFUNDED
    )


def postpone(dispute: Dispute, now: datetime) -> bool:
    """Let a locked dispute's decision be tried again later; False after TRIES_MAX."""
    if dispute.tries >= TRIES_MAX:
        return False
    dispute.next_try_at = now + RETRY_AFTER
    return True


def release(dispute: Dispute, cause: rules.StaffCause) -> None:
    """Take back a decision of a locked dispute that cannot be carried out: a person goes on."""
    dispute.decision = None
    dispute.decided_by = None
    dispute.words_sealed = None
    dispute.next_try_at = None
    dispute.staff_cause = dispute.staff_cause or cause


async def review(
    unit: UnitOfWork, operator_id: UUID, dispute_id: UUID, *, staff_name: str
) -> Dispute:
    """Record that a person has looked at a misread that the system found; the first name stays.

    Raises:
        DisputeUnknownError: the operator has no such dispute.
    """
    dispute = await repository.lock_dispute(unit, operator_id, dispute_id)
    if dispute is None:
        raise DisputeUnknownError
    _mark_reviewed(dispute, staff_name, unit.now())
    return dispute


async def suspect(unit: UnitOfWork, operator_id: UUID, presentation_id: UUID) -> None:
    """Remember a car at an exit without a stay: another one may have left on its plate.

    One small row, and nothing else: the car waits at the gate.
    """
    await repository.add_suspicion(
        unit,
        MisreadSuspicion(
            operator_id=operator_id,
            presentation_id=presentation_id,
            next_try_at=unit.now() + LOOK_AFTER,
        ),
    )


def comment_of(unit: UnitOfWork, dispute: Dispute) -> str:
    """Return the driver's comment: for the driver and for the operator's staff only."""
    return unit.vault.open(dispute.comment_sealed, context=COMMENT_CONTEXT)


def words_of(unit: UnitOfWork, dispute: Dispute) -> str | None:
    """Return the decision's words; None while there is none."""
    if dispute.words_sealed is None:
        return None
    return unit.vault.open(dispute.words_sealed, context=WORDS_CONTEXT)


def _mark_reviewed(dispute: Dispute, name: str, at: datetime) -> None:
    if dispute.is_review_due:
        dispute.is_review_due = False
        dispute.reviewed_by = name
        dispute.reviewed_at = at


def _is_same(unit: UnitOfWork, dispute: Dispute, decision: NewDecision) -> bool:
    known = (dispute.decision, dispute.decided_by, words_of(unit, dispute))
    return known == (decision.what, decision.by, decision.words)


def _stored_line(line_index: int | None) -> int:
    return WHOLE_BILL if line_index is None else line_index

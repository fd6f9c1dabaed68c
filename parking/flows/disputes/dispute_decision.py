"""Deciding disputes: a decision is written down first, then carried out, then told.

Between the three the process may die. The sweep goes on from what is written: correcting a stay
and refunding it are idempotent, so that a decision carried out twice moves money once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from parking.disputes import repository, rules
from parking.disputes import service as disputes
from parking.disputes.errors import DisputeUnknownError
from parking.disputes.models import Dispute, DisputeState
from parking.disputes.rules import StaffCause
from parking.events.types import EventType
from parking.flows.context import ParkingContext
from parking.flows.payments import correction
from parking.flows.payments.correction import Correction, CorrectionOutcome
from parking.kit.database import UnitOfWork
from parking.kit.errors import ParkingError
from parking.places import service as places
from parking.sessions import service as sessions
from parking.sessions.events import tell
from parking.tariffs.rules import Vehicle

AUTOMATIC: Final = "automatic"
ACCEPT_FULL: Final = "accept_full"
CORRECT: Final = "correct"
REJECT: Final = "reject"
# The system's own decisions carry this name; a member of staff is `<operator>:<name>`.
SYSTEM_NAME: Final = "system"
LEASE: Final = timedelta(seconds=30)
# What the payer reads on the statement; the driver reads the words of the decision.
REFUND_REASON: Final = "Dispute accepted"

_STATES: Final = {
    AUTOMATIC: DisputeState.AUTO_REFUNDED,
    ACCEPT_FULL: DisputeState.ACCEPTED,
    CORRECT: DisputeState.ACCEPTED,
    REJECT: DisputeState.REJECTED,
}
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What staff correct of a stay; every part may be left out.

    Attributes:
        waived_lines: Lines of the disputed bill, from 0, that cost nothing.
    """

    entered_at: datetime | None = None
    left_at: datetime | None = None
    vehicle: Vehicle | None = None
    waived_lines: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as a dispute keeps it."""
        return {
            "entered_at": None if self.entered_at is None else self.entered_at.isoformat(),
            "left_at": None if self.left_at is None else self.left_at.isoformat(),
            "vehicle": None if self.vehicle is None else self.vehicle.model_dump(mode="json"),
            "waived_lines": list(self.waived_lines),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Remedy":
        """Return what `to_json` gave."""
        return cls(
            entered_at=_time(data["entered_at"]),
            left_at=_time(data["left_at"]),
            vehicle=None if data["vehicle"] is None else Vehicle.model_validate(data["vehicle"]),
            waived_lines=tuple(data["waived_lines"]),
        )


async def resolve(
    context: ParkingContext,
    operator_id: UUID,
    dispute_id: UUID,
    *,
    kind: str,
    remedy: Remedy | None,
    words: str,
    staff_name: str,
) -> Dispute:
    """Decide as a member of staff; of two at once one decides, and the other is told so.

    The same decision with the same words by the same person again changes nothing.

    Args:
        context: The domain's surroundings.
        operator_id: Whose staff decides.
        dispute_id: The dispute.
        kind: ACCEPT_FULL, CORRECT or REJECT.
        remedy: What to correct; with CORRECT only.
        words: What the driver reads.
        staff_name: Who decides.

    Raises:
        DisputeUnknownError: the operator has no such dispute.
        DisputeDecidedError: somebody else decided first.
        InvalidInputError: the words or the correction are unusable; the dispute stays open.
    """
    what = decision_of(kind, remedy)
    decision = disputes.NewDecision(what, rules.check_words(words), staff_name)
    async with context.database.begin() as unit:
        dispute = await disputes.claim(unit, operator_id, dispute_id, decision)
    if dispute.state != DisputeState.OPEN:
        return dispute
    return await carry_out(context, operator_id, dispute_id)


def decision_of(kind: str, remedy: Remedy | None) -> dict[str, Any]:
    """Return a decision as a dispute keeps it."""
    return {"kind": kind} if remedy is None else {"kind": kind, "remedy": remedy.to_json()}


async def carry_out(context: ParkingContext, operator_id: UUID, dispute_id: UUID) -> Dispute:
    """Do what was decided, and tell the driver; again changes nothing.

    A payment under way, or a rival, makes it wait for the sweep. What can never be done is taken
    back, and the dispute is open again.

    Raises:
        ParkingError: it can never be done.
    """
    async with context.database.begin() as unit:
        dispute = await _require(unit, operator_id, dispute_id)
    if dispute.state != DisputeState.OPEN or dispute.decision is None:
        return dispute
    try:
        outcome = await _correct(context, dispute, dispute.decision)
    except ParkingError as error:
        return await _failed(context, dispute, error)
    async with context.database.begin() as unit:
        return await _finish(unit, dispute, outcome)


async def sweep(context: ParkingContext) -> int:
    """Carry out what is decided and not done; returns how many disputes there were."""
    async with context.database.begin() as unit:
        due = await repository.take_due(unit, LEASE)
    for operator_id, dispute_id in due:
        try:
            await carry_out(context, operator_id, dispute_id)
        except Exception as error:  # noqa: BLE001 - one that fails must not keep the others waiting
            _log.warning("dispute.not_done", dispute=str(dispute_id), error=repr(error))
            await _give_up(context, operator_id, dispute_id)
    return len(due)


async def _give_up(context: ParkingContext, operator_id: UUID, dispute_id: UUID) -> None:
    """Let a person go on with a decision that failed too often."""
    async with context.database.begin() as unit:
        dispute = await repository.lock_dispute(unit, operator_id, dispute_id)
        if dispute is not None and dispute.decision is not None:
            is_open = dispute.state == DisputeState.OPEN
            if is_open and not disputes.postpone(dispute, unit.now()):
                disputes.release(dispute, StaffCause.NOT_POSSIBLE)


async def _correct(
    context: ParkingContext, dispute: Dispute, decision: dict[str, Any]
) -> CorrectionOutcome | None:
    if decision["kind"] == REJECT:
        return None
    return await correction.correct_stay(
        context,
        dispute.operator_id,
        dispute.session_id,
        correction_of(dispute, decision),
        correction_id=f"dispute:{dispute.id}",
        by=dispute.decided_by or SYSTEM_NAME,
        reason=REFUND_REASON,
    )


def correction_of(dispute: Dispute, decision: dict[str, Any]) -> Correction:
    """Return what a decision asks of the stay; a whole bill that is accepted waives the stay."""
    if decision["kind"] == CORRECT:
        remedy = Remedy.from_json(decision["remedy"])
        return Correction(
            entered_at=remedy.entered_at,
            left_at=remedy.left_at,
            vehicle=remedy.vehicle,
            waived_lines=remedy.waived_lines,
            bill_id=dispute.bill_id if remedy.waived_lines else None,
        )
    if decision["kind"] == ACCEPT_FULL and dispute.line_index is not None:
        return Correction(waived_lines=(dispute.line_index,), bill_id=dispute.bill_id)
    return Correction(waive=True)


async def _failed(context: ParkingContext, dispute: Dispute, error: ParkingError) -> Dispute:
    async with context.database.begin() as unit:
        locked = await repository.lock_dispute(unit, dispute.operator_id, dispute.id)
        if locked is None or locked.state != DisputeState.OPEN or locked.decision is None:
            return dispute if locked is None else locked
        if error.retryable and disputes.postpone(locked, unit.now()):
            return locked
        is_automatic = locked.decision["kind"] == AUTOMATIC
        disputes.release(locked, StaffCause.NOT_POSSIBLE)
    if is_automatic:
        # Nobody waits for an answer but staff, who find it in their queue.
        _log.warning("dispute.left_to_staff", dispute=str(dispute.id), error=repr(error))
        return locked
    raise error


async def _finish(unit: UnitOfWork, dispute: Dispute, outcome: CorrectionOutcome | None) -> Dispute:
    session = await sessions.lock_session(unit, dispute.operator_id, dispute.session_id)
    locked = await repository.lock_dispute(unit, dispute.operator_id, dispute.id)
    if session is None or locked is None:
        raise DisputeUnknownError
    if locked.state != DisputeState.OPEN or locked.decision is None:
        return locked
    state = _STATES[locked.decision["kind"]]
    refunded_minor = None
    if outcome is not None:
        # Another driver of the plate may have paid for a part of the stay: that is not told.
        own = (one for one in outcome.refunds if one.driver_id == locked.driver_id)
        refunded_minor = sum(refund.amount_minor for refund in own)
    await disputes.close(unit, locked, state, refunded_minor=refunded_minor)
    place = await places.require_place(unit, locked.operator_id, locked.place_id)
    payload = {
        # The plate may have another driver by now; whoever disputed is told.
        "driver_id": str(locked.driver_id),
        "dispute_id": str(locked.id),
        "state": state,
        "amount_minor": refunded_minor or 0,
        "currency": locked.currency,
        "place_name": place.name,
        "timezone": place.timezone,
    }
    tell(unit, session, EventType.DISPUTE_DECIDED, payload)
    return locked


async def _require(unit: UnitOfWork, operator_id: UUID, dispute_id: UUID) -> Dispute:
    dispute = await repository.find_dispute(unit, operator_id, dispute_id)
    if dispute is None:
        raise DisputeUnknownError
    return dispute


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

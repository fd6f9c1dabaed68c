"""Opening a dispute: by a driver, or by the system that found a misread."""

from dataclasses import dataclass
from uuid import UUID

from parking.disputes import rules
from parking.disputes import service as disputes
from parking.disputes.errors import DisputeNotPossibleError, DisputeTooEarlyError
from parking.disputes.models import Dispute, DisputeReason, Opener
from parking.drivers.deliveries import find_locale
from parking.flows.context import ParkingContext
from parking.flows.disputes import dispute_decision, dispute_evidence, dispute_words
from parking.flows.disputes.dispute_decision import AUTOMATIC, SYSTEM_NAME
from parking.kit.database import UnitOfWork
from parking.payments import repository as payments
from parking.payments.errors import BillUnknownError
from parking.payments.models import AttemptKind, Bill
from parking.sessions import service as sessions
from parking.sessions.models import Session


@dataclass(frozen=True, slots=True)
class _Objection:
    """What a driver says is wrong."""

    driver_id: UUID
    reason: DisputeReason
    comment: str
    line_index: int | None


async def dispute_bill(
    context: ParkingContext,
    driver_id: UUID,
    bill_key: tuple[UUID, UUID],
    *,
    reason: DisputeReason,
    comment: str = "",
    line_index: int | None = None,
) -> Dispute:
    """Contest a bill, or one line of it; again while that is open returns the same dispute.

    Where the reads do not prove that it was the driver's car, the stay is refunded at once. A
    payment under way is not stopped: what it takes is refunded after it has ended.

    Args:
        context: The domain's surroundings.
        driver_id: Who contests.
        bill_key: Operator and bill.
        reason: What is wrong.
        comment: What the driver says about it.
        line_index: The line, from 0; None for the whole bill.

    Raises:
        BillUnknownError: the driver has no such bill.
        DisputeNotPossibleError: there is nothing to give back, or it is not a stay's newest bill.
        DisputeTooEarlyError: the stay has not ended.
        DisputeTooLateError: the bill is too old.
        DisputesTooManyError: the driver opened too many within a day.
        InvalidInputError: the comment or the line is unusable.
    """
    asked = _Objection(driver_id, reason, rules.check_comment(comment), line_index)
    async with context.database.begin() as unit:
        bill = await _own_bill(unit, driver_id, bill_key)
        rules.check_line(line_index, len(bill.lines))
        standing = await disputes.find_standing(unit, driver_id, bill.id, line_index)
        if standing is not None:
            return standing
        rules.check_age(unit.now() - bill.issued_at)
        dispute = await _object(context, unit, bill, asked)
    if dispute.decision is None:
        return dispute
    return await dispute_decision.carry_out(context, dispute.operator_id, dispute.id)


async def open_dispute(
    unit: UnitOfWork, new: disputes.NewDispute, cause: rules.StaffCause | None
) -> Dispute:
    """Open a dispute, decided by the system where `cause` is None; driver and stay are locked."""
    locale = await find_locale(unit, new.driver_id)
    decision = disputes.NewDecision(
        {"kind": AUTOMATIC}, dispute_words.refunded(new.opened_by, locale), SYSTEM_NAME
    )
    opened = await disputes.open_dispute(unit, new, cause=cause, decision=decision)
    if opened is None:
        raise AssertionError("unreachable: the driver's disputes are locked")
    return opened


async def circumspection(
    unit: UnitOfWork, session: Session, driver_id: UUID
) -> rules.Circumspection:
    """Return what speaks against refunding a locked stay without a person."""
    return rules.Circumspection(
        is_paid_by_hand=await _is_paid_by_hand(unit, session),
        is_decided_before=await disputes.is_decided_before(unit, session.operator_id, session.id),
        automatic_refunds=await disputes.automatic_refunds(unit, driver_id),
    )


async def _object(
    context: ParkingContext, unit: UnitOfWork, bill: Bill, asked: _Objection
) -> Dispute:
    session = await _ended_stay(unit, bill)
    found = (await dispute_evidence.gather(unit, session, context.deciding_thresholds)).verdict
    new = disputes.NewDispute(
        operator_id=bill.operator_id,
        session_id=session.id,
        bill_id=bill.id,
        place_id=session.place_id,
        driver_id=asked.driver_id,
        currency=bill.currency,
        reason=asked.reason,
        opened_by=Opener.DRIVER,
        evidence=dispute_evidence.in_numbers(found),
        comment=asked.comment,
        line_index=asked.line_index,
    )
    caution = await circumspection(unit, session, asked.driver_id)
    return await open_dispute(unit, new, rules.cause_for_staff(asked.reason, found, caution))


async def _own_bill(unit: UnitOfWork, driver_id: UUID, key: tuple[UUID, UUID]) -> Bill:
    bill = await payments.find_bill(unit, *key)
    if bill is None or bill.driver_id != driver_id:
        raise BillUnknownError("bill: expected one of yours")
    if bill.session_id is None:
        raise DisputeNotPossibleError("bill: expected one of a stay; this one is of a pass")
    if bill.state in payments.REPLACED:
        raise DisputeNotPossibleError("bill: expected the newest one; another took its place")
    if not bill.total_minor:
        raise DisputeNotPossibleError("bill: expected one that costs something")
    return bill


async def _ended_stay(unit: UnitOfWork, bill: Bill) -> Session:
    session = (
        None
        if bill.session_id is None
        else await sessions.lock_session(unit, bill.operator_id, bill.session_id)
    )
    if session is None:
        raise BillUnknownError("bill: expected one of yours")
    if session.left_at is None:
        raise DisputeTooEarlyError
    return session


async def _is_paid_by_hand(unit: UnitOfWork, session: Session) -> bool:
    """Return whether somebody paid, or is paying, on a page or in the app.

    They saw what it was for: either the driver took it for their own, or a stranger at the exit
    paid, whose money it is not for the driver to have back.
    """
    for bill in await payments.find_bills(unit, session.operator_id, session.id):
        attempt_id = bill.live_attempt_id or bill.paid_attempt_id
        if attempt_id is None:
            continue
        attempt = await payments.find_attempt(unit, bill.operator_id, attempt_id)
        is_page = attempt is not None and attempt.kind == AttemptKind.CHECKOUT
        # At a gate the bill names the car that stood there; paid in the app, it names none.
        if is_page or bill.presentation_id is None:
            return True
    return False

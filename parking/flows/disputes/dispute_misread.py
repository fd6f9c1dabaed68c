"""Finding a misread that nobody has complained about: the true car comes to an exit afterwards.

Its stay was ended by another car, whose read was short of what proves a plate. The lane only
leaves a note (`disputes.service.suspect`); all of this runs in the sweep.
"""

from dataclasses import replace
from uuid import UUID

import structlog

from parking.disputes import repository, rules
from parking.disputes import service as disputes
from parking.disputes.models import WHOLE_BILL, Dispute, DisputeReason, DriverDispute, Opener
from parking.drivers import stays
from parking.flows.context import ParkingContext
from parking.flows.disputes import dispute_decision, dispute_evidence
from parking.flows.disputes.dispute_decision import LEASE
from parking.flows.disputes.dispute_evidence import StayEvidence
from parking.flows.disputes.dispute_opening import circumspection, open_dispute
from parking.kit.database import UnitOfWork
from parking.lanes import repository as lanes
from parking.lanes.models import Observation, Presentation
from parking.payments import repository as payments
from parking.payments.models import Bill
from parking.plates import service as plates
from parking.sessions import repository as session_rows
from parking.sessions import service as sessions
from parking.sessions.models import Session, SessionState

# The stay that another car ended is among the plate's last ones.
STAYS_LOOKED_AT_MAX = 20
TRIES_MAX = 10

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def sweep(context: ParkingContext) -> int:
    """Look into every noted car; returns how many there were."""
    async with context.database.begin() as unit:
        due = await repository.take_suspicions(unit, LEASE)
    for operator_id, presentation_id, tries in due:
        try:
            await look_into(context, operator_id, presentation_id)
        except Exception as error:  # noqa: BLE001 - one that fails must not keep the others waiting
            _log.warning("misread.not_done", presentation=str(presentation_id), error=repr(error))
            if tries >= TRIES_MAX:
                # Nor does it come for ever.
                async with context.database.begin() as unit:
                    await repository.drop_suspicion(unit, operator_id, presentation_id)
    return len(due)


async def look_into(
    context: ParkingContext, operator_id: UUID, presentation_id: UUID
) -> Dispute | None:
    """Open a dispute for the driver whose stay another car ended; None where none did.

    The stay is refunded at once where the evidence suffices and nothing speaks against it. Staff
    look at both cars in any case.
    """
    async with context.database.begin() as unit:
        later = await lanes.find_presentation(unit, operator_id, presentation_id)
        seen = await lanes.find_observation(unit, operator_id, later)
        dispute = None
        if later is not None and seen is not None:
            dispute = await _open(context, unit, later, seen)
        await repository.drop_suspicion(unit, operator_id, presentation_id)
    if dispute is None or dispute.decision is None:
        return dispute
    return await dispute_decision.carry_out(context, operator_id, dispute.id)


async def _open(
    context: ParkingContext, unit: UnitOfWork, later: Presentation, seen: Observation
) -> Dispute | None:
    driver_id = await plates.active_binding(unit, seen.plate_index)
    # Only a bound plate is charged without its driver standing there.
    if driver_id is None:
        return None
    listed = await _last_stay(unit, driver_id, later, seen)
    if listed is None:
        return None
    await repository.lock_driver(unit, driver_id)
    session = await sessions.lock_session(unit, listed.operator_id, listed.id)
    bill = None if session is None else await _charged(unit, session, driver_id)
    if session is None or bill is None:
        return None
    found = await dispute_evidence.gather(unit, session, context.deciding_thresholds)
    return await _judge(context, unit, later, session, bill, found)


async def _last_stay(
    unit: UnitOfWork, driver_id: UUID, later: Presentation, seen: Observation
) -> Session | None:
    """Return the plate's last stay at the place that ended at an exit shortly before."""
    listed = await stays.list_page(unit, driver_id, first=STAYS_LOOKED_AT_MAX, after=None)
    keys = [(stay.operator_id, stay.session_id) for stay in listed]
    rows = await session_rows.find_sessions(unit, keys)
    ended = [
        row
        for row in rows.values()
        if (row.operator_id, row.place_id) == (later.operator_id, later.place_id)
        and row.plate_index == seen.plate_index
        and row.state == SessionState.LEFT
        and row.left_at is not None
        and row.left_at <= later.occupied_at <= row.left_at + rules.MISREAD_FOUND_WITHIN
    ]
    return max(ended, key=lambda row: row.left_at or row.entered_at, default=None)


async def _charged(unit: UnitOfWork, session: Session, driver_id: UUID) -> Bill | None:
    """Return the newest bill of the stay that costs the driver something."""
    bills = await payments.find_bills(unit, session.operator_id, session.id)
    costing = [bill for bill in bills if bill.total_minor and bill.driver_id == driver_id]
    return costing[-1] if costing else None


async def _judge(
    context: ParkingContext,
    unit: UnitOfWork,
    later: Presentation,
    session: Session,
    bill: Bill,
    found: StayEvidence,
) -> Dispute | None:
    left = None if found.exit is None else found.exit.evidence
    if bill.driver_id is None or left is None or left.suffices:
        # It left with a read that proves it: whoever shows its plate now was never inside.
        return None
    standing = await repository.find_open(unit, bill.driver_id, bill.id, WHOLE_BILL)
    if standing is not None:
        return await _add_to(unit, standing, later)
    view = await dispute_evidence.look_at(
        unit, later.operator_id, later.id, found.plate, context.deciding_thresholds
    )
    if view is None or view.evidence is None:
        return None
    left_at = session.left_at or later.occupied_at
    caution = replace(
        await circumspection(unit, session, bill.driver_id),
        has_pictures=bool(view.pictures) and bool(found.exit and found.exit.pictures),
        is_too_soon=later.occupied_at - left_at < rules.MISREAD_FOUND_AFTER,
    )
    new = disputes.NewDispute(
        operator_id=session.operator_id,
        session_id=session.id,
        bill_id=bill.id,
        place_id=session.place_id,
        driver_id=bill.driver_id,
        currency=bill.currency,
        reason=DisputeReason.WRONG_VEHICLE,
        opened_by=Opener.SYSTEM,
        evidence=dispute_evidence.in_numbers(found.verdict),
        later_presentation_id=later.id,
    )
    return await open_dispute(unit, new, rules.cause_of_suspicion(view.evidence, caution))


async def _add_to(unit: UnitOfWork, standing: DriverDispute, later: Presentation) -> Dispute | None:
    """Show the later car to whoever decides on the dispute that the driver opened before."""
    dispute = await repository.lock_dispute(unit, standing.operator_id, standing.dispute_id)
    if dispute is not None and dispute.later_presentation_id is None:
        dispute.later_presentation_id = later.id
        dispute.is_review_due = True
    return dispute

"""Tying a stay to the exit where its car stands, and to whom its plate belongs now."""

from uuid import UUID

from parking.drivers import stays
from parking.kit.database import UnitOfWork
from parking.lanes.models import Presentation
from parking.payments import repository as payment_rows
from parking.payments.models import BillState
from parking.plates import service as plates
from parking.sessions.models import Session, SessionState


async def adopt(unit: UnitOfWork, session: Session, presentation: Presentation) -> None:
    """Tie a locked stay to the exit of a locked presentation.

    The binding of this moment counts: unbinding takes effect at the next gate.
    """
    driver_id = await plates.active_binding(unit, session.plate_index)
    if session.driver_id is not None and driver_id != session.driver_id:
        await _part_with(unit, session, session.driver_id)
    if driver_id is not None and driver_id != session.driver_id:
        await stays.begin_stay(
            unit,
            driver_id,
            operator_id=session.operator_id,
            session_id=session.id,
            entered_at=session.entered_at,
        )
    session.driver_id = driver_id
    session.state = SessionState.LEAVING
    session.exit_presentation_id = presentation.id
    presentation.session_id = session.id


async def _part_with(unit: UnitOfWork, session: Session, driver_id: UUID) -> None:
    """Whoever unbound the plate neither pays for what follows nor watches it.

    What they paid stays in their history.
    """
    bills = await payment_rows.find_bills(unit, session.operator_id, session.id)
    if any(bill.driver_id == driver_id and bill.state == BillState.PAID for bill in bills):
        await stays.end_stay(unit, driver_id, session.id, unit.now())
    else:
        await stays.give_up_stay(unit, driver_id, session.id)

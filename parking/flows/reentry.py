"""A car that comes in again without having left: its earlier stay is billed and set aside."""

from uuid import UUID

from parking.drivers import stays
from parking.events.types import EventType
from parking.flows import live_bill
from parking.flows.billing import current_bill
from parking.kit.database import UnitOfWork
from parking.payments.models import BillState
from parking.places import service as places
from parking.sessions import service as sessions
from parking.sessions.events import tell
from parking.sessions.models import SessionState


async def set_aside(unit: UnitOfWork, operator_id: UUID, place_id: UUID, plate_index: UUID) -> None:
    """End the plate's open stay as UNRESOLVED, its price owed, for staff to look at.

    Its car left unseen, or somebody shows its plate at the entry. Either way the stay was used:
    dropping it would let whoever does that park for nothing.
    """
    session = await sessions.lock_open(unit, operator_id, place_id, plate_index)
    if session is None:
        return
    now = unit.now()
    live = await live_bill.compute(unit, session, now)
    bill = await current_bill(unit, session, live, None)
    if bill.state == BillState.ISSUED and bill.live_attempt_id is None:
        bill.state = BillState.OWED
    await sessions.end(unit, session, state=SessionState.UNRESOLVED, at=now)
    if session.driver_id is not None:
        await stays.end_stay(unit, session.driver_id, session.id, now)
    place = await places.require_place(unit, operator_id, place_id)
    payload = {
        "left_at": now.isoformat(),
        "place_name": place.name,
        "timezone": place.timezone,
        "currency": place.currency,
    }
    tell(unit, session, EventType.SESSION_ENDED, payload)

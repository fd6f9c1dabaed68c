"""A car that comes in again without having left: its earlier stay is billed and set aside."""

from datetime import datetime
from uuid import UUID

from parking.events.types import EventType
from parking.flows import live_bill, stay_end
from parking.flows.billing import current_bill
from parking.flows.continuation import billed_in, continue_stay, may_continue
from parking.kit.database import UnitOfWork
from parking.payments import repository as payment_rows
from parking.payments import service as payments
from parking.payments.models import Bill, BillState
from parking.places import service as places
from parking.sessions import service as sessions
from parking.sessions import traces
from parking.sessions.events import tell
from parking.sessions.models import Session, SessionState


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
    if not live.total and await take_back(unit, session, now):
        live = await live_bill.compute(unit, session, now)
    bill = await current_bill(unit, session, live, None)
    if bill.state == BillState.ISSUED and bill.live_attempt_id is None:
        bill.state = BillState.OWED
    await stay_end.end(unit, session, state=SessionState.UNRESOLVED, at=now)
    payload = await _place_payload(unit, session)
    payload["left_at"] = now.isoformat()
    tell(unit, session, EventType.SESSION_ENDED, payload)


async def take_back(unit: UnitOfWork, session: Session, at: datetime) -> bool:
    """Let a stay that would cost nothing continue the one that its entry has just set aside.

    Showing a plate at the entry and driving out at once must not end a long stay for nothing. What
    was owed for the earlier stay is taken back and is due for this one.

    Args:
        unit: The transaction.
        session: Locked, with nothing to pay.
        at: When it would leave.

    Returns:
        Whether the stay costs something else now.
    """
    if live_bill.circumstances_of(session).continues_from is not None:
        return False
    left = await traces.find_traces(unit, traces.vehicle_of(session), at)
    if left.earlier_id is None or left.earlier_id == session.id:
        return False
    earlier = await sessions.lock_session(unit, session.operator_id, left.earlier_id)
    if earlier is None or earlier.state != SessionState.UNRESOLVED:
        return False
    bills = await payment_rows.find_bills(unit, earlier.operator_id, earlier.id)
    unpaid = [bill for bill in bills if _is_open(bill)]
    if not billed_in(unpaid) or not may_continue(earlier, session.entered_at):
        return False
    for bill in unpaid:
        await payments.void_bill(unit, bill)
    billed_minor = billed_in(bill for bill in bills if bill not in unpaid)
    circumstances = continue_stay(
        earlier,
        live_bill.circumstances_of(session),
        session.entered_at,
        billed_minor=billed_minor,
    )
    session.circumstances = circumstances.to_json()
    session.rate_table_id = earlier.rate_table_id
    for changed in (earlier, session):
        payload = await _place_payload(unit, changed)
        tell(unit, changed, EventType.SESSION_BILL_CHANGED, payload)
    return True


def _is_open(bill: Bill) -> bool:
    return bill.state in {BillState.ISSUED, BillState.OWED} and bill.live_attempt_id is None


async def _place_payload(unit: UnitOfWork, session: Session) -> dict[str, str]:
    place = await places.require_place(unit, session.operator_id, session.place_id)
    return {"place_name": place.name, "timezone": place.timezone, "currency": place.currency}

"""A car that comes in again without having left: its earlier stay is billed and set aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from parking.events.types import EventType
from parking.flows import stay_end
from parking.flows.bills import live_bill
from parking.flows.bills.billing import current_bill
from parking.flows.bills.live_bill import LiveBill
from parking.flows.continuation import billed_in, continue_stay, may_continue, settled_in
from parking.flows.coupons import attaching, settling
from parking.flows.payments import debts
from parking.kit.database import UnitOfWork
from parking.payments import repository as payment_rows
from parking.payments import service as payments
from parking.payments.models import AttemptKind, Bill, BillState, PaymentAttempt
from parking.places import service as places
from parking.sessions import service as sessions
from parking.sessions import traces
from parking.sessions.events import tell
from parking.sessions.models import Session, SessionState

# Whoever comes in again without having left, and leaves within this time for nothing, never left.
REENTRY_DOUBT: Final = timedelta(minutes=15)


async def set_aside(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, plate_index: UUID, *, at: datetime
) -> None:
    """End the plate's open stay at `at` as UNRESOLVED, its price owed, for staff to look at.

    Its car left unseen, or somebody shows its plate at the entry. Either way the stay was used:
    dropping it would let whoever does that park for nothing.
    """
    session = await sessions.lock_open(unit, operator_id, place_id, plate_index)
    if session is None:
        return
    live = await live_bill.compute(unit, session, at)
    if not live.total:
        doubt = await find_doubt(unit, session, at)
        if doubt is not None and doubt.page is None:
            live = await take_back(unit, session, doubt, at)
    bill = await current_bill(unit, session, live, None)
    is_paying = bill.live_attempt_id is not None and not bill.credit_minor
    if bill.state == BillState.ISSUED and not is_paying:
        await debts.owe(unit, session, bill, at=at)
    await stay_end.end(unit, session, state=SessionState.UNRESOLVED, at=at)
    if live.total:
        await traces.record_departure(unit, session, at + REENTRY_DOUBT)
    payload = await _place_payload(unit, session)
    payload["left_at"] = at.isoformat()
    tell(unit, session, EventType.SESSION_ENDED, payload)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stay that was set aside by the entry of one that would now leave for nothing.

    Attributes:
        earlier: Locked.
        bills: Its bills that count.
        page: The attempt of a payment page that is open for it.
    """

    earlier: Session
    bills: Sequence[Bill]
    page: PaymentAttempt | None


async def find_doubt(unit: UnitOfWork, session: Session, at: datetime) -> Doubt | None:
    """Return what makes it doubtful that a locked stay may leave for nothing at `at`.

    Showing a plate at the entry and driving out at once must not end a long stay for nothing.
    """
    if live_bill.circumstances_of(session).continues_from is not None:
        return None
    left = await traces.find_traces(unit, traces.vehicle_of(session), at)
    if left.earlier_id is None or left.earlier_id == session.id:
        return None
    earlier = await sessions.lock_session(unit, session.operator_id, left.earlier_id)
    if earlier is None or earlier.state != SessionState.UNRESOLVED:
        return None
    bills = await payment_rows.find_bills(unit, earlier.operator_id, earlier.id)
    unpaid = [bill for bill in bills if bill.state != BillState.PAID]
    # A partner may be taking the money for it just now.
    is_claimed = any(bill.claim_id is not None for bill in unpaid)
    if is_claimed or not billed_in(unpaid) or not may_continue(earlier, session.entered_at):
        return None
    page: PaymentAttempt | None = None
    for bill in unpaid:
        if bill.live_attempt_id is not None:
            page = await payment_rows.find_attempt(unit, bill.operator_id, bill.live_attempt_id)
    if page is not None and page.kind != AttemptKind.CHECKOUT:
        # Money is under way without anybody's doing: it settles, or stays owed, by itself.
        return None
    return Doubt(earlier, bills, page)


async def take_back(unit: UnitOfWork, session: Session, doubt: Doubt, at: datetime) -> LiveBill:
    """Let the stay continue the one that its entry set aside; returns what it costs now.

    What was owed for the earlier stay is taken back and is due for this one. No page may be open.
    """
    earlier = doubt.earlier
    unpaid = [bill for bill in doubt.bills if bill.state != BillState.PAID]
    for bill in unpaid:
        await payments.void_bill(unit, bill)
    circumstances = continue_stay(
        earlier,
        live_bill.circumstances_of(session),
        session.entered_at,
        billed_minor=settled_in([bill for bill in doubt.bills if bill.state == BillState.PAID]),
    )
    session.circumstances = circumstances.to_json()
    session.rate_table_id = earlier.rate_table_id
    if live_bill.circumstances_of(earlier).coupons:
        # Those that only unpaid bills took off are free for the stay that is billed in their place.
        await settling.settle(unit, earlier)
        await attaching.attach(unit, session)
    for changed in (earlier, session):
        payload = await _place_payload(unit, changed)
        tell(unit, changed, EventType.SESSION_BILL_CHANGED, payload)
    return await live_bill.compute(unit, session, at)


async def _place_payload(unit: UnitOfWork, session: Session) -> dict[str, str]:
    place = await places.require_place(unit, session.operator_id, session.place_id)
    return {"place_name": place.name, "timezone": place.timezone, "currency": place.currency}

"""Issuing the bill that a stay has to pay now."""

from collections.abc import Sequence
from uuid import UUID

from parking.flows import live_bill
from parking.flows.live_bill import LiveBill
from parking.kit.database import UnitOfWork
from parking.payments import repository as payment_rows
from parking.payments import service as payments
from parking.payments.models import Bill, BillState
from parking.sessions.models import Session


async def current_bill(
    unit: UnitOfWork,
    session: Session,
    live: LiveBill,
    presentation_id: UUID | None,
    bills: Sequence[Bill] | None = None,
) -> Bill:
    """Return the bill to pay now: the one that stands, or a fresh one. The session is locked.

    A bill with a payment under way stands, whatever the clock says: its amount was promised.

    Args:
        unit: The transaction.
        session: Locked.
        live: What is due.
        presentation_id: The exit that the stay is tied to, if it is at one.
        bills: The stay's bills, where the caller has just read them.
    """
    if bills is None:
        bills = await payment_rows.find_bills(unit, session.operator_id, session.id)
    standing = next((bill for bill in bills if bill.state == BillState.ISSUED), None)
    if standing is not None:
        if standing.live_attempt_id is not None:
            return standing
        if standing.total_minor == live.due.amount_minor:
            # Whoever holds the plate now pays, not whoever held it when the bill was issued.
            standing.driver_id = session.driver_id
            standing.presentation_id = presentation_id
            return standing
        await payments.void_bill(unit, standing)
    elif bills and not live.due:
        return bills[-1]
    return await payments.issue_bill(
        unit,
        payments.NewBill(
            operator_id=session.operator_id,
            session_id=session.id,
            place_id=session.place_id,
            driver_id=session.driver_id,
            presentation_id=presentation_id,
            rate_table_id=session.rate_table_id,
            total=live.due,
            lines=live_bill.stored_lines(live),
            priced_until=live.as_of,
        ),
    )

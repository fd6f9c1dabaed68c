"""Issuing the bill that a stay has to pay now."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from parking.flows.bills import live_bill
from parking.flows.bills.bill_basis import BillBasis, Evidence, StoredCredit
from parking.flows.bills.live_bill import LiveBill
from parking.flows.bills.waivers import credits_of
from parking.kit.database import UnitOfWork
from parking.lanes import repository as lanes
from parking.payments import owing
from parking.payments import repository as payment_rows
from parking.payments import service as payments
from parking.payments.models import Bill, BillState
from parking.sessions.models import Session
from parking.tariffs import fingerprints

# A car that was last seen at an exit longer ago than this has left it unseen.
AT_EXIT_MAX: Final = timedelta(minutes=10)


async def priced_at(unit: UnitOfWork, session: Session) -> datetime:
    """Return when to price a stay that is paid now: waiting at an exit costs nothing."""
    now, exit_id = unit.now(), session.exit_presentation_id
    if exit_id is None:
        return now
    seen = await lanes.find_presentation(unit, session.operator_id, exit_id)
    is_there = seen is not None and seen.cleared_at is None and now - seen.occupied_at < AT_EXIT_MAX
    return min(seen.occupied_at, now) if seen is not None and is_there else now


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
            await owing.hand_over(unit, standing, session.driver_id)
            standing.presentation_id = presentation_id
            return standing
        await payments.void_bill(unit, standing)
    elif bills and not live.due and bills[-1].state == BillState.PAID:
        return bills[-1]
    basis = await _basis(unit, session, live, presentation_id, bills)
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
            basis=basis.to_json(),
            priced_until=live.as_of,
        ),
    )


async def _basis(
    unit: UnitOfWork,
    session: Session,
    live: LiveBill,
    presentation_id: UUID | None,
    bills: Sequence[Bill],
) -> BillBasis:
    """Return all that recomputing the bill needs; it asks the database for nothing new."""
    return BillBasis(
        entered_at=session.entered_at,
        priced_from=live.priced_from,
        priced_until=live.as_of,
        rate_table_id=session.rate_table_id,
        rate_table_sha256=await fingerprints.load_fingerprint(
            unit, session.operator_id, session.rate_table_id
        ),
        circumstances=live.circumstances,
        paid_minor=live.paid.amount_minor,
        paid_bill_ids=tuple(bill.id for bill in live_bill.settled_of(session, bills)),
        grace_until=live.closed_until,
        credits=tuple(
            StoredCredit(reason=one.reason, amount_minor=one.amount_minor, note=one.note)
            for one in credits_of(bills)
        ),
        entry=Evidence.of(session.entry_presentation_id),
        exit=None if presentation_id is None else Evidence.of(presentation_id),
    )

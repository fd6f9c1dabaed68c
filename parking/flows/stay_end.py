"""The end of a stay, and what it leaves for the vehicle's next one at the place."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from parking.drivers import stays
from parking.flows import occupancy
from parking.flows.bills import live_bill
from parking.flows.offers import arriving
from parking.flows.passes import pass_coverage
from parking.kit.database import UnitOfWork
from parking.payments import announcements
from parking.payments import repository as payments
from parking.sessions import service as sessions
from parking.sessions import traces
from parking.sessions.models import Session, SessionState
from parking.tariffs import service as tariffs
from parking.tariffs.rules import RateTable, price


async def end(unit: UnitOfWork, session: Session, *, state: SessionState, at: datetime) -> None:
    """End a locked stay, once; what it took and left counts from this commit on.

    A cancelled stay took nothing and leaves nothing.
    """
    ended = await sessions.end(unit, session, state=state, at=at)
    if ended is None:
        return
    if ended.pool_id is not None:
        occupancy.leave(unit, session.operator_id, ended.pool_id)
    if ended.reservation_id is not None:
        came = state != SessionState.CANCELLED
        arriving.leave(unit, session.operator_id, ended.reservation_id, came=came)
    await announcements.end(unit, session.operator_id, session.id, ended.at)
    await pass_coverage.free(unit, session)
    if session.driver_id is not None:
        await stays.end_stay(unit, session.driver_id, session.id, ended.at)
    if state == SessionState.CANCELLED:
        return
    table = await tariffs.load(unit, session.operator_id, session.rate_table_id)
    if state == SessionState.LEFT and table.reentry_merge_minutes:
        merge_until = ended.at + timedelta(minutes=table.reentry_merge_minutes)
        await traces.record_departure(unit, session, merge_until)
    if table.allowances:
        await traces.record_uses(unit, session, await _uses(unit, session, table))


async def _uses(
    unit: UnitOfWork, session: Session, table: RateTable
) -> Mapping[str, Mapping[str, int]]:
    """Return the sums of what was taken in each period, with this stay."""
    bills = await payments.find_bills(unit, session.operator_id, session.id)
    live = live_bill.bill_of(session, table, bills, unit.now())
    stay = price(table, live.priced_from, live.as_of, live.circumstances)
    before = live.circumstances.allowances_used_s
    return {
        name: {
            period: seconds + before.get(name, {}).get(period, 0)
            for period, seconds in periods.items()
            # Without a period an allowance is for one stay only.
            if period
        }
        for name, periods in stay.allowances_taken_s.items()
    }

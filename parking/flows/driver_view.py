"""A driver's stays as the app shows them; a list costs the same few statements however long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from parking.drivers import stays
from parking.drivers.models import DriverStay
from parking.flows.bills.live_bill import LiveBill, bill_of
from parking.flows.context import ParkingContext
from parking.flows.payments.refund_view import RefundView, views_for
from parking.flows.place_view import PlaceView
from parking.kit.database import UnitOfWork
from parking.payments import repository as payments
from parking.places import repository as places
from parking.places.models import Place
from parking.sessions import repository as session_rows
from parking.sessions import service as sessions
from parking.sessions.models import Session, SessionState
from parking.tariffs import service as tariffs


@dataclass(frozen=True, slots=True)
class SessionView:
    """One stay of the driver's car, with its bill at the moment of reading.

    Attributes:
        rate_table_version: Number of the place's rate table that the stay is priced by.
    """

    operator_id: UUID
    id: UUID
    place: PlaceView
    plate: str
    state: SessionState
    version: int
    entered_at: datetime
    left_at: datetime | None
    prepaid_until: datetime | None
    rate_table_version: int
    bill: LiveBill
    refunds: tuple[RefundView, ...]


async def active_sessions(context: ParkingContext, driver_id: UUID) -> list[SessionView]:
    """Return the driver's stays that have not ended, newest first."""
    async with context.database.begin() as unit:
        return await _views(unit, await stays.list_active(unit, driver_id))


async def page_sessions(
    context: ParkingContext, driver_id: UUID, *, first: int, before: UUID | None
) -> list[SessionView]:
    """Return up to `first` stays, newest first, that began before the session `before`."""
    async with context.database.begin() as unit:
        page = await stays.list_page(unit, driver_id, first=first, after=before)
        return await _views(unit, page)


async def find_session(
    context: ParkingContext, driver_id: UUID, session_id: UUID
) -> SessionView | None:
    """Return one of the driver's stays; None for another driver's and for none."""
    async with context.database.begin() as unit:
        stay = await stays.find_stay(unit, driver_id, session_id)
        views = await _views(unit, [] if stay is None else [stay])
    return views[0] if views else None


async def _views(unit: UnitOfWork, listed: Sequence[DriverStay]) -> list[SessionView]:
    if not listed:
        return []
    keys = [(stay.operator_id, stay.session_id) for stay in listed]
    rows = await session_rows.find_sessions(unit, keys)
    found = [rows[key] for key in keys if key in rows]
    versions = await tariffs.load_versions(
        unit, {(row.operator_id, row.rate_table_id) for row in found}
    )
    grounds = await places.find_places(unit, {(row.operator_id, row.place_id) for row in found})
    bills = await payments.find_bills_of(unit, keys)
    refunds = await payments.find_refunds_of(unit, keys)
    owners = {stay.session_id: stay.driver_id for stay in listed}
    now = unit.now()
    return [
        _view(
            unit,
            row,
            grounds[row.operator_id, row.place_id],
            versions[row.operator_id, row.rate_table_id].number,
            bill_of(row, versions[row.operator_id, row.rate_table_id].table, bills[row.id], now),
            views_for(owners[row.id], refunds[row.id]),
        )
        for row in found
    ]


def _view(
    unit: UnitOfWork,
    row: Session,
    place: Place,
    rate_table_version: int,
    bill: LiveBill,
    refunds: tuple[RefundView, ...],
) -> SessionView:
    return SessionView(
        operator_id=row.operator_id,
        id=row.id,
        place=PlaceView(place.operator_id, place.id, place.name, place.timezone, place.currency),
        plate=sessions.plate_of(unit, row),
        state=SessionState(row.state),
        version=row.version,
        entered_at=row.entered_at,
        left_at=row.left_at,
        prepaid_until=row.prepaid_until,
        rate_table_version=rate_table_version,
        bill=bill,
        refunds=refunds,
    )

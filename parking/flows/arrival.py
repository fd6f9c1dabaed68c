"""What a stay is priced by, fixed when it begins: its vehicle and passes, and what it continues."""

from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.flows.continuation import billed_in, continue_stay, may_continue
from parking.flows.lane_types import Lane
from parking.flows.passes import pass_coverage
from parking.flows.passes.pass_coverage import Coverage
from parking.flows.reentry import set_aside
from parking.kit.database import UnitOfWork
from parking.lanes.models import Presentation
from parking.payments import repository as payments
from parking.plates import vehicles
from parking.plates.vehicles import KnownVehicle
from parking.sessions import repository as session_rows
from parking.sessions import service as sessions
from parking.sessions import traces
from parking.sessions.models import Session, SessionState
from parking.sessions.traces import Traces, VehicleAtPlace
from parking.tariffs import service as tariffs
from parking.tariffs.circumstances import Circumstances, Vehicle
from parking.tariffs.rate_terms import VehicleClass


@dataclass(frozen=True, slots=True)
class CarAtEntry:
    """A car whose plate was read.

    Attributes:
        presentation: Locked.
        zone: The place's.
    """

    presentation: Presentation
    plate: str
    plate_index: UUID
    zone: ZoneInfo


async def open_stay(unit: UnitOfWork, lane: Lane, car: CarAtEntry) -> Session:
    """Open the stay of a car at an entry, with everything that its price will depend on."""
    entered_at = min(car.presentation.occupied_at, unit.now())
    await set_aside(unit, lane.operator_id, lane.place_id, car.plate_index)
    known = await vehicles.known_vehicle(
        unit, lane.operator_id, car.plate_index, car.plate, entered_at
    )
    vehicle = VehicleAtPlace(lane.operator_id, lane.place_id, car.plate_index)
    left = await traces.find_traces(unit, vehicle, entered_at)
    earlier = await _earlier(unit, lane.operator_id, left, entered_at)
    session = await sessions.begin(
        unit,
        sessions.Arrival(
            operator_id=lane.operator_id,
            place_id=lane.place_id,
            area_id=lane.area_id,
            presentation_id=car.presentation.id,
            plate_index=car.plate_index,
            plate_text=car.plate,
            driver_id=known.driver_id,
            rate_table_id=(
                await tariffs.id_in_force(unit, lane.operator_id, lane.place_id, unit.now())
                if earlier is None
                else earlier.rate_table_id
            ),
            entered_at=entered_at,
        ),
    )
    covered = await _coverage(unit, lane, session, car.zone)
    new = _circumstances(known, left, covered)
    if earlier is not None:
        bills = await payments.find_bills(unit, earlier.operator_id, earlier.id)
        new = continue_stay(earlier, new, session.entered_at, billed_minor=billed_in(bills))
    session.circumstances = new.to_json()
    return session


async def _earlier(
    unit: UnitOfWork, operator_id: UUID, left: Traces, entered_at: datetime
) -> Session | None:
    """Return the stay that one which begins now continues, if there is one."""
    if left.earlier_id is None:
        return None
    earlier = await session_rows.find_session(unit, operator_id, left.earlier_id)
    if earlier is None or earlier.state != SessionState.LEFT:
        return None
    return earlier if may_continue(earlier, entered_at) else None


async def _coverage(unit: UnitOfWork, lane: Lane, session: Session, zone: ZoneInfo) -> Coverage:
    return await pass_coverage.coverage(
        unit,
        operator_id=lane.operator_id,
        place_id=lane.place_id,
        area_id=lane.area_id,
        session_id=session.id,
        plate_index=session.plate_index,
        entered_at=session.entered_at,
        zone=zone,
    )


def _circumstances(known: KnownVehicle, left: Traces, covered: Coverage) -> Circumstances:
    return Circumstances(
        vehicle=Vehicle(
            vehicle_class=_vehicle_class(known.vehicle_class),
            is_ev=known.is_ev,
            is_resident=known.is_resident,
        ),
        has_pass=covered.has_pass,
        exemptions=covered.exemptions,
        allowances_used_s=left.used_s,
    )


def _vehicle_class(name: str) -> VehicleClass:
    return next((known for known in get_args(VehicleClass) if known == name), "other")

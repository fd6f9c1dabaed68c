"""What a stay is priced by, fixed when it begins: its vehicle and passes, and what it continues."""

from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.flows import occupancy
from parking.flows.arrival_facts import ArrivalFacts
from parking.flows.bills.live_bill import circumstances_of
from parking.flows.continuation import continue_stay, may_continue, settled_in
from parking.flows.lane_types import Lane
from parking.flows.offers import arriving
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
from parking.tariffs.circumstances import NO_CIRCUMSTANCES, Circumstances, Vehicle
from parking.tariffs.rate_terms import VehicleClass


@dataclass(frozen=True, slots=True)
class CarAtEntry:
    """A car whose plate was read.

    Attributes:
        presentation: Locked.
        is_late: Whether it came long ago: its lane had no network.
    """

    presentation: Presentation
    plate: str
    plate_index: UUID
    facts: ArrivalFacts
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What a stay begins with.

    Attributes:
        earlier: The stay that it continues.
    """

    known: KnownVehicle
    left: Traces
    earlier: Session | None


async def open_stay(unit: UnitOfWork, lane: Lane, car: CarAtEntry) -> Session:
    """Open the stay of a car at an entry, with everything that its price will depend on."""
    entered_at = min(car.presentation.occupied_at, unit.now())
    # What was in force when the car came counts; that of a car that stands there is in force now.
    at = entered_at if car.is_late else unit.now()
    if car.facts.is_inside:
        await set_aside(unit, lane.operator_id, lane.place_id, car.plate_index, at=at)
    terms = await _terms(unit, lane, car, entered_at)
    rate_table_id = await _rate_table_id(unit, lane, car.facts, terms, at)
    session = await sessions.begin(
        unit,
        sessions.Arrival(
            operator_id=lane.operator_id,
            place_id=lane.place_id,
            area_id=lane.area_id,
            presentation_id=car.presentation.id,
            plate_index=car.plate_index,
            plate_text=car.plate,
            driver_id=terms.known.driver_id,
            rate_table_id=rate_table_id,
            entered_at=entered_at,
        ),
        may_exist=car.facts.has_stay,
    )
    covered = await _price_by(unit, lane, session, car, terms)
    # Counted right before the commit: whoever is no longer let in by then has left nothing.
    arriving.enter(
        unit,
        session,
        lane.area_id,
        covered.specification_ids,
        car.facts.reservation_id,
        is_inside=car.is_late,
    )
    return session


async def change_car(unit: UnitOfWork, lane: Lane, session: Session, car: CarAtEntry) -> None:
    """Let a locked open stay without a bill be that of another plate, from its beginning."""
    await pass_coverage.free(unit, session)
    terms = await _terms(unit, lane, car, session.entered_at)
    await sessions.correct_plate(unit, session, car.plate_index, car.plate)
    session.driver_id = terms.known.driver_id
    if terms.earlier is not None:
        session.rate_table_id = terms.earlier.rate_table_id
    # A shop granted it to the car that stands there, whatever plate that was taken for.
    granted = circumstances_of(session)
    covered = await _price_by(unit, lane, session, car, terms, granted)
    await occupancy.move(unit, session, lane.area_id, covered.specification_ids)
    await arriving.correct(unit, session, lane.area_id, car.facts.reservation_id)


async def _terms(unit: UnitOfWork, lane: Lane, car: CarAtEntry, entered_at: datetime) -> Terms:
    known = vehicles.stranger(car.plate)
    if car.facts.is_known:
        known = await vehicles.known_vehicle(
            unit, lane.operator_id, car.plate_index, car.plate, entered_at
        )
    left = Traces(None, {})
    # A stay that was set aside just now has left some.
    if car.facts.has_traces or car.facts.is_inside:
        vehicle = VehicleAtPlace(lane.operator_id, lane.place_id, car.plate_index)
        left = await traces.find_traces(unit, vehicle, entered_at)
    return Terms(known, left, await _earlier(unit, lane.operator_id, left, entered_at))


async def _rate_table_id(
    unit: UnitOfWork, lane: Lane, facts: ArrivalFacts, terms: Terms, at: datetime
) -> UUID:
    if terms.earlier is not None:
        return terms.earlier.rate_table_id
    return facts.rate_table_id or await tariffs.id_in_force(
        unit, lane.operator_id, lane.place_id, at
    )


async def _price_by(
    unit: UnitOfWork,
    lane: Lane,
    session: Session,
    car: CarAtEntry,
    terms: Terms,
    granted: Circumstances = NO_CIRCUMSTANCES,
) -> Coverage:
    """Write down what the stay's price depends on; returns what its passes cover."""
    covered = Coverage()
    if car.facts.has_pass:
        covered = await _coverage(unit, lane, session, ZoneInfo(car.facts.timezone))
    new = _circumstances(terms.known, terms.left, covered, granted)
    if terms.earlier is not None:
        bills = await payments.find_bills(unit, terms.earlier.operator_id, terms.earlier.id)
        billed_minor = settled_in(bills)
        new = continue_stay(terms.earlier, new, session.entered_at, billed_minor=billed_minor)
    session.circumstances = new.to_json()
    return covered


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


def _circumstances(
    known: KnownVehicle, left: Traces, covered: Coverage, granted: Circumstances
) -> Circumstances:
    return Circumstances(
        vehicle=Vehicle(
            vehicle_class=_vehicle_class(known.vehicle_class),
            is_ev=known.is_ev,
            is_resident=known.is_resident,
        ),
        has_pass=covered.has_pass,
        exemptions=covered.exemptions,
        allowances_used_s=left.used_s,
        merchants=granted.merchants,
        validations=granted.validations,
    )


def _vehicle_class(name: str) -> VehicleClass:
    return next((known for known in get_args(VehicleClass) if known == name), "other")

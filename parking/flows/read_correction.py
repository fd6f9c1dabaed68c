"""A better read of a car that was decided on: its stay gets the right plate, or staff look.

A camera that tracks a car corrects itself while the car drives up. Before the car has passed the
entry, nothing but the stay's own rows has followed from the plate, so that they can be put right
in one transaction. Later, and at an exit, where money follows, a person decides.
"""

from dataclasses import dataclass

from parking.drivers import stays
from parking.events.types import EventType
from parking.flows import arrival_facts, doubts, reads
from parking.flows.arrival import CarAtEntry, change_car
from parking.flows.context import ParkingContext
from parking.flows.lane_types import Direction, Heading, Lane, ReadSource, ReadState
from parking.flows.payments import announcing
from parking.kit.database import UnitOfWork
from parking.lanes import repository as lane_rows
from parking.lanes import service as lanes
from parking.lanes.models import LaneEventRow, Observation, Presentation
from parking.payments import announcements
from parking.payments import repository as payments
from parking.plates import service as plates
from parking.plates.reads import PlateRead
from parking.reviews.models import ReviewKind
from parking.sessions import repository as session_rows
from parking.sessions import service as sessions
from parking.sessions import traces
from parking.sessions.events import tell
from parking.sessions.models import Session, SessionState

# Surer than what the lane opened on, by more than two readers differ on a clean plate.
CONFIDENCE_MIN = 0.9
CONFIDENCE_GAIN_MIN = 0.05
PASSED = frozenset({"passed"})


@dataclass(frozen=True, slots=True)
class NewRead:
    """What a camera says now."""

    read: PlateRead
    source: ReadSource
    state: ReadState


async def consider(
    context: ParkingContext, unit: UnitOfWork, lane: Lane, event: LaneEventRow, new: NewRead
) -> None:
    """Let a camera's correction count where it may; part of the event's own transaction."""
    if new.state != ReadState.UPDATED or event.presentation_id is None:
        return
    if new.source.heading == Heading.AWAY or not plates.is_plate(new.read.text):
        return
    presentation = await lane_rows.lock_presentation(unit, lane.operator_id, event.presentation_id)
    if presentation is None or presentation.lane_id != lane.lane_id:
        return
    if presentation.decided_at is None:
        # Whoever decides takes it into account: this row is locked for both.
        presentation.has_newer_read = True
        return
    seen = await lane_rows.find_observation(unit, lane.operator_id, presentation)
    index = plates.plate_index(unit.vault, new.read.text)
    if seen is None or seen.plate_index == index or new.read.confidence <= seen.confidence:
        return
    why_not = await _why_not(unit, lane, presentation, seen, new.read)
    if why_not is None and presentation.session_id is not None:
        session = await sessions.lock_session(unit, lane.operator_id, presentation.session_id)
        why_not = await obstacle(unit, session, new.read.text)
        if session is not None and why_not is None:
            await correct(context, unit, lane, presentation, session, new.read.text)
            corrected = reads.seen(new.read, index, new.source)
            await lanes.correct_observation(unit, presentation, corrected, event.id)
    kind = ReviewKind.CORRECTED if why_not is None else ReviewKind.CORRECTION_REFUSED
    await doubts.note(
        unit,
        presentation,
        kind,
        new.read,
        session_id=presentation.session_id,
        detail={} if why_not is None else {"why_not": why_not},
    )


async def obstacle(unit: UnitOfWork, session: Session | None, plate: str) -> str | None:
    """Return why a locked stay's plate cannot simply be put right; None where it can."""
    if session is None or session.state != SessionState.ACTIVE or session.left_at is not None:
        return "not_inside"
    if session.circumstances.get("continues_from") is not None:
        return "continues_earlier_stay"
    if await _ended_another(unit, session):
        return "ended_earlier_stay"
    if await payments.find_bills(unit, session.operator_id, session.id):
        return "billed"
    index = plates.plate_index(unit.vault, plate)
    if await session_rows.find_open(unit, session.operator_id, session.place_id, index):
        return "inside_already"
    return None


async def _ended_another(unit: UnitOfWork, session: Session) -> bool:
    """Return whether the entry under the wrong plate set that plate's own stay aside."""
    vehicle = traces.vehicle_of(session)
    left = await traces.find_traces(unit, vehicle, session.entered_at)
    if left.earlier_id is None:
        return False
    earlier = await session_rows.find_session(unit, session.operator_id, left.earlier_id)
    return earlier is not None and earlier.state == SessionState.UNRESOLVED


async def correct(
    context: ParkingContext,
    unit: UnitOfWork,
    lane: Lane,
    presentation: Presentation,
    session: Session,
    plate: str,
) -> None:
    """Let a locked stay without an obstacle be that of `plate`, with all that follows from it.

    Whoever was told of it by mistake hears that it came to nothing.
    """
    index = plates.plate_index(unit.vault, plate)
    facts = await arrival_facts.of_earlier(unit, lane, index, session.entered_at)
    payload = {
        "place_name": facts.place_name,
        "timezone": facts.timezone,
        "currency": facts.currency,
    }
    if session.driver_id is not None:
        tell(unit, session, EventType.SESSION_CANCELLED, payload)
        await stays.give_up_stay(unit, session.driver_id, session.id)
        await announcements.end(unit, session.operator_id, session.id, unit.now())
    car = CarAtEntry(presentation, plate, index, facts)
    await change_car(unit, lane, session, car)
    if session.driver_id is not None:
        await stays.begin_stay(
            unit,
            session.driver_id,
            operator_id=session.operator_id,
            session_id=session.id,
            entered_at=session.entered_at,
        )
        await announcing.note_entry(context, unit, session, facts.currency)
    entered = {"entered_at": session.entered_at.isoformat()}
    tell(unit, session, EventType.SESSION_ENTERED, payload | entered)


async def _why_not(
    unit: UnitOfWork, lane: Lane, presentation: Presentation, seen: Observation, read: PlateRead
) -> str | None:
    """Return why a correction is not for the lane to make."""
    if lane.direction != Direction.ENTRY:
        return "exit"
    if presentation.session_id is None:
        return "not_let_in"
    if read.confidence < max(CONFIDENCE_MIN, seen.confidence + CONFIDENCE_GAIN_MIN):
        return "not_surer"
    if await lane_rows.has_event(unit, presentation, PASSED):
        return "passed"
    return None

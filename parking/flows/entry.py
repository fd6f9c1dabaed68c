"""A car at an entry: one transaction from the read to the order to open."""

from uuid import UUID

from parking.drivers import stays
from parking.events.types import EventType
from parking.flows import arrival_facts, display
from parking.flows.arrival import CarAtEntry, open_stay
from parking.flows.context import ParkingContext
from parking.flows.lane_types import Action, Decision, Lane
from parking.flows.payments import announcing
from parking.flows.payments.step import opened
from parking.flows.release import release
from parking.kit.database import UnitOfWork
from parking.lanes import service as lanes
from parking.lanes.models import Presentation
from parking.plates import service as plates
from parking.plates.reads import PlateRead
from parking.sessions import service as sessions
from parking.sessions.events import tell
from parking.sessions.models import Session

# Below this the read is more likely wrong than right: a session on it would bill a stranger.
CONFIDENCE_MIN = 0.5
ENTERED = "entered"
PLATE_UNSURE = "plate_unsure"


async def decide(
    context: ParkingContext,
    unit: UnitOfWork,
    lane: Lane,
    presentation: Presentation,
    read: PlateRead,
    plate_index: UUID,
) -> Decision:
    """Open a session and the gate. The presentation is locked and has no decision yet."""
    if read.confidence < CONFIDENCE_MIN:
        lanes.decide(unit, presentation, action=Action.REFUSE, reason=PLATE_UNSURE)
        return Decision(Action.REFUSE, PLATE_UNSURE, None, display.refused(PLATE_UNSURE))
    facts = await arrival_facts.find(unit, lane, presentation.id, plate_index)
    car = CarAtEntry(presentation, read.text, plate_index, facts)
    session = await _admit(context, unit, lane, car)
    # Named now, so that the presentation is written once with all that is new.
    presentation.observation_id = lanes.observation_id_of(presentation.id)
    command = await release(unit, session, presentation, reason=ENTERED)
    code = await lane_code(unit, presentation, read.text) if facts.is_claimed else None
    return opened(command, ENTERED, display.welcome(read.text, code))


async def admit_late(
    context: ParkingContext,
    unit: UnitOfWork,
    lane: Lane,
    presentation: Presentation,
    plate: str,
    plate_index: UUID,
) -> Session:
    """Open the stay of a car that came in long ago, by what was in force then, and tell of it."""
    came_at = min(presentation.occupied_at, unit.now())
    facts = await arrival_facts.of_earlier(unit, lane, plate_index, came_at)
    car = CarAtEntry(presentation, plate, plate_index, facts, is_late=True)
    return await _admit(context, unit, lane, car)


async def _admit(context: ParkingContext, unit: UnitOfWork, lane: Lane, car: CarAtEntry) -> Session:
    facts = car.facts
    session = await open_stay(unit, lane, car)
    if session.driver_id is not None:
        await stays.begin_stay(
            unit,
            session.driver_id,
            operator_id=session.operator_id,
            session_id=session.id,
            entered_at=session.entered_at,
        )
        await announcing.note_entry(context, unit, session, facts.currency)
    car.presentation.session_id = session.id
    payload = {
        "place_name": facts.place_name,
        "timezone": facts.timezone,
        "currency": facts.currency,
        "entered_at": session.entered_at.isoformat(),
    }
    tell(unit, session, EventType.SESSION_ENTERED, payload)
    return session


async def repeat(unit: UnitOfWork, presentation: Presentation) -> Decision:
    """Return what to do now with a presentation that was decided on before; it is locked."""
    reason = presentation.reason or PLATE_UNSURE
    if presentation.action != Action.OPEN or presentation.session_id is None:
        return Decision(Action.REFUSE, reason, None, display.refused(reason))
    session = await sessions.lock_session(unit, presentation.operator_id, presentation.session_id)
    if session is None or session.left_at is not None:
        return Decision(Action.REFUSE, reason, None, display.refused(reason))
    command = await release(unit, session, presentation, reason=reason)
    plate = sessions.plate_of(unit, session)
    return opened(command, reason, await greeting(unit, presentation, plate))


async def greeting(unit: UnitOfWork, presentation: Presentation, plate: str) -> display.DisplayText:
    """Return the display's text for a car that comes in."""
    return display.welcome(plate, await lane_code(unit, presentation, plate))


async def lane_code(unit: UnitOfWork, presentation: Presentation, plate: str) -> str | None:
    """Return the code to show to a driver who claims this plate; None for nobody."""
    where = plates.LanePresentation(presentation.operator_id, presentation.lane_id, presentation.id)
    return await plates.issue_lane_code(unit, plate, where)

"""Physical feedback: an arm that opened, a car that passed or backed out."""

from datetime import datetime
from uuid import UUID

from parking.events.types import EventType
from parking.flows import stay_end
from parking.flows.lane_types import BarrierEvent, Direction, Lane, LaneEvent
from parking.flows.payments import debts
from parking.kit.database import UnitOfWork
from parking.lanes import repository as lanes
from parking.lanes import service as lane_service
from parking.lanes.models import Presentation
from parking.places import service as places
from parking.sessions import service as sessions
from parking.sessions.events import tell
from parking.sessions.models import Session, SessionState

# A relay that cannot see the arm says that it pulsed; more is not known of that gate.
OPENED_KINDS = frozenset({"opened", "pulsed"})
MOVED_KINDS = OPENED_KINDS | {"opening", "manual_open"}
PASSED = "passed"
BACKED_OUT = "backed_out"


async def follow(unit: UnitOfWork, lane: Lane, event: BarrierEvent) -> None:
    """Let a new barrier event change the stay of the car that caused it."""
    if event.kind not in OPENED_KINDS | {PASSED, BACKED_OUT} or event.presentation_id is None:
        return
    presentation = await lanes.lock_presentation(unit, lane.operator_id, event.presentation_id)
    if presentation is None or presentation.lane_id != lane.lane_id:
        return
    if presentation.session_id is None:
        return
    session = await sessions.lock_session(unit, lane.operator_id, presentation.session_id)
    if session is None:
        return
    if event.kind in OPENED_KINDS:
        await _opened(unit, lane, session, presentation)
    elif event.kind == PASSED and lane.direction == Direction.EXIT:
        await _left(unit, session, event)
    elif event.kind == BACKED_OUT:
        await _backed_out(unit, lane, session, presentation, event)


async def clear(unit: UnitOfWork, lane: Lane, event: LaneEvent, presentation_id: UUID) -> None:
    """Record that the loop is free; a car that left an entry before its gate moved never came in.

    The agent reports the arm before the loop, so that what it has not reported did not happen.
    """
    presentation = await lane_service.clear(
        unit, lane.operator_id, lane.lane_id, presentation_id, event.occurred_at
    )
    if presentation is None or presentation.session_id is None:
        return
    if lane.direction != Direction.ENTRY or await lanes.has_event(unit, presentation, MOVED_KINDS):
        return
    session = await sessions.lock_session(unit, lane.operator_id, presentation.session_id)
    if session is not None:
        await _cancel(unit, session, presentation, event.occurred_at)


async def _opened(
    unit: UnitOfWork, lane: Lane, session: Session, presentation: Presentation
) -> None:
    payload = await _place_payload(unit, session)
    payload |= {
        "lane_id": str(lane.lane_id),
        "direction": lane.direction,
        "reason": presentation.reason or "",
    }
    tell(unit, session, EventType.GATE_OPENED, payload)


async def _left(unit: UnitOfWork, session: Session, event: BarrierEvent) -> None:
    if session.left_at is not None or session.exit_presentation_id != event.presentation_id:
        return
    left_at = min(event.event.occurred_at, unit.now())
    await stay_end.end(unit, session, state=SessionState.LEFT, at=left_at)
    await debts.owe_unpaid(unit, session, at=left_at)
    payload = await _place_payload(unit, session)
    tell(unit, session, EventType.SESSION_ENDED, payload | {"left_at": left_at.isoformat()})


async def _backed_out(
    unit: UnitOfWork, lane: Lane, session: Session, presentation: Presentation, event: BarrierEvent
) -> None:
    if session.left_at is not None:
        return
    if lane.direction == Direction.EXIT:
        if session.exit_presentation_id == presentation.id:
            await debts.give_credit_back(unit, session)
            session.state = SessionState.ACTIVE
            session.exit_presentation_id = None
            unit.session.add(session)
        return
    await _cancel(unit, session, presentation, event.event.occurred_at)


async def _cancel(
    unit: UnitOfWork, session: Session, presentation: Presentation, at: datetime
) -> None:
    if session.left_at is not None or session.entry_presentation_id != presentation.id:
        return
    at = min(at, unit.now())
    await stay_end.end(unit, session, state=SessionState.CANCELLED, at=at)
    tell(unit, session, EventType.SESSION_CANCELLED, await _place_payload(unit, session))


async def _place_payload(unit: UnitOfWork, session: Session) -> dict[str, str]:
    place = await places.require_place(unit, session.operator_id, session.place_id)
    return {"place_name": place.name, "timezone": place.timezone, "currency": place.currency}

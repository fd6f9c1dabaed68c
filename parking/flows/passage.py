"""Physical feedback: an arm that opened, a car that passed or backed out."""

from datetime import datetime
from uuid import UUID

from parking.events.types import EventType
from parking.flows import doubts, occupancy, passage_count, stay_end
from parking.flows.lane_types import BarrierEvent, Direction, Lane, LaneEvent
from parking.flows.payments import debts
from parking.kit.database import UnitOfWork
from parking.lanes import repository as lanes
from parking.lanes import service as lane_service
from parking.lanes.models import Presentation
from parking.offline import repository as offline
from parking.places import service as places
from parking.sessions import service as sessions
from parking.sessions.events import tell
from parking.sessions.models import Session, SessionState

# A relay that cannot see the arm says that it pulsed; more is not known of that gate.
OPENED_KINDS = frozenset({"opened", "pulsed"})
MOVED_KINDS = OPENED_KINDS | {"opening", "manual_open"}
PASSED = "passed"
BACKED_OUT = "backed_out"
TAILGATE = "tailgate"


async def follow(unit: UnitOfWork, lane: Lane, event: BarrierEvent) -> None:
    """Let a new barrier event change the stay of the car that caused it, and the count of cars."""
    if event.kind == TAILGATE and lane.direction == Direction.ENTRY:
        # It follows a car that was let in. At an exit its stay goes on until somebody ends it.
        occupancy.enter_uncounted(unit, lane.operator_id, lane.area_id)
    if event.kind not in OPENED_KINDS | {PASSED, BACKED_OUT}:
        return
    if not await _follow_stay(unit, lane, event) and event.kind == PASSED:
        await _passed_without_stay(unit, lane, event)


async def _follow_stay(unit: UnitOfWork, lane: Lane, event: BarrierEvent) -> bool:
    """Change the stay of the car; returns whether it has one, or will have one."""
    if event.presentation_id is None:
        return False
    presentation = await lanes.lock_presentation(unit, lane.operator_id, event.presentation_id)
    if presentation is None or presentation.lane_id != lane.lane_id:
        return False
    if presentation.session_id is None:
        return await _note_unbilled(unit, lane, presentation, event)
    session = await sessions.lock_session(unit, lane.operator_id, presentation.session_id)
    if session is None:
        return False
    if event.kind in OPENED_KINDS:
        await _opened(unit, lane, session, presentation)
    elif event.kind == PASSED and lane.direction == Direction.EXIT:
        await leave(unit, session, presentation.id, at=event.event.occurred_at)
    elif event.kind == BACKED_OUT:
        await _backed_out(unit, lane, session, presentation, event)
    return lane.direction == Direction.EXIT or session.state != SessionState.CANCELLED


async def _passed_without_stay(unit: UnitOfWork, lane: Lane, event: BarrierEvent) -> None:
    """Count a car that went through with no stay of its own, and let staff look at it."""
    if lane.direction == Direction.ENTRY:
        occupancy.enter_uncounted(unit, lane.operator_id, lane.area_id)
    else:
        occupancy.leave(unit, lane.operator_id, lane.area_id)
    await doubts.note_passage(
        unit, lane, event.event.event_id, event.event.occurred_at, event.presentation_id
    )


async def clear(unit: UnitOfWork, lane: Lane, event: LaneEvent, presentation_id: UUID) -> None:
    """Record that the loop is free; a car that left an entry before its gate moved never came in.

    The agent reports the arm before the loop, so that what it has not reported did not happen.
    """
    presentation = await lane_service.clear(
        unit, lane.operator_id, lane.lane_id, presentation_id, event.occurred_at
    )
    if presentation is None:
        return
    if presentation.session_id is None:
        if not await lanes.has_event(unit, presentation, MOVED_KINDS):
            await offline.note_motion(unit, lane.operator_id, presentation_id, is_withdrawn=True)
        return
    if lane.direction != Direction.ENTRY or await lanes.has_event(unit, presentation, MOVED_KINDS):
        return
    session = await sessions.lock_session(unit, lane.operator_id, presentation.session_id)
    if session is not None:
        await _cancel(unit, session, presentation, event.occurred_at)


async def _note_unbilled(
    unit: UnitOfWork, lane: Lane, presentation: Presentation, event: BarrierEvent
) -> bool:
    """Remember what a car did whose gate opened by itself, and whose stay is not known yet.

    Returns whether it is such a car.
    """
    at = min(event.event.occurred_at, unit.now())
    if event.kind == PASSED:
        key = (presentation.operator_id, presentation.id)
        if await offline.note_motion(unit, *key, passed_at=at):
            await passage_count.count_passed(unit, lane, presentation.id)
            return True
        return await offline.let_through_by_hand(unit, *key, passed_at=at)
    if event.kind == BACKED_OUT:
        await offline.note_motion(
            unit, presentation.operator_id, presentation.id, is_withdrawn=True
        )
    return False


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


async def leave(unit: UnitOfWork, session: Session, presentation_id: UUID, *, at: datetime) -> None:
    """End the locked stay of a car that passed the exit, if it left by this presentation."""
    if session.left_at is not None or session.exit_presentation_id != presentation_id:
        return
    left_at = min(at, unit.now())
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

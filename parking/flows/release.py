"""Ordering the gate to open for a car that stands at it."""

from parking.kit.database import UnitOfWork
from parking.lanes import service as lanes
from parking.lanes.models import GateCommand, Presentation
from parking.sessions import repository as sessions
from parking.sessions.models import Session

# Longer than any healthy round trip, shorter than a car needs to make room for another one.
OPEN_TTL_MS = 5_000
OPEN = "open"


async def release(
    unit: UnitOfWork, session: Session, presentation: Presentation, *, reason: str
) -> GateCommand | None:
    """Order the gate open, if the car still stands there; both rows must be locked."""
    command = await lanes.order_open(unit, presentation, session_id=session.id, reason=reason)
    if command is not None and presentation.action != OPEN:
        lanes.decide(unit, presentation, action=OPEN, reason=reason)
    return command


async def has_moved_on(unit: UnitOfWork, presentation: Presentation) -> bool:
    """Return whether the car that this lane was opened for has driven back or elsewhere since.

    Whatever stands here then is another car, or none: one stay opens one exit.
    """
    if presentation.session_id is None:
        return False
    session = await sessions.find_session(unit, presentation.operator_id, presentation.session_id)
    if session is None:
        return False
    return presentation.id not in {session.entry_presentation_id, session.exit_presentation_id}

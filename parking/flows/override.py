"""A named person lets a car out that the rules keep in: recorded, and its bill stays owed."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from parking.events import outbox
from parking.events.envelope import Event
from parking.events.pokes import lane_channel
from parking.events.types import EventType
from parking.flows.context import ParkingContext
from parking.flows.lane_types import Action
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id
from parking.lanes import repository as lanes
from parking.lanes import service as lane_service
from parking.lanes.models import ExitOverride, Presentation
from parking.payments import repository as payments
from parking.payments.errors import ExitNotWaitingError
from parking.payments.models import BillState
from parking.places import repository as places
from parking.places.models import Direction
from parking.sessions import service as sessions
from parking.sessions.models import Session

OVERRIDE: Final = "override"
REASON_LENGTH_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class LetOut:
    """What was done."""

    override: ExitOverride
    lane_name: str


async def let_out(
    context: ParkingContext, operator_id: UUID, lane_id: UUID, *, reason: str, by: str
) -> LetOut:
    """Open an exit for the car that stands at it; again for the same car changes nothing.

    Raises:
        InvalidInputError: the reason is unusable.
        ExitNotWaitingError: it is no exit of the operator, no car stands there, or it may leave.
    """
    if not 0 < len(reason.strip()) <= REASON_LENGTH_MAX:
        raise InvalidInputError("reason", f"1 to {REASON_LENGTH_MAX} characters")
    async with context.database.begin() as unit:
        lane = await places.find_lane(unit, operator_id, lane_id)
        if lane is None or lane.direction != Direction.EXIT:
            raise ExitNotWaitingError("laneId: expected an exit of yours")
        standing = await lanes.find_standing(unit, operator_id, lane_id)
        presentation = (
            None
            if standing is None
            else await lanes.lock_presentation(unit, operator_id, standing.id)
        )
        if presentation is None or presentation.cleared_at is not None:
            raise ExitNotWaitingError("laneId: expected an exit with a car at it")
        known = await unit.session.get(ExitOverride, (operator_id, presentation.id))
        if known is not None:
            return LetOut(known, lane.name)
        if presentation.action == Action.OPEN:
            raise ExitNotWaitingError("laneId: its gate opens already")
        return LetOut(await _open(unit, presentation, reason.strip(), by), lane.name)


async def _open(unit: UnitOfWork, presentation: Presentation, reason: str, by: str) -> ExitOverride:
    session, bill_id = await _stay(unit, presentation)
    if session is None:
        # A stay that has come to another exit since is not this car's: it would keep the gate shut.
        presentation.session_id = None
    override = ExitOverride(
        operator_id=presentation.operator_id,
        id=presentation.id,
        lane_id=presentation.lane_id,
        session_id=None if session is None else session.id,
        bill_id=bill_id,
        kept_in_reason=presentation.reason or "",
        reason=reason,
        let_out_by=by,
        let_out_at=unit.now(),
    )
    unit.session.add(override)
    command = await lane_service.order_open(
        unit, presentation, session_id=override.session_id, reason=OVERRIDE
    )
    if command is None:
        raise ExitNotWaitingError("laneId: expected an exit with a car at it")
    lane_service.decide(unit, presentation, action=Action.OPEN, reason=OVERRIDE)
    _tell(unit, override)
    return override


def _tell(unit: UnitOfWork, override: ExitOverride) -> None:
    """Let the lane's bridge hear of it, which then sends the order."""
    payload = {
        "driver_id": None,
        "by": override.let_out_by,
        "reason": override.reason,
        "session_id": None if override.session_id is None else str(override.session_id),
        "channels": [lane_channel(override.lane_id)],
    }
    outbox.append(
        unit,
        Event(
            id=derive_id(override.id, "override"),
            type=EventType.EXIT_OVERRIDDEN,
            owner_id=override.operator_id,
            subject_id=override.id,
            occurred_at=unit.now(),
            payload=payload,
        ),
    )


async def _stay(unit: UnitOfWork, presentation: Presentation) -> tuple[Session | None, UUID | None]:
    """Return the stay of a locked presentation, locked, and the bill that it leaves unpaid."""
    if presentation.session_id is None:
        return None, None
    session = await sessions.lock_session(unit, presentation.operator_id, presentation.session_id)
    if session is None or session.exit_presentation_id != presentation.id:
        return None, None
    bills = await payments.find_bills(unit, session.operator_id, session.id)
    unpaid = next((bill for bill in bills if bill.state == BillState.ISSUED), None)
    return session, None if unpaid is None else unpaid.id

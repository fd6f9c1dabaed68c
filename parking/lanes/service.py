"""Use cases of one lane: what happened there, and what it was told to do."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from parking.kit.crypto import KEY_ID, Vault
from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id
from parking.lanes import repository
from parking.lanes.errors import (
    EventOutOfOrderError,
    PresentationForeignError,
    PresentationUnknownError,
)
from parking.lanes.models import (
    CommandState,
    Frame,
    GateCommand,
    LaneEventRow,
    Observation,
    ObservationMethod,
    Presentation,
    PresentationState,
)

EVENT_PRESENTATION = "presentation"
# What a lane tells within this time of when it happened, it tells as it happens.
LIVE_MAX = timedelta(minutes=5)
# A rejected command may be followed by a fresh one while the car still stands there.
COMMANDS_PER_PRESENTATION_MAX = 5
PLATE_CONTEXT = "plate"
ALTERNATIVES_CONTEXT = "alternatives"
PICTURE_CONTEXT = "picture"


@dataclass(frozen=True, slots=True)
class SeenPlate:
    """A read to keep as an observation.

    Attributes:
        alternatives: Other texts with their probabilities.
        characters: One probability a character of the text, or empty.
        source: The weights or the camera that read it.
    """

    plate_index: UUID
    text: str
    alternatives: Mapping[str, float]
    confidence: float
    frames: int
    method: ObservationMethod
    source: str
    characters: tuple[float, ...] = ()
    region: str | None = None


async def connect(
    unit: UnitOfWork, operator_id: UUID, lane_id: UUID, bridge: str
) -> tuple[int, int]:
    """Open a new epoch for the lane; returns it with the last committed event number."""
    return await repository.start_connection(unit, operator_id, lane_id, bridge)


async def record_event(unit: UnitOfWork, event: LaneEventRow) -> bool:
    """Commit one event of a lane in its order; returns whether it was new.

    Raises:
        EventOutOfOrderError: an earlier event is missing.
    """
    heard = heard_at(event.kind, event.occurred_at, event.received_at)
    if await repository.append_event(unit, event, heard):
        return True
    connection = await repository.lock_connection(unit, event.operator_id, event.lane_id)
    last_seq = 0 if connection is None else connection.last_seq
    if event.seq <= last_seq:
        return False
    if connection is None or event.seq > last_seq + 1:
        raise EventOutOfOrderError(last_seq)
    # The missing one was committed since: with the lock held that is certain.
    return await repository.append_event(unit, event, heard)


async def not_before(unit: UnitOfWork, operator_id: UUID, lane_id: UUID) -> datetime | None:
    """Return when a car that stands in a lane can have come at the earliest; None for any time.

    Events are numbered in the order in which they happened. So the car came at the moment that the
    lane last told of while it happened, or later, whatever the lane says of it afterwards.
    """
    heard = await repository.find_heard_at(unit, operator_id, lane_id)
    return None if heard is None else heard - LIVE_MAX


def heard_at(kind: str, occurred_at: datetime, received_at: datetime) -> datetime | None:
    """Return what an event sets its lane's `heard_at` to; None for one that leaves it."""
    is_live = abs(received_at - occurred_at) <= LIVE_MAX
    return received_at if is_live and kind == EVENT_PRESENTATION else None


async def occupy(unit: UnitOfWork, presentation: Presentation) -> None:
    """Record that a car came onto the loop; again changes nothing."""
    if await repository.insert_once(unit, presentation):
        await repository.clear_earlier(unit, presentation)


async def clear(
    unit: UnitOfWork, operator_id: UUID, lane_id: UUID, presentation_id: UUID, at: datetime
) -> Presentation | None:
    """Record that the loop is free again; returns the car, if it was this lane's."""
    presentation = await repository.lock_presentation(unit, operator_id, presentation_id)
    if presentation is None or presentation.lane_id != lane_id:
        return None
    if presentation.cleared_at is None:
        presentation.state = PresentationState.CLEARED
        presentation.cleared_at = at
    return presentation


async def store_frame(unit: UnitOfWork, frame: Frame) -> None:
    """Keep a picture, sealed: it shows a plate. The same frame again changes nothing."""
    frame.image = unit.vault.seal_bytes(frame.image, context=PICTURE_CONTEXT)
    await repository.insert_once(unit, frame)


def picture_of(vault: Vault, frame: Frame) -> bytes:
    """Return a picture as it came; those of before pictures were sealed begin as pictures do."""
    if not frame.image.startswith(KEY_ID):
        return frame.image
    return vault.open_bytes(frame.image, context=PICTURE_CONTEXT)


async def lock_presentation(
    unit: UnitOfWork, operator_id: UUID, lane_id: UUID, presentation_id: UUID
) -> Presentation:
    """Lock a lane's presentation.

    Raises:
        PresentationUnknownError: it was never reported.
        PresentationForeignError: it was reported by another lane.
    """
    presentation = await repository.lock_presentation(unit, operator_id, presentation_id)
    if presentation is None:
        raise PresentationUnknownError("presentation_id: expected one reported by Presentation")
    if presentation.lane_id != lane_id:
        raise PresentationForeignError("presentation_id: expected one of this lane")
    return presentation


async def observe(unit: UnitOfWork, presentation: Presentation, seen: SeenPlate) -> UUID:
    """Record the read that the presentation is decided on; one presentation has one."""
    observation_id = observation_id_of(presentation.id)
    presentation.observation_id = observation_id
    await repository.insert_once(unit, _observation(unit, presentation, seen, observation_id))
    return observation_id


async def correct_observation(
    unit: UnitOfWork, presentation: Presentation, seen: SeenPlate, cause_id: UUID
) -> UUID:
    """Record a better read of a locked presentation; the first one stays as it is."""
    observation_id = derive_id(presentation.id, f"observation:{cause_id}")
    presentation.observation_id = observation_id
    await repository.insert_once(unit, _observation(unit, presentation, seen, observation_id))
    return observation_id


def _observation(
    unit: UnitOfWork, presentation: Presentation, seen: SeenPlate, observation_id: UUID
) -> Observation:
    return Observation(
        operator_id=presentation.operator_id,
        id=observation_id,
        place_id=presentation.place_id,
        lane_id=presentation.lane_id,
        presentation_id=presentation.id,
        method=seen.method,
        plate_index=seen.plate_index,
        plate_sealed=unit.vault.seal(seen.text, context=PLATE_CONTEXT),
        alternatives_sealed=unit.vault.seal(
            json.dumps(dict(seen.alternatives), ensure_ascii=False),
            context=ALTERNATIVES_CONTEXT,
        ),
        confidence=seen.confidence,
        characters=list(seen.characters),
        region=seen.region,
        frames=seen.frames,
        source=seen.source,
        captured_at=presentation.occupied_at,
    )


def observation_id_of(presentation_id: UUID) -> UUID:
    """Return the id of the one observation that a presentation may have."""
    return derive_id(presentation_id, "observation")


def decide(unit: UnitOfWork, presentation: Presentation, *, action: str, reason: str) -> None:
    """Write down what the lane does for this car."""
    if (presentation.action, presentation.reason) == (action, reason):
        return
    presentation.action = action
    presentation.reason = reason
    presentation.decided_at = unit.now()


async def order_open(
    unit: UnitOfWork, presentation: Presentation, *, session_id: UUID | None, reason: str
) -> GateCommand | None:
    """Return the order to open for this car: the one that stands, or a fresh one.

    The presentation must be locked. A repeated order keeps its id and gets a new time, so that
    the gate recognises the repetition. None: the car is gone, or too many orders were rejected.
    """
    if presentation.cleared_at is not None:
        return None
    commands = (
        await repository.find_commands(unit, presentation.operator_id, presentation.id)
        if presentation.commands
        else []
    )
    standing = next((item for item in commands if item.state != CommandState.REJECTED), None)
    if standing is not None:
        if standing.state == CommandState.ISSUED:
            standing.issued_at = unit.now()
        return standing
    if len(commands) >= COMMANDS_PER_PRESENTATION_MAX:
        return None
    presentation.commands = len(commands) + 1
    command = GateCommand(
        operator_id=presentation.operator_id,
        id=derive_id(presentation.id, f"open:{presentation.commands}"),
        lane_id=presentation.lane_id,
        presentation_id=presentation.id,
        session_id=session_id,
        state=CommandState.ISSUED,
        reason=reason,
        issued_at=unit.now(),
    )
    unit.session.add(command)
    return command

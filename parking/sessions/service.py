"""Use cases of a stay: begin, find at the exit, end."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from parking.kit.database import ConflictError, UnitOfWork
from parking.kit.ids import derive_id
from parking.sessions import repository
from parking.sessions.models import OpenSession, Segment, Session, SessionState
from parking.sessions.rules import Candidate, Match, ReadText, best_match, distance

PLATE_CONTEXT = "plate"
# What stands in a stay for the plate after its period: retention takes plate and driver off.
FORGOTTEN = b"\x00"
FORGOTTEN_PLATE = "•••••••"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A car that comes in.

    Attributes:
        circumstances: What the price depends on besides the clock, as JSON values.
    """

    operator_id: UUID
    place_id: UUID
    area_id: UUID
    presentation_id: UUID
    plate_index: UUID
    plate_text: str
    driver_id: UUID | None
    rate_table_id: UUID
    entered_at: datetime
    circumstances: dict[str, Any] = field(default_factory=dict[str, Any])


def session_id_of(presentation_id: UUID) -> UUID:
    """Return the id of the one stay that a presentation at an entry may cause."""
    return derive_id(presentation_id, "session")


async def begin(unit: UnitOfWork, arrival: Arrival, *, may_exist: bool = True) -> Session:
    """Open the stay that this presentation causes; again returns the same.

    An earlier stay of the same plate must have ended: the open one is unique.

    Args:
        unit: The transaction, which writes the rows with what is added next.
        arrival: The car.
        may_exist: Whether to look for the stay first.
    """
    session_id = session_id_of(arrival.presentation_id)
    if may_exist:
        known = await repository.lock_session(unit, arrival.operator_id, session_id)
        if known is not None:
            return known
    sealed = unit.vault.seal(arrival.plate_text, context=PLATE_CONTEXT)
    session = Session(
        operator_id=arrival.operator_id,
        id=session_id,
        place_id=arrival.place_id,
        plate_index=arrival.plate_index,
        plate_sealed=sealed,
        driver_id=arrival.driver_id,
        rate_table_id=arrival.rate_table_id,
        entry_presentation_id=arrival.presentation_id,
        state=SessionState.ACTIVE,
        version=0,
        entered_at=arrival.entered_at,
        circumstances=arrival.circumstances,
    )
    unit.session.add(session)
    unit.session.add(
        OpenSession(
            operator_id=arrival.operator_id,
            session_id=session_id,
            place_id=arrival.place_id,
            plate_index=arrival.plate_index,
            plate_sealed=sealed,
            entered_at=arrival.entered_at,
            area_id=arrival.area_id,
        )
    )
    unit.session.add(
        Segment(
            operator_id=arrival.operator_id,
            id=derive_id(session_id, "segment:1"),
            session_id=session_id,
            area_id=arrival.area_id,
            rate_table_id=arrival.rate_table_id,
            started_at=arrival.entered_at,
        )
    )
    return session


async def lock_open(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, plate_index: UUID
) -> Session | None:
    """Lock the stay of exactly this plate that has not ended.

    Raises:
        ConflictError: it ended, or was found to be another plate's, while this waited for it.
    """
    row = await repository.find_open(unit, operator_id, place_id, plate_index)
    if row is None:
        return None
    session = await repository.lock_session(unit, operator_id, row.session_id)
    if session is None or session.left_at is not None or session.plate_index != plate_index:
        raise ConflictError("session: another change of it came first")
    return session


async def match_exit(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, plate_index: UUID, read: ReadText
) -> Match | None:
    """Return the open session that a read at an exit belongs to, or None where it is not sure.

    Plates are opened in memory only when the exact plate is not inside.
    """
    exact = await repository.find_open(unit, operator_id, place_id, plate_index)
    if exact is not None:
        return Match(exact.session_id, 0.0)
    return await match_near(unit, operator_id, place_id, read)


async def match_near(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, read: ReadText
) -> Match | None:
    """Return the open session that a read means whose exact plate is not inside, if it is sure."""
    opened = await list_plates(unit, operator_id, place_id)
    return best_match(read, [Candidate(*each) for each in opened])


async def lock_near(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, read: ReadText
) -> Session | None:
    """Lock the stay that `match_near` returns.

    Raises:
        ConflictError: it ended, or was found to be another plate's, while this waited for it.
    """
    match = await match_near(unit, operator_id, place_id, read)
    if match is None:
        return None
    session = await repository.lock_session(unit, operator_id, match.session_id)
    if session is None or session.left_at is not None:
        raise ConflictError("session: another change of it came first")
    if distance(read, plate_of(unit, session)) != match.distance:
        raise ConflictError("session: it is another plate's by now")
    return session


async def list_plates(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID
) -> list[tuple[UUID, str]]:
    """Return a place's open stays with their plates in clear, which stay in memory."""
    return [
        (session_id, unit.vault.open(sealed, context=PLATE_CONTEXT))
        for session_id, sealed in await repository.list_open(unit, operator_id, place_id)
    ]


async def lock_session(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> Session | None:
    """Lock a stay for the rest of the transaction."""
    return await repository.lock_session(unit, operator_id, session_id)


@dataclass(frozen=True, slots=True)
class Ended:
    """A stay that ended just now.

    Attributes:
        pool_id: Where it was counted; None for one that was not.
        reservation_id: What its driver came with; None for nothing.
    """

    at: datetime
    pool_id: UUID | None
    reservation_id: UUID | None


async def end(
    unit: UnitOfWork, session: Session, *, state: SessionState, at: datetime
) -> Ended | None:
    """End a locked stay, once, and never before it began; None where it had ended before."""
    at = max(at, session.entered_at)
    counted = await repository.delete_open(unit, session.operator_id, session.id)
    if counted is None:
        return None
    area_id, pool_id, reservation_id = counted
    session.state = state
    session.left_at = at
    for segment in await repository.find_segments(unit, session.operator_id, session.id):
        segment.ended_at = segment.ended_at or at
    return Ended(at, pool_id or area_id, reservation_id)


async def correct_plate(unit: UnitOfWork, session: Session, plate_index: UUID, plate: str) -> None:
    """Let a locked open stay be that of another plate, which has none at the place.

    Raises:
        ConflictError: it has one, at the end of the transaction at the latest.
    """
    session.plate_index = plate_index
    session.plate_sealed = unit.vault.seal(plate, context=PLATE_CONTEXT)
    unit.session.add(session)
    await repository.correct_open_plate(unit, session, plate_index, session.plate_sealed)


def plate_of(unit: UnitOfWork, session: Session) -> str:
    """Return the stay's plate in clear: for its own driver and for staff only."""
    if session.plate_sealed == FORGOTTEN:
        return FORGOTTEN_PLATE
    return unit.vault.open(session.plate_sealed, context=PLATE_CONTEXT)

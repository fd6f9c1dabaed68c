"""Every query about stays."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, delete, func, update
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.locks import lock
from parking.sessions.models import OpenSession, Segment, Session

# Beyond this many open sessions a misread is not searched for: the place is a city, not a place.
OPEN_SESSIONS_MAX = 20_000
OPEN_OF_PLATE_MAX = 20
# Built once: every car asks.
_OPEN = (
    select(OpenSession)
    .where(col(OpenSession.operator_id) == bindparam("operator_id"))
    .where(col(OpenSession.place_id) == bindparam("place_id"))
    .where(col(OpenSession.plate_index) == bindparam("plate_index"))
)


async def find_open(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, plate_index: UUID
) -> OpenSession | None:
    """Return the open session of exactly this plate."""
    values = {"operator_id": operator_id, "place_id": place_id, "plate_index": plate_index}
    return (await unit.session.exec(_OPEN, params=values)).one_or_none()


async def list_open(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID
) -> Sequence[tuple[UUID, bytes]]:
    """Return a place's open sessions with their sealed plates."""
    statement = (
        select(OpenSession.session_id, OpenSession.plate_sealed)
        .where(col(OpenSession.operator_id) == operator_id)
        .where(col(OpenSession.place_id) == place_id)
        .limit(OPEN_SESSIONS_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def list_open_of_plate(unit: UnitOfWork, plate_index: UUID) -> Sequence[tuple[UUID, UUID]]:
    """Return the open sessions of a plate at every operator's places: (operator, session)."""
    statement = (
        select(OpenSession.operator_id, OpenSession.session_id)
        .where(col(OpenSession.plate_index) == plate_index)
        .limit(OPEN_OF_PLATE_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def lock_session(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> Session | None:
    """Lock a stay: two lanes, a phone and a provider's notice take turns."""
    return await lock(unit, Session, operator_id=operator_id, id=session_id)


async def find_session(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> Session | None:
    """Return a stay."""
    return await unit.session.get(Session, (operator_id, session_id))


async def find_sessions(
    unit: UnitOfWork, keys: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], Session]:
    """Return many stays at once, by (operator, session); one statement however many."""
    if not keys:
        return {}
    statement = (
        select(Session)
        .where(col(Session.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(Session.id).in_({session_id for _, session_id in keys}))
    )
    rows = await unit.session.exec(statement)
    return {(row.operator_id, row.id): row for row in rows}


async def find_segments(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> list[Segment]:
    """Return a stay's segments, oldest first."""
    statement = (
        select(Segment)
        .where(col(Segment.operator_id) == operator_id)
        .where(col(Segment.session_id) == session_id)
        .order_by(col(Segment.id))
    )
    return list(await unit.session.exec(statement))


async def delete_open(
    unit: UnitOfWork, operator_id: UUID, session_id: UUID
) -> tuple[UUID | None, UUID | None, UUID | None] | None:
    """Take a stay off the open ones; returns its area, pool and reservation; None for no such."""
    statement = (
        delete(OpenSession)
        .where(col(OpenSession.operator_id) == operator_id)
        .where(col(OpenSession.session_id) == session_id)
        .returning(
            col(OpenSession.area_id), col(OpenSession.pool_id), col(OpenSession.reservation_id)
        )
    )
    row = (await unit.run(statement)).one_or_none()
    return None if row is None else (row.area_id, row.pool_id, row.reservation_id)


async def find_reservation_id(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> UUID | None:
    """Return what an open stay's driver came with; None for nothing."""
    statement = (
        select(OpenSession.reservation_id)
        .where(col(OpenSession.operator_id) == operator_id)
        .where(col(OpenSession.session_id) == session_id)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def note_reservation(
    unit: UnitOfWork, operator_id: UUID, session_id: UUID, reservation_id: UUID | None
) -> None:
    """Say what an open stay's driver came with; None for nothing."""
    await unit.run(
        update(OpenSession)
        .where(col(OpenSession.operator_id) == operator_id)
        .where(col(OpenSession.session_id) == session_id)
        .values(reservation_id=reservation_id)
    )


async def put_in_pool(
    unit: UnitOfWork, operator_id: UUID, session_id: UUID, pool_id: UUID | None
) -> None:
    """Say in which reserved spaces an open stay is counted; None for the public ones."""
    await unit.run(
        update(OpenSession)
        .where(col(OpenSession.operator_id) == operator_id)
        .where(col(OpenSession.session_id) == session_id)
        .values(pool_id=pool_id)
    )


async def find_pool_id(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> UUID | None:
    """Return the reserved spaces that an open stay is counted in; None for the public ones."""
    statement = (
        select(OpenSession.pool_id)
        .where(col(OpenSession.operator_id) == operator_id)
        .where(col(OpenSession.session_id) == session_id)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def correct_open_plate(
    unit: UnitOfWork, session: Session, plate_index: UUID, plate_sealed: bytes
) -> None:
    """Let an open stay be that of another plate."""
    await unit.run(
        update(OpenSession)
        .where(col(OpenSession.operator_id) == session.operator_id)
        .where(col(OpenSession.session_id) == session.id)
        .values(plate_index=plate_index, plate_sealed=plate_sealed)
    )


async def count_open(unit: UnitOfWork, operator_id: UUID, place_id: UUID) -> dict[UUID, int]:
    """Return how many open stays are counted in each pool of a place."""
    pool = func.coalesce(OpenSession.pool_id, OpenSession.area_id)
    statement = (
        select(pool, func.count())
        .where(col(OpenSession.operator_id) == operator_id)
        .where(col(OpenSession.place_id) == place_id)
        .where(col(OpenSession.area_id).is_not(None))
        .group_by(pool)
    )
    return {pool_id: int(count) for pool_id, count in await unit.session.exec(statement)}

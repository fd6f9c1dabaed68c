"""Every query about places and lanes."""

from collections.abc import Collection
from uuid import UUID

from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.places.models import AccessLane, Place


async def find_lane(unit: UnitOfWork, operator_id: UUID, lane_id: UUID) -> AccessLane | None:
    """Return a lane."""
    return await unit.session.get(AccessLane, (operator_id, lane_id))


async def find_place(unit: UnitOfWork, operator_id: UUID, place_id: UUID) -> Place | None:
    """Return a place."""
    return await unit.session.get(Place, (operator_id, place_id))


async def find_places(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], Place]:
    """Return many places by (operator, place); one statement however many."""
    statement = (
        select(Place)
        .where(col(Place.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(Place.id).in_({place_id for _, place_id in keys}))
    )
    rows = await unit.session.exec(statement)
    return {(row.operator_id, row.id): row for row in rows}

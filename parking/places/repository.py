"""Every query about places and lanes."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.places.models import AccessLane, Direction, IdentifiedArea, Operator, Place

AREA_DEPTH_MAX = 8
PLACES_READ_MAX = 1000
OPERATORS_READ_MAX = 10_000
AREAS_READ_MAX = 5000
LANES_OF_AREA_MAX = 200

_ADD_SPACES: Final = text(
    """
    INSERT INTO spaces (operator_id, id, area_id, label)
    SELECT :operator_id, space.id, :area_id, CAST(space.number AS text)
    FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS space (id, number)
    """
)


async def find_lane(unit: UnitOfWork, operator_id: UUID, lane_id: UUID) -> AccessLane | None:
    """Return a lane."""
    return await unit.session.get(AccessLane, (operator_id, lane_id))


async def find_lane_anywhere(unit: UnitOfWork, lane_id: UUID) -> AccessLane | None:
    """Return a lane of whatever operator: for who runs the installation, never for a request."""
    statement = select(AccessLane).where(col(AccessLane.id) == lane_id).limit(1)
    return (await unit.session.exec(statement)).one_or_none()


async def add_spaces(unit: UnitOfWork, area: IdentifiedArea) -> None:
    """Add the spaces of a new area, labelled from 1 on, in one statement."""
    values = {
        "operator_id": area.operator_id,
        "area_id": area.id,
        "ids": [new_id(unit.now()) for _ in range(area.supply)],
    }
    await unit.run(_ADD_SPACES, values)


async def find_operator(unit: UnitOfWork, operator_id: UUID) -> Operator | None:
    """Return an operator."""
    return await unit.session.get(Operator, operator_id)


async def list_operators(unit: UnitOfWork) -> Sequence[Operator]:
    """Return every operator of the installation, oldest first: for who runs it."""
    statement = select(Operator).order_by(col(Operator.id)).limit(OPERATORS_READ_MAX)
    return (await unit.session.exec(statement)).all()


async def find_place(unit: UnitOfWork, operator_id: UUID, place_id: UUID) -> Place | None:
    """Return a place."""
    return await unit.session.get(Place, (operator_id, place_id))


async def find_place_anywhere(unit: UnitOfWork, place_id: UUID) -> Place | None:
    """Return a place of whatever operator: for who runs the installation, never for a request."""
    statement = select(Place).where(col(Place.id) == place_id).limit(1)
    return (await unit.session.exec(statement)).one_or_none()


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


async def find_lineage(unit: UnitOfWork, operator_id: UUID, area_id: UUID) -> tuple[UUID, ...]:
    """Return an area and the areas that it is a part of, innermost first."""
    lineage: list[UUID] = []
    next_id: UUID | None = area_id
    while next_id is not None and len(lineage) < AREA_DEPTH_MAX:
        area = await unit.session.get(IdentifiedArea, (operator_id, next_id))
        if area is None:
            break
        lineage.append(area.id)
        next_id = area.parent_id
    return tuple(lineage)


async def find_area(unit: UnitOfWork, operator_id: UUID, area_id: UUID) -> IdentifiedArea | None:
    """Return an area."""
    return await unit.session.get(IdentifiedArea, (operator_id, area_id))


async def find_lane_names(
    unit: UnitOfWork, operator_id: UUID, lane_ids: Collection[UUID]
) -> dict[UUID, str]:
    """Return what lanes are called."""
    statement = (
        select(AccessLane.id, AccessLane.name)
        .where(col(AccessLane.operator_id) == operator_id)
        .where(col(AccessLane.id).in_(list(lane_ids)))
    )
    return dict((await unit.session.exec(statement)).all())


async def list_entry_ids(unit: UnitOfWork, operator_id: UUID, area_id: UUID) -> Sequence[UUID]:
    """Return the lanes that lead into an area."""
    statement = (
        select(AccessLane.id)
        .where(col(AccessLane.operator_id) == operator_id)
        .where(col(AccessLane.area_id) == area_id)
        .where(col(AccessLane.direction) == Direction.ENTRY)
        .order_by(col(AccessLane.id))
        .limit(LANES_OF_AREA_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def list_places(unit: UnitOfWork, operator_id: UUID) -> Sequence[Place]:
    """Return an operator's places, oldest first."""
    statement = (
        select(Place)
        .where(col(Place.operator_id) == operator_id)
        .order_by(col(Place.id))
        .limit(PLACES_READ_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def list_areas(unit: UnitOfWork, operator_id: UUID) -> Sequence[IdentifiedArea]:
    """Return the areas of all places of an operator, oldest first."""
    statement = (
        select(IdentifiedArea)
        .where(col(IdentifiedArea.operator_id) == operator_id)
        .order_by(col(IdentifiedArea.id))
        .limit(AREAS_READ_MAX)
    )
    return (await unit.session.exec(statement)).all()

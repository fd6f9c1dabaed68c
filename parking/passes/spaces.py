"""The spaces of a pass: which cars stand on them, and how one is taken and freed."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, text
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.passes.models import AssignedRight, RightSpace

SPACES_PER_PASS_MAX = 50

# The key of the row decides between two cars: the second insert of a space does nothing.
_TAKE_SPACE = text(
    """
    INSERT INTO right_spaces
        (operator_id, right_id, slot, session_id, place_id, area_id, taken_at)
    SELECT :operator_id, :right_id, free.slot, :session_id, :place_id, :area_id, :now
    FROM generate_series(1, CAST(:spaces AS integer)) AS free (slot)
    WHERE NOT EXISTS (
        SELECT 1 FROM right_spaces
        WHERE operator_id = :operator_id AND right_id = :right_id AND slot = free.slot
    )
    ORDER BY free.slot LIMIT 1
    ON CONFLICT DO NOTHING
    """
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A car that comes in."""

    operator_id: UUID
    place_id: UUID
    area_id: UUID
    session_id: UUID


async def take_space(
    unit: UnitOfWork, right: AssignedRight, standing: Standing, *, spaces: int
) -> bool:
    """Take one of a pass's spaces for a car; True also where it has one already."""
    values = {
        "operator_id": right.operator_id,
        "right_id": right.id,
        "session_id": standing.session_id,
        "place_id": standing.place_id,
        "area_id": standing.area_id,
        "spaces": spaces,
        "now": unit.now(),
    }
    # Whoever loses a space to a car at another gate looks for the next one.
    for _ in range(min(spaces, SPACES_PER_PASS_MAX)):
        if (await unit.run(_TAKE_SPACE, values)).rowcount == 1:
            return True
        taken = await list_spaces(unit, right)
        if any(space.session_id == standing.session_id for space in taken):
            return True
        if len(taken) >= spaces:
            return False
    return False


async def list_spaces(unit: UnitOfWork, right: AssignedRight) -> Sequence[RightSpace]:
    """Return which cars stand on a pass's spaces."""
    statement = (
        select(RightSpace)
        .where(col(RightSpace.operator_id) == right.operator_id)
        .where(col(RightSpace.right_id) == right.id)
        .order_by(col(RightSpace.session_id))
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).all()


async def list_spaces_of(
    unit: UnitOfWork, operator_id: UUID, session_id: UUID
) -> Sequence[RightSpace]:
    """Return the spaces that a car stands on: one of each pass that covers it."""
    statement = (
        select(RightSpace)
        .where(col(RightSpace.operator_id) == operator_id)
        .where(col(RightSpace.session_id) == session_id)
        .order_by(col(RightSpace.right_id))
    )
    return (await unit.session.exec(statement)).all()


async def free_spaces(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> int:
    """Free what a car stood on; returns how many spaces there were."""
    statement = (
        delete(RightSpace)
        .where(col(RightSpace.operator_id) == operator_id)
        .where(col(RightSpace.session_id) == session_id)
    )
    return (await unit.run(statement)).rowcount

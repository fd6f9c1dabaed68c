"""Counting cars that a gate let through by itself and that belong to no stay."""

from uuid import UUID

from parking.flows import occupancy
from parking.flows.lane_types import Direction, Lane
from parking.kit.database import UnitOfWork
from parking.offline import repository
from parking.offline.models import OfflinePassage


async def count_passed(unit: UnitOfWork, lane: Lane, presentation_id: UUID) -> None:
    """Count a car in or out, once, if it has passed and there is no stay for it.

    Where its stay may still be found, nothing is counted yet: the stay will. The presentation must
    be locked.
    """
    if await repository.take_uncounted(unit, lane.operator_id, presentation_id):
        _count(unit, lane, is_in=lane.direction == Direction.ENTRY)


def take_back(unit: UnitOfWork, lane: Lane, item: OfflinePassage) -> None:
    """Undo that for a car whose stay was found after all, before the stay itself counts it.

    In this order, so that a count of nothing does not swallow the one and keep the other.
    """
    if item.is_counted:
        item.is_counted = False
        _count(unit, lane, is_in=lane.direction != Direction.ENTRY)


def _count(unit: UnitOfWork, lane: Lane, *, is_in: bool) -> None:
    if is_in:
        occupancy.enter_uncounted(unit, lane.operator_id, lane.area_id)
    else:
        occupancy.leave(unit, lane.operator_id, lane.area_id)

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
    if not await repository.take_uncounted(unit, lane.operator_id, presentation_id):
        return
    if lane.direction == Direction.ENTRY:
        occupancy.enter_uncounted(unit, lane.operator_id, lane.area_id)
        return

    async def unmark() -> None:
        await repository.give_count_back(unit, lane.operator_id, presentation_id)

    # What was not counted must not be taken back when its entry is told of after all.
    occupancy.leave_uncounted(unit, lane.operator_id, lane.area_id, unmark)


def take_back(unit: UnitOfWork, lane: Lane, item: OfflinePassage) -> None:
    """Undo that for a car whose stay was found after all, before the stay itself counts it.

    In this order, so that a count of nothing does not swallow the one and keep the other.
    """
    if not item.is_counted:
        return
    item.is_counted = False
    if lane.direction == Direction.ENTRY:
        occupancy.leave(unit, lane.operator_id, lane.area_id)
    else:
        occupancy.enter_uncounted(unit, lane.operator_id, lane.area_id)

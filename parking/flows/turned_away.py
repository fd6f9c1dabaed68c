"""A car at an entry whose area has no room, and what becomes of it when there is some again."""

from uuid import UUID

from parking.flows import display, entry, reads
from parking.flows.context import ParkingContext
from parking.flows.lane_types import Action, Decision, Lane, ReadSource
from parking.flows.offers import expecting, guarantee
from parking.kit.database import UnitOfWork
from parking.lanes import repository as lane_rows
from parking.lanes import service as lanes
from parking.lanes.models import Presentation
from parking.occupancy import repository as occupancy_rows
from parking.occupancy.errors import AreaFullError
from parking.plates import service as plates
from parking.plates.reads import PlateRead

FULL = "full"


async def turn_away(
    context: ParkingContext,
    lane: Lane,
    presentation_id: UUID,
    read: PlateRead,
    source: ReadSource,
    *,
    promised: UUID | None = None,
) -> Decision:
    """Decide that a car is not let in because the area is full, even if it was promised a space."""
    async with context.database.begin() as unit:
        presentation = await lanes.lock_presentation(
            unit, lane.operator_id, lane.lane_id, presentation_id
        )
        if presentation.decided_at is not None:
            # Another bridge was first.
            return await entry.repeat(unit, presentation)
        lanes.decide(unit, presentation, action=Action.REFUSE, reason=FULL)
        index = plates.plate_index(unit.vault, read.text)
        await reads.observe(unit, presentation, read, index, source)
        if promised is not None:
            await guarantee.fail(unit, lane.operator_id, promised)
        return Decision(Action.REFUSE, FULL, None, display.refused(FULL))


def is_turned_away(presentation: Presentation) -> bool:
    """Return whether a car was refused for want of a space only."""
    return (presentation.action, presentation.reason) == (Action.REFUSE, FULL)


async def let_in(context: ParkingContext, lane: Lane, presentation_id: UUID) -> Decision | None:
    """Let a car in that was turned away and still stands there; None while there is no room."""
    try:
        async with context.database.begin() as unit:
            return await _let_in(context, unit, lane, presentation_id)
    except AreaFullError as error:
        promised = error.reservation_id
    if promised is not None:
        # It came early and waited: by now its window may have begun.
        async with context.database.begin() as unit:
            await guarantee.fail(unit, lane.operator_id, promised)
    return None


async def _let_in(
    context: ParkingContext, unit: UnitOfWork, lane: Lane, presentation_id: UUID
) -> Decision | None:
    pool = await occupancy_rows.find_pool(unit, lane.operator_id, lane.area_id)
    if pool is None:
        return None
    presentation = await lane_rows.lock_presentation(unit, lane.operator_id, presentation_id)
    if presentation is None or presentation.cleared_at is not None:
        return None
    seen = await lane_rows.find_observation(unit, lane.operator_id, presentation)
    if seen is None or not is_turned_away(presentation):
        return None
    if pool.is_full and pool.keeps_closed:
        # It may be the one that a space is kept for by now.
        key = (lane.operator_id, lane.area_id)
        if await expecting.find_expected(unit, *key, seen.plate_index, unit.now()) is None:
            return None
    text = unit.vault.open(seen.plate_sealed, context=lanes.PLATE_CONTEXT)
    read = PlateRead(text=text, confidence=seen.confidence)
    return await entry.decide(context, unit, lane, presentation, read, seen.plate_index)

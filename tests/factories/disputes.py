"""Stays that were read well, and stays that were not."""

from typing import Final
from uuid import UUID

from parking.disputes.models import Dispute, DisputeReason
from parking.flows.disputes import dispute_opening
from parking.flows.lane_types import Decision, FrameUpload, Lane
from parking.kit.ids import new_id
from tests.factories.lane_world import PLATE, LaneWorld, read_of

# An 8 read as a B: the matching takes it for PLATE.
MISREAD: Final = "京AB8731"
PICTURE: Final = b"\xff\xd8\xff\xe0 a picture \xff\xd9"


async def show(world: LaneWorld, lane: Lane, presentation_id: UUID) -> UUID:
    """Store a picture of the car; returns its id."""
    now = world.clock.now()
    frame_id = new_id(now)
    upload = FrameUpload(frame_id, presentation_id, now, "image/jpeg", PICTURE)
    await world.gate.store_frame(lane, upload)
    return frame_id


async def leave(
    world: LaneWorld, text: str = PLATE, confidence: float = 0.99, *, with_picture: bool = True
) -> Decision:
    """Bring a car to the exit, and through it if the gate opens."""
    presentation_id = await world.arrive(world.exit)
    if with_picture:
        await show(world, world.exit, presentation_id)
    decision = await world.decide(world.exit, presentation_id, read_of(text, confidence))
    if decision.action == "open":
        await world.barrier(world.exit, presentation_id, "opened", "passed")
    await world.clear(world.exit, presentation_id)
    return decision


async def charged_stay(
    world: LaneWorld, text: str = PLATE, confidence: float = 0.99, *, plate: str = PLATE
) -> tuple[UUID, UUID]:
    """Let a driver with a mandate stay for 45 minutes (10.00 CNY); returns driver and session."""
    driver_id = await world.add_driver(plate)
    await world.permit(driver_id)
    session_id = await world.drive_in(plate)
    world.wait(minutes=45)
    decision = await leave(world, text, confidence)
    assert (decision.action, decision.reason) == ("open", "paid")
    return driver_id, session_id


async def bill_of(world: LaneWorld, session_id: UUID) -> tuple[UUID, UUID]:
    """Return the key of the stay's first bill."""
    rows = await world.rows(
        "SELECT operator_id, id FROM bills WHERE session_id = :id AND version = 1 ORDER BY id",
        id=session_id,
    )
    return rows[0]["operator_id"], rows[0]["id"]


async def dispute(
    world: LaneWorld,
    driver_id: UUID,
    session_id: UUID,
    reason: DisputeReason = DisputeReason.WRONG_VEHICLE,
    *,
    line_index: int | None = None,
    comment: str = "",
) -> Dispute:
    """Contest the stay's first bill."""
    return await dispute_opening.dispute_bill(
        world.context,
        driver_id,
        await bill_of(world, session_id),
        reason=reason,
        comment=comment,
        line_index=line_index,
    )

"""The pictures that staff look at when they decide."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.lanes import repository as lanes
from parking.lanes.service import picture_of

# What the gate wire takes; anything larger in the table is none of ours to send.
PICTURE_BYTES_MAX: Final = 4 * 1024 * 1024
CONTENT_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/webp"})


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture as it came from the lane."""

    content_type: str
    image: bytes = field(repr=False)


async def find_picture(
    context: ParkingContext,
    operator_id: UUID,
    frame_id: UUID,
    *,
    places: Collection[UUID] | None = None,
) -> Picture | None:
    """Return an operator's picture; None for another's or another place's, as for none."""
    async with context.database.begin() as unit:
        frame = await lanes.find_frame(unit, operator_id, frame_id, bytes_max=PICTURE_BYTES_MAX)
        if frame is not None and places is not None:
            car = await lanes.find_presentation(unit, operator_id, frame.presentation_id)
            if car is None or car.place_id not in places:
                return None
    if frame is None or frame.content_type not in CONTENT_TYPES:
        return None
    return Picture(frame.content_type, picture_of(context.vault, frame))

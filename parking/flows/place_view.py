"""A place as whoever parks there sees it."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PlaceView:
    """Where the car stands; times are shown in its zone."""

    operator_id: UUID
    id: UUID
    name: str
    timezone: str
    currency: str

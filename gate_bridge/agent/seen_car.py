"""A camera's read as the lane reports it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self
from uuid import UUID

from gate_bridge.drivers.port import CarState, Heading


@dataclass(frozen=True, slots=True)
class CarRead:
    """A read that the gate may decide by, by itself.

    Attributes:
        event_id: Of its Observation.
        is_usable: Neither late, nor of a car that drives away.
    """

    event_id: UUID
    plate: str = field(repr=False)
    confidence: float
    is_usable: bool = True
    is_correction: bool = False

    @classmethod
    def of(cls, event_id: UUID, seen: "SeenCar") -> Self:
        """Return what a camera says of the car on the loop."""
        return cls(
            event_id,
            seen.plate,
            seen.confidence,
            not seen.is_backfill and seen.heading is not Heading.AWAY,
            seen.state is CarState.UPDATED,
        )


def better_read(known: CarRead | None, new: CarRead) -> CarRead | None:
    """Return the read to decide by: the surer one, and a correction if it is no less sure."""
    if not new.is_usable:
        return known
    if known is None or new.confidence > known.confidence:
        return new
    return new if new.is_correction and new.confidence == known.confidence else known


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCar:
    """A plate with what the camera says besides.

    Attributes:
        source: The camera's name.
        captured_at: By the bridge's clock; None is now.
        heading: Seen from the gate: towards it, or away.
        alternatives: Best first, with their probabilities.
        is_backfill: It came late: it is recorded and never decided on.
        origin: What it follows from, at the edge: the same again is not told twice. None for none.
    """

    plate: str
    confidence: float
    source: str
    captured_at: datetime | None = None
    heading: Heading = Heading.UNKNOWN
    car_id: str | None = None
    state: CarState = CarState.NEW
    alternatives: tuple[tuple[str, float], ...] = ()
    is_backfill: bool = False
    origin: str | None = None

    def fields(self) -> dict[str, object]:
        """Return an Observation's fields; what says no more than its default is left out."""
        fields: dict[str, object] = {
            "plate": self.plate,
            "confidence": self.confidence,
            "source": self.source,
        }
        if self.heading is not Heading.UNKNOWN:
            fields["heading"] = self.heading.value
        if self.car_id is not None:
            fields["car_id"] = self.car_id
        if self.state is not CarState.NEW:
            fields["read_state"] = self.state.value
        if self.is_backfill:
            fields["is_backfill"] = True
        if self.alternatives:
            fields["alternatives"] = [
                {"text": text, "probability": probability}
                for text, probability in self.alternatives
            ]
        return fields

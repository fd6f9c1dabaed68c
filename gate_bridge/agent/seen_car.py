"""A camera's read as the lane reports it."""

from dataclasses import dataclass
from datetime import datetime

from gate_bridge.drivers.port import CarState, Heading


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCar:
    """A plate with what the camera says besides.

    Attributes:
        source: The camera's name.
        captured_at: By the bridge's clock; None is now.
        heading: Seen from the gate: towards it, or away.
        alternatives: Best first, with their probabilities.
        is_backfill: It came late: it is recorded and never decided on.
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

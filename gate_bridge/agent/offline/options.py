"""When a gate begins to decide by itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineOptions:
    """Of one lane.

    Attributes:
        away_s: How long the bridge must have been away, or have committed nothing.
        read_s: How long a car waits for a plate that can be read.
        confidence_min: From which confidence on a camera's read is believed.
        pulse_s: How long after a decision the relay may still be pulsed.
        anchor_every_s: How often the bridge's time is written down.
    """

    away_s: float = 10.0
    read_s: float = 3.0
    confidence_min: float = 0.9
    pulse_s: float = 5.0
    anchor_every_s: float = 60.0

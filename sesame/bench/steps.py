"""One exit, split into steps that add up to its total."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

EVENT: Final = "presentation_decided"
# In the order of the lane. `commit` is the decision's own time less match, price and charge: its
# transactions with their commits, and the settlement of the payment.
MEASURED_STEPS: Final = (
    "store",
    "decode",
    "detect",
    "read",
    "match",
    "price",
    "charge",
    "commit",
    "send",
)
# What no step measures: the streams to the recogniser and back, waiting for a free recogniser and
# for the bridge's event loop, the vote.
QUEUE: Final = "queue"
STEPS: Final = (*MEASURED_STEPS[:4], QUEUE, *MEASURED_STEPS[4:])
PROVIDER_STEP: Final = "charge"


@dataclass(frozen=True, slots=True)
class ExitTimes:
    """What the bridge logged about one decided presentation.

    Attributes:
        total_ms: From the arrival of the frame that decided to the order on the wire; None where
            the gate was not ordered open by this decision.
        first_frame_ms: The same from the first frame, the camera's interval included.
        steps_ms: By name of `STEPS`; they add up to `total_ms`.
    """

    presentation_id: str
    frames: int
    total_ms: float | None
    first_frame_ms: float | None
    steps_ms: Mapping[str, float]

    @property
    def without_provider_ms(self) -> float | None:
        """The total less the provider's time."""
        if self.total_ms is None:
            return None
        return self.total_ms - self.steps_ms[PROVIDER_STEP]


def read_line(line: str) -> ExitTimes | None:
    """Return the times in a line of the bridge's JSON log; None where it is about other things."""
    if EVENT not in line:
        return None
    try:
        record: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        # A line that the log follower cut, or that a library wrote.
        return None
    if record.get("event") != EVENT:
        return None
    total_ms: float | None = record["frame_to_open_ms"]
    return ExitTimes(
        presentation_id=str(record["presentation_id"]),
        frames=int(record["frames"]),
        total_ms=total_ms,
        first_frame_ms=record["first_frame_to_open_ms"],
        steps_ms=split(record["steps_ms"], total_ms or 0.0),
    )


def split(measured_ms: Mapping[str, float], total_ms: float) -> dict[str, float]:
    """Return every step of `STEPS`, the rest of the total under `QUEUE`."""
    known = {name: measured_ms.get(name, 0.0) for name in MEASURED_STEPS}
    rest_ms = max(0.0, total_ms - sum(known.values()))
    return {name: rest_ms if name == QUEUE else known[name] for name in STEPS}

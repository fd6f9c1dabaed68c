"""How long each step of an exit took."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import structlog

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentationTimings:
    """One decided presentation.

    Attributes:
        action: What was decided.
        frames: Frames received until the decision.
        steps_ms: By step: `store`, `decode`, `detect`, `read` of the frame that decided, then
            the decision's own, such as `match`, `price`, `charge`, `commit`, and `send`.
        frame_to_open_ms: From the arrival of the frame that decided to the command on the wire;
            None when the barrier stays closed.
        first_frame_to_open_ms: The same from the first frame, waiting for more frames included.
    """

    lane_id: UUID
    presentation_id: UUID
    action: str
    frames: int
    steps_ms: dict[str, float]
    frame_to_open_ms: float | None
    first_frame_to_open_ms: float | None


TimingsListener = Callable[[PresentationTimings], None]


def log_timings(timings: PresentationTimings) -> None:
    """Write the timings as one structured line."""
    _log.info(
        "presentation_decided",
        lane_id=str(timings.lane_id),
        presentation_id=str(timings.presentation_id),
        action=timings.action,
        frames=timings.frames,
        steps_ms={step: round(value, 3) for step, value in timings.steps_ms.items()},
        frame_to_open_ms=_rounded(timings.frame_to_open_ms),
        first_frame_to_open_ms=_rounded(timings.first_frame_to_open_ms),
    )


def _rounded(value_ms: float | None) -> float | None:
    return None if value_ms is None else round(value_ms, 3)

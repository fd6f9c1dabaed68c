"""What the gate bridge and the lane's flows say to each other."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from parking.lanes.health import AgentCondition, DeviceSignal, LaneReport
from parking.lanes.models import CommandState, ObservationMethod, PresentationState
from parking.places.models import Direction

__all__ = [
    "POLICY_LANES_MAX",
    "UNTRACKED",
    "Action",
    "AgentCondition",
    "BarrierEvent",
    "CommandState",
    "Connection",
    "Decision",
    "DeviceSignal",
    "Direction",
    "DisplayText",
    "FrameUpload",
    "Heading",
    "Lane",
    "LaneEvent",
    "LaneReport",
    "ObservationMethod",
    "OfflineDecision",
    "OpenCommand",
    "PolicyPart",
    "PresentationState",
    "ReadSource",
    "ReadState",
    "TrackedCar",
]


POLICY_LANES_MAX: Final = 200
"""How many lanes' policies are looked at with one call."""


class Action(StrEnum):
    """What the lane does for the car that stands there."""

    OPEN = "open"
    PAY = "pay"
    WAIT = "wait"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane whose agent proved itself."""

    operator_id: UUID
    place_id: UUID
    lane_id: UUID
    area_id: UUID
    direction: Direction
    name: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A fresh connection of a lane.

    Attributes:
        session_epoch: Higher than that of every earlier connection of the lane.
        last_seq: The last event that is committed; the agent resumes after it.
    """

    session_epoch: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class LaneEvent:
    """What every event from an agent carries.

    Attributes:
        event_id: UUIDv7 by the agent; the same event again changes nothing.
        seq: Counts up by one for each event of the lane.
        occurred_at: Aware, by the agent's clock corrected with the heartbeats' offset.
    """

    event_id: UUID
    seq: int
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class BarrierEvent:
    """What the barrier or its loops did."""

    event: LaneEvent
    kind: str
    presentation_id: UUID | None
    command_id: UUID | None
    operator: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineDecision:
    """What a gate decided by itself while it had no network.

    Attributes:
        observation_id: The event that reported the plate; None without one.
        policy_version: None where the gate has never had a policy.
        risk_minor: What may be lost by it, as the policy says.
        occupied_at: When the car came.
        clock_uncertainty_ms: How far off the times may be; None where the time was not known.
    """

    event: LaneEvent
    presentation_id: UUID
    command_id: UUID | None
    is_open: bool
    reason: str
    observation_id: UUID | None
    policy_version: int | None
    risk_minor: int
    occupied_at: datetime
    clock_uncertainty_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPart:
    """A part of a lane's newest signed policy; `chunks` is 0 where there is nothing to fetch.

    Attributes:
        version: 0 where the lane has no policy.
    """

    version: int
    chunk: int = 0
    chunks: int = 0
    public_key: bytes = b""
    signature: bytes = b""
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class FrameUpload:
    """One picture of the presentation, as it came."""

    frame_id: UUID
    presentation_id: UUID
    captured_at: datetime
    content_type: str
    image: bytes = field(repr=False)


class Heading(StrEnum):
    """How a car drives: towards the gate, in the lane's direction, or away from it."""

    TOWARDS = "towards"
    AWAY = "away"
    UNKNOWN = "unknown"


class ReadState(StrEnum):
    """Where a camera that tracks cars stands with one of them."""

    NEW = "new"
    UPDATED = "updated"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class TrackedCar:
    """What a camera says of the car besides its plate.

    Attributes:
        car_id: The camera's own id of the car; None where it does not track.
        is_backfill: It was sent late, from the camera's memory: no reason for a decision.
    """

    heading: Heading = Heading.UNKNOWN
    state: ReadState = ReadState.NEW
    car_id: str | None = None
    is_backfill: bool = False


UNTRACKED = TrackedCar()


@dataclass(frozen=True, slots=True)
class ReadSource:
    """Who read a plate.

    Attributes:
        name: Which weights, or which camera.
        heading: As far as the camera saw it.
        is_fallback: Whether it is the best guess only, because nobody was sure in time.
    """

    method: ObservationMethod
    name: str
    heading: Heading = Heading.UNKNOWN
    is_fallback: bool = False


@dataclass(frozen=True, slots=True)
class OpenCommand:
    """An order to open for one presentation.

    Attributes:
        command_id: The same in every repetition of this order.
        ttl_ms: How long after `issued_at` the gate may still obey.
    """

    command_id: UUID
    presentation_id: UUID
    issued_at: datetime
    ttl_ms: int


@dataclass(frozen=True, slots=True)
class DisplayText:
    """What the lane's display shows.

    Attributes:
        qr: What the QR code says: the address of the bill; `None` for none.
    """

    lines: tuple[str, ...]
    qr: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The one decision of a presentation.

    Attributes:
        reason: Stable word, such as `paid`, `zero_due`, `declined`, `no_session`.
        command: Set with OPEN.
        timings_ms: By step: `match`, `price`, `charge`, `commit`.
    """

    action: Action
    reason: str
    command: OpenCommand | None
    display: DisplayText
    timings_ms: dict[str, float] = field(default_factory=dict[str, Any])

"""Every action of the gate wire: payload of the call and payload of its result."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import orjson
from pydantic import UUID7, Field, ValidationError

from gate_bridge.wire.errors import PayloadInvalidError
from gate_bridge.wire.fields import (
    CertificateRequest,
    CertificateText,
    ClockOffsetMs,
    DisplayLine,
    Empty,
    Epoch,
    PlateText,
    Probability,
    QrText,
    Reason,
    Sequence,
    SequenceOrZero,
    ShortText,
    Time,
    TtlMs,
    WireModel,
)
from gate_bridge.wire.limits import (
    ALTERNATIVES_MAX,
    AUTHORITIES_MAX,
    CLOCK_OFFSET_MS_MAX,
    DEVICES_MAX,
    DISPLAY_LINES_MAX,
    QUEUE_DEPTH_MAX,
    TTL_MS_MIN,
)
from gate_bridge.wire.offline import (
    FetchPolicy,
    FetchPolicyResult,
    OfflineDecision,
    PolicyAvailable,
    Readiness,
)


class PresentationState(StrEnum):
    """What the entry loop reports."""

    OCCUPIED = "occupied"
    CLEARED = "cleared"


class BarrierEventKind(StrEnum):
    """Physical feedback of one barrier."""

    OPENING = "opening"
    OPENED = "opened"
    PULSED = "pulsed"
    PASSED = "passed"
    BACKED_OUT = "backed_out"
    CLOSED = "closed"
    OBSTRUCTED = "obstructed"
    TAILGATE = "tailgate"
    MANUAL_OPEN = "manual_open"


class CommandStatus(StrEnum):
    """Whether the edge carried a command out."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class CurrentPresentation(WireModel):
    """The car that stands on the loop at this moment."""

    presentation_id: UUID7
    occupied_at: Time


class Hello(WireModel):
    """First call of an agent on every connection."""

    agent_version: ShortText
    lane_id: UUID
    presentation: CurrentPresentation | None
    next_seq: Sequence


class HelloResult(WireModel):
    """What the agent needs for this connection.

    Attributes:
        last_seq: Last event that is committed; the agent goes on after it.
    """

    session_epoch: Epoch
    server_time: Time
    heartbeat_interval_s: Annotated[float, Field(gt=0, le=300)]
    last_seq: SequenceOrZero
    frame_bytes_max: Annotated[int, Field(ge=1024)]


class BarrierPosition(StrEnum):
    """Where the arm is, as far as the agent can tell."""

    DOWN = "down"
    MOVING = "moving"
    UP = "up"
    UNKNOWN = "unknown"


class DeviceHealth(WireModel):
    """A camera or relay at the lane.

    Attributes:
        last_signal_at: None: not heard since the agent started.
        clock_offset_ms: How far its own clock is ahead of its agent's; None where unknown.
    """

    name: ShortText
    last_signal_at: Time | None
    clock_offset_ms: ClockOffsetMs | None = None


class AgentHealth(WireModel):
    """How the agent is; what it does not know it leaves out.

    Attributes:
        oldest_queued_at: Of the events in its journal that are not acknowledged.
        clock_offset_ms: How far its own clock is ahead of the bridge's.
        clock_uncertainty_ms: How far off that may be: half of the round trip it was taken from.
        policy_version: Of the offline policy that it holds.
    """

    queue_depth: Annotated[int, Field(ge=0, le=QUEUE_DEPTH_MAX)]
    oldest_queued_at: Time | None = None
    clock_offset_ms: ClockOffsetMs | None = None
    clock_uncertainty_ms: Annotated[int, Field(ge=0, le=CLOCK_OFFSET_MS_MAX)] | None = None
    barrier: BarrierPosition = BarrierPosition.UNKNOWN
    policy_version: ShortText | None = None
    devices: Annotated[list[DeviceHealth], Field(max_length=DEVICES_MAX)] = Field(
        default_factory=list[DeviceHealth]
    )


class Heartbeat(WireModel):
    """A sign of life that also measures the clock offset."""

    sent_at: Time
    health: AgentHealth | None = None


class HeartbeatResult(WireModel):
    """The call's own time, and the bridge's."""

    sent_at: Time
    server_time: Time


class Presentation(WireModel):
    """A car came onto the loop, or left it."""

    event_id: UUID7
    seq: Sequence
    presentation_id: UUID7
    state: PresentationState
    occurred_at: Time


class Acknowledged(WireModel):
    """Cumulative: every event up to `last_seq` is committed."""

    last_seq: SequenceOrZero


class Frame(WireModel):
    """Header of a picture."""

    frame_id: UUID7
    presentation_id: UUID7
    captured_at: Time
    content_type: Literal["image/jpeg", "image/png", "image/webp"]


class FrameResult(WireModel):
    """The picture is stored durably."""

    frame_id: UUID7


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


class ReadAlternative(WireModel):
    """Another text that the camera offers for the same plate."""

    text: PlateText
    probability: Probability


class Observation(WireModel):
    """A plate that the camera read itself.

    Attributes:
        car_id: The camera's own id of the car, the same over several reads of it.
        read_state: `updated` corrects an earlier read of the same presentation.
        is_backfill: The camera sent it late, from its memory: it is no reason for a decision.
        alternatives: Best first.
    """

    event_id: UUID7
    seq: Sequence
    presentation_id: UUID7
    plate: PlateText
    confidence: Probability
    captured_at: Time
    source: ShortText
    heading: Heading = Heading.UNKNOWN
    car_id: ShortText | None = None
    read_state: ReadState = ReadState.NEW
    is_backfill: bool = False
    alternatives: Annotated[tuple[ReadAlternative, ...], Field(max_length=ALTERNATIVES_MAX)] = ()


class BarrierEvent(WireModel):
    """Something that the barrier did."""

    event_id: UUID7
    seq: Sequence
    presentation_id: UUID7 | None
    command_id: UUID | None
    kind: BarrierEventKind
    occurred_at: Time
    operator: ShortText | None
    reason: Reason | None


class OpenBarrier(WireModel):
    """Open for the car that stands there now; anything else must be refused by the edge."""

    command_id: UUID
    presentation_id: UUID7
    session_epoch: Epoch
    issued_at: Time
    ttl_ms: TtlMs


class OpenBarrierResult(WireModel):
    """What the edge did, or did when it met this `command_id` first."""

    command_id: UUID
    status: CommandStatus
    reason: Reason | None
    repeated: bool


class Display(WireModel):
    """Text, and a code to scan, for the display of the lane."""

    presentation_id: UUID7 | None
    lines: Annotated[list[DisplayLine], Field(max_length=DISPLAY_LINES_MAX)]
    qr: QrText | None
    ttl_ms: Annotated[int, Field(ge=TTL_MS_MIN, le=600_000)]


class RenewCertificate(WireModel):
    """The gate asks for the certificate that follows the one of this connection.

    Attributes:
        request: PKCS#10 in DER, in base64.
    """

    request: CertificateRequest


class RenewCertificateResult(WireModel):
    """The new certificate; the old one stays valid until it expires.

    Attributes:
        certificate: In DER, in base64.
        authorities: What to check bridges against from now on, likewise.
    """

    certificate: CertificateText
    authorities: Annotated[list[CertificateText], Field(min_length=1, max_length=AUTHORITIES_MAX)]
    not_after: Time


AgentEvent = Presentation | Observation | BarrierEvent | OfflineDecision

AGENT_CALLS: Mapping[str, type[WireModel]] = MappingProxyType(
    {
        model.__name__: model
        for model in (
            Hello,
            Heartbeat,
            Presentation,
            Observation,
            BarrierEvent,
            OfflineDecision,
            Frame,
            FetchPolicy,
            RenewCertificate,
        )
    }
)
"""What an agent may call, by the action's name. Frame comes as a binary message only."""

BRIDGE_CALLS: Mapping[str, type[WireModel]] = MappingProxyType(
    {model.__name__: model for model in (OpenBarrier, Display, PolicyAvailable, Readiness)}
)
"""What the bridge may call, by the action's name."""

RESULTS: Mapping[str, type[WireModel]] = MappingProxyType(
    {
        "Hello": HelloResult,
        "Heartbeat": HeartbeatResult,
        "Presentation": Acknowledged,
        "Observation": Acknowledged,
        "BarrierEvent": Acknowledged,
        "Frame": FrameResult,
        "RenewCertificate": RenewCertificateResult,
        "OpenBarrier": OpenBarrierResult,
        "Display": Empty,
        "OfflineDecision": Acknowledged,
        "FetchPolicy": FetchPolicyResult,
        "PolicyAvailable": Empty,
        "Readiness": Empty,
    }
)
"""The result of each action."""

ModelT = TypeVar("ModelT", bound=WireModel)


def read_payload(model: type[ModelT], payload: Mapping[str, Any]) -> ModelT:
    """Return `payload` as `model`.

    Raises:
        PayloadInvalidError: a field is not as specified; the error names the first one.
    """
    try:
        # Strict JSON mode is what reads UUIDs and times from text and nothing else from it.
        return model.model_validate_json(orjson.dumps(payload))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "payload"
        raise PayloadInvalidError(field, _expectation(first["msg"])) from error


def _expectation(message: str) -> str:
    return message.removeprefix("Value error, ")

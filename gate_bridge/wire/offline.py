"""The actions for the time without network: fetching the policy, and telling what was decided."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import UUID7, Field

from gate_bridge.wire.fields import Sequence, SequenceOrZero, Text, Time, WireModel
from parking.offline.bundle import BUNDLE_BYTES_MAX, MONEY_MAX

# In base64 such a part stays below the limit of a text message.
POLICY_CHUNK_BYTES_MAX = 40 * 1024
POLICY_CHUNKS_MAX = -(-BUNDLE_BYTES_MAX // POLICY_CHUNK_BYTES_MAX)
CLOCK_UNCERTAINTY_MS_MAX = 7 * 24 * 3600 * 1000
UNABLE_S_MAX = 7 * 24 * 3600.0
_CHUNK_CHARACTERS_MAX = -(-POLICY_CHUNK_BYTES_MAX // 3) * 4

ChunkNumber = Annotated[int, Field(ge=0, lt=POLICY_CHUNKS_MAX)]


class OfflineChoice(StrEnum):
    """What the gate did by itself."""

    OPEN = "open"
    KEEP_CLOSED = "keep_closed"


class OfflineReason(StrEnum):
    """Why it did so."""

    PASS = "pass"  # noqa: S105 - a parking pass, not a password
    REGISTERED = "registered"
    NOTHING_DUE = "nothing_due"
    CREDIT = "credit"
    FALLBACK = "fallback"
    ASK_STAFF = "ask_staff"
    UNPAID = "unpaid"
    CAP_REACHED = "cap_reached"


class PolicyAvailable(WireModel):
    """The bridge has this version of the lane's policy; an agent with another one fetches it."""

    version: Sequence


class Readiness(WireModel):
    """Whether the bridge can decide: told with a heartbeat, while it cannot and when it can again.

    Attributes:
        unable_for_s: For how long it could not, as far as it knows; None where it can.
    """

    unable_for_s: Annotated[float, Field(ge=0, le=UNABLE_S_MAX)] | None


class FetchPolicy(WireModel):
    """Ask for one part of the newest policy.

    Attributes:
        have_version: What the agent holds; 0 for none.
    """

    have_version: SequenceOrZero
    chunk: ChunkNumber


class FetchPolicyResult(WireModel):
    """One part of the newest policy; none where the agent has it, or where there is none.

    Attributes:
        version: Of the newest policy; 0 where there is none.
        public_key: Ed25519, 32 bytes in base64.
        signature: 64 bytes in base64.
        data: This part in base64.
    """

    version: SequenceOrZero
    chunk: ChunkNumber
    chunks: Annotated[int, Field(ge=0, le=POLICY_CHUNKS_MAX)]
    public_key: Annotated[Text, Field(max_length=64)]
    signature: Annotated[Text, Field(max_length=128)]
    data: Annotated[str, Field(max_length=_CHUNK_CHARACTERS_MAX)]


class OfflineDecision(WireModel):
    """What the gate decided by itself; it is in the journal before the arm rises.

    Attributes:
        command_id: Under which the arm was raised; None where it stayed down.
        observation_id: The `event_id` of the Observation that it relied on; None without a plate.
        policy_version: None where the gate has never had a policy.
        risk_minor: What may be lost by it, as the policy says.
        occupied_at: When the car came.
        occurred_at: When it was decided.
        clock_uncertainty_ms: How far off the times may be; None where the time was not known.
    """

    event_id: UUID7
    seq: Sequence
    presentation_id: UUID7
    command_id: UUID | None
    choice: OfflineChoice
    reason: OfflineReason
    observation_id: UUID7 | None
    policy_version: Sequence | None
    risk_minor: Annotated[int, Field(ge=0, le=MONEY_MAX)]
    occupied_at: Time
    occurred_at: Time
    clock_uncertainty_ms: Annotated[int, Field(ge=0, le=CLOCK_UNCERTAINTY_MS_MAX)] | None

"""What happens at a gate: connections, presentations, pictures, observations, commands, events."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Json, Row, Timestamp, text_enum


class PresentationState(StrEnum):
    """Whether the car still stands on the loop."""

    OCCUPIED = "occupied"
    CLEARED = "cleared"


class CommandState(StrEnum):
    """What the gate answered to an `OpenBarrier`."""

    ISSUED = "issued"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class ObservationMethod(StrEnum):
    """Who read the plate."""

    ANPR = "anpr"
    CAMERA = "camera"
    STAFF = "staff"


class LaneConnection(Row, table=True):
    """The newest connection of a lane's agent; the epoch fences every older one.

    Attributes:
        heard_at: When the lane last told of a car just as it came or left; None for never.
    """

    __tablename__ = "lane_connections"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "lane_id"], ["access_lanes.operator_id", "access_lanes.id"]
        ),
    )

    operator_id: UUID = Field(primary_key=True)
    lane_id: UUID = Field(primary_key=True)
    session_epoch: int
    last_seq: int
    bridge: str
    connected_at: datetime = Field(sa_type=Timestamp)
    heard_at: datetime | None = Field(default=None, sa_type=Timestamp)


class LaneHealth(Row, table=True):
    """What a lane's agent said of itself last; a bridge writes it every few seconds at most.

    Attributes:
        ended_at: When the connection ended; None while it stands, or its bridge was killed.
        oldest_queued_at: Of the events in the agent's journal that the bridge has not committed.
        clock_offset_ms: How far the agent's own clock is ahead of the bridge's, as it measured.
        devices: `name`, `last_signal_at` and `clock_offset_ms` of each device at the lane.
    """

    __tablename__ = "lane_health"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "lane_id"], ["access_lanes.operator_id", "access_lanes.id"]
        ),
    )

    operator_id: UUID = Field(primary_key=True)
    lane_id: UUID = Field(primary_key=True)
    session_epoch: int
    bridge: str
    agent_version: str
    connected_at: datetime = Field(sa_type=Timestamp)
    last_seen_at: datetime = Field(sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    close_code: int | None = None
    queue_depth: int | None = None
    oldest_queued_at: datetime | None = Field(default=None, sa_type=Timestamp)
    clock_offset_ms: int | None = None
    clock_uncertainty_ms: int | None = None
    barrier: str | None = None
    policy_version: str | None = None
    devices: list[dict[str, str | int | None]] = Field(sa_type=Json)


class Presentation(Row, table=True):
    """One car on one loop. The agent mints the id; one presentation gets one decision.

    Attributes:
        has_newer_read: Whether a camera corrected its read before the lane decided.
    """

    __tablename__ = "presentations"
    __table_args__ = (
        Index(
            "ix_presentations_standing",
            "operator_id",
            "lane_id",
            postgresql_where="cleared_at IS NULL",
        ),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    lane_id: UUID
    place_id: UUID
    state: PresentationState = Field(sa_type=text_enum(PresentationState))
    occupied_at: datetime = Field(sa_type=Timestamp)
    cleared_at: datetime | None = Field(default=None, sa_type=Timestamp)
    observation_id: UUID | None = None
    session_id: UUID | None = None
    action: str | None = None
    reason: str | None = None
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)
    commands: int = 0
    has_newer_read: bool = False


class Frame(Row, table=True):
    """A picture as it came, kept before it is acknowledged."""

    __tablename__ = "frames"
    __table_args__ = (
        Index("ix_frames_presentation", "operator_id", "presentation_id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    lane_id: UUID
    presentation_id: UUID
    captured_at: datetime = Field(sa_type=Timestamp)
    received_at: datetime = Field(sa_type=Timestamp)
    content_type: str
    image: bytes


class Observation(Row, table=True):
    """An immutable read of a plate."""

    __tablename__ = "observations"
    __table_args__ = (
        Index("ix_observations_presentation", "operator_id", "presentation_id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    place_id: UUID
    lane_id: UUID
    presentation_id: UUID
    method: ObservationMethod = Field(sa_type=text_enum(ObservationMethod))
    plate_index: UUID
    plate_sealed: bytes
    alternatives_sealed: bytes
    confidence: float
    # One probability a character of the text; empty where the source does not say.
    characters: list[float] = Field(sa_type=Json)
    region: str | None = None
    frames: int
    source: str
    captured_at: datetime = Field(sa_type=Timestamp)


class GateCommand(Row, table=True):
    """An `OpenBarrier`; its id derives from the presentation, so a retry is the same command."""

    __tablename__ = "gate_commands"
    __table_args__ = (
        Index("ix_gate_commands_presentation", "operator_id", "presentation_id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    lane_id: UUID
    presentation_id: UUID
    session_id: UUID | None = None
    state: CommandState = Field(sa_type=text_enum(CommandState))
    reason: str
    rejection: str | None = None
    issued_at: datetime = Field(sa_type=Timestamp)
    answered_at: datetime | None = Field(default=None, sa_type=Timestamp)


class LaneEventRow(Row, table=True):
    """What a lane reported, once per event id, in the lane's own order."""

    __tablename__ = "lane_events"
    __table_args__ = (
        Index("ix_lane_events_lane", "operator_id", "lane_id", "seq"),
        Index("ix_lane_events_presentation", "operator_id", "presentation_id", "seq"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    lane_id: UUID
    seq: int
    kind: str
    presentation_id: UUID | None = None
    command_id: UUID | None = None
    detail: dict[str, Any] = Field(sa_type=Json)
    # What a camera read, kept before it is acknowledged: a killed bridge decides on it later.
    read_sealed: bytes | None = None
    occurred_at: datetime = Field(sa_type=Timestamp)
    received_at: datetime = Field(sa_type=Timestamp)


class ExitOverride(Row, table=True):
    """A named person let a car out that the rules kept in; one a car, its id is the presentation's.

    Attributes:
        session_id: None where no stay was found.
        bill_id: What was due then; None for nothing.
    """

    __tablename__ = "exit_overrides"
    __table_args__ = (PARTITIONED,)

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    lane_id: UUID
    session_id: UUID | None = None
    bill_id: UUID | None = None
    kept_in_reason: str
    reason: str
    let_out_by: str
    let_out_at: datetime = Field(sa_type=Timestamp)

"""Gates without network: what each may do by itself, its signed policy, and what it did."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Row, Timestamp, text_enum
from parking.offline.bundle import Fallback


class PassageState(StrEnum):
    """Where the reconciliation of one offline decision stands.

    PENDING: what it belongs to is not here yet. APPLIED: it began or ended a stay. KEPT_CLOSED:
    the gate stayed shut. WITHDRAWN: the car backed out again. UNMATCHED: no stay, or no plate.
    """

    PENDING = "pending"
    APPLIED = "applied"
    KEPT_CLOSED = "kept_closed"
    WITHDRAWN = "withdrawn"
    UNMATCHED = "unmatched"


class OfflineSetting(Row, table=True):
    """What an operator lets a lane do without network; without a row the defaults hold.

    Attributes:
        car_risk_minor: What a car that is let out unpriced counts for; None for a day's price.
        risk_minor_max: None for `cars_max` times what one such car counts for.
    """

    __tablename__ = "offline_settings"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "lane_id"], ["access_lanes.operator_id", "access_lanes.id"]
        ),
        CheckConstraint("valid_hours > 0 AND cars_max >= 0", name="bounds_positive"),
    )

    operator_id: UUID = Field(primary_key=True)
    lane_id: UUID = Field(primary_key=True)
    fallback: Fallback = Field(sa_type=text_enum(Fallback))
    valid_hours: int
    cars_max: int
    car_risk_minor: int | None = Field(default=None, sa_type=BigInteger)
    risk_minor_max: int | None = Field(default=None, sa_type=BigInteger)
    changed_by: str
    changed_at: datetime = Field(sa_type=Timestamp)


class OfflinePolicy(Row, table=True):
    """The newest signed policy of a lane; an older one is never needed again.

    Attributes:
        fingerprint: Of what it says, without its times: a policy that says the same is kept.
        bundle_sealed: It holds hashed plates and the key that hashed them.
    """

    __tablename__ = "offline_policies"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "lane_id"], ["access_lanes.operator_id", "access_lanes.id"]
        ),
        CheckConstraint("version > 0", name="version_positive"),
    )

    operator_id: UUID = Field(primary_key=True)
    lane_id: UUID = Field(primary_key=True)
    version: int = Field(sa_type=BigInteger)
    issued_at: datetime = Field(sa_type=Timestamp)
    valid_until: datetime = Field(sa_type=Timestamp)
    plates: int
    fingerprint: str
    signing_key: str
    signature: bytes
    bundle_sealed: bytes


class OfflinePassage(Row, table=True):
    """One decision that a gate took by itself; its id is the event's.

    Attributes:
        observation_id: The event with the plate; None where none was read.
        plate_index: Of that plate.
        came_at: When the car came, as the lane said.
        clock_uncertainty_ms: None where the lane did not know the time.
        passed_at: When the car was through; None until it was, or where nobody saw it.
        review: Why a person should look; None for no reason.
        next_try_at: When to look again; None where there is nothing left to do.
        is_counted: Whether its area counted it although it belongs to no stay.
    """

    __tablename__ = "offline_passages"
    __table_args__ = (
        Index(
            "ix_offline_passages_open",
            "operator_id",
            "place_id",
            "plate_index",
            postgresql_where="state IN ('pending', 'unmatched')",
        ),
        Index("ix_offline_passages_presentation", "operator_id", "presentation_id"),
        Index("ix_offline_passages_due", "next_try_at", postgresql_where="next_try_at IS NOT NULL"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    place_id: UUID
    lane_id: UUID
    presentation_id: UUID
    direction: str
    state: PassageState = Field(sa_type=text_enum(PassageState))
    reason: str
    policy_version: int | None = Field(default=None, sa_type=BigInteger)
    risk_minor: int = Field(sa_type=BigInteger)
    observation_id: UUID | None = None
    plate_index: UUID | None = None
    session_id: UUID | None = None
    came_at: datetime = Field(sa_type=Timestamp)
    decided_at: datetime = Field(sa_type=Timestamp)
    clock_uncertainty_ms: int | None = None
    received_at: datetime = Field(sa_type=Timestamp)
    passed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    review: str | None = None
    next_try_at: datetime | None = Field(default=None, sa_type=Timestamp)
    is_counted: bool = False

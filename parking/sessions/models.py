"""Stays: the session, its segments, the small table of those that are open, and what they leave."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Json, Row, Timestamp, text_enum


class SessionState(StrEnum):
    """Where a stay stands.

    ACTIVE: inside. LEAVING: at an exit lane, its bill issued. LEFT: passed the exit.
    CANCELLED: backed out of the entry. UNRESOLVED: the car came in again without having left.
    """

    ACTIVE = "active"
    LEAVING = "leaving"
    LEFT = "left"
    CANCELLED = "cancelled"
    UNRESOLVED = "unresolved"


class Session(Row, table=True):
    """One stay of one car at one place.

    Attributes:
        circumstances: What its price depends on besides the clock, as `Circumstances.to_json`
            gives it: fixed at entry, changed only by what an event names.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "place_id"], ["places.operator_id", "places.id"]),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    place_id: UUID
    plate_index: UUID
    plate_sealed: bytes
    driver_id: UUID | None = None
    rate_table_id: UUID
    entry_presentation_id: UUID
    exit_presentation_id: UUID | None = None
    state: SessionState = Field(sa_type=text_enum(SessionState))
    version: int = 1
    entered_at: datetime = Field(sa_type=Timestamp)
    left_at: datetime | None = Field(default=None, sa_type=Timestamp)
    prepaid_until: datetime | None = Field(default=None, sa_type=Timestamp)
    circumstances: dict[str, Any] = Field(default_factory=dict[str, Any], sa_type=Json)


class OpenSession(Row, table=True):
    """A stay that has not ended: what an exit is matched against. One per plate and place.

    Attributes:
        area_id: Where it is counted; None for one that is not.
        pool_id: The reserved spaces that it is counted in; None for the area's public ones.
        reservation_id: What its driver came with; None for nothing.
    """

    __tablename__ = "open_sessions"
    __table_args__ = (
        UniqueConstraint("operator_id", "place_id", "plate_index"),
        Index("ix_open_sessions_place", "operator_id", "place_id"),
        Index("ix_open_sessions_plate", "plate_index"),
    )

    operator_id: UUID = Field(primary_key=True)
    session_id: UUID = Field(primary_key=True)
    place_id: UUID
    plate_index: UUID
    plate_sealed: bytes
    entered_at: datetime = Field(sa_type=Timestamp)
    area_id: UUID | None = None
    pool_id: UUID | None = None
    reservation_id: UUID | None = None


class Segment(Row, table=True):
    """A part of a stay under one right and one rate."""

    __tablename__ = "segments"
    __table_args__ = (
        Index("ix_segments_session", "operator_id", "session_id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    session_id: UUID
    area_id: UUID
    rate_table_id: UUID
    started_at: datetime = Field(sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)


class SessionValidation(Row, table=True):
    """A validation that somebody granted to a stay; the same one counts once."""

    __tablename__ = "session_validations"
    __table_args__ = (
        Index("ix_session_validations_session", "operator_id", "session_id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    session_id: UUID
    name: str
    merchant: str | None = None
    granted_by: str
    granted_at: datetime = Field(sa_type=Timestamp)


class AllowanceUse(Row, table=True):
    """What a vehicle's ended stays at a place took of an allowance in one period."""

    __tablename__ = "allowance_uses"
    __table_args__ = (CheckConstraint("used_s >= 0", name="used_not_negative"),)

    operator_id: UUID = Field(primary_key=True)
    place_id: UUID = Field(primary_key=True)
    plate_index: UUID = Field(primary_key=True)
    allowance: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    used_s: int
    updated_at: datetime = Field(sa_type=Timestamp)


class Departure(Row, table=True):
    """A vehicle's last departure from a place, for as long as a re-entry continues the stay."""

    __tablename__ = "departures"

    operator_id: UUID = Field(primary_key=True)
    place_id: UUID = Field(primary_key=True)
    plate_index: UUID = Field(primary_key=True)
    session_id: UUID
    left_at: datetime = Field(sa_type=Timestamp)
    merge_until: datetime = Field(sa_type=Timestamp)

"""Stays: the session, its segments, and the small table of those that are open."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Row, Timestamp, text_enum


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
    """One stay of one car at one place."""

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


class OpenSession(Row, table=True):
    """A stay that has not ended: what an exit is matched against. One per plate and place."""

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

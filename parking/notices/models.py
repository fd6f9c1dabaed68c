"""What a driver was told of: one row for each event, and the book that counts and rules them."""

from datetime import datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Json, Row, Timestamp, text_enum
from parking.notices.rules import NoticeCategory


class NoticeBook(Row, table=True):
    """How a driver wants to be told, and how many notices there have been."""

    __tablename__ = "notice_books"
    __table_args__ = (ForeignKeyConstraint(["driver_id"], ["drivers.id"]),)

    driver_id: UUID = Field(primary_key=True)
    last_number: int = 0
    # `category:channel` of each that the driver switched off.
    muted: list[str] = Field(default_factory=list, sa_type=Json)
    quiet_starts_at: time | None = None
    quiet_ends_at: time | None = None
    quiet_timezone: str | None = None


class Notice(Row, table=True):
    """One thing that a driver is told; its id derives from the event, so that it exists once.

    `number` counts a driver's notices in the order of their commits, without gaps.
    """

    __tablename__ = "notices"
    __table_args__ = (
        ForeignKeyConstraint(["driver_id"], ["drivers.id"]),
        Index("ix_notices_number", "driver_id", "number"),
        Index(
            "ix_notices_unacknowledged",
            "driver_id",
            "number",
            postgresql_where="acknowledged_at IS NULL",
        ),
        PARTITIONED,
    )

    driver_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    number: int
    event_id: UUID
    operator_id: UUID
    event_type: str
    subject_id: UUID
    category: NoticeCategory = Field(sa_type=text_enum(NoticeCategory))
    template: str
    arguments: dict[str, Any] = Field(sa_type=Json)
    occurred_at: datetime = Field(sa_type=Timestamp)
    created_at: datetime = Field(sa_type=Timestamp)
    acknowledged_at: datetime | None = Field(default=None, sa_type=Timestamp)

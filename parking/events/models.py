"""The transactional outbox: an event commits with the rows that it tells of."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Json, Row, Timestamp


class OutboxRow(Row, table=True):
    """One event, until every consumer has it; kept afterwards, so that a phone can catch up."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_subject", "owner_id", "subject_id", "id"),
        Index("ix_outbox_due", "next_at", postgresql_where="done_at IS NULL"),
        PARTITIONED,
    )

    owner_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    type: str
    subject_id: UUID
    version: int | None = None
    payload: dict[str, Any] = Field(sa_type=Json)
    occurred_at: datetime = Field(sa_type=Timestamp)
    attempts: int = 0
    next_at: datetime = Field(sa_type=Timestamp)
    done_at: datetime | None = Field(default=None, sa_type=Timestamp)


class ConsumedEvent(Row, table=True):
    """That a consumer has taken an event: it may come again, and changes nothing then."""

    __tablename__ = "consumed_events"
    __table_args__ = (Index("ix_consumed_events_consumed", "consumed_at"),)

    consumer: str = Field(primary_key=True)
    event_id: UUID = Field(primary_key=True)
    consumed_at: datetime = Field(sa_type=Timestamp)

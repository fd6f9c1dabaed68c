"""Versioned rate tables; a session keeps the one that was in force at its entry."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlmodel import Field

from parking.kit.columns import Json, Row, Timestamp


class RateTableVersion(Row, table=True):
    """One immutable version of a place's rate table, in force from `effective_at`."""

    __tablename__ = "rate_tables"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "place_id"], ["places.operator_id", "places.id"]),
        UniqueConstraint("operator_id", "place_id", "version"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    place_id: UUID
    version: int
    effective_at: datetime = Field(sa_type=Timestamp)
    body: dict[str, Any] = Field(sa_type=Json)

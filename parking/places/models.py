"""Operators and what they own on the ground: places, areas, spaces, lanes."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from parking.kit.columns import Row, Timestamp, text_enum


class Direction(StrEnum):
    """Which way a lane leads."""

    ENTRY = "entry"
    EXIT = "exit"


class Operator(Row, table=True):
    """A company that runs places."""

    __tablename__ = "operators"

    id: UUID = Field(primary_key=True)
    name: str
    created_at: datetime = Field(sa_type=Timestamp)


class Place(Row, table=True):
    """One car park or street zone, with its wall clock and its money."""

    __tablename__ = "places"
    __table_args__ = (ForeignKeyConstraint(["operator_id"], ["operators.id"]),)

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    name: str
    timezone: str
    currency: str
    created_at: datetime = Field(sa_type=Timestamp)


class IdentifiedArea(Row, table=True):
    """A level or zone of a place; areas nest by `parent_id`."""

    __tablename__ = "identified_areas"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "place_id"], ["places.operator_id", "places.id"]),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    place_id: UUID
    parent_id: UUID | None = None
    layer: int = 0
    name: str
    supply: int


class Space(Row, table=True):
    """One marked space."""

    __tablename__ = "spaces"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "area_id"], ["identified_areas.operator_id", "identified_areas.id"]
        ),
        UniqueConstraint("operator_id", "area_id", "label"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    area_id: UUID
    label: str


class AccessLane(Row, table=True):
    """A lane with a gate; its agent proves itself with a device token.

    Attributes:
        etc_antenna: The ETC acquirer's name of the antenna above it; None where there is none.
    """

    __tablename__ = "access_lanes"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "place_id"], ["places.operator_id", "places.id"]),
        Index(
            "uq_access_lanes_etc_antenna",
            "operator_id",
            "etc_antenna",
            unique=True,
            postgresql_where="etc_antenna IS NOT NULL",
        ),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    place_id: UUID
    area_id: UUID
    name: str
    direction: Direction = Field(sa_type=text_enum(Direction))
    device_token_digest: bytes
    etc_antenna: str | None = None

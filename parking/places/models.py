"""Operators and what they own on the ground: places, areas, spaces, lanes."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from parking.kit.columns import Json, Row, Timestamp, text_enum


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


class PlacePosition(Row, table=True):
    """Where a place is, so that drivers find it; a place without one is not found by its distance.

    Attributes:
        latitude_microdegrees: WGS-84, millionths of a degree.
        longitude_microdegrees: WGS-84, millionths of a degree, less than 180 000 000.
        address: As on an envelope; empty for none.
        entrances: As `parking.places.positions.Entrance` writes them.
        set_by: Who of the staff said so.
    """

    __tablename__ = "place_positions"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "place_id"], ["places.operator_id", "places.id"]),
        CheckConstraint("abs(latitude_microdegrees) <= 90000000", name="latitude"),
        CheckConstraint(
            "longitude_microdegrees >= -180000000 AND longitude_microdegrees < 180000000",
            name="longitude",
        ),
        # A box of it is read, and what lies in the box is measured: no extension is needed.
        Index(
            "ix_place_positions_point",
            text("point(longitude_microdegrees, latitude_microdegrees)"),
            postgresql_using="gist",
        ),
    )

    operator_id: UUID = Field(primary_key=True)
    place_id: UUID = Field(primary_key=True)
    latitude_microdegrees: int
    longitude_microdegrees: int
    address: str = ""
    entrances: list[dict[str, Any]] = Field(sa_type=Json)
    set_at: datetime = Field(sa_type=Timestamp)
    set_by: str


class IdentifiedArea(Row, table=True):
    """A level or zone of a place; areas nest by `parent_id`."""

    __tablename__ = "identified_areas"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "place_id"], ["places.operator_id", "places.id"]),
        Index("ix_identified_areas_place", "operator_id", "place_id"),
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

"""Who a plate is bound to, who claims it, and what an operator knows of its vehicle.

A binding's rows are owned by the plate's blind index, a vehicle's record by the operator.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from parking.kit.columns import Row, Timestamp, text_enum


class Proof(StrEnum):
    """How a driver showed that the car is theirs."""

    LANE_CODE = "lane_code"
    VEHICLE_LICENCE = "vehicle_licence"


class ClaimState(StrEnum):
    """Where a claim on a plate stands."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


class PlateBinding(Row, table=True):
    """A plate bound to a driver, from `bound_at` to `unbound_at`; at most one is active."""

    __tablename__ = "plate_bindings"
    __table_args__ = (
        Index(
            "uq_plate_bindings_active",
            "plate_index",
            unique=True,
            postgresql_where="unbound_at IS NULL",
        ),
    )

    plate_index: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    driver_id: UUID
    proof: Proof = Field(sa_type=text_enum(Proof))
    bound_at: datetime = Field(sa_type=Timestamp)
    unbound_at: datetime | None = Field(default=None, sa_type=Timestamp)


class DriverPlate(Row, table=True):
    """The same binding in the driver's own list, with the plate sealed."""

    __tablename__ = "driver_plates"

    driver_id: UUID = Field(primary_key=True)
    binding_id: UUID = Field(primary_key=True)
    plate_index: UUID
    plate_sealed: bytes
    bound_at: datetime = Field(sa_type=Timestamp)
    unbound_at: datetime | None = Field(default=None, sa_type=Timestamp)


class BindingClaim(Row, table=True):
    """A driver's wish to bind a plate, until it is proven, refused or expired."""

    __tablename__ = "binding_claims"
    __table_args__ = (Index("ix_binding_claims_driver", "driver_id"),)

    plate_index: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    driver_id: UUID
    plate_sealed: bytes
    state: ClaimState = Field(sa_type=text_enum(ClaimState))
    attempts: int = 0
    created_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)
    decided_by: str | None = None


class LaneCode(Row, table=True):
    """The code that a lane's display shows while the claimed car stands there."""

    __tablename__ = "lane_codes"

    plate_index: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    code_digest: bytes
    operator_id: UUID
    lane_id: UUID
    presentation_id: UUID
    created_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)


class VehicleRecord(Row, table=True):
    """What an operator knows of a vehicle, from `valid_from` to `valid_until`.

    Attributes:
        vehicle_class: One of the classes that rate tables name.
        is_ev: None to go by what the plate's format says.
        note: The operator's own words; no price depends on it.
    """

    __tablename__ = "vehicle_records"

    operator_id: UUID = Field(primary_key=True)
    plate_index: UUID = Field(primary_key=True)
    plate_sealed: bytes
    vehicle_class: str
    is_ev: bool | None = None
    is_resident: bool
    note: str = ""
    valid_from: datetime = Field(sa_type=Timestamp)
    valid_until: datetime | None = Field(default=None, sa_type=Timestamp)
    recorded_by: str
    recorded_at: datetime = Field(sa_type=Timestamp)

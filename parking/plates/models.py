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
    PAYMENT = "payment"


class ClaimState(StrEnum):
    """Where a claim on a plate stands."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


class ClaimRefusal(StrEnum):
    """Why staff refused a claim: never in words of their own, which might name somebody."""

    UNREADABLE = "unreadable"
    OTHER_PLATE = "other_plate"
    NAME_DIFFERS = "name_differs"
    LICENCE_ENDED = "licence_ended"
    OTHER = "other"


class PlateBinding(Row, table=True):
    """A plate bound to a driver, from `bound_at` to `unbound_at`; at most one is active.

    Attributes:
        frozen_until: Until then gates take the plate for nobody's, unless staff decide before.
    """

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
    frozen_until: datetime | None = Field(default=None, sa_type=Timestamp)


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
    """A driver's wish to bind a plate, until it is proven, refused or expired.

    Attributes:
        pictures: How many of the vehicle licence came.
        review_at: Since when it waits for staff; None while it does not.
        contested_at: Since when its proof stands against another driver's binding.
    """

    __tablename__ = "binding_claims"
    __table_args__ = (
        Index("ix_binding_claims_driver", "driver_id"),
        Index(
            "ix_binding_claims_review",
            "review_at",
            "id",
            postgresql_where="state = 'pending' AND review_at IS NOT NULL",
        ),
    )

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
    pictures: int = 0
    review_at: datetime | None = Field(default=None, sa_type=Timestamp)
    contested_at: datetime | None = Field(default=None, sa_type=Timestamp)
    refusal: ClaimRefusal | None = Field(default=None, sa_type=text_enum(ClaimRefusal))


class LicencePicture(Row, table=True):
    """A picture of a vehicle licence, made anew from what the driver sent, and sealed.

    Attributes:
        ends_at: When its claim ended, or will end at the latest: its period begins there.
    """

    __tablename__ = "licence_pictures"
    __table_args__ = (
        Index("ix_licence_pictures_driver", "driver_id", "uploaded_at"),
        Index("ix_licence_pictures_ends", "ends_at"),
    )

    plate_index: UUID = Field(primary_key=True)
    claim_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    driver_id: UUID
    picture_sealed: bytes
    uploaded_at: datetime = Field(sa_type=Timestamp)
    ends_at: datetime = Field(sa_type=Timestamp)


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

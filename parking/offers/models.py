"""Spaces that are promised ahead: the pools they come from, offers of them, and reservations."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Row, Timestamp, text_enum


class OfferState(StrEnum):
    """Where an offer stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"


class ReservationState(StrEnum):
    """Where a reservation stands.

    HELD: for the driver of an open offer. CONFIRMED: the driver may come. ARRIVED: the car stands
    there. OVERSTAYED: still, after the window. LEFT: it came and went. EXPIRED: the offer was not
    accepted. NO_SHOW: nobody came in time. FAILED: the driver came, and there was no space.
    """

    HELD = "held"
    CONFIRMED = "confirmed"
    ARRIVED = "arrived"
    OVERSTAYED = "overstayed"
    LEFT = "left"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    NO_SHOW = "no_show"
    FAILED = "failed"


class RightPool(Row, table=True):
    """Spaces of an area that may be promised ahead, and on what terms.

    Attributes:
        spaces: So many of the area's public spaces.
        risk_basis_points: The accepted probability, in 1/10,000, that somebody who comes finds
            no space of the pool; 0 never promises more than there are.
        ahead_s_min: A reservation begins no sooner than so long after it was made.
        ahead_s_max: And no later.
        stay_s_max: A window's longest.
        kept_ahead_s: So long before a window begins the gates keep the space, and let its driver
            in.
        grace_s: So long after the latest arrival it is kept.
        cancellable_s: Until so long before the window begins it may be cancelled.
        offer_s: How long an offer stands.
        holds_offers: Whether an open offer takes a space; otherwise who accepts first has it.
        compensation_id: For a coupon that makes up for a space that was not there: not given yet.
        waiting: Cars that the gates keep a space for, or would with more spaces.
        standing: Cars that came with a reservation and have not left.
        kept: Spaces that the gates keep now: one for each waiting car, as far as there are.
        shown: Reservations whose driver came, ever.
        missed: Reservations whose driver did not.
    """

    __tablename__ = "right_pools"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "area_id"], ["identified_areas.operator_id", "identified_areas.id"]
        ),
        UniqueConstraint("operator_id", "area_id", "name"),
        CheckConstraint("spaces >= 0", name="spaces_not_negative"),
        CheckConstraint("waiting >= 0 AND standing >= 0", name="counts_not_negative"),
        CheckConstraint(
            "kept = least(waiting, greatest(spaces - standing, 0))", name="kept_is_what_is_owed"
        ),
        Index("ix_right_pools_place", "operator_id", "place_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    place_id: UUID
    area_id: UUID
    name: str
    spaces: int
    risk_basis_points: int = 0
    ahead_s_min: int = 0
    ahead_s_max: int = 14 * 24 * 3600
    stay_s_max: int = 24 * 3600
    kept_ahead_s: int = 900
    grace_s: int = 1800
    cancellable_s: int = 0
    offer_s: int = 900
    holds_offers: bool = True
    is_on_sale: bool = True
    compensation_id: UUID | None = None
    waiting: int = 0
    standing: int = 0
    kept: int = 0
    shown: int = 0
    missed: int = 0
    created_at: datetime = Field(sa_type=Timestamp)


class OfferBook(Row, table=True):
    """How often anything happened to a driver's offers: whoever follows them goes on by it."""

    __tablename__ = "offer_books"
    __table_args__ = (ForeignKeyConstraint(["driver_id"], ["drivers.id"]),)

    driver_id: UUID = Field(primary_key=True)
    last_version: int = 0


class SpaceOffer(Row, table=True):
    """A space that a driver may have, until the offer expires.

    Attributes:
        source: What caused it, such as `campaign`; with `source_id` there is one for a driver.
        version: Of the driver's book, when anything happened to it last.
    """

    __tablename__ = "space_offers"
    __table_args__ = (
        Index("ix_space_offers_driver", "driver_id", "id"),
        Index("ix_space_offers_version", "driver_id", "version"),
        Index("ix_space_offers_open", "expires_at", postgresql_where="state = 'open'"),
        Index("ix_space_offers_pool", "operator_id", "pool_id", "id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    place_id: UUID
    pool_id: UUID
    driver_id: UUID
    source: str
    source_id: UUID
    state: OfferState = Field(default=OfferState.OPEN, sa_type=text_enum(OfferState))
    version: int
    arrives_from: datetime = Field(sa_type=Timestamp)
    arrives_until: datetime = Field(sa_type=Timestamp)
    ends_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    offered_at: datetime = Field(sa_type=Timestamp)
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)


class Reservation(Row, table=True):
    """A space that is a driver's for a window; any of the driver's plates opens the gate.

    Attributes:
        driver_id: None once the account is deleted.
        offer_id: What it was accepted from; None where the driver asked for it.
        kept_from: From then on the gates keep the space.
        kept_until: Until then, if nobody comes.
        cancellable_until: Until then the driver may cancel.
        is_waiting: Whether it is counted among its pool's waiting cars.
        due_at: When its next step is; None while nothing happens by itself.
        alternative_id: The place that was named where there was no space.
        coupon_id: For what was given for it: nothing is yet.
    """

    __tablename__ = "reservations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "pool_id"], ["right_pools.operator_id", "right_pools.id"]
        ),
        Index("ix_reservations_driver", "driver_id", "id"),
        Index(
            "ix_reservations_expected",
            "driver_id",
            "operator_id",
            "area_id",
            postgresql_where="state = 'confirmed'",
        ),
        Index(
            "ix_reservations_taking",
            "operator_id",
            "pool_id",
            "ends_at",
            postgresql_where="state IN ('held', 'confirmed', 'arrived', 'overstayed')",
        ),
        Index("ix_reservations_pool", "operator_id", "pool_id", "id"),
        Index("ix_reservations_due", "due_at", postgresql_where="due_at IS NOT NULL"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    place_id: UUID
    area_id: UUID
    pool_id: UUID
    driver_id: UUID | None
    offer_id: UUID | None = None
    state: ReservationState = Field(sa_type=text_enum(ReservationState))
    version: int = 1
    starts_at: datetime = Field(sa_type=Timestamp)
    ends_at: datetime = Field(sa_type=Timestamp)
    kept_from: datetime = Field(sa_type=Timestamp)
    kept_until: datetime = Field(sa_type=Timestamp)
    cancellable_until: datetime = Field(sa_type=Timestamp)
    is_waiting: bool = False
    due_at: datetime | None = Field(default=None, sa_type=Timestamp)
    session_id: UUID | None = None
    created_at: datetime = Field(sa_type=Timestamp)
    arrived_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    alternative_id: UUID | None = None
    coupon_id: UUID | None = None

"""Operators that collect for each other: what they agreed, collected, and settled."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Row, Timestamp, text_enum


class PartnershipState(StrEnum):
    """Where an agreement between two operators stands."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    ENDED = "ended"


class CollectionState(StrEnum):
    """Where a partner's collecting of an owed bill stands.

    CLAIMED: the bill is kept from everybody else. COLLECTED: the partner has the money, and the
    bill is paid. RELEASED: nothing was taken, and the bill is owed as before.
    """

    CLAIMED = "claimed"
    COLLECTED = "collected"
    RELEASED = "released"


class OperatorPartnership(Row, table=True):
    """Two operators that let amounts owed at one be paid at the other; kept when it has ended.

    Attributes:
        operator_id: The one with the lower id, so that a pair has one row.
        partner_id: The other.
        proposed_by_id: Which of the two proposed it.
    """

    __tablename__ = "operator_partnerships"
    __table_args__ = (
        CheckConstraint("operator_id < partner_id", name="pair_in_order"),
        Index(
            "uq_operator_partnerships_pair",
            "operator_id",
            "partner_id",
            unique=True,
            postgresql_where="state <> 'ended'",
        ),
        Index("ix_operator_partnerships_partner", "partner_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    partner_id: UUID
    state: PartnershipState = Field(sa_type=text_enum(PartnershipState))
    proposed_by_id: UUID
    proposed_by: str
    proposed_at: datetime = Field(sa_type=Timestamp)
    accepted_by: str | None = None
    accepted_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_by: str | None = None
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)


class PartnerCollection(Row, table=True):
    """A bill that is owed to one operator, and collected by another.

    Attributes:
        operator_id: Who collects.
        owner_id: To whom it is owed.
        owed_bill_id: The owner's bill.
        bill_id: The collector's own bill, which is charged in its place.
        place_id: The collector's place where it is paid.
        check_at: When the sweep looks whether it was left half done.
    """

    __tablename__ = "partner_collections"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("operator_id <> owner_id", name="not_oneself"),
        Index("ix_partner_collections_owner", "owner_id", "owed_bill_id"),
        Index("ix_partner_collections_due", "check_at", postgresql_where="state = 'claimed'"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    owner_id: UUID
    owed_bill_id: UUID
    owed_session_id: UUID
    bill_id: UUID
    place_id: UUID
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    state: CollectionState = Field(sa_type=text_enum(CollectionState))
    claimed_by: str
    claimed_at: datetime = Field(sa_type=Timestamp)
    check_at: datetime = Field(sa_type=Timestamp)
    finished_at: datetime | None = Field(default=None, sa_type=Timestamp)


class PartnerSettlement(Row, table=True):
    """Money between two partners, as the one who received it says."""

    __tablename__ = "partner_settlements"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        Index("ix_partner_settlements_partner", "partner_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    partner_id: UUID
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    reference: str
    received_by: str
    received_at: datetime = Field(sa_type=Timestamp)


class PartnerPaymentChoice(Row, table=True):
    """Whether a driver wants what they owe at partners to be paid when they leave a place."""

    __tablename__ = "partner_payment_choices"

    driver_id: UUID = Field(primary_key=True)
    is_wanted: bool
    changed_at: datetime = Field(sa_type=Timestamp)

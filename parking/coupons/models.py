"""Rows of coupons: what they are, by which code they come, and who holds them."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field

from parking.kit.columns import Json, Row, Timestamp, text_enum

_DEFINITION = ["coupon_definitions.operator_id", "coupon_definitions.id"]


class DefinitionState(StrEnum):
    """Where a definition stands: DRAFT gives nothing before a second person approves it."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class CouponState(StrEnum):
    """Where a driver's coupon stands.

    AVAILABLE: for a stay to come. RESERVED: for one stay under way, and for no other. USED: the
    stay is over, and a bill that counts takes it off. EXPIRED and REVOKED: it is over, and what it
    held is given back.
    """

    AVAILABLE = "available"
    RESERVED = "reserved"
    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"


class CouponDefinition(Row, table=True):
    """What one kind of coupon takes off, where, when, and how many there are.

    Attributes:
        kind: amount, percent, minutes or free; `value` in minor units, percent or minutes.
        amount_minor_max: The most that one takes off; given wherever there is a budget.
        group_name: Of one group at most one counts on a bill; empty for none.
        place_ids: As text; None for every place of the operator.
        valid_days: How long one is valid once a driver has it; None until `valid_until`.
        stay_number: Only for the driver's so-many-th stay at the operator; None for every one.
        merchant_id: Who pays for it; None for the operator.
        claims_max: How many there are; `claims` of them are held or used now.
        budget_minor: `reserved_minor` of it is promised to stays under way, `spent_minor` is on
            bills.
    """

    __tablename__ = "coupon_definitions"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id"], ["operators.id"]),
        CheckConstraint(
            "0 <= claims AND (claims_max IS NULL OR claims <= claims_max)", name="claims_in_limit"
        ),
        CheckConstraint(
            "0 <= reserved_minor AND 0 <= spent_minor"
            " AND (budget_minor IS NULL OR reserved_minor + spent_minor <= budget_minor)",
            name="within_budget",
        ),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    name: str
    kind: str
    value: int | None = Field(default=None, sa_type=BigInteger)
    amount_minor_max: int | None = Field(default=None, sa_type=BigInteger)
    currency: str
    group_name: str = ""
    is_exclusive: bool = False
    priority: int = 0
    place_ids: list[str] | None = Field(default=None, sa_type=Json)
    valid_from: datetime = Field(sa_type=Timestamp)
    valid_until: datetime = Field(sa_type=Timestamp)
    valid_days: int | None = None
    stay_number: int | None = None
    driver_max: int = 1
    claims_max: int | None = None
    claims: int = 0
    budget_minor: int | None = Field(default=None, sa_type=BigInteger)
    reserved_minor: int = Field(default=0, sa_type=BigInteger)
    spent_minor: int = Field(default=0, sa_type=BigInteger)
    merchant_id: UUID | None = None
    state: DefinitionState = Field(sa_type=text_enum(DefinitionState))
    created_by: str
    created_at: datetime = Field(sa_type=Timestamp)
    approved_by: str | None = None
    approved_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)


class CouponCode(Row, table=True):
    """A code that drivers claim a coupon with; only its digest is kept.

    Attributes:
        claims_max: How many drivers it serves; `claims` of them hold or used one.
    """

    __tablename__ = "coupon_codes"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "definition_id"], _DEFINITION),
        Index("uq_coupon_codes_digest", "digest", unique=True),
        Index("ix_coupon_codes_definition", "operator_id", "definition_id", "id"),
        CheckConstraint("0 <= claims AND claims <= claims_max", name="claims_in_limit"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    definition_id: UUID
    digest: bytes
    claims_max: int = 1
    claims: int = 0
    created_by: str
    created_at: datetime = Field(sa_type=Timestamp)


class DriverCoupon(Row, table=True):
    """One coupon of one driver, from the claim to the bill.

    Attributes:
        source: How it came: `code`, `staff`, `campaign`, …; `source_id` names what gave it.
        session_id: The stay that it is reserved for or was used for.
        choice: What the driver wants of it for that stay: auto, pinned or held.
        held_minor: What it may still take of the definition's budget while it is reserved.
        discount_minor: What it takes off the bills that count.
        bill_id: Whose books say so.
        revision: Counts its postings up: each has its own id.
    """

    __tablename__ = "driver_coupons"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "definition_id"], _DEFINITION),
        Index("ix_driver_coupons_driver", "driver_id", "id"),
        Index("ix_driver_coupons_definition", "operator_id", "definition_id", "driver_id"),
        Index(
            "ix_driver_coupons_session",
            "operator_id",
            "session_id",
            postgresql_where="session_id IS NOT NULL",
        ),
        Index(
            "ix_driver_coupons_reserved",
            "operator_id",
            "session_id",
            postgresql_where="state = 'reserved'",
        ),
        Index(
            "ix_driver_coupons_claimed",
            "operator_id",
            "claimed_at",
            postgresql_where="state = 'available'",
        ),
        Index("ix_driver_coupons_expires", "expires_at", postgresql_where="state = 'available'"),
        CheckConstraint("0 <= held_minor AND 0 <= discount_minor", name="amounts_not_negative"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    definition_id: UUID
    driver_id: UUID
    code_id: UUID | None = None
    source: str
    source_id: UUID
    state: CouponState = Field(sa_type=text_enum(CouponState))
    session_id: UUID | None = None
    choice: str = "auto"
    held_minor: int = Field(default=0, sa_type=BigInteger)
    discount_minor: int = Field(default=0, sa_type=BigInteger)
    bill_id: UUID | None = None
    revision: int = 0
    claimed_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    changed_at: datetime = Field(sa_type=Timestamp)


class CouponTries(Row, table=True):
    """How many codes that do not exist a driver tried on a day (UTC)."""

    __tablename__ = "coupon_tries"

    driver_id: UUID = Field(primary_key=True)
    day: date = Field(primary_key=True)
    tries: int

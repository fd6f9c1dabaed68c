"""Paying after departure: what operators allow, what drivers use, and what is owed."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Json, Row, Timestamp, text_enum


class CreditRequirement(StrEnum):
    """What a driver needs to leave on credit."""

    MANDATE = "mandate"
    HISTORY = "history"
    EITHER = "either"
    BOTH = "both"


class CreditPolicy(Row, table=True):
    """How an operator lets drivers pay after departure; without a row nobody may.

    Attributes:
        first_minor: The limit of a driver without a history.
        step_bills: How many bills paid in time raise the limit by `step_minor`.
        most_minor: What the limit never exceeds.
        history_bills: How many bills paid in time are a good history.
        arrears_days: An amount owed longer than this freezes the credit of whoever owes it.
        place_ids: Where it is allowed; empty for all places.
    """

    __tablename__ = "credit_policies"
    __table_args__ = (
        CheckConstraint("0 <= first_minor AND first_minor <= most_minor", name="limits_in_order"),
        CheckConstraint("step_bills > 0 AND step_minor >= 0", name="growth_not_negative"),
        CheckConstraint("arrears_days > 0", name="arrears_positive"),
    )

    operator_id: UUID = Field(primary_key=True)
    currency: str = Field(primary_key=True)
    is_open: bool
    requirement: CreditRequirement = Field(sa_type=text_enum(CreditRequirement))
    first_minor: int = Field(sa_type=BigInteger)
    step_bills: int
    step_minor: int = Field(sa_type=BigInteger)
    most_minor: int = Field(sa_type=BigInteger)
    history_bills: int
    arrears_days: int
    place_ids: list[str] = Field(default_factory=list[str], sa_type=Json)
    changed_by: str
    changed_at: datetime = Field(sa_type=Timestamp)


class CreditAccount(Row, table=True):
    """What a driver uses of the credit at one operator: one row, so that two exits take turns.

    Attributes:
        used_minor: The sum of the driver's bills with `Bill.credit_minor`.
        limit_minor: As it was when credit was last given.
    """

    __tablename__ = "credit_accounts"
    __table_args__ = (
        CheckConstraint("0 <= used_minor AND used_minor <= limit_minor", name="within_limit"),
    )

    operator_id: UUID = Field(primary_key=True)
    driver_id: UUID = Field(primary_key=True)
    currency: str = Field(primary_key=True)
    used_minor: int = Field(default=0, sa_type=BigInteger)
    limit_minor: int = Field(default=0, sa_type=BigInteger)
    frozen_at: datetime | None = Field(default=None, sa_type=Timestamp)
    frozen_reason: str | None = None
    changed_at: datetime = Field(sa_type=Timestamp)


class OwedBill(Row, table=True):
    """A bill whose car has left unpaid; the row goes when it is paid, or given up.

    Attributes:
        id: The bill's.
        driver_id: Who owes it; None for a car that nobody's app knows.
        tries: How often it was collected in vain.
        next_try_at: When to collect it by mandate; None for never by itself.
        awaited_attempt_id: A charge whose outcome takes its time, such as a bank's.
        is_contested: Its money was taken back by the payer's bank: it is never collected by itself.
        collector_id: The partner at whose place the driver wants it to be paid now.
    """

    __tablename__ = "owed_bills"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        Index("ix_owed_bills_driver", "driver_id", postgresql_where="driver_id IS NOT NULL"),
        Index("ix_owed_bills_plate", "plate_index"),
        Index("ix_owed_bills_due", "next_try_at", postgresql_where="next_try_at IS NOT NULL"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    session_id: UUID
    place_id: UUID
    plate_index: UUID
    driver_id: UUID | None = None
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    owed_at: datetime = Field(sa_type=Timestamp)
    tries: int = 0
    next_try_at: datetime | None = Field(default=None, sa_type=Timestamp)
    awaited_attempt_id: UUID | None = None
    is_contested: bool = False
    collector_id: UUID | None = None
    collector_place_id: UUID | None = None


class WriteOff(Row, table=True):
    """What staff gave up to collect, and why; its id derives from the bill and the time."""

    __tablename__ = "write_offs"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        Index("ix_write_offs_bill", "operator_id", "bill_id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    bill_id: UUID
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    reason: str
    written_off_by: str
    written_off_at: datetime = Field(sa_type=Timestamp)

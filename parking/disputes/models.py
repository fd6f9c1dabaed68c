"""Disputes: what a driver contests, how it was decided, and cars that a misread may have harmed."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Json, Row, Timestamp, text_enum

# In `driver_disputes` a whole bill is a line too: a unique index tells no NULL from another.
WHOLE_BILL = -1


class DisputeState(StrEnum):
    """Where a dispute stands; every state but OPEN is final."""

    OPEN = "open"
    AUTO_REFUNDED = "auto_refunded"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class DisputeReason(StrEnum):
    """What is wrong with the bill."""

    WRONG_VEHICLE = "wrong_vehicle"
    WRONG_ENTRY_TIME = "wrong_entry_time"
    WRONG_EXIT_TIME = "wrong_exit_time"
    WRONG_RATE = "wrong_rate"
    ALREADY_PAID = "already_paid"
    PASS_NOT_APPLIED = "pass_not_applied"  # noqa: S105 - a parking pass, not a password
    OTHER = "other"


class Opener(StrEnum):
    """Who opened a dispute: its driver, or the system that found a misread itself."""

    DRIVER = "driver"
    SYSTEM = "system"


class Dispute(Row, table=True):
    """One objection to a bill of a stay, or to one line of it.

    `decision` is what somebody has decided and what is not carried out yet; `next_try_at` says
    when to go on with it after a crash or while a payment is under way.
    """

    __tablename__ = "disputes"
    __table_args__ = (
        Index("ix_disputes_session", "operator_id", "session_id"),
        Index("ix_disputes_state", "operator_id", "state", "id"),
        Index("ix_disputes_due", "next_try_at", postgresql_where="next_try_at IS NOT NULL"),
        Index("ix_disputes_review", "operator_id", "id", postgresql_where="is_review_due"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    session_id: UUID
    bill_id: UUID
    place_id: UUID
    driver_id: UUID
    line_index: int | None = None
    reason: DisputeReason = Field(sa_type=text_enum(DisputeReason))
    opened_by: Opener = Field(sa_type=text_enum(Opener))
    comment_sealed: bytes
    state: DisputeState = Field(sa_type=text_enum(DisputeState))
    # What the pictures proved when it was opened, in numbers only.
    evidence: dict[str, Any] = Field(sa_type=Json)
    # Why it was not refunded at once; None where it was.
    staff_cause: str | None = None
    # The car that came later and read as the billed plate.
    later_presentation_id: UUID | None = None
    is_review_due: bool = False
    reviewed_by: str | None = None
    reviewed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    decision: dict[str, Any] | None = Field(default=None, sa_type=Json)
    decided_by: str | None = None
    words_sealed: bytes | None = None
    refunded_minor: int | None = Field(default=None, sa_type=BigInteger)
    currency: str
    opened_at: datetime = Field(sa_type=Timestamp)
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)
    next_try_at: datetime | None = Field(default=None, sa_type=Timestamp)
    tries: int = 0


class DriverDispute(Row, table=True):
    """The driver's own list of disputes at any operator's places; it also counts for the limits."""

    __tablename__ = "driver_disputes"
    __table_args__ = (
        ForeignKeyConstraint(["driver_id"], ["drivers.id"]),
        Index(
            "uq_driver_disputes_open",
            "driver_id",
            "bill_id",
            "line_index",
            unique=True,
            postgresql_where="closed_at IS NULL",
        ),
    )

    driver_id: UUID = Field(primary_key=True)
    dispute_id: UUID = Field(primary_key=True)
    operator_id: UUID
    bill_id: UUID
    line_index: int = WHOLE_BILL
    is_automatic: bool = False
    opened_at: datetime = Field(sa_type=Timestamp)
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)


class MisreadSuspicion(Row, table=True):
    """A car at an exit without a stay: another car may have left on its plate before it.

    The lane only writes this row; the sweep looks into it, and deletes it.
    """

    __tablename__ = "misread_suspicions"
    __table_args__ = (Index("ix_misread_suspicions_due", "next_try_at"),)

    operator_id: UUID = Field(primary_key=True)
    presentation_id: UUID = Field(primary_key=True)
    next_try_at: datetime = Field(sa_type=Timestamp)
    tries: int = 0

"""What comparing found: days to compare, runs, and the differences that staff look at."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, Index
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Json, Row, Timestamp, text_enum


class DayState(StrEnum):
    """Where a provider's day stands.

    WAITING: for its file. PROVISIONAL: compared; looked at once more, for what came late. FINAL.
    GIVEN_UP: its file never came; a person may still ask for it.
    """

    WAITING = "waiting"
    PROVISIONAL = "provisional"
    FINAL = "final"
    GIVEN_UP = "given_up"


class DifferenceState(StrEnum):
    """Whether somebody still has to look; GONE: a later run did not find it any more."""

    OPEN = "open"
    RESOLVED = "resolved"
    GONE = "gone"


class SettlementDay(Row, table=True):
    """A provider's day, for the worker: the merchant account is one for all operators."""

    __tablename__ = "settlement_days"
    __table_args__ = (
        Index("ix_settlement_days_due", "next_try_at", postgresql_where="next_try_at IS NOT NULL"),
    )

    provider: str = Field(primary_key=True)
    day: date = Field(primary_key=True, sa_type=Date)
    state: DayState = Field(sa_type=text_enum(DayState))
    tries: int = 0
    next_try_at: datetime | None = Field(default=None, sa_type=Timestamp)
    last_error: str | None = None


class ReconciliationRun(Row, table=True):
    """One operator's part of comparing a provider's day once; the newest of a day counts.

    Attributes:
        differences: How many there were, of which the first ones are stored.
        totals: By currency and kind of movement: rows and minor units, theirs and ours, and fees.
        openings: How many cars were let out, by the reason.
        is_provisional: The next day's file was not there yet.
    """

    __tablename__ = "reconciliation_runs"
    __table_args__ = (
        Index("ix_reconciliation_runs_day", "operator_id", "provider", "day"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    provider: str
    day: date = Field(sa_type=Date)
    timezone: str
    differences: int
    totals: list[dict[str, Any]] = Field(sa_type=Json)
    openings: dict[str, Any] = Field(sa_type=Json)
    is_provisional: bool
    ran_at: datetime = Field(sa_type=Timestamp)


class ReconciliationDifference(Row, table=True):
    """One row that does not match; the same in every run that finds it.

    The id derives from what it is about and the code. Money that no operator's books know belongs
    to `UNOWNED`, unless there is but one operator.
    """

    __tablename__ = "reconciliation_differences"
    __table_args__ = (
        Index("ix_reconciliation_differences_state", "operator_id", "state", "id"),
        Index("ix_reconciliation_differences_day", "operator_id", "provider", "day"),
        Index("ix_reconciliation_differences_open", "code", postgresql_where="state = 'open'"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    provider: str
    day: date = Field(sa_type=Date)
    code: str
    movement: str | None = None
    number: str
    reference: str
    subject_id: UUID
    bill_id: UUID | None = None
    session_id: UUID | None = None
    ours_minor: int | None = Field(default=None, sa_type=BigInteger)
    ours_currency: str | None = None
    theirs_minor: int | None = Field(default=None, sa_type=BigInteger)
    theirs_currency: str | None = None
    happened_at: datetime = Field(sa_type=Timestamp)
    state: DifferenceState = Field(sa_type=text_enum(DifferenceState))
    first_run_id: UUID
    last_run_id: UUID
    found_at: datetime = Field(sa_type=Timestamp)
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    resolved_by: str | None = None
    note_sealed: bytes | None = None

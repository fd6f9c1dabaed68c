"""Money that payers' banks take back."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Row, Timestamp, text_enum


class ChargebackStatus(StrEnum):
    """Where a chargeback stands; WON whatever else is said about it, for its money is back."""

    OPENED = "opened"
    LOST = "lost"
    WON = "won"


class Chargeback(Row, table=True):
    """What a payer's bank took back out of one payment.

    Attributes:
        bill_id: The version of the bill that the payment was for.
        owed_bill_id: The version that is owed again; None where it is the operator's loss.
        reference: The provider's id.
        reason: The provider's word for why.
    """

    __tablename__ = "chargebacks"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        Index("ix_chargebacks_attempt", "operator_id", "attempt_id"),
        Index("ix_chargebacks_status", "operator_id", "status", "id"),
        Index("ix_chargebacks_driver", "operator_id", "driver_id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    attempt_id: UUID
    bill_id: UUID
    owed_bill_id: UUID | None = None
    session_id: UUID | None = None
    pass_id: UUID | None = None
    driver_id: UUID | None = None
    provider: str
    reference: str
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    reason: str
    status: ChargebackStatus = Field(sa_type=text_enum(ChargebackStatus))
    opened_at: datetime = Field(sa_type=Timestamp)
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)

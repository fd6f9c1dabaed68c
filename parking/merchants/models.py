"""Rows of merchants and of what they paid for."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field

from parking.kit.columns import Json, Row, Timestamp


class Merchant(Row, table=True):
    """A shop, restaurant or cinema whose customers park.

    Attributes:
        place_ids: As text: where it validates and is offered; None for every place.
        latitude_e6: In millionths of a degree; None where nobody said.
        opening_hours: `{"mon": [["10:00", "22:00"]], …}` on the wall clock of `timezone`; a day
            without an entry is closed. Empty: not known.
        key_digest: Of the key that its till calls with; None for a merchant without one.
        validation: The name in the places' rate tables that it grants; None for none.
        validation_minor: What it pays the operator for each stay that it validates.
        budget_minor: At most that much in all; None for no limit.
        month: Which one `spent_month_minor` counts, such as `2026-11`, in `timezone`.
    """

    __tablename__ = "merchants"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id"], ["operators.id"]),
        Index(
            "uq_merchants_key", "key_digest", unique=True, postgresql_where="key_digest IS NOT NULL"
        ),
        CheckConstraint("validation_minor >= 0", name="price_not_negative"),
        CheckConstraint(
            "0 <= spent_minor AND (budget_minor IS NULL OR spent_minor <= budget_minor)",
            name="within_budget",
        ),
        CheckConstraint("0 <= spent_month_minor", name="month_not_negative"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    name: str
    category: str
    place_ids: list[str] | None = Field(default=None, sa_type=Json)
    latitude_e6: int | None = None
    longitude_e6: int | None = None
    timezone: str
    opening_hours: dict[str, Any] = Field(default_factory=dict[str, Any], sa_type=Json)
    key_digest: bytes | None = None
    key_rotated_at: datetime | None = Field(default=None, sa_type=Timestamp)
    validation: str | None = None
    validation_minor: int = Field(default=0, sa_type=BigInteger)
    currency: str
    budget_minor: int | None = Field(default=None, sa_type=BigInteger)
    budget_month_minor: int | None = Field(default=None, sa_type=BigInteger)
    spent_minor: int = Field(default=0, sa_type=BigInteger)
    month: str = ""
    spent_month_minor: int = Field(default=0, sa_type=BigInteger)
    created_by: str
    created_at: datetime = Field(sa_type=Timestamp)
    disabled_at: datetime | None = Field(default=None, sa_type=Timestamp)


class MerchantValidation(Row, table=True):
    """A stay that a merchant validated, and what that took of its budget; once for each stay.

    Attributes:
        id: Follows from merchant and stay.
    """

    __tablename__ = "merchant_validations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "merchant_id"], ["merchants.operator_id", "merchants.id"]
        ),
        Index("ix_merchant_validations_merchant", "operator_id", "merchant_id", "id"),
        Index("ix_merchant_validations_session", "operator_id", "session_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    merchant_id: UUID
    session_id: UUID
    validation: str
    amount_minor: int = Field(sa_type=BigInteger)
    month: str
    way: str
    granted_at: datetime = Field(sa_type=Timestamp)

"""What a driver allowed, as it stands and as it came to be."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index
from sqlmodel import Field

from parking.kit.columns import Row, Timestamp, text_enum


class ConsentKind(StrEnum):
    """What a driver may allow; nothing is allowed before.

    Attributes:
        HABITS: To learn where and when they park.
        MARKETING: To be sent offers.
    """

    HABITS = "habits"
    MARKETING = "marketing"


class ConsentSource(StrEnum):
    """Where a driver said so."""

    APP = "app"
    MESSAGE_LINK = "message_link"


class DriverConsent(Row, table=True):
    """How one consent stands: it holds while `withdrawn_at` is null. No row: never given.

    Attributes:
        text_version: Of the words that were agreed to.
    """

    __tablename__ = "driver_consents"
    __table_args__ = (
        ForeignKeyConstraint(["driver_id"], ["drivers.id"]),
        Index(
            "ix_driver_consents_held", "kind", "driver_id", postgresql_where="withdrawn_at IS NULL"
        ),
    )

    driver_id: UUID = Field(primary_key=True)
    kind: ConsentKind = Field(primary_key=True, sa_type=text_enum(ConsentKind))
    text_version: str
    source: ConsentSource = Field(sa_type=text_enum(ConsentSource))
    given_at: datetime = Field(sa_type=Timestamp)
    withdrawn_at: datetime | None = Field(default=None, sa_type=Timestamp)


class ConsentChange(Row, table=True):
    """That a consent was given or withdrawn; never changed, and gone with the account."""

    __tablename__ = "consent_changes"
    __table_args__ = (ForeignKeyConstraint(["driver_id"], ["drivers.id"]),)

    driver_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    kind: ConsentKind = Field(sa_type=text_enum(ConsentKind))
    is_given: bool
    text_version: str
    source: ConsentSource = Field(sa_type=text_enum(ConsentSource))
    changed_at: datetime = Field(sa_type=Timestamp)

"""What is remembered about permissions besides themselves, and about providers' notices."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from parking.kit.columns import Row, Timestamp, text_enum
from parking.payments.port import NoticeKind


class MandateConsent(Row, table=True):
    """The terms that a driver confirmed, word for word.

    Attributes:
        terms_sealed: The text as it was shown; it may name a plate.
        digest: What the driver's app sent back to say that this text was on the screen.
        revision: Of the mandate's terms, from 1.
    """

    __tablename__ = "mandate_consents"
    __table_args__ = (Index("ix_mandate_consents_mandate", "driver_id", "mandate_id"),)

    driver_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    mandate_id: UUID
    revision: int
    locale: str
    terms_sealed: bytes
    digest: str
    confirmed_at: datetime = Field(sa_type=Timestamp)


class MandateUse(Row, table=True):
    """A charge of a mandate that has not failed: what its limits of a day are counted by.

    Owned by the driver, whose cars may be charged by several operators on the same day. Its id is
    the attempt's. A charge that fails for good is taken out.
    """

    __tablename__ = "mandate_uses"
    __table_args__ = (Index("ix_mandate_uses_mandate", "driver_id", "mandate_id", "used_at"),)

    driver_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    mandate_id: UUID
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    used_at: datetime = Field(sa_type=Timestamp)


class TakenNotice(Row, table=True):
    """A provider's notice that was acted on: its repetitions change nothing."""

    __tablename__ = "provider_notices"
    __table_args__ = (Index("ix_provider_notices_taken", "taken_at"),)

    provider: str = Field(primary_key=True)
    notice_id: str = Field(primary_key=True)
    kind: NoticeKind = Field(sa_type=text_enum(NoticeKind))
    taken_at: datetime = Field(sa_type=Timestamp)


class StayAnnouncement(Row, table=True):
    """A stay of a mandate's plate, of which the provider is told while it lasts.

    Attributes:
        reference: The provider's own of the stay; None until it was told.
        used_by: The stay's first charge there, since when the provider is told no more of the
            entry: it takes one charge for an entry.
        ended_at: When the stay ended, of which some providers are told too.
        next_try_at: When to tell next; None where nothing is to be told.
    """

    __tablename__ = "stay_announcements"
    __table_args__ = (
        Index(
            "ix_stay_announcements_due",
            "next_try_at",
            postgresql_where="next_try_at IS NOT NULL",
        ),
    )

    operator_id: UUID = Field(primary_key=True)
    session_id: UUID = Field(primary_key=True)
    provider: str = Field(primary_key=True)
    driver_id: UUID
    mandate_id: UUID
    reference: str | None = None
    used_by: UUID | None = None
    tries: int = 0
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    next_try_at: datetime | None = Field(default=None, sa_type=Timestamp)

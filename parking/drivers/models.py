"""Drivers, how they sign in, their devices, and what was delivered to them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from parking.drivers.purposes import CodePurpose
from parking.kit.columns import Row, Timestamp, text_enum


class TargetKind(StrEnum):
    """What a push is addressed to: a Firebase installation, a token, or a browser's endpoint."""

    FID = "fid"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    WEB_PUSH = "web_push"


class DeliveryState(StrEnum):
    """Where one message to one device stands."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class Driver(Row, table=True):
    """A person with an account."""

    __tablename__ = "drivers"

    id: UUID = Field(primary_key=True)
    locale: str = "en"
    created_at: datetime = Field(sa_type=Timestamp)
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)


class DeletedAccount(Row, table=True):
    """That an account was deleted: its id is a pseudonym in the records that are kept.

    Attributes:
        swept_at: Since when nothing else of it is left; None until then.
    """

    __tablename__ = "deleted_accounts"
    __table_args__ = (Index("ix_deleted_accounts_deleted", "deleted_at"),)

    id: UUID = Field(primary_key=True)
    deleted_at: datetime = Field(sa_type=Timestamp)
    swept_at: datetime | None = Field(default=None, sa_type=Timestamp)


class PhoneNumber(Row, table=True):
    """Whose number it is, found by its blind index."""

    __tablename__ = "phone_numbers"
    __table_args__ = (Index("ix_phone_numbers_driver", "driver_id"),)

    phone_index: UUID = Field(primary_key=True)
    driver_id: UUID
    phone_sealed: bytes
    verified_at: datetime = Field(sa_type=Timestamp)


class FirebaseAccount(Row, table=True):
    """Whose Firebase account it is, found by the blind index of its uid."""

    __tablename__ = "firebase_accounts"
    __table_args__ = (
        ForeignKeyConstraint(["driver_id"], ["drivers.id"]),
        Index("ix_firebase_accounts_driver", "driver_id"),
    )

    uid_index: UUID = Field(primary_key=True)
    driver_id: UUID
    uid_sealed: bytes
    linked_at: datetime = Field(sa_type=Timestamp)


class SignInCode(Row, table=True):
    """A one-time code that was sent to a number; only its keyed digest is kept.

    Attributes:
        sign_in_id: The only sign-in that may use it; None for a code that signs in.
    """

    __tablename__ = "sign_in_codes"

    phone_index: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    purpose: CodePurpose = Field(default=CodePurpose.SIGN_IN, sa_type=text_enum(CodePurpose))
    sign_in_id: UUID | None = None
    code_digest: bytes
    attempts: int = 0
    created_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)


class SignIn(Row, table=True):
    """One signed-in device: a family of rotating refresh tokens, of which the last is valid.

    Attributes:
        authenticated_at: When the driver last proved who they are, to sign in.
        confirmed_for: What the driver confirmed since with a code of its own, and nothing else.
    """

    __tablename__ = "sign_ins"
    __table_args__ = (
        ForeignKeyConstraint(["driver_id"], ["drivers.id"]),
        Index("ix_sign_ins_ended", "revoked_at", postgresql_where="revoked_at IS NOT NULL"),
    )

    driver_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    refresh_digest: bytes
    device_name: str
    created_at: datetime = Field(sa_type=Timestamp)
    authenticated_at: datetime = Field(sa_type=Timestamp)
    confirmed_for: CodePurpose | None = Field(default=None, sa_type=text_enum(CodePurpose))
    confirmed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    refreshed_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    revoked_at: datetime | None = Field(default=None, sa_type=Timestamp)


class RequestCount(Row, table=True):
    """How often one phone number or client address asked for something in the current window."""

    __tablename__ = "request_counts"

    key: UUID = Field(primary_key=True)
    requests: int
    window_started_at: datetime = Field(sa_type=Timestamp)


class Device(Row, table=True):
    """Where pushes go, until the sign-in that registered it ends or another driver takes it."""

    __tablename__ = "devices"
    __table_args__ = (
        ForeignKeyConstraint(["driver_id"], ["drivers.id"]),
        UniqueConstraint("driver_id", "target_index"),
        Index("ix_devices_target_index", "target_index"),
    )

    driver_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    sign_in_id: UUID | None = None
    target_kind: TargetKind = Field(sa_type=text_enum(TargetKind))
    target_index: UUID
    target_sealed: bytes
    # What a browser gave with its endpoint: `p256dh` and `auth`, both base64url, as JSON.
    push_keys_sealed: bytes | None = None
    platform: str
    registered_at: datetime = Field(sa_type=Timestamp)
    disabled_at: datetime | None = Field(default=None, sa_type=Timestamp)


class Delivery(Row, table=True):
    """One message to one device or number; its id derives from event and target: it exists once."""

    __tablename__ = "deliveries"
    __table_args__ = (
        ForeignKeyConstraint(["driver_id"], ["drivers.id"]),
        Index("ix_deliveries_event", "driver_id", "event_id"),
        Index("ix_deliveries_subject", "operator_id", "subject_id", "driver_id"),
    )

    driver_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    event_id: UUID
    operator_id: UUID | None = None
    subject_id: UUID | None = None
    device_id: UUID | None = None
    channel: str
    template: str
    state: DeliveryState = Field(sa_type=text_enum(DeliveryState))
    attempts: int = 0
    failure: str | None = None
    # The service's name of the message.
    reference: str | None = None
    created_at: datetime = Field(sa_type=Timestamp)
    sent_at: datetime | None = Field(default=None, sa_type=Timestamp)
    acknowledged_at: datetime | None = Field(default=None, sa_type=Timestamp)


class DriverStay(Row, table=True):
    """The driver's own list of sessions at any operator's places."""

    __tablename__ = "driver_stays"
    __table_args__ = (
        ForeignKeyConstraint(["driver_id"], ["drivers.id"]),
        Index(
            "ix_driver_stays_active",
            "driver_id",
            postgresql_where="left_at IS NULL",
        ),
    )

    driver_id: UUID = Field(primary_key=True)
    session_id: UUID = Field(primary_key=True)
    operator_id: UUID
    entered_at: datetime = Field(sa_type=Timestamp)
    left_at: datetime | None = Field(default=None, sa_type=Timestamp)

"""Staff, how they sign in, and what they did."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Json, Row, Timestamp, text_enum
from parking.staff.rules import SignInMethod

_MEMBER = ["staff_members.operator_id", "staff_members.id"]


class StaffMember(Row, table=True):
    """Somebody who works for an operator.

    Attributes:
        email_index: One active member has an address, of whichever operator: it tells who comes.
        place_ids: As text; None for all places.
        provider_index: Of issuer and subject, once they came by OIDC: an address may change hands.
    """

    __tablename__ = "staff_members"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id"], ["operators.id"]),
        UniqueConstraint("operator_id", "name"),
        Index(
            "uq_staff_members_email",
            "email_index",
            unique=True,
            postgresql_where="ended_at IS NULL",
        ),
        Index(
            "uq_staff_members_provider",
            "provider_index",
            unique=True,
            postgresql_where="ended_at IS NULL",
        ),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    name: str
    email_index: UUID
    email_sealed: bytes
    roles: list[str] = Field(sa_type=Json)
    place_ids: list[str] | None = Field(default=None, sa_type=Json)
    provider_index: UUID | None = None
    added_by: str
    added_at: datetime = Field(sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)


class StaffSignIn(Row, table=True):
    """One signed-in browser: a family of rotating refresh tokens, of which the last is valid."""

    __tablename__ = "staff_sign_ins"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "member_id"], _MEMBER),
        Index("ix_staff_sign_ins_member", "operator_id", "member_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    member_id: UUID
    method: SignInMethod = Field(sa_type=text_enum(SignInMethod))
    client: str
    refresh_digest: bytes
    created_at: datetime = Field(sa_type=Timestamp)
    refreshed_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    revoked_at: datetime | None = Field(default=None, sa_type=Timestamp)


class StaffInvitation(Row, table=True):
    """A link by which a member registers a passkey, once."""

    __tablename__ = "staff_invitations"
    __table_args__ = (ForeignKeyConstraint(["operator_id", "member_id"], _MEMBER),)

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    member_id: UUID
    token_digest: bytes
    invited_by: str
    expires_at: datetime = Field(sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)


class StaffPasskey(Row, table=True):
    """A public key whose private half is in a member's device."""

    __tablename__ = "staff_passkeys"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "member_id"], _MEMBER),
        UniqueConstraint("credential_id"),
        Index("ix_staff_passkeys_member", "operator_id", "member_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    member_id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int = 0
    name: str
    registered_at: datetime = Field(sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)


class StaffTakenAttempt(Row, table=True):
    """A sign-in that came back from the browser: it does so once, until it would be too old."""

    __tablename__ = "staff_taken_attempts"
    __table_args__ = (Index("ix_staff_taken_attempts_expires_at", "expires_at"),)

    id: UUID = Field(primary_key=True)
    kind: str
    expires_at: datetime = Field(sa_type=Timestamp)


class StaffAct(Row, table=True):
    """What a member did, or was refused. Rows are never changed or deleted.

    Attributes:
        act_id: Of the first row of the same act; a second one says that it ended otherwise.
        member_id: None for a token of `sesame staff token`, and for a command.
        code: Of a refusal.
        details_sealed: Who, the arguments without secrets, and what changed: they may hold plates.
    """

    __tablename__ = "staff_acts"
    __table_args__ = (
        Index("ix_staff_acts_member", "operator_id", "member_id", "id"),
        Index("ix_staff_acts_place", "operator_id", "place_id", "id"),
        Index("ix_staff_acts_action", "operator_id", "action", "id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    act_id: UUID
    member_id: UUID | None = None
    roles: list[str] = Field(sa_type=Json)
    action: str
    place_id: UUID | None = None
    outcome: str
    code: str | None = None
    details_sealed: bytes
    correlation_id: str
    happened_at: datetime = Field(sa_type=Timestamp)


# What a sealed text of an act holds, as JSON.
Details = dict[str, Any]

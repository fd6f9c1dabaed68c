"""The authority, the certificates of gates, and the tokens that bring the first one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field

from parking.kit.columns import Row, Timestamp


class GateAuthorityRow(Row, table=True):
    """The installation's authority; one row, because every gate is issued by the same one."""

    __tablename__ = "gate_authorities"
    __table_args__ = (CheckConstraint("number = 1", name="one"),)

    number: int = Field(primary_key=True)
    certificate: str
    key_sealed: bytes
    created_at: datetime = Field(sa_type=Timestamp)


class GateEnrolment(Row, table=True):
    """A token that brings one gate its first certificate; only its digest is kept."""

    __tablename__ = "gate_enrolments"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "lane_id"], ["access_lanes.operator_id", "access_lanes.id"]
        ),
        Index("ix_gate_enrolments_lane", "operator_id", "lane_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    lane_id: UUID
    token_digest: bytes
    created_by: str
    created_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
    withdrawn_at: datetime | None = Field(default=None, sa_type=Timestamp)
    certificate_id: UUID | None = None


class GateCertificate(Row, table=True):
    """A certificate of a gate; a few a lane and year, so that months need no partitions.

    Attributes:
        id: Also the serial number, as an integer.
        certificate: In PEM.
        replaces_id: The one that it was renewed from; None where a token brought it.
        key_digest: SHA-256 of the public key.
    """

    __tablename__ = "gate_certificates"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "lane_id"], ["access_lanes.operator_id", "access_lanes.id"]
        ),
        Index("ix_gate_certificates_lane", "operator_id", "lane_id", "id"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    lane_id: UUID
    certificate: str
    key_digest: bytes
    replaces_id: UUID | None = None
    not_before: datetime = Field(sa_type=Timestamp)
    not_after: datetime = Field(sa_type=Timestamp)
    revoked_at: datetime | None = Field(default=None, sa_type=Timestamp)
    revoked_by: str | None = None
    revoked_reason: str | None = None

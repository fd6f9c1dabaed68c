"""Invoices, their numbers, whom they are made out to, and fapiao applications."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field

from parking.kit.columns import Json, Row, Timestamp, text_enum


class InvoiceKind(StrEnum):
    """What a document is: ours with a number of ours, or one that the tax office numbers."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    FAPIAO = "fapiao"
    RED_FAPIAO = "red_fapiao"


class FapiaoState(StrEnum):
    """Where an application stands; ISSUED and FAILED are definitive.

    WAITING: a red one whose blue one is not issued yet. SENT: stored, and perhaps heard of.
    """

    WAITING = "waiting"
    SENT = "sent"
    APPLIED = "applied"
    ISSUED = "issued"
    FAILED = "failed"


class InvoiceSeller(Row, table=True):
    """What an operator's invoices say about it; issued invoices keep what they said."""

    __tablename__ = "invoice_sellers"

    operator_id: UUID = Field(primary_key=True)
    seller: dict[str, Any] = Field(sa_type=Json)
    updated_at: datetime = Field(sa_type=Timestamp)
    updated_by: str


class InvoiceCounter(Row, table=True):
    """The last number of one series in one calendar year: counted in the issuing transaction."""

    __tablename__ = "invoice_counters"

    operator_id: UUID = Field(primary_key=True)
    series: str = Field(primary_key=True)
    year: int = Field(primary_key=True)
    last_number: int


class Invoice(Row, table=True):
    """An invoice or credit note as issued: a trigger refuses every change.

    Not partitioned: tax law wants it for ten years, and its number is unique over all of them.

    Attributes:
        number: Ours, without gaps; None for a fapiao, which the tax office numbers.
        corrects_id: The invoice that a credit note takes from.
        cause: What asked for it, such as a refund's id.
        items: Per bill and VAT rate: gross, net and VAT. No personal values.
        document_sealed: All that it says, as JSON.
        xml_sealed: The EN 16931 XML; None for a fapiao.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        CheckConstraint("gross_minor > 0", name="gross_positive"),
        CheckConstraint("net_minor + vat_minor = gross_minor", name="adds_up"),
        CheckConstraint("net_minor >= 0 AND vat_minor >= 0", name="parts_not_negative"),
        UniqueConstraint("operator_id", "number"),
        Index("ix_invoices_corrects", "operator_id", "corrects_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    kind: InvoiceKind = Field(sa_type=text_enum(InvoiceKind))
    driver_id: UUID
    number: str | None = None
    corrects_id: UUID | None = None
    cause: str
    currency: str
    net_minor: int = Field(sa_type=BigInteger)
    vat_minor: int = Field(sa_type=BigInteger)
    gross_minor: int = Field(sa_type=BigInteger)
    items: list[dict[str, Any]] = Field(sa_type=Json)
    document_sealed: bytes
    xml_sealed: bytes | None = None
    xml_sha256: str | None = None
    issued_at: datetime = Field(sa_type=Timestamp)


class InvoicedBill(Row, table=True):
    """On which valid invoice a bill stands: at most one. `bill_id` is its first version's."""

    __tablename__ = "invoiced_bills"
    __table_args__ = (Index("ix_invoiced_bills_invoice", "operator_id", "invoice_id"),)

    operator_id: UUID = Field(primary_key=True)
    bill_id: UUID = Field(primary_key=True)
    invoice_id: UUID


class DriverInvoice(Row, table=True):
    """A driver's own list of invoices, over all operators."""

    __tablename__ = "driver_invoices"

    driver_id: UUID = Field(primary_key=True)
    invoice_id: UUID = Field(primary_key=True)
    operator_id: UUID


class BuyerProfile(Row, table=True):
    """Whom a driver's invoices are usually made out to."""

    __tablename__ = "buyer_profiles"

    driver_id: UUID = Field(primary_key=True)
    buyer_sealed: bytes
    updated_at: datetime = Field(sa_type=Timestamp)


class FapiaoOrder(Row, table=True):
    """What the service that issues fapiao was asked for, and what it answered."""

    __tablename__ = "fapiao_orders"
    __table_args__ = (
        Index(
            "ix_fapiao_orders_due",
            "next_query_at",
            postgresql_where="state IN ('waiting', 'sent', 'applied')",
        ),
    )

    operator_id: UUID = Field(primary_key=True)
    invoice_id: UUID = Field(primary_key=True)
    state: FapiaoState = Field(sa_type=text_enum(FapiaoState))
    fapiao_number: str | None = None
    pdf_url: str | None = None
    failure_code: str | None = None
    queries: int = 0
    next_query_at: datetime = Field(sa_type=Timestamp)
    applied_at: datetime = Field(sa_type=Timestamp)
    finished_at: datetime | None = Field(default=None, sa_type=Timestamp)

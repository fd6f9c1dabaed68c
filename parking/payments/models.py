"""Money: mandates, bills, attempts, the ledger."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Json, Row, Timestamp, text_enum
from parking.payments.port import Advance

_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# `receivable` alone is the account of before each driver had one: opening entries emptied it.
ACCOUNT_PATTERN = (
    f"^(receivable|receivable:unbound|receivable:{_UUID}|revenue|written_off|chargebacks|cash_desk"
    f"|bank|partner:{_UUID}|provider:[a-z][a-z0-9_-]{{0,31}}|coupon_budget:[A-Za-z0-9_.-]{{1,64}})$"
)


class MandateState(StrEnum):
    """Whether a driver's password-free authorization may be used."""

    PENDING = "pending"
    ACTIVE = "active"
    REVOKED = "revoked"


class BillState(StrEnum):
    """Where a bill stands.

    ISSUED is due now; OWED may be paid after departure. VOID: a newer bill took its place before
    anybody paid. CORRECTED: a newer version of it counts. WRITTEN_OFF: nobody tries to collect it
    any more; it may still be paid.
    """

    ISSUED = "issued"
    PAID = "paid"
    OWED = "owed"
    VOID = "void"
    CORRECTED = "corrected"
    WRITTEN_OFF = "written_off"


class AttemptKind(StrEnum):
    """How an attempt takes the money: CASH at the operator's desk, PARTNER at another operator."""

    MANDATE = "mandate"
    CHECKOUT = "checkout"
    CASH = "cash"
    PARTNER = "partner"


class AttemptState(StrEnum):
    """Where an attempt stands; SUCCEEDED and FAILED are definitive."""

    SENT = "sent"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class AttemptProblem(StrEnum):
    """Why an attempt needs a person: asking the provider again does not end it."""

    AMOUNT_MISMATCH = "amount_mismatch"
    NUMBER_CONFLICT = "number_conflict"
    UNANSWERED = "unanswered"
    TAKEN_AFTER_END = "taken_after_end"


class RefundState(StrEnum):
    """Where a refund stands; SUCCEEDED and FAILED are definitive."""

    SENT = "sent"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Mandate(Row, table=True):
    """A driver's standing permission to charge without a password.

    Attributes:
        confirmation_url_sealed: The provider's page; it may name the payer and the plate.
        instrument: What charges name besides the agreement, as the provider gave it.
        payer_hint: What may be shown of the account, such as its last digits.
        position: The driver's order; the lowest is charged first.
        counted_charges: How many charges counted towards a limit of a day: each of them changes
            the row, so that two at once see each other.
        amount_minor_max: The most that one charge may take; None for the provider's own limit.
        day_minor_max: The most that all its charges of a day may take; None likewise.
        plate_index: The one plate that it is for; None for every plate of the driver.
        revision: Counts the terms up; what the driver confirmed was one revision of them.
        confirmed_at: When the driver confirmed these terms to us.
        signed_at: When the payer confirmed on the provider's page.
        activated_at: Since when both are so, and it may be charged.
        cancel_due_at: When the provider is told next that it has ended; None when it knows.
    """

    __tablename__ = "mandates"
    __table_args__ = (
        Index("ix_mandates_driver_state", "driver_id", "state"),
        Index("ix_mandates_pending", "created_at", postgresql_where="state = 'pending'"),
        Index(
            "ix_mandates_plate",
            "plate_index",
            postgresql_where="plate_index IS NOT NULL AND state <> 'revoked'",
        ),
        Index(
            "ix_mandates_cancel_due",
            "cancel_due_at",
            postgresql_where="cancel_due_at IS NOT NULL",
        ),
    )

    driver_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    provider: str
    agreement_reference: str | None = None
    confirmation_url_sealed: bytes | None = None
    state: MandateState = Field(sa_type=text_enum(MandateState))
    instrument: str | None = None
    payer_hint: str | None = None
    position: int = 0
    counted_charges: int = 0
    amount_minor_max: int | None = Field(default=None, sa_type=BigInteger)
    day_minor_max: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = None
    plate_index: UUID | None = None
    plate_sealed: bytes | None = None
    revision: int = 1
    created_at: datetime = Field(sa_type=Timestamp)
    confirmed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    signed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    activated_at: datetime | None = Field(default=None, sa_type=Timestamp)
    revoked_at: datetime | None = Field(default=None, sa_type=Timestamp)
    cancel_due_at: datetime | None = Field(default=None, sa_type=Timestamp)
    cancel_tries: int = 0


class ProviderOrder(Row, table=True):
    """Whom a provider's number belongs to: a notice names only the number."""

    __tablename__ = "provider_orders"

    number: str = Field(primary_key=True)
    owner_id: UUID
    subject_id: UUID
    kind: str


class Bill(Row, table=True):
    """What one stay, or one period of a pass, owes; with the lines that prove it.

    Once issued, a trigger refuses every change but that of who pays it, whether it is paid, and
    how. What it says is corrected by a new version, which names the one that it replaces.

    Attributes:
        collection_id: For a bill that is collected for a partner: what it is collected for.
        claim_id: The partner's collection that alone may pay this bill now.
        credit_minor: How much of the driver's credit it uses.
    """

    __tablename__ = "bills"
    __table_args__ = (
        CheckConstraint("total_minor >= 0", name="total_not_negative"),
        CheckConstraint("num_nonnulls(session_id, pass_id, collection_id) = 1", name="one_subject"),
        CheckConstraint(
            "0 <= credit_minor AND credit_minor <= total_minor", name="credit_in_total"
        ),
        CheckConstraint(
            "session_id IS NULL OR num_nulls(place_id, rate_table_id) = 0", name="stay_has_table"
        ),
        Index("ix_bills_session", "operator_id", "session_id"),
        Index("ix_bills_pass", "operator_id", "pass_id", postgresql_where="pass_id IS NOT NULL"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    session_id: UUID | None = None
    pass_id: UUID | None = None
    collection_id: UUID | None = None
    place_id: UUID | None = None
    driver_id: UUID | None = None
    presentation_id: UUID | None = None
    rate_table_id: UUID | None = None
    version: int = 1
    corrects_id: UUID | None = None
    state: BillState = Field(sa_type=text_enum(BillState))
    total_minor: int = Field(sa_type=BigInteger)
    currency: str
    lines: list[dict[str, Any]] = Field(sa_type=Json)
    basis: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    priced_until: datetime = Field(sa_type=Timestamp)
    issued_at: datetime = Field(sa_type=Timestamp)
    paid_at: datetime | None = Field(default=None, sa_type=Timestamp)
    paid_attempt_id: UUID | None = None
    live_attempt_id: UUID | None = None
    claim_id: UUID | None = None
    credit_minor: int = Field(default=0, sa_type=BigInteger)
    attempts: int = 0


class BillCorrection(Row, table=True):
    """Why a stay's bills were corrected, by whom, and from what to what."""

    __tablename__ = "bill_corrections"
    __table_args__ = (
        Index("ix_bill_corrections_session", "operator_id", "session_id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    session_id: UUID
    before_minor: int = Field(sa_type=BigInteger)
    after_minor: int = Field(sa_type=BigInteger)
    currency: str
    changes: dict[str, Any] = Field(sa_type=Json)
    bill_ids: list[str] = Field(sa_type=Json)
    refund_ids: list[str] = Field(sa_type=Json)
    reason: str
    corrected_by: str
    corrected_at: datetime = Field(sa_type=Timestamp)


class PaymentAttempt(Row, table=True):
    """One order at a provider, stored before the provider hears of it.

    Attributes:
        stay_reference: The provider's own of the stay, where it was told of it before.
        checkout_for: The device and the payer that the page is for; None: for everyone.
        checkout_until: When its address leads nowhere any more, though the order may live on.
        checkout_handover: What our own page hands over, where the page is ours.
        problem: Why a person must look at it; None where nobody needs to.
        ended_by: The person who took the cash; or who ended it by hand, with `ended_reason` why.
    """

    __tablename__ = "payment_attempts"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("num_nonnulls(session_id, pass_id, collection_id) = 1", name="one_subject"),
        Index("ix_payment_attempts_bill", "operator_id", "bill_id"),
        # A payer's bank that takes the money back may name the provider's own id only.
        Index(
            "ix_payment_attempts_reference",
            "provider_reference",
            postgresql_where="provider_reference IS NOT NULL",
        ),
        Index(
            "ix_payment_attempts_due",
            "next_query_at",
            postgresql_where="state IN ('sent', 'accepted', 'unknown')",
        ),
        # What a provider took on a day, for comparing it with the provider's own books.
        Index(
            "ix_payment_attempts_succeeded",
            "operator_id",
            "provider",
            "finished_at",
            postgresql_where="state = 'succeeded'",
        ),
        Index(
            "ix_payment_attempts_problem",
            "operator_id",
            "id",
            postgresql_where="problem IS NOT NULL",
        ),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    bill_id: UUID
    session_id: UUID | None = None
    pass_id: UUID | None = None
    collection_id: UUID | None = None
    driver_id: UUID | None = None
    mandate_id: UUID | None = None
    kind: AttemptKind = Field(sa_type=text_enum(AttemptKind))
    provider: str
    number: str
    agreement_reference: str | None = None
    instrument: str | None = None
    stay_reference: str | None = None
    provider_reference: str | None = None
    advance: Advance | None = Field(default=None, sa_type=text_enum(Advance))
    checkout_url: str | None = None
    checkout_for: str | None = None
    checkout_until: datetime | None = Field(default=None, sa_type=Timestamp)
    checkout_handover: dict[str, str] | None = Field(default=None, sa_type=Json)
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    state: AttemptState = Field(sa_type=text_enum(AttemptState))
    failure_code: str | None = None
    problem: AttemptProblem | None = Field(default=None, sa_type=text_enum(AttemptProblem))
    ended_by: str | None = None
    ended_reason: str | None = None
    queries: int = 0
    sent_at: datetime = Field(sa_type=Timestamp)
    next_query_at: datetime = Field(sa_type=Timestamp)
    finished_at: datetime | None = Field(default=None, sa_type=Timestamp)


class Refund(Row, table=True):
    """Money given back out of one attempt, stored before the provider hears of it.

    Attributes:
        bill_id: The version of the bill that says the lower price.
        cause: What asked for it; the same cause refunds an attempt once.
        reason: What the payer reads.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("num_nonnulls(session_id, pass_id) = 1", name="one_subject"),
        Index("ix_refunds_attempt", "operator_id", "attempt_id"),
        Index("ix_refunds_session", "operator_id", "session_id"),
        Index("ix_refunds_pass", "operator_id", "pass_id", postgresql_where="pass_id IS NOT NULL"),
        Index(
            "ix_refunds_due",
            "next_query_at",
            postgresql_where="state IN ('sent', 'accepted', 'unknown')",
        ),
        Index(
            "ix_refunds_succeeded",
            "operator_id",
            "provider",
            "finished_at",
            postgresql_where="state = 'succeeded'",
        ),
        Index("ix_refunds_state", "operator_id", "state", "id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    bill_id: UUID
    attempt_id: UUID
    session_id: UUID | None = None
    pass_id: UUID | None = None
    driver_id: UUID | None = None
    provider: str
    charge_number: str
    number: str
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    state: RefundState = Field(sa_type=text_enum(RefundState))
    cause: str
    reason: str
    requested_by: str
    provider_reference: str | None = None
    failure_code: str | None = None
    queries: int = 0
    requested_at: datetime = Field(sa_type=Timestamp)
    next_query_at: datetime = Field(sa_type=Timestamp)
    finished_at: datetime | None = Field(default=None, sa_type=Timestamp)


class LedgerTransfer(Row, table=True):
    """Money moved from the credit account to the debit account.

    One row carries both sides, so that no half of an entry can exist. Rows are never changed: a
    trigger refuses it. The id derives from what caused the transfer, so that it happens once.

    Attributes:
        bill_id: What it is about; between partners, the settlement.
    """

    __tablename__ = "ledger_transfers"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("debit_account <> credit_account", name="accounts_differ"),
        CheckConstraint(
            f"debit_account ~ '{ACCOUNT_PATTERN}' AND credit_account ~ '{ACCOUNT_PATTERN}'",
            name="accounts_known",
        ),
        Index("ix_ledger_transfers_bill", "operator_id", "bill_id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    bill_id: UUID
    debit_account: str
    credit_account: str
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    cause: str
    posted_at: datetime = Field(sa_type=Timestamp)

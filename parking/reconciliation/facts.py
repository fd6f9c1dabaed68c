"""What is compared: a provider's rows, our books' entries, and cars that were let out.

Plain values without rows of any table: `flows.reconciliation` makes them from the features' rows.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.kit.ids import derive_id, floor_id
from parking.kit.money import Money
from parking.reconciliation.codes import Code


class Movement(StrEnum):
    """What moved money."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_RETURNED = "refund_returned"
    CHARGEBACK = "chargeback"
    CHARGEBACK_REVERSED = "chargeback_reversed"

    @property
    def is_chargeback(self) -> bool:
        """Whether the payer's bank moved it, under an id of its own and not under our number."""
        return self in {Movement.CHARGEBACK, Movement.CHARGEBACK_REVERSED}

    @property
    def is_undone(self) -> bool:
        """Whether it takes an earlier movement back: our books find it by the provider's row."""
        return self.is_chargeback or self is Movement.REFUND_RETURNED


@dataclass(frozen=True, slots=True)
class BusinessDay:
    """A day in the provider's time zone."""

    day: date
    timezone: str

    @property
    def starts_at(self) -> datetime:
        """Its first moment, in UTC."""
        return datetime.combine(self.day, time(), ZoneInfo(self.timezone)).astimezone(UTC)

    @property
    def ends_at(self) -> datetime:
        """The first moment after it, in UTC; a day of changing clocks has 23 or 25 hours."""
        return self.shifted(1).starts_at

    def shifted(self, days: int) -> "BusinessDay":
        """Return the day that many days later."""
        return BusinessDay(self.day + timedelta(days=days), self.timezone)

    def has(self, at: datetime) -> bool:
        """Whether the moment lies in it."""
        return self.day_of(at) == self.day

    def day_of(self, at: datetime) -> date:
        """Return the provider's day of a moment."""
        return at.astimezone(ZoneInfo(self.timezone)).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledRow:
    """One row of the provider's settlement file; see the payment port's `SettlementRow`."""

    movement: Movement
    number: str
    reference: str
    amount: Money
    fee_minor: int
    occurred_at: datetime

    @property
    def key(self) -> str:
        """What names the movement in our books too; empty where nothing does."""
        return self.reference if self.movement.is_chargeback else self.number

    def subject_id(self, provider: str, repetition: int = 0) -> UUID:
        """Return an id for a row that no entry of ours stands for; the same in every run."""
        purpose = f"{provider}|{self.movement}|{self.number}|{self.reference}|{repetition}"
        return derive_id(floor_id(self.occurred_at), purpose)


class Outcome(StrEnum):
    """Where a charge or a refund stands, in our books or when the provider is asked again."""

    UNSETTLED = "unsettled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Standing(StrEnum):
    """Whether a bill is paid.

    DUE: now, and nobody let the car out on credit. OWED: it may be paid after departure.
    """

    DUE = "due"
    PAID = "paid"
    OWED = "owed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillSide:
    """The bill that money was for.

    Attributes:
        paid_by: The payment that its books name.
        has_live_attempt: A payment of it is under way.
        was_captured: A payment of it succeeded, whatever became of the money later.
    """

    id: UUID
    standing: Standing
    total: Money
    paid_by: UUID | None = None
    has_live_attempt: bool = False
    was_captured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEntry:
    """One charge, refund or chargeback in our books.

    Attributes:
        key: The number that we gave it; the provider's id of a chargeback.
        subject_id: The attempt, the refund or the chargeback.
        started_at: When we first sent it.
        finished_at: When we learnt the outcome; None while there is none.
        posted: What the ledger has for it; None for nothing.
        bill: Of a charge.
        is_slow: The provider collects it within days, and has accepted it.
    """

    movement: Movement
    key: str
    operator_id: UUID
    subject_id: UUID
    amount: Money
    outcome: Outcome
    started_at: datetime
    finished_at: datetime | None = None
    posted: Money | None = None
    bill_id: UUID | None = None
    session_id: UUID | None = None
    bill: BillSide | None = None
    reference: str = ""
    is_slow: bool = False


class Opening(StrEnum):
    """On what a car was let out."""

    PAID = "paid"
    GUARANTEED = "guaranteed"
    CREDIT = "credit"
    ZERO_DUE = "zero_due"
    MANUAL = "manual"
    NO_ORDER = "no_order"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A car that an exit let out.

    Attributes:
        bills: Those of the stay that count.
    """

    operator_id: UUID
    presentation_id: UUID
    session_id: UUID
    came_at: datetime
    opening: Opening
    bills: tuple[BillSide, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidStay:
    """A stay that was paid, and what became of the car.

    Attributes:
        prepaid_until: Until when the payment lets it leave.
    """

    operator_id: UUID
    session_id: UUID
    bill_id: UUID
    amount: Money
    has_left: bool
    prepaid_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row that does not match, and how.

    Attributes:
        operator_id: None for money that no operator's books know.
        subject_id: What it is about; with the code it names the difference in every run.
        ours: What our books say; None where they say nothing.
        theirs: What the provider says.
        at: When it happened, as far as known.
    """

    code: Code
    operator_id: UUID | None
    subject_id: UUID
    at: datetime
    movement: Movement | None = None
    number: str = ""
    reference: str = ""
    ours: Money | None = None
    theirs: Money | None = None
    bill_id: UUID | None = None
    session_id: UUID | None = None

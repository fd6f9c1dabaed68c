"""The acquirer's JSON, and what it means in the port's words (docs/acquirer-wire.md, part 4)."""

from datetime import UTC
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from parking.kit.money import Money
from parking.payments.port import (
    AgreementState,
    AgreementStatus,
    ChargebackState,
    ChargeResult,
    OrderStatus,
    RefundResult,
    SettlementKind,
    SettlementRow,
)

SETTLEMENT_PAGE_MAX = 200
AmountMinor = Annotated[int, Field(gt=0, lt=2**53)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
FeeMinor = Annotated[int, Field(gt=-(2**53), lt=2**53)]
Count = Annotated[int, Field(ge=0, le=10**6)]
Cursor = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,64}$")]
Time = AwareDatetime
Text = Annotated[str, Field(min_length=1, max_length=200)]


class Answer(BaseModel):
    """A signed object of the wire."""

    # Fields that a later version of the wire adds are no reason to lose an answer.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class ErrorAnswer(Answer):
    """Why a call was not carried out."""

    code: Text


class AgreementAnswer(Answer):
    """An agreement as the platform keeps it."""

    reference: Text
    status: Literal["pending", "active", "cancelled", "expired"]
    payer_hint: Text | None = None
    signed_at: Time | None = None
    cancelled_at: Time | None = None

    def state(self) -> AgreementState:
        """Return it in the port's words."""
        return AgreementState(
            reference=self.reference,
            status=AgreementStatus(self.status),
            payer_hint=self.payer_hint,
            signed_at=self.signed_at,
            cancelled_at=self.cancelled_at,
        )


class AgreementStartedAnswer(AgreementAnswer):
    """An agreement with the page on which the payer confirms it."""

    number: Text
    confirmation_url: Annotated[str, Field(max_length=2000, pattern=r"^https?://")]
    expires_at: Time


class _MoneyAnswer(Answer):
    number: Text
    status: Literal["accepted", "succeeded", "failed"]
    failure_code: Text | None = None
    reference: Text | None = None
    amount_minor: AmountMinor | None = None
    currency: Currency | None = None

    @property
    def amount(self) -> Money | None:
        """The order's amount; `None` for a number that was closed before any order."""
        if self.amount_minor is None or self.currency is None:
            return None
        return Money(self.amount_minor, self.currency)

    def agrees(self, number: str, amount: Money) -> bool:
        """Whether this is about what we asked; only a failure may go without an amount."""
        if self.number != number:
            return False
        return self.amount == amount or (self.amount is None and self.status == "failed")


class OrderAnswer(_MoneyAnswer):
    """A charge or a checkout."""

    guaranteed: bool = False

    def result(self) -> ChargeResult:
        """Return it in the port's words."""
        return ChargeResult(
            number=self.number,
            status=OrderStatus(self.status),
            guaranteed=self.guaranteed and self.status != "failed",
            failure_code=self.failure_code,
            provider_reference=self.reference,
            amount=self.amount,
        )


class CheckoutAnswer(OrderAnswer):
    """A checkout with its payment page."""

    url: Annotated[str, Field(max_length=2000, pattern=r"^https?://")]
    expires_at: Time


class RefundAnswer(_MoneyAnswer):
    """A refund."""

    charge: Text

    def result(self) -> RefundResult:
        """Return it in the port's words."""
        return RefundResult(
            number=self.number,
            charge_number=self.charge,
            status=OrderStatus(self.status),
            failure_code=self.failure_code,
            provider_reference=self.reference,
            amount=self.amount,
        )


class ChargebackAnswer(Answer):
    """Money that the payer's bank took back."""

    reference: Text
    charge: Text
    status: Literal["opened", "won", "lost"]
    reason: Text
    amount_minor: AmountMinor
    currency: Currency

    def result(self) -> ChargebackState:
        """Return it in the port's words."""
        return ChargebackState(
            charge_number=self.charge,
            reference=self.reference,
            amount=Money(self.amount_minor, self.currency),
            reason=self.reason,
        )


class SettlementRowAnswer(Answer):
    """One movement of a closed day."""

    kind: Literal["charge", "refund", "chargeback", "chargeback_reversed"]
    number: Annotated[str, Field(max_length=200)]
    reference: Annotated[str, Field(max_length=200)]
    amount_minor: AmountMinor
    currency: Currency
    fee_minor: FeeMinor
    occurred_at: Time

    def row(self) -> SettlementRow:
        """Return it in the port's words."""
        return SettlementRow(
            kind=SettlementKind(self.kind),
            number=self.number,
            reference=self.reference,
            amount=Money(self.amount_minor, self.currency),
            fee_minor=self.fee_minor,
            occurred_at=self.occurred_at.astimezone(UTC),
        )


class SettlementAnswer(Answer):
    """A page of a closed day."""

    day: Annotated[str, Field(alias="date")]
    count: Count
    rows: Annotated[list[SettlementRowAnswer], Field(max_length=SETTLEMENT_PAGE_MAX)]
    next: Cursor | None = None

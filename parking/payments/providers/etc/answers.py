"""The acquirer's JSON, and what it means in the port's words (docs/etc-wire.md, part 4)."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from parking.kit.money import Money
from parking.payments.port import (
    AGREEMENT_INACTIVE,
    AgreementState,
    AgreementStatus,
    ChargeResult,
    OrderStatus,
    RefundResult,
)

AmountMinor = Annotated[int, Field(gt=0, lt=2**53)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Currency = Literal["CNY"]

_FAILURES = {"contract_inactive": AGREEMENT_INACTIVE, "exceeds_deduction": "exceeds_charge"}


class Answer(BaseModel):
    """A signed object of the wire."""

    # Fields that a later version of the wire adds are no reason to lose an answer.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class ErrorAnswer(Answer):
    """Why a call was not carried out."""

    code: Text


class ContractAnswer(Answer):
    """A contract for one unit in one car."""

    reference: Text
    status: Literal["pending", "active", "cancelled", "expired"]
    plate: Text
    obu: Text | None = None
    payer_hint: Text | None = None
    signed_at: AwareDatetime | None = None
    cancelled_at: AwareDatetime | None = None

    def state(self) -> AgreementState:
        """Return it in the port's words; the unit is the instrument."""
        return AgreementState(
            reference=self.reference,
            status=AgreementStatus(self.status),
            instrument=self.obu,
            payer_hint=self.payer_hint,
            signed_at=self.signed_at,
            cancelled_at=self.cancelled_at,
        )


class ContractStartedAnswer(ContractAnswer):
    """A contract with the page on which the payer confirms it."""

    number: Text
    confirmation_url: Annotated[str, Field(max_length=2000, pattern=r"^https?://")]
    expires_at: AwareDatetime


class _MoneyAnswer(Answer):
    number: Text
    status: Literal["accepted", "succeeded", "failed"]
    failure_code: Text | None = None
    trade_number: Text | None = None
    amount_minor: AmountMinor | None = None
    currency: Currency | None = None

    @property
    def amount(self) -> Money | None:
        """The amount; `None` for a number that was closed before any order."""
        if self.amount_minor is None or self.currency is None:
            return None
        return Money(self.amount_minor, self.currency)

    @property
    def reason(self) -> str | None:
        """The failure in the port's words, where it has one."""
        return _FAILURES.get(self.failure_code or "", self.failure_code)

    def agrees(self, number: str, amount: Money) -> bool:
        """Whether this is about what we asked; only a failure may go without an amount."""
        if self.number != number:
            return False
        return self.amount == amount or (self.amount is None and self.status == "failed")


class DeductionAnswer(_MoneyAnswer):
    """Money from the card in a unit."""

    guaranteed: bool = False

    def result(self) -> ChargeResult:
        """Return it in the port's words."""
        return ChargeResult(
            number=self.number,
            status=OrderStatus(self.status),
            guaranteed=self.guaranteed and self.status != "failed",
            failure_code=self.reason,
            provider_reference=self.trade_number,
            amount=self.amount,
        )


class CorrectionAnswer(_MoneyAnswer):
    """Money back to the card."""

    deduction: Text

    def result(self) -> RefundResult:
        """Return it in the port's words."""
        return RefundResult(
            number=self.number,
            charge_number=self.deduction,
            status=OrderStatus(self.status),
            failure_code=self.reason,
            provider_reference=self.trade_number,
            amount=self.amount,
        )

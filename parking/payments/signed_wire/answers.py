"""What both wires say as JSON, and what it means in the port's words (part 4 of their pages)."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from parking.kit.money import Money
from parking.payments.port import (
    AgreementState,
    AgreementStatus,
    ChargebackState,
    ChargeResult,
    OrderStatus,
    RefundResult,
)

AmountMinor = Annotated[int, Field(gt=0, lt=2**53)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Text = Annotated[str, Field(min_length=1, max_length=200)]
PageUrl = Annotated[str, Field(max_length=2000, pattern=r"^https?://")]


class Answer(BaseModel):
    """A signed object of the wire."""

    # Fields that a later version of a wire adds are no reason to lose an answer.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class ErrorAnswer(Answer):
    """Why a call was not carried out."""

    code: Text


class Subject(Answer):
    """What a notice can be about."""

    # Each has its own words for how it stands.
    status: Any

    @abstractmethod
    def result(self) -> AgreementState | ChargeResult | RefundResult | ChargebackState:
        """Return it in the port's words."""


class AgreementAnswer(Subject):
    """An agreement as the platform keeps it."""

    reference: Text
    status: Literal["pending", "active", "cancelled", "expired"]
    payer_hint: Text | None = None
    signed_at: AwareDatetime | None = None
    cancelled_at: AwareDatetime | None = None

    def is_for(self, plate: str | None) -> bool:
        """Whether it may be charged for this car; agreements of most wires name none."""
        del plate
        return True

    def result(self) -> AgreementState:
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
    confirmation_url: PageUrl
    expires_at: AwareDatetime


class MoneyAnswer(Subject):
    """What became of an order that moves money."""

    # What the wire says for a failure that the port has its own word for.
    failures: ClassVar[Mapping[str, str]] = {}

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

    @property
    def failure(self) -> str | None:
        """The failure in the port's words, where it has one."""
        return self.failures.get(self.failure_code or "", self.failure_code)

    def agrees(self, number: str, amount: Money) -> bool:
        """Whether this is about what we asked; only a failure may go without an amount."""
        if self.number != number:
            return False
        return self.amount == amount or (self.amount is None and self.status == "failed")


class OrderAnswer(MoneyAnswer):
    """A charge or a checkout."""

    guaranteed: bool = False

    def result(self) -> ChargeResult:
        """Return it in the port's words."""
        return ChargeResult(
            number=self.number,
            status=OrderStatus(self.status),
            guaranteed=self.guaranteed and self.status != "failed",
            failure_code=self.failure,
            provider_reference=self.reference,
            amount=self.amount,
        )


class RefundAnswer(MoneyAnswer):
    """A refund."""

    charge: Text

    def result(self) -> RefundResult:
        """Return it in the port's words."""
        return RefundResult(
            number=self.number,
            charge_number=self.charge,
            status=OrderStatus(self.status),
            failure_code=self.failure,
            provider_reference=self.reference,
            amount=self.amount,
        )

"""Stripe's objects, as far as we read them, and what they mean in the port's words."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from parking.kit.money import Money
from parking.payments.port import (
    ANSWER_MISMATCH,
    CLOSED,
    DECLINED,
    ChargeResult,
    OrderStatus,
    RefundResult,
    SentOrder,
)
from parking.payments.providers.stripe.amounts import from_stripe

Text = Annotated[str, Field(min_length=1, max_length=500)]
Url = Annotated[str, Field(max_length=5000, pattern=r"^https?://")]
Value = Annotated[int, Field(ge=0, lt=2**53)]
Currency = Annotated[str, Field(pattern=r"^[a-z]{3}$")]
Seconds = Annotated[int, Field(ge=0, lt=2**34)]
Metadata = dict[str, str]

NUMBER: Final = "sesame_number"
CHARGE_NUMBER: Final = "sesame_charge"
KIND: Final = "sesame_kind"
CHARGE_KIND: Final = "charge"
CHECKOUT_KIND: Final = "checkout"
CLOSED_KIND: Final = "closed"
# Our two reasons to cancel tell a decline from a close, also long afterwards.
ABANDONED: Final = "abandoned"
REQUESTED: Final = "requested_by_customer"


class Answer(BaseModel):
    """An object of Stripe's API."""

    # Fields that Stripe adds are no reason to lose an answer.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class PaymentError(Answer):
    """Why the last try of an intent failed."""

    code: Text | None = None
    decline_code: Text | None = None


class Intent(Answer):
    """A PaymentIntent."""

    id: Text
    object: Literal["payment_intent"]
    status: Text
    amount: Value
    currency: Currency
    livemode: bool
    amount_received: Value = 0
    metadata: Metadata = Field(default_factory=dict[str, str])
    cancellation_reason: Text | None = None
    last_payment_error: PaymentError | None = None

    @property
    def number(self) -> str:
        """Our number; empty for what is not ours."""
        return self.metadata.get(NUMBER, "")

    @property
    def kind(self) -> str:
        """What we made it for."""
        return self.metadata.get(KIND, "")

    @property
    def may_take_money(self) -> bool:
        """Whether somebody could still bring it to take the money."""
        return self.status not in {"succeeded", "canceled"}

    @property
    def waits_for_us(self) -> bool:
        """Whether it takes no money unless it is confirmed again."""
        return self.status.startswith("requires_") and self.status != "requires_capture"

    @property
    def money(self) -> Money | None:
        """The amount in our units."""
        return from_stripe(self.amount, self.currency)

    def result(self, number: str) -> ChargeResult:
        """Return it in the port's words; the caller has seen to it that it is the order's."""
        if self.kind == CLOSED_KIND and self.status == "canceled":
            return closed(number)
        status, code = OrderStatus.ACCEPTED, None
        if self.status == "succeeded":
            if self.amount_received != self.amount:
                return mismatch(number)
            status = OrderStatus.SUCCEEDED
        elif self.status == "canceled":
            status, code = OrderStatus.FAILED, self.failure_code()
        return ChargeResult(
            number=number,
            status=status,
            failure_code=code,
            provider_reference=self.id,
            amount=self.money,
        )

    def failure_code(self) -> str:
        """Return why it took no money."""
        if self.cancellation_reason not in {None, ABANDONED}:
            return CLOSED
        said = self.last_payment_error.code if self.last_payment_error else None
        return DECLINED if said in {None, "card_declined"} else said or DECLINED


class IntentPage(Answer):
    """A page of PaymentIntents, newest first."""

    data: list[Intent]
    has_more: bool


class Session(Answer):
    """A Checkout Session."""

    id: Text
    object: Literal["checkout.session"]
    mode: Text
    status: Literal["open", "complete", "expired"] | None
    payment_status: Text = "unpaid"
    livemode: bool
    expires_at: Seconds
    amount_total: Value | None = None
    currency: Currency | None = None
    customer: Text | None = None
    payment_intent: Text | None = None
    url: Url | None = None
    metadata: Metadata = Field(default_factory=dict[str, str])

    @property
    def number(self) -> str:
        """Our number; empty for what is not ours."""
        return self.metadata.get(NUMBER, "")

    @property
    def money(self) -> Money | None:
        """The amount in our units; None where it is about none."""
        if self.amount_total is None or self.currency is None:
            return None
        return from_stripe(self.amount_total, self.currency)

    def result(self, number: str) -> ChargeResult:
        """Return it in the port's words; the caller has seen to it that it is the order's."""
        status, code = OrderStatus.ACCEPTED, None
        if self.status == "complete" and self.payment_status == "paid":
            status = OrderStatus.SUCCEEDED
        elif self.status == "expired":
            status, code = OrderStatus.FAILED, CLOSED
        paid = status == OrderStatus.SUCCEEDED
        return ChargeResult(
            number=number,
            status=status,
            failure_code=code,
            provider_reference=self.payment_intent if paid else self.id,
            amount=self.money,
        )


class SessionPage(Answer):
    """A page of Checkout Sessions, newest first."""

    data: list[Session]
    has_more: bool


class Refund(Answer):
    """A refund.

    Attributes:
        failure_balance_transaction: That the money came back to us after it had left.
    """

    id: Text
    object: Literal["refund"]
    status: Text | None
    amount: Value
    currency: Currency
    payment_intent: Text | None = None
    failure_reason: Text | None = None
    failure_balance_transaction: Text | None = None
    metadata: Metadata = Field(default_factory=dict[str, str])

    @property
    def number(self) -> str:
        """Our number; empty for what is not ours."""
        return self.metadata.get(NUMBER, "")

    @property
    def charge_number(self) -> str:
        """Our number of the charge."""
        return self.metadata.get(CHARGE_NUMBER, "")

    @property
    def money(self) -> Money | None:
        """The amount in our units."""
        return from_stripe(self.amount, self.currency)

    def result(self) -> RefundResult:
        """Return it in the port's words."""
        status, code = OrderStatus.ACCEPTED, None
        if self.status == "succeeded":
            status = OrderStatus.SUCCEEDED
        elif self.status in {"failed", "canceled"}:
            status, code = OrderStatus.FAILED, self.failure_reason or self.status
        return RefundResult(
            number=self.number,
            charge_number=self.charge_number,
            status=status,
            failure_code=code,
            provider_reference=self.id,
            amount=self.money,
            came_back=self.failure_balance_transaction is not None,
        )


class RefundPage(Answer):
    """A page of refunds, newest first."""

    data: list[Refund]
    has_more: bool


class Customer(Answer):
    """The payer of one agreement."""

    id: Text
    object: Literal["customer"]


class Card(Answer):
    """What may be shown of a card."""

    last4: Text | None = None


class PaymentMethod(Answer):
    """A card; without a customer it can never be charged again."""

    id: Text
    object: Literal["payment_method"]
    customer: Text | None = None
    card: Card | None = None
    metadata: Metadata = Field(default_factory=dict[str, str])


class SetupIntent(Answer):
    """A payer's permission to charge a card while they are away."""

    id: Text
    object: Literal["setup_intent"]
    status: Text
    usage: Text
    livemode: bool
    created: Seconds
    customer: Text | None = None
    payment_method: PaymentMethod | Text | None = None
    metadata: Metadata = Field(default_factory=dict[str, str])

    @property
    def number(self) -> str:
        """Our number; empty for what is not ours."""
        return self.metadata.get(NUMBER, "")


class SetupIntentPage(Answer):
    """A page of SetupIntents, newest first."""

    data: list[SetupIntent]
    has_more: bool


class Dispute(Answer):
    """A payment that the payer's bank takes back."""

    id: Text
    object: Literal["dispute"]
    status: Text
    amount: Value
    currency: Currency
    reason: Text
    charge: Text
    livemode: bool
    payment_intent: Text | None = None


def agrees(found: Intent | Session, order: SentOrder, *, livemode: bool) -> bool:
    """Whether this is about what we asked."""
    return (
        found.number == order.number and found.money == order.amount and found.livemode == livemode
    )


def closed(number: str) -> ChargeResult:
    """Return that the number took no money and never will."""
    return ChargeResult(number=number, status=OrderStatus.FAILED, failure_code=CLOSED)


def unknown(number: str, code: str) -> ChargeResult:
    """Return that nothing is known."""
    return ChargeResult(number=number, status=OrderStatus.UNKNOWN, failure_code=code)


def mismatch(number: str) -> ChargeResult:
    """Return that the answer is about something else."""
    return unknown(number, ANSWER_MISMATCH)

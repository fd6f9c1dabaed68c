"""GoCardless' objects, and what they mean in the port's words."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from parking.kit.money import Money
from parking.payments.port import (
    CLOSED,
    DECLINED,
    AgreementStatus,
    ChargeResult,
    OrderStatus,
    RefundResult,
)
from parking.payments.providers.gocardless.transport import Answer

NUMBER = "number"
AMOUNT = "amount_minor"
CURRENCY = "currency"
CHARGE = "charge"

Id = Annotated[str, Field(min_length=2, max_length=64, pattern=r"^[0-9A-Za-z_]+$")]
AmountMinor = Annotated[int, Field(gt=0, lt=2**53)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Metadata = Annotated[dict[str, str], Field(default_factory=dict[str, str])]

# A payment can be made under a mandate from the moment that the payer gave it.
_MANDATES = {
    "pending_customer_approval": AgreementStatus.PENDING,
    "pending_submission": AgreementStatus.ACTIVE,
    "submitted": AgreementStatus.ACTIVE,
    "active": AgreementStatus.ACTIVE,
    "suspended_by_payer": AgreementStatus.ACTIVE,
    "failed": AgreementStatus.CANCELLED,
    "cancelled": AgreementStatus.CANCELLED,
    "consumed": AgreementStatus.CANCELLED,
    "blocked": AgreementStatus.CANCELLED,
    "expired": AgreementStatus.EXPIRED,
}
# Nothing is sure before `confirmed`; what is taken back later is a chargeback, not a failure.
_PAYMENTS = {
    "pending_customer_approval": (OrderStatus.ACCEPTED, None),
    "pending_submission": (OrderStatus.ACCEPTED, None),
    "submitted": (OrderStatus.ACCEPTED, None),
    "confirmed": (OrderStatus.SUCCEEDED, None),
    "paid_out": (OrderStatus.SUCCEEDED, None),
    "charged_back": (OrderStatus.SUCCEEDED, None),
    "failed": (OrderStatus.FAILED, DECLINED),
    "cancelled": (OrderStatus.FAILED, CLOSED),
    "customer_approval_denied": (OrderStatus.FAILED, DECLINED),
}
_REFUNDS = {
    "created": (OrderStatus.ACCEPTED, None),
    "pending_submission": (OrderStatus.ACCEPTED, None),
    "submitted": (OrderStatus.ACCEPTED, None),
    "paid": (OrderStatus.SUCCEEDED, None),
    "cancelled": (OrderStatus.FAILED, CLOSED),
    "bounced": (OrderStatus.FAILED, "bounced"),
    "funds_returned": (OrderStatus.FAILED, "funds_returned"),
}
# Also of one that had been paid: the payer's bank did not take it.
_RETURNED = frozenset({"bounced", "funds_returned"})


class Links(Answer):
    """Which other objects an object belongs to."""

    mandate: Id | None = None
    payment: Id | None = None
    refund: Id | None = None
    billing_request: Id | None = None
    mandate_request_mandate: Id | None = None
    customer_bank_account: Id | None = None


class MandateRequest(Answer):
    """What a billing request asks the payer for."""

    description: str | None = None
    currency: Currency | None = None


class BillingRequest(Answer):
    """A wish for a mandate, which the payer fulfils on a page."""

    id: Id
    status: Literal["pending", "ready_to_fulfil", "fulfilling", "fulfilled", "cancelled"]
    metadata: Metadata
    mandate_request: MandateRequest | None = None
    links: Links = Links()


class BillingRequestFlow(Answer):
    """The page of a billing request."""

    id: Id
    authorisation_url: Annotated[str, Field(max_length=2000, pattern=r"^https?://")]
    expires_at: AwareDatetime


class Mandate(Answer):
    """A payer's permission to debit its account."""

    id: Id
    status: str
    created_at: AwareDatetime
    metadata: Metadata
    links: Links = Links()

    @property
    def agreement_status(self) -> AgreementStatus:
        """Return where it stands, in the port's words."""
        return _MANDATES.get(self.status, AgreementStatus.UNKNOWN)


class BankAccount(Answer):
    """What may be shown of the payer's account."""

    account_number_ending: Annotated[str, Field(max_length=8)]
    bank_name: Annotated[str, Field(max_length=200)] | None = None


class Payment(Answer):
    """A debit."""

    id: Id
    status: str
    amount: AmountMinor
    currency: Currency
    amount_refunded: Annotated[int, Field(ge=0)] = 0
    created_at: AwareDatetime
    metadata: Metadata
    links: Links = Links()

    @property
    def money(self) -> Money:
        """Return what it takes."""
        return Money(self.amount, self.currency)

    def agrees(self, number: str, amount: Money) -> bool:
        """Whether this is about what we asked."""
        return self.metadata.get(NUMBER) == number and self.money == amount

    def result(self) -> ChargeResult:
        """Return it in the port's words; a status of a later version is unknown."""
        status, failure_code = _PAYMENTS.get(self.status, (OrderStatus.UNKNOWN, "status_unknown"))
        return ChargeResult(
            number=self.metadata[NUMBER],
            status=status,
            failure_code=failure_code,
            provider_reference=self.id,
            amount=self.money,
        )


class Refund(Answer):
    """Money on its way back."""

    id: Id
    status: str
    amount: AmountMinor
    currency: Currency
    metadata: Metadata
    links: Links = Links()

    @property
    def money(self) -> Money:
        """Return what it gives back."""
        return Money(self.amount, self.currency)

    def result(self, number: str, charge_number: str) -> RefundResult:
        """Return it in the port's words."""
        status, failure_code = _REFUNDS.get(self.status, (OrderStatus.UNKNOWN, "status_unknown"))
        return RefundResult(
            number=number,
            charge_number=charge_number,
            status=status,
            failure_code=failure_code,
            provider_reference=self.id,
            amount=self.money,
            came_back=self.status in _RETURNED,
        )


class Cursors(Answer):
    """Where the next page of a list begins."""

    after: str | None = None


class Meta(Answer):
    """What a list says of itself."""

    cursors: Cursors = Cursors()


class BillingRequestAnswer(Answer):
    """`{"billing_requests": ...}`."""

    billing_requests: BillingRequest


class BillingRequestFlowAnswer(Answer):
    """`{"billing_request_flows": ...}`."""

    billing_request_flows: BillingRequestFlow


class MandateAnswer(Answer):
    """`{"mandates": ...}`."""

    mandates: Mandate


class BankAccountAnswer(Answer):
    """`{"customer_bank_accounts": ...}`."""

    customer_bank_accounts: BankAccount


class PaymentAnswer(Answer):
    """`{"payments": ...}`."""

    payments: Payment


class PaymentsAnswer(Answer):
    """A page of payments."""

    payments: list[Payment]
    meta: Meta = Meta()


class RefundAnswer(Answer):
    """`{"refunds": ...}`."""

    refunds: Refund


class RefundsAnswer(Answer):
    """A page of refunds."""

    refunds: list[Refund]
    meta: Meta = Meta()

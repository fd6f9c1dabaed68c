"""What the domain asks of a payment provider, whichever it is.

Three rules hold for every adapter:

- A call that moves money never raises for the network's sake: a lost, late, unsigned or wrong
  answer is status `UNKNOWN`, and only `query` or the same number again may resolve it.
- A number belongs to one order for ever. Sending it again with the same parameters returns that
  order and moves nothing; with other parameters it is refused and the first order stands.
- `SUCCEEDED` and `FAILED` are definitive. Only after `FAILED` may a new number be used.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from parking.kit.errors import InvalidInputError, ParkingError, UnavailableError
from parking.kit.money import Money

NUMBER_LENGTH_MAX = 32
DESCRIPTION_LENGTH_MAX = 120
DEADLINE_S_MAX = 30.0

# Failure codes that every adapter translates its provider's words to; others pass as they come.
CLOSED = "closed"
DECLINED = "declined"
AGREEMENT_INACTIVE = "agreement_inactive"
NUMBER_CONFLICT = "number_conflict"
# Why an outcome is unknown.
NO_ANSWER = "no_answer"
UNTRUSTED_ANSWER = "untrusted_answer"
ANSWER_MISMATCH = "answer_mismatch"

_NUMBER = re.compile(rf"[0-9A-Za-z]{{1,{NUMBER_LENGTH_MAX}}}")


class OrderStatus(StrEnum):
    """Where a charge, a checkout or a refund stands at the provider."""

    ACCEPTED = "accepted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_FOUND = "not_found"

    @property
    def definitive(self) -> bool:
        """Whether the provider will never say anything else."""
        return self in {OrderStatus.SUCCEEDED, OrderStatus.FAILED}


class AgreementStatus(StrEnum):
    """Where a password-free agreement stands at the provider."""

    PENDING = "pending"
    ACTIVE = "active"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    NOT_FOUND = "not_found"


class NoticeKind(StrEnum):
    """What a provider tells on its own account."""

    AGREEMENT_SIGNED = "agreement.signed"
    AGREEMENT_CANCELLED = "agreement.cancelled"
    CHARGE_SUCCEEDED = "charge.succeeded"
    CHARGE_FAILED = "charge.failed"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"


class ProviderUnavailableError(UnavailableError):
    """A page could not be obtained; asking again with the same number is safe."""

    code = "PAYMENT_PROVIDER_UNAVAILABLE"


class ProviderRefusedError(ParkingError):
    """The provider understood the call and said no; asking again changes nothing.

    Attributes:
        failure_code: The provider's reason, such as `NUMBER_CONFLICT`.
    """

    code = "PAYMENT_PROVIDER_REFUSED"

    def __init__(self, failure_code: str) -> None:
        super().__init__(f"the provider refused: {failure_code}")
        self.failure_code = failure_code


class NoticeRefusedError(ParkingError):
    """A notice is forged, stale, malformed or not for us; nothing may follow from it.

    Attributes:
        reason: One of `signature`, `key`, `timestamp`, `header`, `body`.
    """

    code = "PAYMENT_NOTICE_REFUSED"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the notice was refused: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRequest:
    """A driver's wish to let us charge without a password.

    Attributes:
        number: Ours, see `order_number`.
        description: What the payer reads on the provider's confirmation page.
        return_url: Where the provider sends the payer's browser afterwards. Coming back proves
            nothing: only `query_agreement` or a notice does.
    """

    number: str
    description: str
    return_url: str

    def __post_init__(self) -> None:
        _require_number("number", self.number)
        _require_description(self.description)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementStarted:
    """An agreement that waits for the payer's confirmation on the provider's own page.

    Attributes:
        reference: The provider's name for the agreement; every later call uses it.
        expires_at: When the page stops working, aware, UTC.
    """

    reference: str
    confirmation_url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementState:
    """What the provider says about an agreement.

    Attributes:
        payer_hint: What may be shown to the driver, such as `•••• 4242`; never an account number.
        signed_at: Aware, UTC; `None` until the payer confirmed.
        cancelled_at: Aware, UTC; `None` while it is not cancelled.
    """

    reference: str
    status: AgreementStatus
    payer_hint: str | None = None
    signed_at: datetime | None = None
    cancelled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeOrder:
    """One password-free charge.

    Attributes:
        number: Ours; persisted before the call, see `order_number`.
        description: What the payer reads on the statement.
        deadline_s: How long we wait for the answer. It is not one of the order's parameters: the
            provider may still take the money after we stopped waiting.
    """

    number: str
    agreement_reference: str
    amount: Money
    description: str
    deadline_s: float

    def __post_init__(self) -> None:
        _require_number("number", self.number)
        _require_positive(self.amount)
        _require_description(self.description)
        if not 0 < self.deadline_s <= DEADLINE_S_MAX:
            raise InvalidInputError("deadline_s", f"more than 0, at most {DEADLINE_S_MAX:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutOrder:
    """One bill to be paid by hand on the provider's page; shares the numbers of charges."""

    number: str
    amount: Money
    description: str
    return_url: str

    def __post_init__(self) -> None:
        _require_number("number", self.number)
        _require_positive(self.amount)
        _require_description(self.description)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The provider's payment page.

    Attributes:
        expires_at: When the page stops taking money, aware, UTC. An unpaid order is then `FAILED`.
    """

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeResult:
    """What is known of a charge or a checkout.

    Attributes:
        guaranteed: With `ACCEPTED`: the provider answers for the money, so a gate may open.
        failure_code: Why it failed, or why it is unknown; `None` otherwise.
        provider_reference: The provider's transaction id, for the statement and support.
        amount: What the provider says; always what we asked for, or else status is `UNKNOWN`.
            `None` where there is no answer, or where `close` came before any order.
    """

    number: str
    status: OrderStatus
    guaranteed: bool = False
    failure_code: str | None = None
    provider_reference: str | None = None
    amount: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Money back from one succeeded charge or checkout, in part or whole.

    Attributes:
        number: Ours; refunds have numbers of their own.
        charge_number: The order to refund.
        reason: What the payer reads.
    """

    number: str
    charge_number: str
    amount: Money
    reason: str

    def __post_init__(self) -> None:
        _require_number("number", self.number)
        _require_number("charge_number", self.charge_number)
        _require_positive(self.amount)
        _require_description(self.reason, field="reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundResult:
    """What is known of a refund; the fields read as in `ChargeResult`."""

    number: str
    charge_number: str
    status: OrderStatus
    failure_code: str | None = None
    provider_reference: str | None = None
    amount: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A verified message from the provider.

    The amount in it is what the provider says: compare it with the attempt's before you post.

    Attributes:
        notice_id: The same in every repetition; the caller remembers it and acts once.
        occurred_at: Aware, UTC. Notices may arrive in any order.
    """

    notice_id: str
    kind: NoticeKind
    occurred_at: datetime
    result: AgreementState | ChargeResult | RefundResult


class PaymentProvider(Protocol):
    """One provider; safe to share between tasks.

    No method may be called while a database transaction is open.
    """

    @property
    def name(self) -> str:
        """The adapter's name, as attempts and mandates store it."""
        ...

    async def start_agreement(self, request: AgreementRequest) -> AgreementStarted:
        """Open an agreement that the payer confirms on the provider's page; idempotent by number.

        Raises:
            ProviderUnavailableError: no trustworthy answer came.
            ProviderRefusedError: the provider said no.
        """
        ...

    async def query_agreement(self, reference: str) -> AgreementState:
        """Return where the agreement stands; `UNKNOWN` where no trustworthy answer came."""
        ...

    async def cancel_agreement(self, reference: str) -> AgreementState:
        """End the agreement; idempotent. `UNKNOWN` means: ask again."""
        ...

    async def charge(self, order: ChargeOrder) -> ChargeResult:
        """Take the money under an active agreement; idempotent by number."""
        ...

    async def start_checkout(self, order: CheckoutOrder) -> Checkout:
        """Open a payment page; idempotent by number.

        Raises:
            ProviderUnavailableError: no trustworthy answer came; the page may exist.
            ProviderRefusedError: the provider said no.
        """
        ...

    async def query(self, number: str, amount: Money) -> ChargeResult:
        """Return where the charge or checkout stands.

        Args:
            number: The order's.
            amount: What we asked for. An answer about another amount is `UNKNOWN`.
        """
        ...

    async def close(self, number: str, amount: Money) -> ChargeResult:
        """Make sure that the order takes no money any more.

        Returns `FAILED` with `CLOSED` where no money was taken, also for a number that the
        provider has never seen (a late delivery of it will then fail), and `SUCCEEDED` where the
        money was taken before. Idempotent.

        Args:
            number: The order's.
            amount: What we asked for, as in `query`.
        """
        ...

    async def refund(self, order: RefundOrder) -> RefundResult:
        """Give money back; all refunds of a charge never exceed it. Idempotent by number."""
        ...

    async def query_refund(self, order: RefundOrder) -> RefundResult:
        """Return where the refund stands, moving nothing."""
        ...

    def verify_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Return what the provider says, after its signature and its time were checked.

        A byte-for-byte repetition within the time window verifies again: `notice_id` is what
        stops it.

        Args:
            headers: As received; names are compared without case.
            body: As received, before any decoding.

        Raises:
            NoticeRefusedError: do nothing, and answer 401.
        """
        ...

    async def aclose(self) -> None:
        """Give back the connections."""
        ...


def order_number(order_id: UUID) -> str:
    """Return the number under which a provider knows the order: the id's 32 hex digits."""
    return order_id.hex


def _require_number(field: str, number: str) -> None:
    if not _NUMBER.fullmatch(number):
        raise InvalidInputError(field, f"1 to {NUMBER_LENGTH_MAX} characters out of 0-9A-Za-z")


def _require_positive(amount: Money) -> None:
    if amount.amount_minor <= 0:
        raise InvalidInputError("amount", "more than nothing")


def _require_description(text: str, *, field: str = "description") -> None:
    if not 0 < len(text) <= DESCRIPTION_LENGTH_MAX:
        raise InvalidInputError(field, f"1 to {DESCRIPTION_LENGTH_MAX} characters")

"""Charges, checkouts and refunds: what is asked, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments.port.numbers import (
    DEADLINE_S_MAX,
    require_description,
    require_number,
    require_positive,
)
from parking.payments.port.traits import PayerDevice

# Failure codes that every adapter translates its provider's words to; others pass as they come.
CLOSED = "closed"

DECLINED = "declined"

AGREEMENT_INACTIVE = "agreement_inactive"

NUMBER_CONFLICT = "number_conflict"

# Why an outcome is unknown.
NO_ANSWER = "no_answer"

UNTRUSTED_ANSWER = "untrusted_answer"

ANSWER_MISMATCH = "answer_mismatch"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StayDetails:
    """What some providers want to know of the stay that is paid for.

    Attributes:
        number: Ours, see `order_number`.
        plate: In clear: only for providers with `needs_plate` or `needs_antenna`.
        entered_at: Aware, UTC.
        left_at: Until when it is priced, or when the car left; aware, UTC. None while it is inside.
        antenna: Of the lane that the car stands in, where it has one.
        reference: The provider's own of the stay, as `announce_stay` gave it; None where it was
            not told of it, or has charged it before.
    """

    number: str
    plate: str
    place_id: UUID
    place_name: str
    entered_at: datetime
    left_at: datetime | None = None
    antenna: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeOrder:
    """One password-free charge.

    Attributes:
        number: Ours; persisted before the call, see `order_number`.
        instrument: As the agreement's state gave it when the payer confirmed.
        stay: Where the provider's traits ask for the plate or the antenna.
        description: What the payer reads on the statement.
        deadline_s: How long we wait for the answer. It is not one of the order's parameters: the
            provider may still take the money after we stopped waiting.
        sent_at: When it was first sent, aware, UTC; None: now. Nor is it a parameter: providers
            forget numbers after a time, and then look before they send again.
    """

    number: str
    agreement_reference: str
    amount: Money
    description: str
    deadline_s: float
    instrument: str | None = None
    stay: StayDetails | None = None
    sent_at: datetime | None = None

    def __post_init__(self) -> None:
        require_number("number", self.number)
        require_positive(self.amount)
        require_description(self.description)
        if not 0 < self.deadline_s <= DEADLINE_S_MAX:
            raise InvalidInputError("deadline_s", f"more than 0, at most {DEADLINE_S_MAX:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutOrder:
    """One bill to be paid by hand on the provider's page; shares the numbers of charges.

    Attributes:
        sent_at: As in `ChargeOrder`; the page's end follows from it.
        device: What it is paid on: SCREEN, or one of `ProviderTraits.devices`.
        payer_id: With APP: who pays, as `PayerFinder.find_payer` gave it.
        payer_address: With PHONE: the IP address of the phone.
    """

    number: str
    amount: Money
    description: str
    return_url: str
    sent_at: datetime | None = None
    device: PayerDevice = PayerDevice.SCREEN
    payer_id: str | None = None
    payer_address: str | None = None

    def __post_init__(self) -> None:
        require_number("number", self.number)
        require_positive(self.amount)
        require_description(self.description)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentOrder:
    """A charge or a checkout that the provider may know: what to find it by.

    Attributes:
        amount: What we asked for. An answer about another amount is `UNKNOWN`.
        sent_at: When it was first sent, aware, UTC.
        reference: The provider's own transaction id, where an earlier answer gave it.
        instrument: As in the charge.
    """

    number: str
    amount: Money
    is_checkout: bool
    sent_at: datetime
    reference: str | None = None
    instrument: str | None = None

    def __post_init__(self) -> None:
        require_number("number", self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The provider's payment page.

    Attributes:
        expires_at: When the page stops taking money, aware, UTC. An unpaid order is then `FAILED`.
        reference: The provider's own id of the page, where it has one: `SentOrder.reference`.
        url_until: When `url` leads nowhere any more, where that is before the page's end.
        handover: Where `url` is `return_url`: what that page hands over to the provider's app.
    """

    url: str
    expires_at: datetime
    reference: str | None = None
    url_until: datetime | None = None
    handover: Mapping[str, str] | None = None


class Advance(StrEnum):
    """Whether the payer has given an advancing provider its money back; ours is safe."""

    OUTSTANDING = "outstanding"
    REPAID = "repaid"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeResult:
    """What is known of a charge or a checkout.

    Attributes:
        guaranteed: With `ACCEPTED`: the provider answers for the money, so a gate may open.
        failure_code: Why it failed, or why it is unknown; `None` otherwise.
        provider_reference: The provider's transaction id, for the statement and support.
        amount: What the provider says; always what we asked for, or else status is `UNKNOWN`.
            `None` where there is no answer, or where `close` came before any order.
        advance: Whether the provider paid us from its own money, and then whether the payer has
            repaid it; `None` where it was the payer's money from the start.
    """

    number: str
    status: OrderStatus
    guaranteed: bool = False
    failure_code: str | None = None
    provider_reference: str | None = None
    amount: Money | None = None
    advance: Advance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Money back from one succeeded charge or checkout, in part or whole.

    Attributes:
        number: Ours; refunds have numbers of their own.
        charge: The order to refund, as it was sent.
        reason: What the payer reads.
        reference: The provider's own id of the refund, where an earlier answer gave it.
    """

    number: str
    charge: SentOrder
    amount: Money
    reason: str
    reference: str | None = None

    def __post_init__(self) -> None:
        require_number("number", self.number)
        require_positive(self.amount)
        require_description(self.reason, field="reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundResult:
    """What is known of a refund; the fields read as in `ChargeResult`.

    Attributes:
        came_back: With `FAILED`: the provider has given the amount back to us, so that a refund
            that had succeeded before did not reach the payer after all.
    """

    number: str
    charge_number: str
    status: OrderStatus
    failure_code: str | None = None
    provider_reference: str | None = None
    amount: Money | None = None
    came_back: bool = False

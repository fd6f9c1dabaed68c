"""What a provider tells on its own account, and what it wants to hear back."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from parking.kit.errors import ParkingError
from parking.kit.money import Money
from parking.payments.port.agreements import AgreementState
from parking.payments.port.orders import ChargeResult, RefundResult


class NoticeKind(StrEnum):
    """What a provider tells on its own account."""

    AGREEMENT_SIGNED = "agreement.signed"
    AGREEMENT_CANCELLED = "agreement.cancelled"
    CHARGE_SUCCEEDED = "charge.succeeded"
    CHARGE_FAILED = "charge.failed"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"
    PAYER_REPAID = "payer.repaid"
    CHARGEBACK_OPENED = "chargeback.opened"
    CHARGEBACK_WON = "chargeback.won"
    CHARGEBACK_LOST = "chargeback.lost"


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
class ChargebackState:
    """A charge that the payer's bank took back, or tries to.

    Attributes:
        charge_number: Our number of the order; None where the provider names its own id only.
        charge_reference: The order's `ChargeResult.provider_reference`.
        reference: The provider's id of the chargeback, the same in all notices about it.
        amount: What was taken back.
        reason: The provider's word for why.
    """

    charge_number: str | None
    reference: str
    amount: Money
    reason: str
    charge_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A verified message from the provider.

    The amount in it is what the provider says: compare it with the attempt's before you post.
    A provider that tells only that something happened gives a result with status `UNKNOWN`, and
    the caller asks.

    Attributes:
        notice_id: The same in every repetition; the caller remembers it and acts once.
        occurred_at: Aware, UTC. Notices may arrive in any order.
    """

    notice_id: str
    kind: NoticeKind
    occurred_at: datetime
    result: AgreementState | ChargeResult | RefundResult | ChargebackState


class NoticeOutcome(StrEnum):
    """What became of a notice."""

    TAKEN = "taken"
    """It was acted on, now or before."""

    REFUSED = "refused"
    """It is forged, stale or malformed; see `NoticeRefusedError`."""

    BUSY = "busy"
    """We cannot store it now; it must come again."""

    IMPOSSIBLE = "impossible"
    """It is genuine and cannot be true of our order: repeating it cannot help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeReply:
    """The HTTP answer that a provider expects to its notice."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"

"""Password-free agreements at a provider."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from parking.payments.port.numbers import require_description, require_number


class AgreementStatus(StrEnum):
    """Where a password-free agreement stands at the provider."""

    PENDING = "pending"
    ACTIVE = "active"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRequest:
    """A driver's wish to let us charge without a password.

    Attributes:
        number: Ours, see `order_number`.
        description: What the payer reads on the provider's confirmation page.
        return_url: Where the provider sends the payer's browser afterwards. Coming back proves
            nothing: only `query_agreement` or a notice does.
        payer_id: Who the payer is to the provider, where `ProviderTraits.needs_payer`.
        plate: Where `ProviderTraits.needs_plate`.
    """

    number: str
    description: str
    return_url: str
    payer_id: str | None = None
    plate: str | None = None

    def __post_init__(self) -> None:
        require_number("number", self.number)
        require_description(self.description)


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
        instrument: What charges name besides `reference`, once the payer confirmed, where the
            provider has such a thing: its contract, its customer and card.
        payer_hint: What may be shown to the driver, such as `•••• 4242`; never an account number.
        signed_at: Aware, UTC; `None` until the payer confirmed.
        cancelled_at: Aware, UTC; `None` while it is not cancelled.
        also_known_as: Another name that the provider's notices may use for it once it is signed.
    """

    reference: str
    status: AgreementStatus
    instrument: str | None = None
    payer_hint: str | None = None
    signed_at: datetime | None = None
    cancelled_at: datetime | None = None
    also_known_as: str | None = None

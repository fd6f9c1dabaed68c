"""A provider's books of a day."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from parking.kit.errors import UnavailableError
from parking.kit.money import Money


class SettlementNotReadyError(UnavailableError):
    """The provider has not closed that day's books yet; ask later."""

    code = "SETTLEMENT_NOT_READY"


class SettlementKind(StrEnum):
    """What a row of a settlement file is about."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_RETURNED = "refund_returned"
    """A refund did not reach the payer: its amount is ours again."""
    CHARGEBACK = "chargeback"
    CHARGEBACK_REVERSED = "chargeback_reversed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementRow:
    """One movement in the provider's books.

    Attributes:
        number: Our number of the charge or the refund; empty where the provider has none.
        reference: The provider's id of the movement.
        amount: Always positive; `kind` gives the direction.
        fee_minor: What the provider keeps of it, in the amount's currency.
        occurred_at: Aware, UTC.
    """

    kind: SettlementKind
    number: str
    reference: str
    amount: Money
    fee_minor: int
    occurred_at: datetime

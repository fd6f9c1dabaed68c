"""What a lane's transaction leaves to do: a decision, or a provider to call first."""

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from parking.flows.lane_types import Action, Decision, DisplayText, OpenCommand
from parking.flows.payments.settlement import AttemptRows
from parking.flows.release import OPEN_TTL_MS
from parking.kit.columns import Row
from parking.lanes.models import GateCommand
from parking.payments.models import PaymentAttempt
from parking.payments.port import ChargeOrder


class Errand(Enum):
    """What to do about a stored attempt at its provider."""

    ASK = "ask"
    """Find out how it ended: whoever sent it is gone."""

    CLOSE = "close"
    """End an open payment page, because the amount or the way to pay is another one now."""


@dataclass(frozen=True, slots=True)
class NewCharge:
    """Take the money for an attempt that was just stored: the provider has not heard of it.

    Attributes:
        order: Made in the transaction that stored the attempt, which spares others before the call.
        rows: What else the attempt's outcome will change.
        attempt: As it was stored; a settlement that followed it up has changed it.
        seen: The rows that it belongs to, as that transaction left them.
    """

    operator_id: UUID
    attempt_id: UUID
    provider: str
    order: ChargeOrder
    rows: AttemptRows
    attempt: PaymentAttempt
    seen: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """See to this stored attempt at its provider, then look again."""

    operator_id: UUID
    attempt_id: UUID
    errand: Errand


Step = Decision | NewCharge | ProviderCall


def opened(command: GateCommand | None, reason: str, display: DisplayText) -> Decision:
    """Return the decision to open; WAIT where the order could not be given any more."""
    if command is None:
        return Decision(Action.WAIT, "car_gone", None, display)
    order = OpenCommand(command.id, command.presentation_id, command.issued_at, OPEN_TTL_MS)
    return Decision(Action.OPEN, reason, order, display)

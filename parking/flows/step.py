"""What a lane's transaction leaves to do: a decision, or a provider to ask first."""

from dataclasses import dataclass
from uuid import UUID

from parking.flows.lane_types import Action, Decision, DisplayText, OpenCommand
from parking.flows.release import OPEN_TTL_MS
from parking.lanes.models import GateCommand


@dataclass(frozen=True, slots=True)
class Charge:
    """Send this stored attempt to its provider, then look again.

    Attributes:
        is_new: Whether the provider cannot have heard of it: charge. Otherwise query first.
    """

    operator_id: UUID
    attempt_id: UUID
    is_new: bool


Step = Decision | Charge


def opened(command: GateCommand | None, reason: str, display: DisplayText) -> Decision:
    """Return the decision to open; WAIT where the order could not be given any more."""
    if command is None:
        return Decision(Action.WAIT, "car_gone", None, display)
    order = OpenCommand(command.id, command.presentation_id, command.issued_at, OPEN_TTL_MS)
    return Decision(Action.OPEN, reason, order, display)

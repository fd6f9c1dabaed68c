"""The port to the machine: a barrier with its loops."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from gate_bridge.wire.actions import BarrierEventKind


class ArmPosition(StrEnum):
    """Where the arm is, as far as the machine can tell."""

    DOWN = "down"
    MOVING = "moving"
    UP = "up"
    UNKNOWN = "unknown"


class LoopChange(StrEnum):
    """What the entry loop reports."""

    OCCUPIED = "loop_occupied"
    CLEARED = "loop_cleared"


@dataclass(frozen=True, slots=True)
class Feedback:
    """One signal from the machine."""

    kind: BarrierEventKind | LoopChange
    operator: str | None = None
    reason: str | None = None


class BarrierPort(Protocol):
    """What the agent needs of a barrier."""

    async def pulse(self, command_id: UUID) -> None:
        """Pulse the opening relay once.

        Raises:
            BarrierError: the relay did not take it.
        """
        ...

    def position(self) -> ArmPosition:
        """Return where the arm is now."""
        ...

    def loop_occupied(self) -> bool:
        """Return whether a car stands on the entry loop now."""
        ...

    async def next_feedback(self) -> Feedback:
        """Wait for the next signal."""
        ...

"""The port to the machine: a barrier with its loops."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from gate_bridge.wire.actions import BarrierEventKind

# The cause of what follows from an opening that an agent before this one began. It is not the
# newest: by the time that such a signal is taken, the next car may have been let in.
BEFORE: Final = UUID(int=0)


class ArmPosition(StrEnum):
    """Where the arm is, as far as the machine can tell."""

    DOWN = "down"
    MOVING = "moving"
    UP = "up"
    UNKNOWN = "unknown"


class LoopChange(StrEnum):
    """What the entry loop reports.

    Attributes:
        OCCUPIED: A car came.
        CLEARED: It left, or nobody knows any more whether it stands there.
        UNWATCHED: Nobody watched for a while, and the arm may be up for the car that stood there.
    """

    OCCUPIED = "loop_occupied"
    CLEARED = "loop_cleared"
    UNWATCHED = "loop_unwatched"


@dataclass(frozen=True, slots=True)
class Feedback:
    """One signal from the machine.

    Attributes:
        cause: The order that the signal follows from, or an id of the machine's own for an opening
            without one; `BEFORE`; None: the newest. A car may still be on its way when the next is
            let in.
    """

    kind: BarrierEventKind | LoopChange
    operator: str | None = None
    reason: str | None = None
    cause: UUID | None = None


class BarrierPort(Protocol):
    """What the agent needs of a barrier."""

    async def pulse(self, command_id: UUID, deadline_s: float) -> None:
        """Pulse the opening relay once, and never after `deadline_s` of the steady clock.

        Raises:
            PulseUnknownError: nobody can say whether it was pulsed.
            BarrierError: it was certainly not pulsed.
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

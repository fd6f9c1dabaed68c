"""The port to whatever raises the arm."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from gate_bridge.agent.errors import BarrierError

InputListener = Callable[[int, bool], None]
"""Is told the number of an input and whether it is on; the same again is harmless."""


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to pulse once, for the car that stands there, until a moment.

    A relay asks right before the bytes that open leave, not when it begins: on the way there it
    may have waited for a slow device.

    Attributes:
        deadline_s: By the steady clock; no pulse starts later.
        steady: The clock.
        objection: Says why the arm must stay down by now; None for no reason.
    """

    command_id: UUID
    deadline_s: float
    steady: Callable[[], float]
    objection: Callable[[], str | None]

    def left_s(self) -> float:
        """Return how long a pulse may still start; never negative."""
        return max(0.0, self.deadline_s - self.steady())

    def check(self) -> None:
        """Refuse what came too late, or is not wanted any more.

        Raises:
            BarrierError: saying why.
        """
        if self.left_s() <= 0:
            raise BarrierError("the order ran out before the relay could be pulsed")
        reason = self.objection()
        if reason is not None:
            raise BarrierError(reason)


class Relay(Protocol):
    """What raises the arm.

    A relay never pulses twice for one call, and never repeats a pulse whose outcome it does not
    know.

    Attributes:
        can_lower: Whether `lower` does anything.
        has_inputs: Whether `watch` tells of contacts.
    """

    can_lower: bool
    has_inputs: bool

    async def pulse(self, permit: Permit) -> None:
        """Pulse once, within the permit.

        Raises:
            PulseUnknownError: nobody can say whether it was pulsed.
            BarrierError: it was certainly not pulsed.
        """
        ...

    async def lower(self) -> None:
        """Tell the arm to close.

        Raises:
            BarrierError: it was not told.
        """
        ...

    async def watch(self, tell: InputListener) -> None:
        """Tell of every input at every look, until cancelled; return at once without inputs.

        Raises:
            BarrierError: the relay does not answer; the caller watches again.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...

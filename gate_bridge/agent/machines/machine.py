"""A lane's machine: a relay and contacts, put together into what the agent knows as a barrier."""

from collections.abc import Callable
from types import TracebackType
from typing import Self
from uuid import UUID

from gate_bridge.agent.barrier import ArmPosition, Feedback
from gate_bridge.agent.machines.contacts import ContactUse, Wiring
from gate_bridge.agent.machines.relay import Relay
from gate_bridge.agent.server_time import steady_seconds
from gate_bridge.drivers.port import Arm


class LaneMachine:
    """One lane's barrier, as a `BarrierPort`.

    Use it as an async context, around the agent's: on entry it looks at its contacts, so that the
    agent finds the loop as it is.

    Args:
        wiring: Which contacts exist, and how long things take.
        steady: Seconds of a clock that only goes forward and counts while the machine sleeps.
    """

    def __init__(
        self, relay: Relay, wiring: Wiring, steady: Callable[[], float] = steady_seconds
    ) -> None:
        self._relay = relay
        self._wiring = wiring
        self._steady = steady

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        raise NotImplementedError

    def contact(self, use: ContactUse, *, is_on: bool) -> None:
        """Take in what a contact says, at the relay or at any device of the lane."""
        raise NotImplementedError

    def car_on_loop(self, *, is_on: bool) -> None:
        """Take in that a car came onto the entry loop, or left it."""
        self.contact(ContactUse.LOOP, is_on=is_on)

    def arm_moved(self, arm: Arm) -> None:
        """Take in where a barrier says that its arm is."""
        raise NotImplementedError

    def passed(self) -> None:
        """Take in that a device saw the car drive through."""
        raise NotImplementedError

    def opened_by_hand(self, operator: str, reason: str) -> None:
        """Take in that a named person opened."""
        raise NotImplementedError

    async def pulse(self, command_id: UUID, deadline_s: float) -> None:
        """Pulse the opening relay once, before `deadline_s` of the steady clock.

        Raises:
            PulseUnknownError: nobody can say whether it was pulsed.
            BarrierError: it was certainly not pulsed.
        """
        raise NotImplementedError

    def position(self) -> ArmPosition:
        """Return where the arm is now."""
        raise NotImplementedError

    def loop_occupied(self) -> bool:
        """Return whether a car stands on the entry loop now."""
        raise NotImplementedError

    async def next_feedback(self) -> Feedback:
        """Wait for the next signal."""
        raise NotImplementedError

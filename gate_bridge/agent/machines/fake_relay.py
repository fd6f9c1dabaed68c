"""A relay without a device, for tests."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from gate_bridge.agent.errors import BarrierError
from gate_bridge.agent.machines.relay import InputListener, Permit


class FakeRelay:
    """Does what its attributes say.

    Attributes:
        failure: What every pulse ends in; None for success.
        is_lost_after: Whether `failure` comes after the pulse instead of before it.
        delay_s: How long the device takes to answer before it is pulsed.
        on_probe: Is called while it does.
        inputs: What `watch` tells at each look; None for a relay that is silent.
        pulses: The commands that it was pulsed for.
        lowered: How often the arm was told to close.
        is_closed: Whether it was closed.
    """

    def __init__(self, *, can_lower: bool = False, has_inputs: bool = False) -> None:
        self.can_lower = can_lower
        self.has_inputs = has_inputs
        self.failure: BarrierError | None = None
        self.is_lost_after = False
        self.delay_s = 0.0
        self.on_probe: Callable[[], None] = lambda: None
        self.inputs: dict[int, bool] | None = {}
        self.look_s = 0.01
        self.pulses: list[UUID] = []
        self.lowered = 0
        self.is_closed = False

    async def pulse(self, permit: Permit) -> None:
        """Pulse, or fail."""
        await asyncio.sleep(self.delay_s)
        self.on_probe()
        permit.check()
        if self.failure is not None and not self.is_lost_after:
            raise self.failure
        self.pulses.append(permit.command_id)
        if self.failure is not None:
            raise self.failure

    async def lower(self) -> None:
        """Count."""
        self.lowered += 1

    async def watch(self, tell: InputListener) -> None:
        """Tell of the inputs, as often as a real one is asked."""
        while True:
            if self.inputs is None:
                raise BarrierError("the relay is silent")
            for number, is_on in self.inputs.items():
                tell(number, is_on)
            await asyncio.sleep(self.look_s)

    async def close(self) -> None:
        """Note it."""
        self.is_closed = True

"""The relay inside a camera whose question we answer: our reply raises the arm."""

import asyncio

from gate_bridge.agent.errors import BarrierError
from gate_bridge.agent.machines.relay import InputListener, Permit


class ReplyRelay:
    """Pulses by the reply that a camera waits for, once for each reply.

    A pulse without a waiting reply fails at once: the next read of the car brings another.
    """

    can_lower = False
    has_inputs = False

    def __init__(self) -> None:
        self._waiting: asyncio.Future[bool] | None = None

    def attach(self, reply: asyncio.Future[bool]) -> None:
        """Let the newest reply about the car that stands there be the one that opens."""
        if self._waiting is not reply:
            self.withdraw()
        self._waiting = reply

    def withdraw(self) -> None:
        """Answer the camera that nothing opens, such as when the car has left."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(False)

    async def pulse(self, permit: Permit) -> None:
        """Let the waiting reply open.

        Raises:
            BarrierError: no camera waits for a reply about this car.
        """
        permit.check()
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.done():
            raise BarrierError("no camera waits for a reply about this car")
        waiting.set_result(True)

    async def lower(self) -> None:
        """Do nothing: such a barrier closes by itself."""

    async def watch(self, tell: InputListener) -> None:
        """Return: the camera tells of its inputs by itself."""
        del tell

    async def close(self) -> None:
        """Let go of the waiting camera."""
        self.withdraw()

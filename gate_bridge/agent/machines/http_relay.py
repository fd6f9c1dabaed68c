"""A relay that is pulsed by one HTTP request."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from gate_bridge.agent.machines.device_http import (
    PULSE_TIMEOUT_S,
    DeviceAddress,
    DeviceAnswer,
    DeviceCall,
    DeviceConnection,
)
from gate_bridge.agent.machines.relay import InputListener, Permit


class HttpRelay:
    """Pulses by one request, on a connection whose device has just answered another.

    It cannot be asked afterwards whether it was pulsed.

    Args:
        probe: A harmless question, which is answered by whoever would carry out the order.
        open_call: What raises the arm.
        close_call: What lowers it; None where nothing does.
    """

    has_inputs = False

    def __init__(
        self,
        address: DeviceAddress,
        probe: DeviceCall,
        open_call: DeviceCall,
        close_call: DeviceCall | None = None,
    ) -> None:
        self._address = address
        self._probe = probe
        self._open_call = open_call
        self._close_call = close_call
        self.can_lower = close_call is not None

    async def pulse(self, permit: Permit) -> None:
        """Pulse once.

        Raises:
            PulseUnknownError: the device did not answer the order.
            BarrierError: it was certainly not pulsed.
        """
        permit.check()
        await self._order(self._open_call, permit.check, min(permit.left_s(), PULSE_TIMEOUT_S))

    async def lower(self) -> None:
        """Tell the arm to close.

        Raises:
            BarrierError: it was not told, or nobody knows.
        """
        if self._close_call is not None:
            await self._order(self._close_call, _no_objection, PULSE_TIMEOUT_S)

    async def watch(self, tell: InputListener) -> None:
        """Return: there are no inputs."""
        del tell

    async def close(self) -> None:
        """Let go of nothing: every order has a connection of its own."""

    async def _order(
        self, call: DeviceCall, guard: Callable[[], None], timeout_s: float
    ) -> DeviceAnswer:
        async with connected(self._address) as connection:
            await connection.ask(self._probe)
            return self._accepted(await connection.order(call, guard, timeout_s))

    def _accepted(self, answer: DeviceAnswer) -> DeviceAnswer:
        """Return the answer, or raise BarrierError where it is a refusal."""
        return answer


@asynccontextmanager
async def connected(address: DeviceAddress) -> AsyncGenerator[DeviceConnection]:
    """Have a connection of one's own inside the context."""
    connection = DeviceConnection(address)
    try:
        yield connection
    finally:
        await connection.close()


def _no_objection() -> None:
    """Let a lowering go."""

"""Writing on a connection whose peer does not read."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest
from websockets.asyncio.connection import Connection
from websockets.protocol import State

from gate_bridge.wire.actions import Empty
from gate_bridge.wire.errors import CallUnansweredError
from gate_bridge.wire.limits import WireLimits
from gate_bridge.wire.link import Link

LIMITS = WireLimits(reply_timeout_s=0.01)


@dataclass
class Waiting:
    """A connection that was crowded; its writers wait until `low_bytes` or less are left."""

    low_bytes: int
    left_bytes: int
    sent: list[str] = field(default_factory=list[str])
    state: State = State.OPEN

    @property
    def transport(self) -> "Waiting":
        return self

    def get_write_buffer_size(self) -> int:
        return self.left_bytes

    async def send(self, message: str) -> None:
        if self.left_bytes > self.low_bytes:
            await asyncio.get_running_loop().create_future()
        self.sent.append(message)


# A quarter of what an agent's connection takes, and of what a bridge's does.
@pytest.mark.parametrize("low_bytes", [2**15 // 4, 2**16 // 4])
async def test_no_writer_waits_for_good(low_bytes: int) -> None:
    for left_bytes in (low_bytes + 1, 2**14 - 1, 2**14):
        socket = Waiting(low_bytes, left_bytes)
        link = Link(cast("Connection", socket), LIMITS, "a")
        async with asyncio.timeout(5):
            if left_bytes > low_bytes:
                with pytest.raises(CallUnansweredError):
                    await link.calls.send(Empty())
            else:
                await link.calls.send(Empty())
        assert len(socket.sent) == int(left_bytes <= low_bytes)

"""A client of the real bridge that sends exactly what it is told, on a lane without an agent."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from gate_bridge.wire.limits import SUBPROTOCOL
from parking.kit.clock import SystemClock
from tests.e2e.stage import RAW_ENTRY, Stage
from tests.integration.gate_stage import RawAgent, fresh_id

MESSAGES_MAX = 100


@dataclass
class PatientAgent(RawAgent):
    """Tells what the bridge answers from what it orders."""

    orders: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def receive(self) -> list[Any]:
        """Return the next answer; orders to open that come before it are kept."""
        for _ in range(MESSAGES_MAX):
            message = await super().receive()
            if message[0] != 2:
                return message
            self._keep(message)
        raise AssertionError("only orders came")

    async def answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        answer = await self.call(action, payload)
        assert answer[:2] == [3, action], answer
        return answer[2]

    async def order(self) -> dict[str, Any]:
        """Return the last order to open, waiting for the first."""
        for _ in range(MESSAGES_MAX):
            if self.orders:
                return self.orders[-1]
            self._keep(await super().receive())
        raise AssertionError("no order came")

    def _keep(self, message: list[Any]) -> None:
        if message[2] == "OpenBarrier":
            self.orders.append(message[3])


def observation(seq: int, presentation_id: UUID, plate: str) -> dict[str, Any]:
    return {
        "event_id": str(fresh_id()),
        "seq": seq,
        "presentation_id": str(presentation_id),
        "plate": plate,
        "confidence": 0.97,
        "captured_at": SystemClock().now().isoformat(),
        "source": "camera-1",
    }


@asynccontextmanager
async def raw_agent(stage: Stage) -> AsyncGenerator[PatientAgent]:
    """Connect to the lane that has no agent of its own."""
    lane = stage.lanes[RAW_ENTRY]
    url = stage.town.gates_url.replace("http", "ws", 1)
    async with (
        asyncio.timeout(60),
        connect(
            f"{url}/gates/{lane.lane_id}",
            additional_headers={"Authorization": f"Bearer {lane.token}"},
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            proxy=None,
            max_size=None,
        ) as socket,
    ):
        yield PatientAgent(socket, lane.lane_id)

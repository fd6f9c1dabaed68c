"""A lane's client against a control socket that comes, refuses, falls silent and goes."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sesame.demo.lane import LaneClient, LaneRefusedError, LaneSilentError

CAR = "0196a000-0000-7000-8000-000000000001"
STATUS: dict[str, Any] = {
    "event": "status",
    "presentation_id": None,
    "arm": "down",
    "pulses": 4,
}


class FakeAgent:
    """Answers status and car; tells what it is asked to tell."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clients: list[asyncio.StreamWriter] = []
        self.status = dict(STATUS)
        self.orders: list[dict[str, Any]] = []

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        server = await asyncio.start_unix_server(self._serve, self._path)
        try:
            yield
        finally:
            server.close()
            for client in self._clients:
                client.close()
            self._path.unlink(missing_ok=True)

    def tell(self, **report: object) -> None:
        for client in self._clients:
            client.write(json.dumps(report).encode() + b"\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.append(writer)
        while line := await reader.readline():
            order = json.loads(line)
            self.orders.append(order)
            if "car" in order:
                answer = {"event": "ok", "presentation_id": CAR}
            elif "leave" in order:
                answer = {"event": "error", "code": "LANE_EMPTY", "error": "car: none stands"}
            else:
                answer = self.status
            writer.write(json.dumps(answer).encode() + b"\n")


@pytest.fixture
def agent(tmp_path: Path) -> FakeAgent:
    return FakeAgent(tmp_path / "lane")


@pytest.fixture
async def lane(tmp_path: Path) -> AsyncGenerator[LaneClient]:
    async with LaneClient("altmarkt-exit", tmp_path / "lane") as client:
        yield client


async def test_visit_sees_only_its_own_car(agent: FakeAgent, lane: LaneClient) -> None:
    async with agent.running():
        visit = await lane.car([Path("/photos/a.jpg")])
        agent.tell(event="display", presentation_id="another", lines=["No"], qr=None)
        agent.tell(event="display", presentation_id=CAR, lines=["Welcome"], qr=None)
        agent.tell(event="order", presentation_id=CAR, status="rejected", reason="expired")
        agent.tell(event="order", presentation_id=CAR, status="accepted", reason=None)
        assert (await visit.display())["lines"] == ["Welcome"]
        assert (await visit.order())["status"] == "accepted"
        assert (await visit.order(status="rejected"))["reason"] == "expired"
        assert [order["status"] for order in visit.orders()] == ["rejected", "accepted"]
        agent.status["pulses"] = 5
        assert await visit.pulses() == 1
    assert agent.orders[1] == {"car": ["/photos/a.jpg"]}


async def test_refusal_and_silence_are_said(agent: FakeAgent, lane: LaneClient) -> None:
    async with agent.running():
        with pytest.raises(LaneRefusedError, match="altmarkt-exit: car: none stands"):
            await lane.tell({"leave": True})
        visit = await lane.car([])
        with pytest.raises(LaneSilentError, match=r"no order accepted within 0\.05 s"):
            await visit.order(timeout_s=0.05)


async def test_client_comes_back_with_the_agent(agent: FakeAgent, lane: LaneClient) -> None:
    async with agent.running():
        assert (await lane.status())["pulses"] == 4
    async with agent.running():
        agent.status["pulses"] = 7
        assert (await lane.status())["pulses"] == 7


async def test_nothing_leaves_an_empty_lane(agent: FakeAgent, lane: LaneClient) -> None:
    async with agent.running():
        await lane.leave()
    assert agent.orders == [{"status": True}]

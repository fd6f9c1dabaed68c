"""A database that is away for longer than a decision is tried: it is taken once it is back."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gate_bridge.agent import server_time
from gate_bridge.agent.world import Car
from gate_bridge.fake_lane_service import FakeLaneService
from gate_bridge.options import BridgeOptions, ReadingLimits
from gate_bridge.wire.limits import LIVE_S_MAX, WireLimits
from parking.flows.lane_types import Decision, Lane, ReadSource
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.errors import InvalidInputError, ParkingError, UnavailableError
from parking.plates.reads import PlateRead
from tests.integration.gate_stage import RawAgent, Stage, eventually, observation, open_stage

QUICK = ReadingLimits(tries_max=2, backoff_s=0.01, backoff_s_max=0.02)
STAFF = ["Not possible right now", "Please call staff"]


@pytest.fixture
async def stage(valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with open_stage(valkey_url, tmp_path, BridgeOptions(reading=QUICK)) as opened:
        yield opened


def fail(
    service: FakeLaneService, error: ParkingError, times: int, patch: pytest.MonkeyPatch
) -> list[UUID]:
    """Let decisions fail so often; returns where each try is noted."""
    tries: list[UUID] = []
    decide = service.decide

    async def failing(
        lane: Lane, presentation_id: UUID, read: PlateRead, source: ReadSource
    ) -> Decision:
        tries.append(presentation_id)
        if len(tries) <= times:
            raise error
        return await decide(lane, presentation_id, read, source)

    patch.setattr(service, "decide", failing)
    return tries


async def told(agent: RawAgent) -> list[Any]:
    """Return the next call of the bridge, which is answered as from an agent that obeys."""
    while (message := await agent.receive())[0] != 2:
        pass
    call_id, action, payload = message[1:]
    answer = {"command_id": payload.get("command_id"), "status": "accepted"}
    whole = {**answer, "reason": None, "repeated": False} if action == "OpenBarrier" else {}
    await agent.send([3, call_id, whole])
    return [action, payload]


async def test_a_decision_is_taken_once_the_database_is_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = UnavailableError("the database is away")
    tries = fail(stage.service, error, 2 * QUICK.tries_max, monkeypatch)
    async with stage.connect() as agent:
        await agent.hello()
        presentation_id = await agent.start(1)
        await agent.send([2, "read", "Observation", observation(2, presentation_id)])
        for _ in range(2):
            action, shown = await told(agent)
            # Not final: pictures are still wanted, and the car may be presented again.
            assert (action, shown["presentation_id"], shown["lines"]) == ("Display", None, STAFF)
        action, order = await told(agent)
        assert (action, order["presentation_id"]) == ("OpenBarrier", str(presentation_id))
        assert tries == [presentation_id] * (2 * QUICK.tries_max + 1)


async def test_a_refusal_for_ever_is_not_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = fail(stage.service, InvalidInputError("plate", "one"), 10**9, monkeypatch)
    async with stage.connect() as agent:
        await agent.hello()
        presentation_id = await agent.start(1)
        await agent.send([2, "read", "Observation", observation(2, presentation_id)])
        action, shown = await told(agent)
        assert (action, shown["presentation_id"]) == ("Display", str(presentation_id))
        await agent.call("Heartbeat", {"sent_at": "2026-11-23T03:28:33Z"})
        assert tries == [presentation_id]


async def test_a_car_that_waited_for_too_long_on_one_connection_is_presented_anew(
    valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The bridge's clock jumps here: what it said before says nothing of the time after.
    monkeypatch.setattr(server_time, "SAMPLES_MAX", 1)
    clock = ManualClock(SystemClock().now())
    options = BridgeOptions(reading=QUICK, wire=WireLimits(heartbeat_interval_s=0.5))
    async with open_stage(valkey_url, tmp_path, options, clock) as stage:
        tries = fail(stage.service, UnavailableError("the database is away"), 10**9, monkeypatch)
        async with stage.play() as lane:
            await eventually(lambda: bool(stage.reported("connected")))
            lane.barrier.arrive(Car(pictures=stage.picture()))
            await eventually(lambda: bool(tries))
            clock.advance(timedelta(seconds=LIVE_S_MAX + 60))
            await eventually(lambda: tries[-1] != tries[0])
            assert lane.barrier.pulses == 0
            monkeypatch.undo()
            await eventually(lambda: lane.barrier.pulses == 1)
            await eventually(lambda: bool(stage.reported("order")))
        assert {order["presentation_id"] for order in stage.reported("order")} == {str(tries[-1])}
        assert list(stage.service.decisions) == [tries[-1]]
        assert len(set(tries)) == 2

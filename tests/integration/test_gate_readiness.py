"""A bridge that cannot decide says so with each heartbeat, to agents that know it and others."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from gate_bridge.fake_lane_service import FakeLaneService
from gate_bridge.options import BridgeOptions
from gate_bridge.readiness import DomainWatch, ReadinessNotice
from gate_bridge.wire.errors import CallUnansweredError
from gate_bridge.wire.offline import UNABLE_S_MAX, Readiness
from parking.kit.clock import SystemClock
from tests.integration.gate_stage import RawAgent, Stage, open_stage

FOR_EVER = 10**9
HEARTBEAT = {"sent_at": "2026-11-23T03:28:33Z"}


@pytest.fixture
async def stage(valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    options = BridgeOptions(ready_look_s=0.01)
    async with open_stage(valkey_url, tmp_path, options) as opened:
        yield opened


async def beat(agent: RawAgent, answer: list[Any]) -> list[Any]:
    """Send one heartbeat; return what the bridge said of itself with the one before."""
    said: list[Any] = []
    await agent.send([2, "beat", "Heartbeat", HEARTBEAT])
    while (message := await agent.receive())[0] != 3:
        assert message[2] == "Readiness"
        said.append(message[3])
        await agent.send([answer[0], message[1], *answer[1:]])
    assert message[1] == "beat"
    return said


async def until(agent: RawAgent, answer: list[Any], *, is_able: bool) -> None:
    """Beat until the bridge says that it can decide, or that it cannot; the bound ends a hang."""
    for _ in range(500):
        for said in await beat(agent, answer):
            if (said["unable_for_s"] is None) is is_able:
                return
    raise AssertionError("the bridge did not say it")


@pytest.mark.parametrize(
    "answer", [[3, {}], [4, "UnknownAction", "action: expected one of …", {}]], ids=["new", "old"]
)
async def test_agents_hear_with_their_heartbeats_that_nothing_is_decided(
    stage: Stage, answer: list[Any]
) -> None:
    async with stage.connect() as agent:
        await agent.hello()
        assert [await beat(agent, answer) for _ in range(3)] == [[], [], []]
        stage.service.failures_left = FOR_EVER
        await until(agent, answer, is_able=False)
        first = await beat(agent, answer)
        second = await beat(agent, answer)
        # Each beat finds what was said after the one before.
        assert [len(first), len(second)] == [1, 1]
        assert 0 < first[0]["unable_for_s"] < second[0]["unable_for_s"]
        stage.service.failures_left = 0
        await until(agent, answer, is_able=True)
        assert [await beat(agent, answer) for _ in range(3)] == [[], [], []]


class Ear:
    """Hears what is told, or is deaf."""

    def __init__(self) -> None:
        self.heard: list[float | None] = []
        self.is_deaf = False

    async def tell(self, said: Readiness) -> None:
        if self.is_deaf:
            raise CallUnansweredError("the connection does not take messages")
        self.heard.append(said.unable_for_s)


async def test_what_was_not_heard_is_told_again() -> None:
    service, ear, now_s = FakeLaneService(SystemClock()), Ear(), [100.0]
    watch = DomainWatch(service, 2.0, lambda: now_s[0])
    notice = ReadinessNotice(watch, ear.tell)
    await watch.look()
    await notice.heartbeat()
    service.failures_left = FOR_EVER
    for _ in range(3):
        await watch.look()
        now_s[0] += 4.0
        await notice.heartbeat()
    assert ear.heard == [4.0, 8.0, 12.0]
    now_s[0] += 2 * UNABLE_S_MAX
    await notice.heartbeat()
    service.failures_left, ear.is_deaf = 0, True
    await watch.look()
    await notice.heartbeat()
    ear.is_deaf = False
    for _ in range(2):
        await notice.heartbeat()
    assert ear.heard == [4.0, 8.0, 12.0, UNABLE_S_MAX, None]
    # It counts anew from the next failure.
    service.failures_left = FOR_EVER
    await watch.look()
    now_s[0] += 1.0
    await notice.heartbeat()
    assert ear.heard[5:] == [1.0]

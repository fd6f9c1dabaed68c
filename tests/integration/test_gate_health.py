"""What a bridge hears of its lanes' agents, with a real agent on a real connection."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gate_bridge import fleet
from gate_bridge.agent.session import AGENT_VERSION
from parking.flows.lane_types import AgentCondition, LaneReport
from tests.integration.gate_stage import RawAgent, Stage, eventually, open_stage

NEVER_S = 3600.0
PROBE_TIMEOUT_S = 5.0


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "LOOK_S", 0.01)


def about(played: Stage, holds: Callable[[LaneReport], bool]) -> Callable[[], bool]:
    """Return whether the domain knows something of the lane."""

    def known() -> bool:
        report = played.service.health.get(played.lane.lane_id)
        return report is not None and holds(report)

    return known


@pytest.mark.usefixtures("quick_looks")
async def test_an_agent_says_how_it_is_and_its_end_is_told(valkey_url: str, tmp_path: Path) -> None:
    async with open_stage(valkey_url, tmp_path) as played:
        async with played.play():
            await eventually(about(played, lambda report: report.condition.barrier == "down"))
            report = played.service.health[played.lane.lane_id]
            assert report.agent_version == AGENT_VERSION
            assert (report.session_epoch, report.ended_at) == (1, None)
            assert report.condition.queue_depth == 0
            # Both ends read the clock of this machine.
            offset_ms, within_ms = (
                report.condition.clock_offset_ms,
                report.condition.clock_uncertainty_ms,
            )
            assert offset_ms is not None
            assert within_ms is not None
            assert abs(offset_ms) <= within_ms + 1
        await eventually(about(played, lambda report: report.ended_at is not None))
        assert played.service.health[played.lane.lane_id].close_code == 1001


@pytest.mark.usefixtures("quick_looks")
async def test_a_heartbeat_without_a_word_of_itself_is_a_sign_of_life(
    valkey_url: str, tmp_path: Path
) -> None:
    async with open_stage(valkey_url, tmp_path) as played, played.connect() as agent:
        await agent.hello()
        await eventually(about(played, lambda _: True))
        first = played.service.health[played.lane.lane_id]
        assert await beats(agent, {}) == 3
        refused = {"queue_depth": -1}
        assert await beats(agent, refused) == 4
        assert await beats(agent, {"queue_depth": 5, "barrier": "up"}) == 3
        await eventually(about(played, lambda report: report.condition.queue_depth == 5))
        report = played.service.health[played.lane.lane_id]
        assert report.last_seen_at > first.last_seen_at
        assert replace(report, last_seen_at=first.last_seen_at) == replace(
            first, condition=AgentCondition(queue_depth=5, barrier="up")
        )


async def beats(agent: RawAgent, health: Mapping[str, object]) -> int:
    sent = {"sent_at": "2026-11-23T03:28:33.200Z"} | ({"health": health} if health else {})
    return (await agent.call("Heartbeat", sent))[0]


async def test_a_bridge_that_stops_tells_of_its_lanes_last(
    valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "LOOK_S", NEVER_S)
    async with open_stage(valkey_url, tmp_path) as played:
        async with played.connect() as agent:
            await agent.hello()
            assert played.service.health == {}
            await asyncio.gather(played.bridge.__aexit__(None, None, None), agent.closed())
        report = played.service.health[played.lane.lane_id]
        assert (report.close_code, report.ended_at is None) == (1012, False)


async def test_a_bridge_can_be_scraped(valkey_url: str, tmp_path: Path) -> None:
    async with open_stage(valkey_url, tmp_path) as played, played.connect() as agent:
        await agent.hello()
        await beats(agent, {})
        await agent.start(1)
        async with httpx.AsyncClient(timeout=PROBE_TIMEOUT_S, trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{played.bridge.port}/metrics")
    lines = answer.text.splitlines()
    assert "sesame_gate_connections 1.0" in lines
    assert "sesame_gate_greeted_total 1.0" in lines
    assert "sesame_gate_heartbeats_total 1.0" in lines
    assert 'sesame_gate_event_lag_seconds_count{action="Presentation"} 1.0' in lines

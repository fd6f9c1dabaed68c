"""What the bridge makes of what cameras say beyond the plate, and what an empty entry shows."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gate_bridge.options import BridgeOptions, ReadingLimits
from parking.events.pokes import Poke, lane_channel
from parking.flows.lane_types import Direction
from tests.integration.gate_stage import (
    PLATE,
    TOKEN,
    RawAgent,
    Stage,
    eventually,
    fresh_id,
    observation,
    open_stage,
    valkey_tools,
)

FULL = ["Full", "No free spaces"]


@pytest.fixture
async def stage(valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    reading = ReadingLimits(silent_s_max=0.3, poll_s=0.05)
    options = BridgeOptions(reading=reading, sign_look_s=0.05)
    async with open_stage(valkey_url, tmp_path, options) as opened:
        opened.recognizer.on.clear()
        yield opened


async def until(agent: RawAgent, action: str) -> dict[str, Any]:
    """Answer the bridge's calls up to one of an action; return its payload."""
    for _ in range(20):
        message = await agent.receive()
        if message[0] != 2:
            continue
        result: dict[str, Any] = {}
        if message[2] == "OpenBarrier":
            command_id = message[3]["command_id"]
            result = {"command_id": command_id, "status": "accepted", "reason": None}
            result["repeated"] = False
        answer: list[Any] = [3, message[1], result]
        await agent.send(answer)
        if message[2] == action:
            return message[3]
    raise AssertionError(f"no {action}")


async def test_a_car_that_drives_away_is_not_let_in_until_it_turns(stage: Stage) -> None:
    async with stage.connect() as agent:
        await agent.hello()
        car = await agent.start(1)
        away = {**observation(2, car), "heading": "away"}
        await agent.send([2, "o", "Observation", away])
        shown = await until(agent, "Display")
        assert (shown["presentation_id"], shown["lines"][0]) == (None, "Wrong way")
        assert stage.service.decide_calls == []
        back = {**observation(3, car), "heading": "towards"}
        await agent.send([2, "p", "Observation", back])
        order = await until(agent, "OpenBarrier")
        assert order["presentation_id"] == str(car)
        await eventually(lambda: len(stage.service.answers) == 1)
    assert stage.service.decide_calls == [(car, PLATE)]


async def test_what_a_camera_sends_from_its_memory_opens_nothing(stage: Stage) -> None:
    async with stage.connect() as agent:
        await agent.hello()
        car = await agent.start(1)
        late = {**observation(2, car), "is_backfill": True}
        await agent.send([2, "o", "Observation", late])
        shown = await until(agent, "Display")
        assert shown["lines"][0] == "Plate not readable"
        await eventually(lambda: stage.service.unreadable == {car})
    assert stage.service.decide_calls == []
    assert stage.service.commands == {}


async def test_an_empty_entry_says_that_its_area_is_full(stage: Stage) -> None:
    lane = replace(stage.lane, direction=Direction.ENTRY)
    stage.service.add_lane(lane, TOKEN)
    area = (lane.operator_id, lane.area_id)
    stage.service.full.add(area)
    async with stage.connect() as agent:
        await agent.hello()
        shown = await until(agent, "Display")
        assert (shown["presentation_id"], shown["lines"]) == (None, FULL)
        stage.service.full.clear()
        while shown["lines"]:
            shown = await until(agent, "Display")
        assert shown["presentation_id"] is None


async def test_an_exit_has_no_full_sign(stage: Stage) -> None:
    stage.service.full.add((stage.lane.operator_id, stage.lane.area_id))
    async with stage.connect() as agent:
        await agent.hello()
        car = await agent.start(1)
        await agent.send([2, "o", "Observation", observation(2, car)])
        assert (await until(agent, "OpenBarrier"))["presentation_id"] == str(car)
        assert (await until(agent, "Display"))["lines"] == ["Have a good trip"]
        await eventually(lambda: len(stage.service.answers) == 1)


async def test_a_poke_changes_the_sign_at_once(valkey_url: str, tmp_path: Path) -> None:
    options = BridgeOptions(sign_look_s=3600)
    async with open_stage(valkey_url, tmp_path, options) as stage:
        lane = replace(stage.lane, direction=Direction.ENTRY)
        stage.service.add_lane(lane, TOKEN)
        async with stage.connect() as entry, valkey_tools(valkey_url) as valkey:
            await entry.hello()
            stage.service.full.add((lane.operator_id, lane.area_id))
            poke = Poke(fresh_id(), "SignChanged").to_json()
            channel = lane_channel(lane.lane_id)
            # The bridge subscribes beside its answer to Hello.
            async with asyncio.timeout(5):
                while not await valkey.publish(channel, poke):  # noqa: ASYNC110 - Valkey alone knows
                    await asyncio.sleep(0.01)
            assert (await until(entry, "Display"))["lines"] == FULL

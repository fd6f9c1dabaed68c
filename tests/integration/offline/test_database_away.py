"""A real database goes away under a bridge that stays: the gate goes on, and nothing is doubled."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from gate_bridge.agent.pictures import CarPictures
from gate_bridge.agent.simulation import Motion
from sesame.demo.network import Cable
from tests.factories.lane_world import LaneWorld, open_lane_world
from tests.integration.offline.test_outage import PLATE, TickingClock, Town, let_exit_open

# Until the car drives off, so that the database is back before it does.
DAWDLES_S = 1.5


@dataclass(frozen=True)
class Stage:
    """A place, and what its bridge's database hangs on."""

    world: LaneWorld
    cable: Cable
    town: Town


@pytest.fixture
async def stage(database_url: str, valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    url = make_url(database_url)
    assert url.port is not None
    cable = Cable(url.port)
    async with cable.laid():
        through = url.set(port=cable.port).render_as_string(hide_password=False)
        async with open_lane_world(through, valkey_url) as world:
            world.context.database.clock = TickingClock(world)
            yield Stage(world, cable, Town(world, valkey_url, tmp_path))


async def committed(world: LaneWorld, events: int) -> None:
    """Wait until the bridge has committed so much; the bound only ends a hang."""
    for _ in range(1000):
        if await world.count("lane_events") >= events:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the events were not committed")


async def test_a_gate_goes_on_while_the_database_of_its_bridge_is_away(
    stage: Stage,
) -> None:
    world, cable, town = stage.world, stage.cable, stage.town
    await let_exit_open(world)
    async with AsyncExitStack() as stack:
        bridge = await stack.enter_async_context(town.bridge())
        town.port = bridge.port
        played = [await town.lane(stack, lane) for lane in (world.entry, world.exit)]
        for lane in (world.entry, world.exit):
            await town.until(lane, "policy")
        cable.pull()
        for car in played:
            await car.present_car(CarPictures(), PLATE, 0.97)
            assert await car.wait_free(15)
            assert car.barrier.pulses == 1
        cable.plug_in()
        for car in played:
            await car.settled()
        # The bridge was there all the time.
        for lane in (world.entry, world.exit):
            assert len(await town.until(lane, "connected")) == 1
    assert [car.barrier.pulses for car in played] == [1, 1]
    rows = await world.rows("SELECT state, entered_at < left_at AS in_order FROM sessions")
    assert rows == [{"state": "left", "in_order": True}]
    assert await world.rows("SELECT total_minor, state FROM bills") == [
        {"total_minor": 0, "state": "paid"}
    ]
    assert await world.rows("SELECT direction, state FROM offline_passages ORDER BY direction") == [
        {"direction": "entry", "state": "applied"},
        {"direction": "exit", "state": "applied"},
    ]


async def test_a_car_that_stands_there_when_the_database_is_back_is_opened_for_once(
    stage: Stage,
) -> None:
    world, cable, town = stage.world, stage.cable, stage.town
    async with AsyncExitStack() as stack:
        bridge = await stack.enter_async_context(town.bridge())
        town.port = bridge.port
        car = await town.lane(stack, world.entry, Motion(pass_s=DAWDLES_S))
        await town.until(world.entry, "policy")
        cable.pull()
        await car.present_car(CarPictures(), PLATE, 0.97)
        await town.until(world.entry, "offline")
        cable.plug_in()
        # The bridge decides on it, too, while it stands there.
        [order] = await town.until(world.entry, "order")
        assert (order["status"], order["reason"]) == ("accepted", "already_open")
        assert await car.wait_free(15)
        await car.settled()
    assert car.barrier.pulses == 1
    assert await world.rows("SELECT state FROM sessions") == [{"state": "active"}]
    assert await world.rows("SELECT state FROM offline_passages") == [{"state": "applied"}]


async def test_a_car_that_the_bridge_knows_already_is_let_through_when_its_next_read_waits(
    stage: Stage,
) -> None:
    world, cable, town = stage.world, stage.cable, stage.town
    async with AsyncExitStack() as stack:
        bridge = await stack.enter_async_context(town.bridge())
        town.port = bridge.port
        car = await town.lane(stack, world.entry)
        await town.until(world.entry, "policy")
        await car.present_car(CarPictures(), PLATE, 0.5)
        await committed(world, 2)
        cable.pull()
        await car.observe()
        [decided] = await town.until(world.entry, "offline")
        assert (decided["choice"], decided["reason"]) == ("open", "fallback")
        assert await car.wait_free(15)
        cable.plug_in()
        await car.settled()
    assert car.barrier.pulses == 1
    assert await world.count("sessions") == 0
    assert await world.rows("SELECT state, review FROM offline_passages") == [
        {"state": "unmatched", "review": "no_plate"}
    ]

"""A database goes away when everything about a car was told: the gate learns it from the bridge."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.engine import make_url

from gate_bridge.agent.pictures import CarPictures
from gate_bridge.agent.simulation import Motion
from parking.flows.lane_types import Decision, Lane, ReadSource
from parking.plates.reads import PlateRead
from sesame.demo.network import Cable
from sesame.embedded.server import Server
from sesame.embedded.stack import Stack
from tests.factories.lane_world import LaneWorld, open_lane_world
from tests.integration.offline.test_outage import (
    PLATE,
    TickingClock,
    Town,
    TrustingFlows,
    let_exit_open,
)

# Until the car drives off, so that the database is back before it does.
DAWDLES_S = 1.5


class HesitantFlows(TrustingFlows):
    """The domain, which waits with its first decision until it is let.

    Attributes:
        asked: Set once it is asked to decide.
        may_decide: Lets it go on.
        decided: What came of it.
    """

    def __init__(self, world: LaneWorld) -> None:
        super().__init__(world)
        self.asked = asyncio.Event()
        self.may_decide = asyncio.Event()
        self.decided: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()

    async def decide(
        self, lane: Lane, presentation_id: UUID, read: PlateRead, source: ReadSource
    ) -> Decision:
        self.asked.set()
        await self.may_decide.wait()
        decision = await super().decide(lane, presentation_id, read, source)
        self.decided.set_result(decision)
        return decision


@pytest.fixture
def postgres(stack: Stack) -> Iterator[Server]:
    server = stack.postgres
    yield server
    server.restart()


@pytest.fixture
async def world(database_url: str, valkey_url: str) -> AsyncGenerator[LaneWorld]:
    async with open_lane_world(database_url, valkey_url) as opened:
        opened.context.database.clock = TickingClock(opened)
        yield opened


@pytest.fixture
async def cable(database_url: str) -> AsyncGenerator[Cable]:
    port = make_url(database_url).port
    assert port is not None
    laid = Cable(port)
    async with laid.laid():
        yield laid


@pytest.fixture
async def cut_off(database_url: str, cable: Cable, valkey_url: str) -> AsyncGenerator[LaneWorld]:
    """Return a place whose database hangs on a cable."""
    through = make_url(database_url).set(port=cable.port)
    url = through.render_as_string(hide_password=False)
    async with open_lane_world(url, valkey_url) as opened:
        opened.context.database.clock = TickingClock(opened)
        yield opened


async def facts(world: LaneWorld) -> list[str]:
    """Return how the stays, and what the gate decided by itself, stand."""
    return [
        f"{row['what']}: {row['state']}"
        for row in await world.rows(
            "SELECT 'stay' AS what, state FROM sessions UNION ALL "
            "SELECT 'offline', state FROM offline_passages ORDER BY what"
        )
    ]


async def test_a_car_whose_decision_waits_for_a_stopped_database_is_let_in_by_the_policy(
    world: LaneWorld, valkey_url: str, tmp_path: Path, postgres: Server
) -> None:
    town, flows = Town(world, valkey_url, tmp_path), HesitantFlows(world)
    async with AsyncExitStack() as stack:
        bridge = await stack.enter_async_context(town.bridge(flows))
        town.port = bridge.port
        car = await town.lane(stack, world.entry)
        await town.until(world.entry, "policy")
        await car.present_car(CarPictures(), PLATE, 0.97)
        await flows.asked.wait()
        # Acknowledged, all of it: the agent has nothing left to send.
        await car.settled()
        await asyncio.to_thread(postgres.stop)
        flows.may_decide.set()
        [decided] = await town.until(world.entry, "offline")
        assert (decided["choice"], decided["reason"]) == ("open", "fallback")
        assert await car.wait_free(15)
        await asyncio.to_thread(postgres.restart)
        await car.settled()
    assert car.barrier.pulses == 1
    assert await facts(world) == ["offline: applied", "stay: active"]


async def test_a_decision_that_comes_late_does_not_open_a_second_time(
    cut_off: LaneWorld, cable: Cable, valkey_url: str, tmp_path: Path
) -> None:
    world = cut_off
    town, flows = Town(world, valkey_url, tmp_path), HesitantFlows(world)
    async with AsyncExitStack() as stack:
        bridge = await stack.enter_async_context(town.bridge(flows))
        town.port = bridge.port
        car = await town.lane(stack, world.entry, Motion(pass_s=DAWDLES_S))
        await town.until(world.entry, "policy")
        await car.present_car(CarPictures(), PLATE, 0.97)
        await flows.asked.wait()
        await car.settled()
        cable.pull()
        await town.until(world.entry, "offline")
        cable.plug_in()
        flows.may_decide.set()
        [order] = await town.until(world.entry, "order")
        assert (order["status"], order["reason"]) == ("accepted", "already_open")
        assert await car.wait_free(15)
        await car.settled()
    assert car.barrier.pulses == 1
    assert await facts(world) == ["offline: applied", "stay: active"]


async def test_a_car_that_waits_for_its_payment_is_asked_for_it_again_afterwards(
    cut_off: LaneWorld, cable: Cable, valkey_url: str, tmp_path: Path
) -> None:
    world = cut_off
    await world.drive_in()
    world.wait(minutes=45)
    town = Town(world, valkey_url, tmp_path)
    async with AsyncExitStack() as stack:
        bridge = await stack.enter_async_context(town.bridge())
        town.port = bridge.port
        car = await town.lane(stack, world.exit)
        await town.until(world.exit, "policy")
        await car.present_car(CarPictures(), PLATE, 0.97)
        [asked] = await town.until(world.exit, "display")
        assert asked["lines"][1] == "10.00 CNY"
        await car.settled()
        cable.pull()
        [decided] = await town.until(world.exit, "offline")
        assert (decided["choice"], decided["reason"]) == ("keep_closed", "unpaid")
        cable.plug_in()
        shown = await town.until(world.exit, "display", 3)
        assert [one["lines"] == asked["lines"] for one in shown] == [True, False, True]
        assert (shown[1]["qr"], shown[2]["qr"]) == (None, asked["qr"])
        await car.car_leaves()
        await car.settled()
    assert car.barrier.pulses == 0
    assert await facts(world) == ["offline: kept_closed", "stay: leaving"]


async def test_a_decision_about_a_car_that_left_meanwhile_charges_and_opens_nothing(
    cut_off: LaneWorld, cable: Cable, valkey_url: str, tmp_path: Path
) -> None:
    world = cut_off
    await let_exit_open(world, cars_max=9)
    await world.permit(await world.add_driver(PLATE))
    await world.drive_in()
    world.wait(minutes=45)
    town, flows = Town(world, valkey_url, tmp_path), HesitantFlows(world)
    async with AsyncExitStack() as stack:
        bridge = await stack.enter_async_context(town.bridge(flows))
        town.port = bridge.port
        car = await town.lane(stack, world.exit)
        await town.until(world.exit, "policy")
        await car.present_car(CarPictures(), PLATE, 0.97)
        await flows.asked.wait()
        await car.settled()
        cable.pull()
        [let_out] = await town.until(world.exit, "offline")
        assert let_out["choice"] == "open"
        assert await car.wait_free(15)
        cable.plug_in()
        await car.settled()
        flows.may_decide.set()
        assert (await flows.decided).command is None
    assert car.barrier.pulses == 1
    assert await facts(world) == ["offline: applied", "stay: left"]
    bills = await world.rows("SELECT total_minor, state FROM bills WHERE state <> 'void'")
    assert bills == [{"total_minor": 1000, "state": "owed"}]
    assert world.provider.captured("CNY") == 0

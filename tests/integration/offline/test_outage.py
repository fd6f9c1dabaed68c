"""A whole outage over the real wire: policy fetched, bridge gone, cars through, bridge back."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from gate_bridge.agent.offline.options import OfflineOptions
from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.pictures import CarPictures
from gate_bridge.agent.play import SimulatedLane, play_lane
from gate_bridge.agent.simulation import Motion
from gate_bridge.options import BridgeOptions
from gate_bridge.server import GateBridge
from gate_bridge.wire.limits import WireLimits
from parking.flows.lane import LaneFlows
from parking.flows.lane_types import Lane
from parking.kit.clock import SystemClock
from parking.offline import service
from parking.offline.bundle import Fallback
from parking.offline.models import OfflineSetting
from tests.factories.lane_world import LaneWorld

PLATE = "京A88731"
QUICK = OfflineOptions(away_s=0.1, read_s=0.2)
WIRE = WireLimits(policy_first_s=0.05, policy_every_s=0.2, heartbeat_interval_s=0.2)


class TrustingFlows(LaneFlows):
    """The domain, with lanes that prove themselves by their id."""

    def __init__(self, world: LaneWorld) -> None:
        super().__init__(world.context)
        self._lanes = {lane.lane_id: lane for lane in (world.entry, world.exit)}

    async def authenticate(self, lane_id: UUID, token: str) -> Lane:
        assert token == "token"
        return self._lanes[lane_id]


class TickingClock:
    """The world's clock, going on by itself: a bridge whose time stands still orders nothing."""

    def __init__(self, world: LaneWorld) -> None:
        self._world = world
        self._began_s = time.monotonic()

    def now(self) -> datetime:
        return self._world.clock.now() + timedelta(seconds=time.monotonic() - self._began_s)


@dataclass
class Town:
    """Two lanes of one place and a bridge that may go away."""

    world: LaneWorld
    redis_url: str
    folder: Path
    port: int = 0
    reports: dict[UUID, list[dict[str, Any]]] = field(
        default_factory=dict[UUID, list[dict[str, Any]]]
    )

    def bridge(self, flows: TrustingFlows | None = None) -> GateBridge:
        options = BridgeOptions(port=self.port, wire=WIRE, ready_look_s=0.05)
        flows = flows or TrustingFlows(self.world)
        clock = self.world.context.database.clock
        return GateBridge(flows, self.redis_url, options, clock, lambda _: None)

    async def lane(
        self, stack: AsyncExitStack, lane: Lane, motion: Motion | None = None
    ) -> SimulatedLane:
        told = self.reports.setdefault(lane.lane_id, [])
        options = AgentOptions(
            url=f"ws://127.0.0.1:{self.port}",
            lane_id=lane.lane_id,
            token="token",
            reconnect_s_max=0.1,
            limits=WIRE,
            offline=QUICK,
        )
        journal = self.folder / f"{lane.lane_id}.sqlite"
        return await stack.enter_async_context(
            play_lane(options, journal, SystemClock(), told.append, motion)
        )

    async def until(self, lane: Lane, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until an agent has reported something so often; the bound only ends a hang."""
        for _ in range(1500):
            found = [one for one in self.reports[lane.lane_id] if one["event"] == event]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)
        raise AssertionError(f"{event}: {self.reports[lane.lane_id]}")


async def let_exit_open(world: LaneWorld, cars_max: int = 1) -> None:
    async with world.context.database.begin() as unit:
        await service.choose(
            unit,
            OfflineSetting(
                operator_id=world.exit.operator_id,
                lane_id=world.exit.lane_id,
                fallback=Fallback.OPEN,
                valid_hours=24,
                cars_max=cars_max,
                changed_by="Ada",
                changed_at=world.clock.now(),
            ),
        )


async def test_an_outage_from_policy_to_bill(
    world: LaneWorld, valkey_url: str, tmp_path: Path
) -> None:
    await let_exit_open(world)
    world.context.database.clock = TickingClock(world)
    town = Town(world, valkey_url, tmp_path)
    async with AsyncExitStack() as stack:
        async with town.bridge() as bridge:
            town.port = bridge.port
            entry = await town.lane(stack, world.entry)
            leaving = await town.lane(stack, world.exit)
            for lane in (world.entry, world.exit):
                assert (await town.until(lane, "policy"))[0]["version"] == 1
        assert await world.count("sessions") == 0
        for lane, played in ((world.entry, entry), (world.exit, leaving)):
            await town.until(lane, "disconnected")
            await played.present_car(CarPictures(), PLATE, 0.97)
            assert await played.wait_free(15)
            assert played.barrier.pulses == 1
        # The cap of the exit is one car: the second one waits for staff.
        await leaving.present_car(CarPictures(), "京B22222", 0.97)
        assert (await town.until(world.exit, "offline", 2))[1] == {
            "event": "offline",
            "presentation_id": str(leaving.presentation_id),
            "choice": "keep_closed",
            "reason": "cap_reached",
        }
        await leaving.car_leaves()
        async with town.bridge():
            await entry.settled()
            await leaving.settled()
            # The bridge knows what was risked by now: the cap begins anew.
            await town.until(world.exit, "policy", 2)
    rows = await world.rows("SELECT state, entered_at < left_at AS in_order FROM sessions")
    assert rows == [{"state": "left", "in_order": True}]
    assert await world.rows("SELECT total_minor, state FROM bills") == [
        {"total_minor": 0, "state": "paid"}
    ]
    passages = await world.rows(
        "SELECT direction, state, reason, clock_uncertainty_ms < 5000 AS is_sure "
        "FROM offline_passages ORDER BY id"
    )
    assert passages == [
        {"direction": "entry", "state": "applied", "reason": "fallback", "is_sure": True},
        {"direction": "exit", "state": "applied", "reason": "fallback", "is_sure": True},
        {"direction": "exit", "state": "kept_closed", "reason": "cap_reached", "is_sure": True},
    ]
    assert (entry.barrier.pulses, leaving.barrier.pulses) == (1, 1)
    assert await world.count("gate_commands") == 0

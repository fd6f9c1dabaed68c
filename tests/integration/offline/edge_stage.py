"""A lane's edge without network: a real journal, a barrier made of flags, clocks in the hand."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import orjson

from gate_bridge.agent.barrier import ArmPosition, Feedback, LoopChange
from gate_bridge.agent.errors import BarrierError
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.offline.decider import OfflineDecider, OfflineParts
from gate_bridge.agent.offline.edge_clock import EdgeClock
from gate_bridge.agent.offline.options import OfflineOptions
from gate_bridge.agent.offline.policy_keeper import PolicyKeeper
from gate_bridge.agent.offline.reachability import Reachability
from gate_bridge.agent.offline.store import OfflineStore
from gate_bridge.agent.seen_car import SeenCar
from gate_bridge.agent.server_time import ServerTime
from gate_bridge.agent.stall import StallWatch
from parking.kit.clock import ManualClock
from parking.offline.bundle import PolicyBundle
from tests.factories.policies import ISSUED, LANE, signed

PLATE = "京A88731"


class KilledError(BaseException):
    """The process dies here."""


@dataclass
class FlagBarrier:
    """Does what its flags say; it outlives the process."""

    arm: ArmPosition = ArmPosition.DOWN
    occupied: bool = False
    moves: bool = True
    broken: bool = False
    kills: bool = False
    held: asyncio.Event | None = None
    pulses: list[UUID] = field(default_factory=list[UUID])

    async def pulse(self, command_id: UUID, deadline_s: float) -> None:
        assert deadline_s > 0
        if self.kills:
            raise KilledError
        if self.broken:
            raise BarrierError("the relay is silent")
        self.pulses.append(command_id)
        if self.held is not None:
            await self.held.wait()
        if self.moves:
            self.arm = ArmPosition.UP

    def position(self) -> ArmPosition:
        return self.arm

    def loop_occupied(self) -> bool:
        return self.occupied

    async def next_feedback(self) -> Feedback:
        return await asyncio.get_running_loop().create_future()


@dataclass
class Steady:
    """A steady clock that moves when told to."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


class OfflineEdge:
    """One process of a lane's agent, as far as it is about the time without network."""

    def __init__(self, journal: Journal, barrier: FlagBarrier, steady: Steady) -> None:
        self.journal = journal
        self.barrier = barrier
        self.steady = steady
        self.reports: list[dict[str, object]] = []
        self.wall = ManualClock(ISSUED)
        self.server_time = ServerTime(steady)
        self.store = OfflineStore(journal)
        self.clock = EdgeClock(self.wall, self.server_time, steady=steady, boot_id="boot-1")
        self.bridge = Reachability(steady)
        self.keeper = PolicyKeeper(LANE, self.store, self.reports.append)
        self.state = LaneState(journal, barrier, self.server_time, self.clock, self.reports.append)
        self.decider = self.make_decider()

    def make_decider(self, stall: StallWatch | None = None) -> OfflineDecider:
        parts = OfflineParts(
            self.journal, self.store, self.keeper, self.state, self.barrier, self.clock, self.bridge
        )
        return OfflineDecider(parts, self.reports.append, OfflineOptions(), self.steady, stall)

    async def start(self) -> None:
        await self.store.start()
        self.clock.anchor = await self.store.anchor()
        await self.keeper.start()
        await self.state.start()

    async def hears(self) -> None:
        """Let the bridge tell its time once, and go away."""
        self.server_time.sample(self.steady.now_s - 0.1, self.steady.now_s, self.wall.now())
        anchor = self.clock.take_anchor()
        assert anchor is not None
        await self.store.save_anchor(anchor)
        self.server_time.forget()

    async def takes(self, bundle: PolicyBundle) -> None:
        await self.keeper.accept(*signed(bundle))

    async def comes(self, plate: str | None = PLATE, confidence: float = 0.97) -> UUID:
        """Let a car come after the bridge has been away for long."""
        self.steady.now_s += 60
        self.barrier.occupied = True
        await self.state.take(Feedback(LoopChange.OCCUPIED))
        if plate is not None:
            await self.state.observe(SeenCar(plate=plate, confidence=confidence, source="camera-1"))
        assert self.state.car is not None
        return self.state.car.presentation_id

    async def leaves(self) -> None:
        self.barrier.occupied = False
        self.barrier.arm = ArmPosition.DOWN
        await self.state.take(Feedback(LoopChange.CLEARED))

    async def events(self) -> list[tuple[str, dict[str, object]]]:
        return [(event.action, orjson.loads(event.body)) for event in await self.journal.queued(99)]

    async def decisions(self) -> list[tuple[str, str]]:
        return [
            (str(body["choice"]), str(body["reason"]))
            for action, body in await self.events()
            if action == "OfflineDecision"
        ]


@asynccontextmanager
async def open_edge(
    path: Path, barrier: FlagBarrier | None = None, steady: Steady | None = None
) -> AsyncGenerator[OfflineEdge]:
    journal = await Journal.open(path)
    try:
        edge = OfflineEdge(journal, barrier or FlagBarrier(), steady or Steady())
        await edge.start()
        yield edge
    finally:
        await journal.close()

"""Plays a lane: an agent with a simulated barrier and cars made of pictures."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from gate_bridge.agent.barrier import ArmPosition
from gate_bridge.agent.gate_agent import GateAgent
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.picture_sources import open_pictures
from gate_bridge.agent.pictures import CarPictures
from gate_bridge.agent.reports import Report, Reporter, silent
from gate_bridge.agent.seen_car import SeenCar
from gate_bridge.agent.simulation import Faults, Motion, SimulatedBarrier
from gate_bridge.agent.world import Car
from parking.kit.clock import Clock

CAMERA_SOURCE = "simulated-camera"
_LOOP_TIMEOUT_S = 5.0
_SETTLE_POLL_S = 0.02
_SETTLE_LOOKS_MAX = 250


class SimulatedLane:
    """One lane with everything that a real one has; made by `play_lane`."""

    def __init__(self, agent: GateAgent, barrier: SimulatedBarrier) -> None:
        self._agent = agent
        self.barrier = barrier

    @property
    def presentation_id(self) -> UUID | None:
        """Return the presentation of the car on the loop."""
        car = self._agent.state.car
        return None if car is None else car.presentation_id

    async def present_car(
        self, pictures: CarPictures, plate: str | None = None, confidence: float = 0.95
    ) -> UUID:
        """Let a car come; return its presentation.

        Args:
            pictures: What the camera sees of it.
            plate: What the camera reads by itself, if it does.
            confidence: How sure the camera is of that, from 0 to 1.

        Raises:
            LaneOccupiedError: there is one already.
            PictureError: its pictures cannot be read.
        """
        self.barrier.arrive(Car(pictures=pictures, plate=plate, confidence=confidence))
        async with asyncio.timeout(_LOOP_TIMEOUT_S):
            await self._agent.state.occupied.wait()
        await self.observe()
        car = self._agent.state.car
        if car is None:
            raise RuntimeError("the loop was freed while the car came")
        return car.presentation_id

    async def observe(self) -> None:
        """Report what the camera reads of the car that stands there."""
        car = self.barrier.car
        if car is not None and car.plate is not None:
            await self._agent.state.observe(
                SeenCar(plate=car.plate, confidence=car.confidence, source=CAMERA_SOURCE)
            )

    async def car_leaves(self) -> None:
        """Let the car back out.

        Raises:
            LaneEmptyError: there is none.
        """
        self.barrier.leave()
        await self.wait_free(_LOOP_TIMEOUT_S)

    async def wait_free(self, timeout_s: float) -> bool:
        """Wait until no car stands on the loop; return False when one still does."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._agent.state.free.wait()
        except TimeoutError:
            return False
        return True

    async def settled(self) -> None:
        """Wait until the arm is down and the bridge has committed every event.

        Bounded: a bridge that is away leaves the events in the journal, for the next start.
        """
        for _ in range(_SETTLE_LOOKS_MAX):
            is_down = self.barrier.position() is ArmPosition.DOWN
            if is_down and not await self._agent.has_unsent_events():
                return
            await asyncio.sleep(_SETTLE_POLL_S)

    def status(self) -> Report:
        """Return what stands there and what the arm does."""
        presentation_id = self.presentation_id
        return {
            "event": "status",
            "presentation_id": None if presentation_id is None else str(presentation_id),
            "arm": self.barrier.position().value,
            "pulses": self.barrier.pulses,
        }


def street_path(journal: Path) -> Path:
    """Return where the street in front of a journal's lane is kept."""
    return journal.with_name(journal.name + ".street.jsonl")


@asynccontextmanager
async def play_lane(
    options: AgentOptions,
    journal_path: Path,
    clock: Clock,
    report: Reporter = silent,
    motion: Motion | None = None,
) -> AsyncGenerator[SimulatedLane]:
    """Run a lane inside the context.

    Raises:
        InvalidInputError: the address cannot be used.
        JournalBusyError: another agent has the journal open.
    """
    options.check()
    journal = await Journal.open(journal_path)
    try:
        barrier = SimulatedBarrier(street_path(journal_path), motion or Motion(), Faults())
        agent = GateAgent(
            options,
            journal,
            barrier,
            lambda: None if barrier.car is None else open_pictures(barrier.car.pictures),
            clock,
            report,
        )
        await barrier.start()
        try:
            async with agent:
                lane = SimulatedLane(agent, barrier)
                await lane.observe()
                yield lane
        finally:
            await barrier.close()
    finally:
        await journal.close()

"""Cars that change places while nobody looks: an order opens only for the car that it was for."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from gate_bridge.agent import stall as stall_module
from gate_bridge.agent.guards import Situation
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.machines.contacts import ContactUse, RelayInput, Wiring
from gate_bridge.agent.machines.fake_relay import FakeRelay
from gate_bridge.agent.machines.machine import LaneMachine
from gate_bridge.agent.opening import Opening
from gate_bridge.agent.reports import Report
from gate_bridge.agent.server_time import ServerTime
from gate_bridge.agent.stall import StallWatch
from gate_bridge.loops import stop_task
from gate_bridge.wire.actions import OpenBarrier
from gate_bridge.wire.errors import NotReadyError
from parking.kit.clock import ManualClock
from tests.integration.gate_stage import eventually
from tests.money.dice import SeededDice

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
STEPS = 40
TURNS = 30
LOOP, UP, DOWN = range(3)
WIRED = {
    LOOP: RelayInput(ContactUse.LOOP),
    UP: RelayInput(ContactUse.ARM_UP),
    DOWN: RelayInput(ContactUse.ARM_DOWN),
}
HEARD = {LOOP: ContactUse.LOOP, UP: ContactUse.ARM_UP, DOWN: ContactUse.ARM_DOWN}


class Steady:
    """Seconds that go by, and leap when the test says so."""

    def __init__(self) -> None:
        self.leapt_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.leapt_s


class CountedStall(StallWatch):
    """Counts its beats."""

    beats = 0

    def beat(self) -> bool:
        self.beats += 1
        return super().beat()


@dataclass
class Street:
    """What is really there; cars are numbers."""

    car: int = 0
    is_up: bool = False
    last: int = 0
    told_for: dict[str, int] = field(default_factory=dict[str, int])
    wrong: list[str] = field(default_factory=list[str])

    def come(self) -> None:
        self.last += 1
        self.car = self.last

    def swap(self) -> None:
        """Another car stands there, and nobody saw how."""
        self.come()

    def contacts(self) -> dict[int, bool]:
        return {LOOP: self.car > 0, UP: self.is_up, DOWN: not self.is_up}


class Process:
    """One process of the agent: of its lane, all but the connection."""

    def __init__(self, street: Street, journal: Journal, *, is_polled: bool) -> None:
        self._street = street
        self.is_polled = is_polled
        self.steady, self.freezing = Steady(), Steady()
        self.stall = CountedStall(self.freezing)
        self.relay = FakeRelay(has_inputs=is_polled)
        self.relay.look_s = 0.0
        wiring = Wiring(uses=frozenset(HEARD.values()), inputs=WIRED if is_polled else {})
        self.machine = LaneMachine(self.relay, wiring, self.steady, self.stall)
        self.state = LaneState(journal, self.machine, ServerTime(), ManualClock(NOW), self.note)
        self._journal = journal
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self.look()
        await self.machine.__aenter__()
        await self.state.start()
        self._tasks = [asyncio.create_task(loop()) for loop in (self._signals, self.state.look)]
        await self.settle()

    async def stop(self) -> None:
        for task in self._tasks:
            await stop_task(task)
        await self.machine.__aexit__(None, None, None)

    def note(self, report: Report) -> None:
        if report["event"] == "presented":
            # The bridge decides by what is read from now on.
            self._street.told_for[str(report["presentation_id"])] = self._street.car

    def look(self) -> None:
        """Let the contacts be heard: all of them, at every look, or each change once."""
        self.relay.inputs = self._street.contacts()
        if not self.is_polled:
            for number, is_on in self._street.contacts().items():
                self.machine.contact(HEARD[number], is_on=is_on)

    async def settle(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        await self._journal.queued(1)
        await asyncio.sleep(0.001)

    async def order(self, presentation_id: str, command_id: UUID) -> None:
        before = len(self.relay.pulses)
        opening = Opening(self._journal, self.machine, self._situation, self.state, self.steady)
        order = OpenBarrier(
            command_id=command_id,
            presentation_id=UUID(presentation_id),
            session_epoch=7,
            issued_at=NOW,
            ttl_ms=100,
        )
        with suppress(NotReadyError):
            await opening.carry_out(order)
        if len(self.relay.pulses) > before:
            meant, there = self._street.told_for[presentation_id], self._street.car
            if meant != there:
                self._street.wrong.append(f"an order for car {meant} opened for car {there}")
            self._street.is_up = True
            self.look()

    def _situation(self) -> Situation:
        car = self.state.car
        return Situation(7, None if car is None else car.presentation_id, NOW, NOW)

    async def _signals(self) -> None:
        while True:
            await self.state.take(await self.machine.next_feedback())


class Story:
    """What happens, by dice."""

    def __init__(self, seed: int, journal: Journal) -> None:
        self._dice = SeededDice(seed)
        self._journal = journal
        self.street = Street()
        self._is_polled = self._dice.choose((True, False))
        self.process = Process(self.street, journal, is_polled=self._is_polled)
        self._commands: list[tuple[str, UUID]] = []

    async def tell(self) -> None:
        await self.process.start()
        for _ in range(STEPS):
            result = self._dice.weigh(self._steps())()
            if asyncio.iscoroutine(result):
                await result
            await self.process.settle()
        await self.process.stop()

    def _steps(self) -> list[tuple[Callable[[], Coroutine[None, None, None] | None], int]]:
        if not self.street.car:
            return [(self._come, 6), (self._restart, 1)]
        return [
            (self._order, 8),
            (self._repeat, 2),
            (self._restart, 4),
            (self._stand_still, 4),
            (self._silence, 4),
            (self._arm, 3),
            (self._leave, 1),
        ]

    def _come(self) -> None:
        if not self.street.car:
            self.street.come()
            self.process.look()

    def _leave(self) -> None:
        self.street.car = 0
        self.process.look()

    def _arm(self) -> None:
        self.street.is_up = False
        self.process.look()

    def _maybe_swap(self) -> None:
        if self.street.car and self._dice.choose((True, False)):
            self.street.swap()
        if self._dice.choose((True, False)):
            self.street.is_up = False

    async def _order(self) -> None:
        if self.street.told_for:
            presentation_id = self._dice.choose(list(self.street.told_for)[-2:])
            command_id = uuid4()
            self._commands.append((presentation_id, command_id))
            await self.process.order(presentation_id, command_id)

    async def _repeat(self) -> None:
        if self._commands:
            await self.process.order(*self._dice.choose(self._commands[-4:]))

    async def _restart(self) -> None:
        await self.process.stop()
        self._maybe_swap()
        self.process = Process(self.street, self._journal, is_polled=self._is_polled)
        await self.process.start()

    async def _stand_still(self) -> None:
        """Let the process stand still: whatever happened meanwhile, its end is all it hears."""
        self._maybe_swap()
        process = self.process
        process.steady.leapt_s += 3.0
        process.freezing.leapt_s += 3.0
        process.look()
        beats = process.stall.beats
        await eventually(lambda: process.stall.beats > beats)
        process.freezing.leapt_s += 1.5

    def _silence(self) -> None:
        """Let the relay be silent for a while."""
        if self._is_polled:
            self._maybe_swap()
            self.process.steady.leapt_s += 3.0
            self.process.look()


@pytest.mark.parametrize("seed", range(6))
async def test_no_order_opens_for_a_car_that_took_another_s_place_unseen(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stall_module, "BEAT_S", 0.002)
    journal = await Journal.open(tmp_path / "j.sqlite")
    try:
        story = Story(seed, journal)
        await story.tell()
        assert story.street.wrong == []
    finally:
        await journal.close()

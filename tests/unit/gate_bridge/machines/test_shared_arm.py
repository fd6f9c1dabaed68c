"""Two lanes under one arm: which car is whose, who may go, and who waits."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from itertools import count
from uuid import UUID

import pytest

from gate_bridge.agent.errors import BarrierError
from gate_bridge.agent.machines.contacts import ContactUse, RelayInput, Wiring
from gate_bridge.agent.machines.fake_relay import FakeRelay
from gate_bridge.agent.machines.machine import LaneMachine
from gate_bridge.agent.machines.shared_arm import ArmSide, SharedArm, mirrored
from gate_bridge.agent.stall import StallWatch

TURNS = 6
STEP_S = 0.1
LOOK_S = 0.5
INPUTS = {
    "A": (0, ContactUse.LOOP),
    "B": (1, ContactUse.EXIT_LOOP),
    "up": (2, ContactUse.ARM_UP),
    "down": (3, ContactUse.ARM_DOWN),
    "button": (4, ContactUse.OPENED_BY_HAND),
}
LOOPS_ONLY = ("A", "B")
WITH_ARM = ("A", "B", "up", "down", "button")


def wiring(*names: str) -> Wiring:
    inputs = {INPUTS[name][0]: RelayInput(INPUTS[name][1]) for name in names}
    return Wiring(uses=frozenset(item.use for item in inputs.values()), inputs=inputs)


class Steady:
    """Seconds that only the test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Gate:
    """One arm with a loop on either side: A outside, B inside."""

    def __init__(self, *names: str) -> None:
        self.steady = Steady()
        self.relay = FakeRelay(can_lower=True, has_inputs=True)
        self.arm = SharedArm(self.relay, wiring(*names), self.steady)
        self.raw = {INPUTS[name][0]: name == "down" for name in names}
        self.entry, self.exit = (self._machine(side) for side in self.arm.sides)
        self.told: list[str] = []
        self._orders = count(1)
        self._tasks: list[asyncio.Task[None]] = []

    def _machine(self, side: ArmSide) -> LaneMachine:
        return LaneMachine(side, side.wiring, self.steady, StallWatch(Steady()), side)

    async def open(self) -> None:
        entering = [asyncio.create_task(one.__aenter__()) for one in (self.entry, self.exit)]
        await self.turn()
        self.look()
        await asyncio.gather(*entering)
        for name, machine in (("entry", self.entry), ("exit", self.exit)):
            self._tasks.append(asyncio.create_task(self._hear(name, machine)))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for machine in (self.entry, self.exit):
            await machine.__aexit__(None, None, None)

    async def play(self, steps: str) -> list[str]:
        """Return what the lanes are told; steps are `A+`, `B-`, `wait:5`, `entry`, `exit`."""
        begin = len(self.told)
        for step in steps.split():
            self.steady.now_s += STEP_S
            match step.split(":"):
                case ["wait", seconds]:
                    await self._pass_time(float(seconds))
                case ["entry" | "exit" as lane]:
                    await self.order(lane)
                case _:
                    self.raw[INPUTS[step[:-1]][0]] = step.endswith("+")
                    self.look()
            await self.turn()
        return self.told[begin:]

    async def order(self, lane: str, within_s: float = 4.0) -> None:
        machine = self.entry if lane == "entry" else self.exit
        command_id = UUID(int=next(self._orders))
        await machine.pulse(command_id, self.steady.now_s + within_s)

    def ordering(self, lane: str) -> "asyncio.Task[None]":
        return asyncio.create_task(self.order(lane))

    @property
    def pulses(self) -> int:
        return len(self.relay.pulses)

    def look(self) -> None:
        for number, is_on in self.raw.items():
            self.arm.input(number, is_on)
        self.arm.tick()

    async def turn(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def _pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / LOOK_S)):
            self.steady.now_s += LOOK_S
            self.look()
            await self.turn()

    async def _hear(self, name: str, machine: LaneMachine) -> None:
        words = {"loop_occupied": "car", "loop_cleared": "free"}
        while True:
            kind = (await machine.next_feedback()).kind.value
            self.told.append(f"{name} {words.get(kind, kind)}")


@pytest.fixture(params=[LOOPS_ONLY, WITH_ARM], ids=["loops", "arm contacts"])
async def gate(request: pytest.FixtureRequest) -> AsyncGenerator[Gate]:
    gate = Gate(*request.param)
    await gate.open()
    yield gate
    await gate.close()


@pytest.fixture
async def armed() -> AsyncGenerator[Gate]:
    gate = Gate(*WITH_ARM)
    await gate.open()
    yield gate
    await gate.close()


@pytest.fixture
async def bare() -> AsyncGenerator[Gate]:
    gate = Gate(*LOOPS_ONLY)
    await gate.open()
    yield gate
    await gate.close()


async def rise(gate: Gate) -> list[str]:
    if 2 not in gate.raw:
        return await gate.play("wait:2")
    return await gate.play("down- wait:2 up+")


async def fall(gate: Gate) -> list[str]:
    if 2 not in gate.raw:
        return await gate.play("wait:1")
    return await gate.play("up- wait:1 down+")


def about_cars(told: list[str]) -> list[str]:
    """Without what only contacts at the arm tell."""
    return [one for one in told if one.split()[1] not in {"opening", "opened", "closed", "pulsed"}]


@pytest.mark.parametrize(
    ("lane", "way"),
    [("entry", "A+ | B+ A- wait:1 B- wait:1"), ("exit", "B+ | A+ B- wait:1 A- wait:1")],
)
async def test_a_car_s_tail_on_the_other_lane_s_loop_is_no_new_car(
    gate: Gate, lane: str, way: str
) -> None:
    before, after = way.split(" | ")
    told = [*await gate.play(f"{before} {lane}"), *await rise(gate), *await gate.play(after)]
    told += await fall(gate)
    assert about_cars(told) == [f"{lane} car", f"{lane} free", f"{lane} passed"]
    assert gate.pulses == 1


async def test_one_after_the_other_both_ways(gate: Gate) -> None:
    for lane, before, after in (
        ("entry", "A+", "B+ A- wait:1 B- wait:1"),
        ("exit", "B+", "A+ B- wait:1 A- wait:1"),
        ("entry", "A+", "B+ A- wait:1 B- wait:1"),
    ):
        told = [*await gate.play(f"{before} {lane}"), *await rise(gate), *await gate.play(after)]
        told += await fall(gate)
        assert about_cars(told) == [f"{lane} car", f"{lane} free", f"{lane} passed"]
    assert gate.pulses == 3


async def test_of_two_that_face_each_other_one_goes_and_the_other_waits(gate: Gate) -> None:
    assert await gate.play("A+ B+") == ["entry car", "exit car"]
    await gate.play("exit")
    await rise(gate)
    waiting = gate.ordering("entry")
    await gate.turn()
    await gate.play("wait:1")
    assert (gate.pulses, waiting.done()) == (1, False)
    # The one outside makes way, and comes back when the other one has gone.
    told = await gate.play("A- wait:1 A+ B- wait:1 A- wait:1")
    assert about_cars(told) == ["entry free", "exit free", "exit passed"]
    with pytest.raises(BarrierError, match="has not passed yet"):
        await waiting
    assert gate.pulses == 1
    await fall(gate)
    assert await gate.play("A+") == ["entry car"]
    await gate.play("entry")
    assert gate.pulses == 2


async def test_an_order_that_waits_is_carried_out_when_the_other_car_has_gone(
    gate: Gate,
) -> None:
    # The way is broad: the car from inside drives past the one that waits on the loop outside.
    await gate.play("A+ B+ exit")
    await rise(gate)
    told = await gate.play("B- wait:1")
    assert about_cars(told) == ["exit free", "exit passed"]
    await fall(gate)
    await gate.play("entry")
    assert gate.pulses == 2
    await rise(gate)
    told = [*await gate.play("B+ A- wait:1 B- wait:1"), *await fall(gate)]
    assert about_cars(told) == ["entry free", "entry passed"]


async def test_a_lane_whose_order_ran_out_is_told_when_the_way_is_free(gate: Gate) -> None:
    await gate.play("A+ B+ exit")
    await rise(gate)
    waiting = gate.ordering("entry")
    await gate.play("wait:5")
    with pytest.raises(BarrierError, match="ran out"):
        await waiting
    entry_side = gate.arm.sides[0]
    assert (gate.pulses, entry_side.freed.is_set()) == (1, False)
    await gate.play("B- wait:1")
    await fall(gate)
    await gate.play("wait:1")
    assert (gate.pulses, entry_side.freed.is_set()) == (1, True)


async def test_an_order_that_was_carried_out_after_its_wait_frees_nothing(gate: Gate) -> None:
    await gate.play("A+ B+ exit")
    await rise(gate)
    waiting = gate.ordering("entry")
    await gate.play("wait:1 B- wait:1")
    await fall(gate)
    await asyncio.wait_for(waiting, 5)
    await gate.play("wait:1")
    assert (gate.pulses, gate.arm.sides[0].freed.is_set()) == (2, False)


async def test_a_car_that_comes_while_the_arm_still_rises_is_the_other_lane_s(gate: Gate) -> None:
    await gate.play("A+ entry")
    assert await gate.play("B+") == ["exit car"]
    with pytest.raises(BarrierError, match="ran out"):
        await gate.order("exit", within_s=0.0)
    assert gate.pulses == 1


async def test_a_car_that_stands_on_the_loop_for_long_is_one_that_faces_the_other(
    gate: Gate,
) -> None:
    await gate.play("A+ entry")
    await rise(gate)
    assert about_cars(await gate.play("B+ wait:1")) == []
    # The one that was let in does not move: this is another car.
    told = about_cars(await gate.play("wait:15"))
    assert "exit car" in told
    assert "entry passed" not in told
    with pytest.raises(BarrierError, match="ran out"):
        await gate.order("exit", within_s=0.0)
    assert gate.pulses == 1


async def test_a_car_that_drives_out_on_the_other_s_opening_is_reported(armed: Gate) -> None:
    await armed.play("A+ B+ entry")
    await rise(armed)
    await armed.play("A- wait:1 B-")
    told = await armed.play("A+ wait:1")
    assert told == ["entry tailgate"]
    assert await armed.play("A- wait:1 up- down+") == ["entry closed"]
    assert await armed.play("A+") == ["entry car"]


async def test_the_arm_s_contacts_are_those_of_the_lane_that_it_rises_for(armed: Gate) -> None:
    await armed.play("A+ B+ exit")
    assert await rise(armed) == ["exit opening", "exit opened"]
    assert await armed.play("B- wait:1 up- wait:1 down+") == [
        "exit free",
        "exit passed",
        "exit closed",
    ]


async def test_no_lane_is_opened_while_the_arm_is_up_for_the_other(armed: Gate) -> None:
    await armed.play("A+ entry")
    await rise(armed)
    await armed.play("B+ A- wait:1 B- wait:1 B+")
    waiting = armed.ordering("exit")
    await armed.play("wait:1")
    assert (armed.pulses, waiting.done()) == (1, False)
    await fall(armed)
    await asyncio.wait_for(waiting, 5)
    assert armed.pulses == 2


@pytest.mark.parametrize(("loop", "lane"), [("A", "entry"), ("B", "exit")])
async def test_the_button_opens_for_the_lane_that_has_a_car(
    armed: Gate, loop: str, lane: str
) -> None:
    assert await armed.play(f"{loop}+ button+ button-") == [f"{lane} car", f"{lane} manual_open"]
    assert await rise(armed) == [f"{lane} opening", f"{lane} opened"]


@pytest.mark.parametrize(("loop", "lane"), [("A", "entry"), ("B", "exit")])
async def test_an_arm_that_rises_by_itself_is_told_to_one_lane(
    armed: Gate, loop: str, lane: str
) -> None:
    await armed.play(f"{loop}+")
    assert await rise(armed) == [f"{lane} manual_open", f"{lane} opened"]


async def test_the_arm_is_not_lowered_behind_one_while_it_rises_for_the_other(bare: Gate) -> None:
    await bare.play("A+ entry wait:2 B+ A-")
    async with bare.arm.turn:
        # The car is through, and closing waits for its turn; the other order comes first.
        assert await bare.play("B- wait:1") == ["entry passed"]
        bare.arm.sides[1].begin()
    await bare.turn()
    assert bare.relay.lowered == 0


async def test_the_arm_is_lowered_behind_a_car_that_is_through(bare: Gate) -> None:
    await bare.play("A+ entry wait:2 B+ A- B- wait:1")
    assert bare.relay.lowered == 1


async def test_a_lane_that_begins_anew_leaves_the_other_one_alone(gate: Gate) -> None:
    await gate.play("A+ entry")
    await gate.exit.__aexit__(None, None, None)
    assert not gate.relay.is_closed
    gate.arm.sides[1].passages = None
    await rise(gate)
    told = await gate.play("B+ A- wait:1 B- wait:1")
    assert about_cars(told) == ["entry free", "entry passed"]


def test_the_second_lane_has_the_loops_of_the_first_the_other_way_round() -> None:
    first = wiring(*WITH_ARM)
    second = mirrored(replace(first, inputs={0: RelayInput(ContactUse.LOOP, is_inverted=True)}))
    assert second.inputs == {0: RelayInput(ContactUse.EXIT_LOOP, is_inverted=True)}
    assert mirrored(mirrored(first)) == first

"""A lane's machine with a relay made of flags and a clock in the test's hand."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

import pytest

from gate_bridge.agent.barrier import ArmPosition
from gate_bridge.agent.errors import BarrierError, PulseUnknownError
from gate_bridge.agent.machines.contacts import ContactUse, RelayInput, Wiring
from gate_bridge.agent.machines.fake_relay import FakeRelay
from gate_bridge.agent.machines.machine import LaneMachine
from gate_bridge.agent.stall import StallWatch
from gate_bridge.wire.actions import BarrierEventKind

FIRST, SECOND = UUID(int=1), UUID(int=2)
FULL = frozenset(ContactUse)
LOOKS_MAX = 200


class Steady:
    """Seconds that only the test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Lane:
    def __init__(self, wiring: Wiring, *, has_inputs: bool = False) -> None:
        self.steady = Steady()
        self.relay = FakeRelay(can_lower=True, has_inputs=has_inputs)
        self.freezing = Steady()
        stall = StallWatch(self.freezing)
        self.machine = LaneMachine(self.relay, wiring, self.steady, stall)

    async def next(self) -> str:
        async with asyncio.timeout(5):
            feedback = await self.machine.next_feedback()
        return feedback.kind.value

    async def told(self, *kinds: str) -> None:
        assert [await self.next() for _ in kinds] == list(kinds)

    def contacts(self, steps: str) -> None:
        """Take in contacts such as `loop+ arm_up-`."""
        for step in steps.split():
            self.machine.contact(ContactUse(step[:-1]), is_on=step.endswith("+"))

    async def pulse(self, command_id: UUID = FIRST, within_s: float = 4.0) -> None:
        await self.machine.pulse(command_id, self.steady.now_s + within_s)


@pytest.fixture
async def lane() -> AsyncGenerator[Lane]:
    lane = Lane(Wiring(uses=FULL))
    async with lane.machine:
        yield lane
    assert lane.relay.is_closed


@pytest.fixture
async def at_loop(lane: Lane) -> Lane:
    lane.contacts("arm_down+ arm_up- loop+")
    await lane.told("loop_occupied")
    return lane


async def until(lane: Lane, *, lowered: int) -> None:
    for _ in range(LOOKS_MAX):
        if lane.relay.lowered == lowered:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(lane.relay.lowered)


async def test_a_car_is_let_through_and_the_arm_told_to_close(at_loop: Lane) -> None:
    await at_loop.pulse()
    assert at_loop.relay.pulses == [FIRST]
    at_loop.contacts("arm_down- arm_up+ exit_loop+ loop- exit_loop-")
    await at_loop.told("opening", "opened", "loop_cleared")
    assert at_loop.relay.lowered == 0
    at_loop.steady.now_s += 1.0
    at_loop.contacts("opened_by_hand-")
    feedback = await at_loop.machine.next_feedback()
    assert (feedback.kind, feedback.cause) == (BarrierEventKind.PASSED, FIRST)
    await until(at_loop, lowered=1)
    assert at_loop.machine.position() is ArmPosition.UP
    at_loop.contacts("arm_up- arm_down+")
    await at_loop.told("closed")


async def test_no_order_is_carried_out_after_its_time(at_loop: Lane) -> None:
    with pytest.raises(BarrierError, match="ran out"):
        await at_loop.pulse(within_s=0.0)
    assert at_loop.relay.pulses == []


async def test_an_order_whose_relay_is_slower_than_its_time_is_refused(at_loop: Lane) -> None:
    at_loop.relay.delay_s = 0.05
    task = asyncio.create_task(at_loop.pulse(within_s=4.0))
    await asyncio.sleep(0)
    at_loop.steady.now_s += 5.0
    with pytest.raises(BarrierError, match="ran out"):
        await task
    assert at_loop.relay.pulses == []


@pytest.mark.parametrize("steps", ["loop-", "loop- loop+"])
async def test_a_car_that_leaves_while_the_relay_is_slow_is_not_pulsed_for(
    at_loop: Lane, steps: str
) -> None:
    at_loop.relay.delay_s = 0.05
    task = asyncio.create_task(at_loop.pulse())
    await asyncio.sleep(0)
    at_loop.contacts(steps)
    with pytest.raises(BarrierError, match=r"changed|no car"):
        await task
    assert at_loop.relay.pulses == []


async def test_a_car_that_took_another_s_place_meanwhile_is_not_let_in_for_it(
    at_loop: Lane,
) -> None:
    at_loop.relay.delay_s = 0.05
    task = asyncio.create_task(at_loop.pulse())
    await asyncio.sleep(0)
    at_loop.contacts("loop- loop+")
    # The agent knows of it by now: only the order still is for the car before.
    await at_loop.told("loop_cleared", "loop_occupied")
    with pytest.raises(BarrierError, match="changed"):
        await task
    assert at_loop.relay.pulses == []


async def test_a_change_that_the_agent_has_not_heard_of_stops_its_order(at_loop: Lane) -> None:
    # The agent waits for its disk, and still believes in the car before.
    at_loop.contacts("loop- loop+")
    with pytest.raises(BarrierError, match="changed"):
        await at_loop.pulse()
    await at_loop.told("loop_cleared", "loop_occupied")
    await at_loop.pulse(SECOND)
    assert at_loop.relay.pulses == [SECOND]


async def test_the_next_car_waits_until_the_one_before_has_passed(at_loop: Lane) -> None:
    await at_loop.pulse()
    at_loop.contacts("arm_down- arm_up+ exit_loop+ loop- loop+")
    await at_loop.told("opening", "opened", "loop_cleared", "loop_occupied")
    second = asyncio.create_task(at_loop.pulse(SECOND))
    await asyncio.sleep(0.01)
    assert at_loop.relay.pulses == [FIRST]
    at_loop.contacts("exit_loop-")
    at_loop.steady.now_s += 1.0
    at_loop.contacts("opened_by_hand-")
    await second
    assert at_loop.relay.pulses == [FIRST, SECOND]
    await at_loop.told("passed", "opened")


async def test_the_next_car_s_order_runs_out_while_the_one_before_stands_there(
    at_loop: Lane,
) -> None:
    await at_loop.pulse()
    at_loop.contacts("arm_down- arm_up+ exit_loop+ loop- loop+")
    await at_loop.told("opening", "opened", "loop_cleared", "loop_occupied")
    second = asyncio.create_task(at_loop.pulse(SECOND))
    await asyncio.sleep(0.01)
    at_loop.steady.now_s += 4.5
    with pytest.raises(BarrierError):
        await second
    assert at_loop.relay.pulses == [FIRST]


async def test_a_pulse_that_nobody_knows_of_leaves_the_arm_to_be_looked_at(at_loop: Lane) -> None:
    at_loop.relay.failure = PulseUnknownError("the relay fell silent")
    at_loop.relay.is_lost_after = True
    with pytest.raises(PulseUnknownError):
        await at_loop.pulse()
    assert at_loop.machine.position() is ArmPosition.MOVING
    at_loop.contacts("arm_down- arm_up+")
    feedback = await at_loop.machine.next_feedback()
    assert (feedback.kind, feedback.cause) == (BarrierEventKind.OPENING, FIRST)


async def test_a_stop_in_the_middle_counts_as_a_pulse_that_nobody_knows_of(at_loop: Lane) -> None:
    at_loop.relay.delay_s = 10.0
    task = asyncio.create_task(at_loop.pulse())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert at_loop.machine.position() is ArmPosition.MOVING


async def test_an_agent_that_stood_still_opens_nothing_before_it_has_caught_up(
    at_loop: Lane,
) -> None:
    at_loop.freezing.now_s += 10.0
    with pytest.raises(BarrierError, match="stood still"):
        await at_loop.pulse()
    assert at_loop.relay.pulses == []


async def test_the_arm_is_not_lowered_on_a_car(at_loop: Lane) -> None:
    await at_loop.pulse()
    at_loop.contacts("arm_down- arm_up+ exit_loop+ obstructed+ loop- exit_loop-")
    await at_loop.told("opening", "opened", "loop_cleared")
    at_loop.steady.now_s += 1.0
    at_loop.contacts("opened_by_hand-")
    await at_loop.told("passed")
    await asyncio.sleep(0.01)
    assert at_loop.relay.lowered == 0
    at_loop.contacts("obstructed-")
    await until(at_loop, lowered=1)


async def test_a_car_that_follows_at_the_last_moment_keeps_the_arm_up(at_loop: Lane) -> None:
    await at_loop.pulse()
    at_loop.contacts("arm_down- arm_up+ exit_loop+ loop- exit_loop-")
    await at_loop.told("opening", "opened", "loop_cleared")
    at_loop.steady.now_s += 1.0
    at_loop.contacts("opened_by_hand-")
    await at_loop.told("passed")
    at_loop.contacts("exit_loop+")
    await at_loop.told("tailgate")
    await asyncio.sleep(0.01)
    assert at_loop.relay.lowered == 0


def wired() -> Wiring:
    loop, button = (
        RelayInput(ContactUse.LOOP),
        RelayInput(ContactUse.OPENED_BY_HAND, is_inverted=True),
    )
    uses = frozenset({ContactUse.LOOP, ContactUse.OPENED_BY_HAND})
    return Wiring(uses=uses, inputs={0: loop, 3: button})


async def test_the_loop_is_known_before_the_agent_starts() -> None:
    lane = Lane(wired(), has_inputs=True)
    lane.relay.inputs = {0: True, 3: True, 7: True}
    async with lane.machine:
        assert lane.machine.loop_occupied()
        await lane.told("loop_occupied")
        lane.relay.inputs = {0: True, 3: False}
        await lane.told("manual_open")


async def test_contacts_that_fall_silent_end_the_presentation() -> None:
    lane = Lane(wired(), has_inputs=True)
    lane.relay.inputs = {0: True, 3: True}
    async with lane.machine:
        await lane.told("loop_occupied")
        lane.relay.inputs = None
        await asyncio.sleep(0.03)
        lane.steady.now_s += 3.0
        with pytest.raises(BarrierError, match="not heard of"):
            await lane.pulse()
        lane.machine.contact(ContactUse.OPENED_BY_HAND, is_on=False)
        await lane.told("loop_cleared")
        assert not lane.machine.loop_occupied()
        lane.relay.inputs = {0: True, 3: True}
        await lane.told("loop_occupied")
        await lane.pulse(SECOND)
    assert lane.relay.pulses == [SECOND]


async def test_a_relay_that_is_away_does_not_keep_the_agent_from_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gate_bridge.agent.machines.machine.FIRST_LOOK_S", 0.02)
    lane = Lane(wired(), has_inputs=True)
    lane.relay.inputs = None
    async with lane.machine:
        assert not lane.machine.loop_occupied()
        with pytest.raises(BarrierError):
            await lane.pulse()
    assert lane.relay.pulses == []


async def test_cars_may_change_places_between_two_looks_at_the_loop() -> None:
    lane = Lane(wired(), has_inputs=True)
    lane.relay.inputs = {0: True, 3: True}
    async with lane.machine:
        await lane.told("loop_occupied")
        # The next look comes late, and finds the loop as it was: with another car, perhaps.
        lane.steady.now_s += 3.0
        await lane.told("loop_cleared", "loop_occupied")
    assert lane.relay.pulses == []


async def test_after_a_standstill_the_car_on_a_loop_that_a_device_reports_is_another(
    at_loop: Lane,
) -> None:
    at_loop.freezing.now_s += 3.0
    await at_loop.told("loop_cleared", "loop_occupied")


async def test_after_a_standstill_a_car_that_only_cameras_know_of_has_to_be_read_again() -> None:
    lane = Lane(Wiring(uses=frozenset({ContactUse.LOOP})))
    async with lane.machine:
        lane.machine.car_on_loop(is_on=True)
        await lane.told("loop_occupied")
        lane.freezing.now_s += 3.0
        await lane.told("loop_cleared")
        assert not lane.machine.loop_occupied()
        lane.machine.car_on_loop(is_on=True)
        await lane.told("loop_occupied")


async def test_a_car_that_drives_through_while_nobody_watches_keeps_its_presentation(
    at_loop: Lane,
) -> None:
    await at_loop.pulse()
    at_loop.contacts("arm_down- arm_up+")
    await at_loop.told("opening", "opened")
    at_loop.freezing.now_s += 3.0
    await at_loop.told("loop_unwatched")
    at_loop.contacts("exit_loop+ loop- exit_loop-")
    await at_loop.told("loop_cleared")
    at_loop.steady.now_s += 1.0
    at_loop.contacts("opened_by_hand-")
    feedback = await at_loop.machine.next_feedback()
    assert (feedback.kind, feedback.cause) == (BarrierEventKind.PASSED, FIRST)

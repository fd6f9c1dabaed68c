"""One order, one pulse: the edge's rules with a real journal and a barrier made of flags."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from gate_bridge.agent.barrier import BEFORE, ArmPosition, Feedback, LoopChange
from gate_bridge.agent.errors import BarrierError, JournalFullError, PulseUnknownError
from gate_bridge.agent.guards import Situation
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.machines import reasons
from gate_bridge.agent.opening import Opening
from gate_bridge.agent.reports import silent
from gate_bridge.agent.server_time import ServerTime
from gate_bridge.wire.actions import BarrierEventKind, CommandStatus, OpenBarrier
from gate_bridge.wire.errors import NotReadyError
from parking.kit.clock import ManualClock
from parking.kit.ids import new_id

ISSUED = datetime(2026, 3, 1, 8, tzinfo=UTC)


@dataclass
class FlagBarrier:
    """Does what its flags say."""

    arm: ArmPosition = ArmPosition.DOWN
    occupied: bool = True
    broken: BarrierError | None = None
    pulses: list[UUID] = field(default_factory=list[UUID])
    deadlines_s: list[float] = field(default_factory=list[float])

    async def pulse(self, command_id: UUID, deadline_s: float) -> None:
        self.deadlines_s.append(deadline_s)
        if self.broken is not None:
            raise self.broken
        self.pulses.append(command_id)
        self.arm = ArmPosition.UP

    def position(self) -> ArmPosition:
        return self.arm

    def loop_occupied(self) -> bool:
        return self.occupied

    async def next_feedback(self) -> Feedback:
        return await asyncio.get_running_loop().create_future()


class Edge:
    """An `Opening` with everything around it in the test's hand."""

    def __init__(self, journal: Journal, state: LaneState, barrier: FlagBarrier) -> None:
        self.journal = journal
        self.barrier = barrier
        assert state.car is not None
        car = state.car.presentation_id
        at = ISSUED + timedelta(seconds=1)
        self.situations = [Situation(7, car, at, at)]
        self.state = state
        self.opening = Opening(journal, barrier, self._situation, state, lambda: 100.0)
        self.order = OpenBarrier(
            command_id=UUID(int=1),
            presentation_id=car,
            session_epoch=7,
            issued_at=ISSUED,
            ttl_ms=5000,
        )

    def _situation(self) -> Situation:
        return self.situations.pop(0) if len(self.situations) > 1 else self.situations[0]

    async def obey(self, order: OpenBarrier | None = None) -> tuple[str, str | None, bool]:
        result = await self.opening.carry_out(order or self.order)
        return result.status.value, result.reason, result.repeated


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncGenerator[Edge]:
    journal = await Journal.open(tmp_path / "j.sqlite")
    barrier = FlagBarrier()
    state = LaneState(journal, barrier, ServerTime(), ManualClock(ISSUED), silent)
    await state.start()
    yield Edge(journal, state, barrier)
    await journal.close()


async def test_an_order_is_carried_out_once_and_remembered(edge: Edge) -> None:
    assert await edge.obey() == ("accepted", None, False)
    edge.situations = [Situation(8, None, None, None)]
    assert await edge.obey() == ("accepted", None, True)
    assert edge.barrier.pulses == [UUID(int=1)]


async def test_a_refusal_is_remembered_even_when_the_order_comes_afresh(edge: Edge) -> None:
    good = edge.situations
    edge.situations = [Situation(7, None, None, None)]
    assert await edge.obey() == ("rejected", "no_presentation", False)
    edge.situations = good
    assert await edge.obey() == ("rejected", "no_presentation", True)
    assert edge.barrier.pulses == []


async def test_the_guards_hold_again_after_the_wait_for_the_disk(edge: Edge) -> None:
    late = ISSUED + timedelta(seconds=6)
    edge.situations = [edge.situations[0], replace(edge.situations[0], server_latest=late)]
    assert await edge.obey() == ("rejected", "expired", False)
    assert edge.barrier.pulses == []


async def test_a_loop_that_was_freed_meanwhile_keeps_the_arm_down(edge: Edge) -> None:
    edge.barrier.occupied = False
    assert await edge.obey() == ("rejected", "no_presentation", False)
    assert edge.barrier.pulses == []


async def test_a_second_order_for_the_same_car_does_not_pulse_again(edge: Edge) -> None:
    await edge.obey()
    second = edge.order.model_copy(update={"command_id": UUID(int=2)})
    assert await edge.obey(second) == ("accepted", "already_open", False)
    assert edge.barrier.pulses == [UUID(int=1)]


async def test_an_arm_that_is_up_for_another_car_is_pulsed_again(edge: Edge) -> None:
    edge.barrier.arm = ArmPosition.UP
    assert await edge.obey() == ("accepted", None, False)
    assert edge.barrier.pulses == [UUID(int=1)]


async def test_a_relay_that_fails_is_a_refusal(edge: Edge) -> None:
    edge.barrier.broken = BarrierError("the relay is silent")
    assert await edge.obey() == ("rejected", "barrier_failed", False)
    assert edge.barrier.pulses == []


async def test_a_relay_learns_when_its_order_runs_out(edge: Edge) -> None:
    # Issued at second 0 for 5 s, and the bridge's clock stands at 1 at most: 4 s are left.
    await edge.obey()
    assert edge.barrier.deadlines_s == [104.0]


async def test_an_arm_that_a_relay_did_not_raise_lets_nobody_in(edge: Edge) -> None:
    edge.barrier.broken = BarrierError("the car before has not passed")
    edge.barrier.arm = ArmPosition.UP
    assert await edge.obey() == ("rejected", "barrier_failed", False)
    edge.barrier.broken = None
    second = edge.order.model_copy(update={"command_id": UUID(int=2)})
    assert await edge.obey(second) == ("accepted", None, False)
    assert edge.barrier.pulses == [UUID(int=2)]


@pytest.mark.parametrize(
    ("arm", "answer", "pulses"),
    [
        (ArmPosition.UP, ("accepted", None, True), []),
        (ArmPosition.UNKNOWN, ("accepted", None, True), []),
        (ArmPosition.DOWN, ("accepted", None, False), [UUID(int=1)]),
    ],
)
async def test_a_pulse_of_which_nobody_knows_is_repeated_only_when_the_arm_is_down(
    edge: Edge, arm: ArmPosition, answer: tuple[str, None, bool], pulses: list[UUID]
) -> None:
    edge.barrier.broken = PulseUnknownError("the relay fell silent")
    with pytest.raises(NotReadyError):
        await edge.obey()
    stored = await edge.journal.command(edge.order.command_id)
    assert stored is not None
    assert stored.status is None
    edge.barrier.broken = None
    edge.barrier.arm = arm
    assert await edge.obey() == answer
    assert edge.barrier.pulses == pulses


@pytest.mark.parametrize("arm", [ArmPosition.UP, ArmPosition.MOVING, ArmPosition.UNKNOWN])
async def test_after_a_kill_an_arm_that_is_not_down_counts_as_pulsed(
    edge: Edge, arm: ArmPosition
) -> None:
    await edge.journal.begin_command(edge.order.command_id, edge.order.presentation_id)
    edge.barrier.arm = arm
    assert await edge.obey() == ("accepted", None, True)
    assert edge.barrier.pulses == []


async def test_a_pulse_whose_result_finds_no_room_is_not_repeated(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise JournalFullError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(edge.journal, "finish_command", full)
        for _ in range(2):
            with pytest.raises(JournalFullError):
                await edge.obey()
            # It rose and fell, and its car still stands there.
            edge.barrier.arm = ArmPosition.DOWN
    assert await edge.obey() == ("accepted", None, True)
    assert edge.barrier.pulses == [UUID(int=1)]


async def test_a_passage_is_told_of_the_order_that_it_follows_from(edge: Edge) -> None:
    await edge.obey()
    first, second = edge.order.presentation_id, new_id(ISSUED)
    # The next car is let in while the one before is still on its way; somebody opens besides.
    edge.state.raising(second, UUID(int=2))
    by_hand = Feedback(BarrierEventKind.MANUAL_OPEN, "Lee", "ambulance", UUID(int=1001))
    await edge.state.take(by_hand)
    for cause in (1, 2, 1001, 9):
        await edge.state.take(Feedback(BarrierEventKind.PASSED, cause=UUID(int=cause)))
    await edge.state.take(Feedback(BarrierEventKind.CLOSED, cause=UUID(int=1)))
    bodies = [orjson.loads(event.body) for event in await edge.journal.queued(9)]
    told = [(body["kind"], body["presentation_id"], body["command_id"]) for body in bodies[1:]]
    assert told == [
        ("manual_open", str(first), None),
        ("passed", str(first), str(UUID(int=1))),
        ("passed", str(second), str(UUID(int=2))),
        ("passed", str(first), None),
        # An order that nobody here knows of is nobody's.
        ("passed", None, None),
        ("closed", str(first), str(UUID(int=1))),
    ]


@pytest.mark.parametrize(
    ("status", "arm", "kinds"),
    [
        (CommandStatus.ACCEPTED, ArmPosition.DOWN, ["passed"]),
        (CommandStatus.ACCEPTED, ArmPosition.UNKNOWN, ["passed"]),
        # The machine sees what becomes of it.
        (CommandStatus.ACCEPTED, ArmPosition.UP, []),
        (CommandStatus.REJECTED, ArmPosition.DOWN, []),
        # Killed in the middle of its pulse.
        (None, ArmPosition.DOWN, ["passed"]),
    ],
)
async def test_a_car_that_was_let_through_has_passed_when_the_agent_comes_back(
    edge: Edge, status: CommandStatus | None, arm: ArmPosition, kinds: list[str]
) -> None:
    order = edge.order
    await edge.journal.begin_command(order.command_id, order.presentation_id)
    if status is not None:
        await edge.journal.finish_command(order.command_id, order.presentation_id, status, None)
    edge.barrier.occupied, edge.barrier.arm = False, arm
    later = LaneState(edge.journal, edge.barrier, ServerTime(), ManualClock(ISSUED), silent)
    await later.start()
    assert later.car is None
    events = [(event.action, orjson.loads(event.body)) for event in await edge.journal.queued(9)]
    assert [body["state"] for action, body in events if action == "Presentation"] == [
        "occupied",
        "cleared",
    ]
    found = [body for action, body in events if action == "BarrierEvent"]
    assert [body["kind"] for body in found] == kinds
    for body in found:
        assert body["presentation_id"] == str(order.presentation_id)
        assert body["command_id"] == str(order.command_id)
        assert body["reason"].startswith("inferred: ")


@pytest.mark.parametrize("has_passed", [False, True])
async def test_after_a_kill_one_car_has_passed_by_the_order_that_the_arm_is_up_for(
    edge: Edge, *, has_passed: bool
) -> None:
    await edge.obey()
    first, second = edge.order.presentation_id, new_id(ISSUED)
    edge.barrier.occupied = False
    await edge.state.take(Feedback(LoopChange.CLEARED))
    if has_passed:
        await edge.state.take(Feedback(BarrierEventKind.PASSED, cause=UUID(int=1)))
    later = LaneState(edge.journal, edge.barrier, ServerTime(), ManualClock(ISSUED), silent)
    await later.start()
    # What the machine says next is taken when the car after it is being let in already.
    later.raising(second, UUID(int=2))
    await later.take(Feedback(BarrierEventKind.PASSED, cause=BEFORE))
    await later.take(Feedback(BarrierEventKind.CLOSED, cause=BEFORE))
    await later.take(Feedback(BarrierEventKind.PASSED, cause=BEFORE))
    await later.take(Feedback(BarrierEventKind.PASSED, cause=UUID(int=2)))
    bodies = [orjson.loads(event.body) for event in await edge.journal.queued(9)]
    told = [(body["kind"], body["presentation_id"], body["reason"]) for body in bodies[2:]]
    follower = ("tailgate", str(first), reasons.FOLLOWED)
    passed = ("passed", str(first), None)
    assert told == [
        passed,
        *([follower] if has_passed else []),
        ("closed", str(first), None),
        follower,
        ("passed", str(second), None),
    ]


async def test_after_a_kill_an_arm_that_is_down_is_pulsed_if_the_guards_hold(edge: Edge) -> None:
    await edge.journal.begin_command(edge.order.command_id, edge.order.presentation_id)
    other = replace(edge.situations[0], presentation_id=new_id(ISSUED))
    stale = edge.order.model_copy(update={"command_id": UUID(int=2)})
    await edge.journal.begin_command(stale.command_id, stale.presentation_id)
    assert await edge.obey() == ("accepted", None, False)
    edge.barrier.arm = ArmPosition.DOWN
    edge.situations = [other]
    # Its car has gone, and may have been let through: neither carried out nor refused.
    with pytest.raises(NotReadyError):
        await edge.obey(stale)
    stored = await edge.journal.command(stale.command_id)
    assert stored is not None
    assert stored.status is None
    assert edge.barrier.pulses == [UUID(int=1)]


@pytest.mark.parametrize("presentation_id", [None, new_id(ISSUED)], ids=["nobody", "next car"])
@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (BarrierEventKind.OPENING, ("accepted", None, True)),
        (BarrierEventKind.OPENED, ("accepted", None, True)),
        (BarrierEventKind.PASSED, ("accepted", None, True)),
        # These say nothing of the pulse.
        (BarrierEventKind.BACKED_OUT, None),
        (BarrierEventKind.OBSTRUCTED, None),
    ],
)
async def test_an_order_whose_pulse_was_interrupted_opens_for_no_car_after_its_own(
    edge: Edge,
    presentation_id: UUID | None,
    kind: BarrierEventKind,
    answer: tuple[str, None, bool] | None,
) -> None:
    order = edge.order
    await edge.journal.begin_command(order.command_id, order.presentation_id)
    edge.state.raising(order.presentation_id, order.command_id)
    await edge.state.take(Feedback(kind, cause=order.command_id))
    # Its car has left, and the arm is down again.
    edge.situations = [replace(edge.situations[0], presentation_id=presentation_id)]
    if answer is None:
        with pytest.raises(NotReadyError):
            await edge.obey()
    else:
        assert await edge.obey() == answer
    assert edge.barrier.pulses == []

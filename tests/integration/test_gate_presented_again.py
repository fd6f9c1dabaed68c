"""A car that waited through an outage is presented anew, whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from gate_bridge.agent import lane_state as lane_state_module
from gate_bridge.agent.barrier import ArmPosition, Feedback, LoopChange
from gate_bridge.agent.errors import JournalFullError
from gate_bridge.agent.guards import Situation
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.opening import Opening
from gate_bridge.agent.reports import silent
from gate_bridge.agent.server_time import ServerTime
from gate_bridge.loops import stop_task
from gate_bridge.wire.actions import CommandStatus, OpenBarrier
from parking.kit.clock import ManualClock
from tests.integration.gate_stage import eventually

CAME = datetime(2026, 3, 1, 8, tzinfo=UTC)
LATER = CAME + timedelta(minutes=10)


class LoopFlag:
    """A barrier of which only the loop matters."""

    def __init__(self) -> None:
        self.occupied = True
        self.arm = ArmPosition.DOWN

    async def pulse(self, command_id: object, deadline_s: float) -> None:
        raise NotImplementedError

    def position(self) -> ArmPosition:
        return self.arm

    def loop_occupied(self) -> bool:
        return self.occupied

    async def next_feedback(self) -> Feedback:
        return await asyncio.get_running_loop().create_future()


@dataclass
class Stand:
    """A car that has waited for ten minutes, and a bridge that has just told the time."""

    journal: Journal
    barrier: LoopFlag
    state: LaneState
    reports: list[str]

    def again(self, at: datetime) -> LaneState:
        """What the next process has of the lane."""
        return LaneState(self.journal, self.barrier, ServerTime(), ManualClock(at), silent)

    async def told(self) -> list[str]:
        """What the journal holds of cars: each by its number."""
        bodies = [orjson.loads(event.body) for event in await self.journal.queued(20)]
        cars = list(dict.fromkeys(body["presentation_id"] for body in bodies))
        return [f"{cars.index(body['presentation_id'])} {body['state']}" for body in bodies]


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncGenerator[Stand]:
    journal = await Journal.open(tmp_path / "j.sqlite")
    barrier = LoopFlag()
    server_time = ServerTime(lambda: 0.0)
    reports: list[str] = []
    state = LaneState(
        journal,
        barrier,
        server_time,
        ManualClock(CAME),
        lambda said: reports.append(str(said["event"])),
    )
    await state.start()
    server_time.sample(0.0, 0.0, LATER)
    yield Stand(journal, barrier, state, reports)
    await state.close()
    await journal.close()


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_that_ends_at_any_moment_leaves_the_car_presented(
    stand: Stand, turns: int
) -> None:
    task = asyncio.create_task(stand.state.present_again_if_old())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    # The next connection asks again, and waits for what is still under way.
    await stand.state.present_again_if_old()
    car = stand.state.car
    assert car is not None
    assert await stand.journal.current_car() == car
    assert car.occupied_at == LATER
    assert await stand.told() == ["0 occupied", "0 cleared", "1 occupied"]


async def test_cars_that_change_meanwhile_are_told_one_after_the_other(stand: Stand) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(stand.state.present_again_if_old())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        # The lane's only task: one signal after the other.
        await stand.state.take(Feedback(LoopChange.CLEARED))
        await stand.state.take(Feedback(LoopChange.OCCUPIED))
    assert await stand.told() == [
        "0 occupied",
        "0 cleared",
        "1 occupied",
        "1 cleared",
        "2 occupied",
    ]
    assert stand.state.car == await stand.journal.current_car()


async def test_a_full_disk_delays_the_word_and_does_not_lose_it(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_state_module, "FULL_RETRY_S", 0.01)
    write, tries = stand.journal.end_presentation, 0

    async def full_at_first(*words: object) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise JournalFullError("the disk is full")
        await write(*words)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(stand.journal, "end_presentation", full_at_first)
    await stand.state.present_again_if_old()
    assert (tries, await stand.told()) == (3, ["0 occupied", "0 cleared", "1 occupied"])


@pytest.mark.parametrize("away_s", [0, 1, 29, 31, -31])
async def test_after_any_restart_the_car_on_the_loop_counts_as_another(
    stand: Stand, away_s: int
) -> None:
    later = stand.again(CAME + timedelta(minutes=1, seconds=away_s))
    await later.start()
    assert await stand.told() == ["0 occupied", "0 cleared", "1 occupied"]
    assert later.car is not None
    assert later.car == await stand.journal.current_car()
    assert not later.may_be_other()


@pytest.mark.parametrize("arm", [ArmPosition.UP, ArmPosition.MOVING, ArmPosition.UNKNOWN])
@pytest.mark.parametrize("status", [CommandStatus.ACCEPTED, None])
async def test_a_car_whose_arm_may_be_up_after_a_restart_counts_as_another_once_it_is_down(
    stand: Stand, arm: ArmPosition, status: CommandStatus | None
) -> None:
    car = stand.state.car
    assert car is not None
    await stand.journal.begin_command(UUID(int=1), car.presentation_id)
    if status is not None:
        await stand.journal.finish_command(UUID(int=1), car.presentation_id, status, None)
    stand.barrier.arm = arm
    later = stand.again(CAME)
    await later.start()
    looking = asyncio.create_task(later.look())
    try:
        await asyncio.sleep(0.01)
        # It may drive through just now: its passage is told of it.
        assert await stand.told() == ["0 occupied"]
        assert later.car == car
        # Whatever is ordered for it meanwhile needs no pulse.
        assert (later.opened_for_current(), later.may_be_other()) == (True, True)
        stand.barrier.arm = ArmPosition.DOWN
        assert not later.opened_for_current()
        await eventually(lambda: not later.may_be_other())
    finally:
        await stop_task(looking)
    assert await stand.told() == ["0 occupied", "0 cleared", "1 occupied"]


async def test_a_car_whose_arm_is_up_for_the_one_before_counts_as_another_at_once(
    stand: Stand,
) -> None:
    await stand.journal.finish_command(UUID(int=1), UUID(int=2), CommandStatus.ACCEPTED, None)
    stand.barrier.arm = ArmPosition.UP
    later = stand.again(CAME)
    await later.start()
    assert await stand.told() == ["0 occupied", "0 cleared", "1 occupied"]


async def test_no_order_opens_for_a_car_that_may_be_another(stand: Stand) -> None:
    car = stand.state.car
    assert car is not None
    await stand.journal.finish_command(
        UUID(int=1), car.presentation_id, CommandStatus.ACCEPTED, None
    )
    stand.barrier.arm = ArmPosition.UP
    later = stand.again(CAME)
    await later.start()
    stand.barrier.arm = ArmPosition.DOWN
    situation = Situation(7, car.presentation_id, CAME, CAME)
    opening = Opening(stand.journal, stand.barrier, lambda: situation, later)
    result = await opening.carry_out(
        OpenBarrier(
            command_id=UUID(int=3),
            presentation_id=car.presentation_id,
            session_epoch=7,
            issued_at=CAME,
            ttl_ms=5000,
        )
    )
    assert (result.status, result.reason) == (CommandStatus.REJECTED, "other_presentation")


@pytest.mark.parametrize("arm", [ArmPosition.DOWN, ArmPosition.UP])
async def test_a_car_that_nobody_watched_for_a_while_counts_as_another_once_its_arm_is_down(
    stand: Stand, arm: ArmPosition
) -> None:
    car = stand.state.car
    assert car is not None
    stand.state.raising(car.presentation_id, UUID(int=1))
    stand.barrier.arm = arm
    await stand.state.take(Feedback(LoopChange.UNWATCHED))
    assert stand.state.may_be_other() == (arm is ArmPosition.UP)
    if arm is ArmPosition.UP:
        assert await stand.told() == ["0 occupied"]
        stand.barrier.arm = ArmPosition.DOWN
        looking = asyncio.create_task(stand.state.look())
        await eventually(lambda: not stand.state.may_be_other())
        await stop_task(looking)
    assert await stand.told() == ["0 occupied", "0 cleared", "1 occupied"]
    # Who follows the reports must not take what was read of the one for a read of the other.
    assert stand.reports == ["presented", "cleared", "presented"]

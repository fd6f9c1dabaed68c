"""A car that waited through an outage is presented anew, whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from gate_bridge.agent import lane_state as lane_state_module
from gate_bridge.agent.barrier import ArmPosition, Feedback, LoopChange
from gate_bridge.agent.errors import JournalFullError
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.reports import silent
from gate_bridge.agent.server_time import ServerTime
from parking.kit.clock import ManualClock

CAME = datetime(2026, 3, 1, 8, tzinfo=UTC)
LATER = CAME + timedelta(minutes=10)


class LoopFlag:
    """A barrier of which only the loop matters."""

    def __init__(self) -> None:
        self.occupied = True

    async def pulse(self, command_id: object, deadline_s: float) -> None:
        raise NotImplementedError

    def position(self) -> ArmPosition:
        return ArmPosition.DOWN

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
    state = LaneState(journal, barrier, server_time, ManualClock(CAME), silent)
    await state.start()
    server_time.sample(0.0, 0.0, LATER)
    yield Stand(journal, barrier, state)
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


@pytest.mark.parametrize(
    ("away_s", "told"),
    [
        (29, ["0 occupied"]),
        (31, ["0 occupied", "0 cleared", "1 occupied"]),
        (-31, ["0 occupied", "0 cleared", "1 occupied"]),
    ],
)
async def test_after_a_long_absence_the_car_on_the_loop_counts_as_another(
    stand: Stand, away_s: int, told: list[str]
) -> None:
    # It was looked at until a minute after it came.
    looking = asyncio.create_task(look_at(stand, CAME + timedelta(minutes=1)))
    await asyncio.gather(looking, return_exceptions=True)
    later = ManualClock(CAME + timedelta(minutes=1, seconds=away_s))
    state = LaneState(stand.journal, stand.barrier, ServerTime(), later, silent)
    await state.start()
    assert await stand.told() == told
    assert state.car is not None
    assert state.car == await stand.journal.current_car()


async def look_at(stand: Stand, at: datetime) -> None:
    state = LaneState(stand.journal, stand.barrier, ServerTime(), ManualClock(at), silent)
    state.car = stand.state.car
    state.occupied.set()
    async with asyncio.timeout(0.1):
        await state.look()

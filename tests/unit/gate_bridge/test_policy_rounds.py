"""Which lanes are looked at, and told, and when: one look for all lanes of a place."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import ExitStack
from uuid import UUID

import pytest

from gate_bridge import policy_rounds
from gate_bridge.fake_lane_service import FakeLaneService
from gate_bridge.policy_rounds import PolicyRounds
from gate_bridge.wire.errors import CallUnansweredError
from gate_bridge.wire.limits import WireLimits
from gate_bridge.wire.offline import PolicyAvailable
from parking.flows.lane_types import Direction, Lane, PolicyPart
from parking.kit.clock import SystemClock

FIRST_S, EVERY_S = 4.0, 300.0
WIRE = WireLimits(policy_first_s=FIRST_S, policy_every_s=EVERY_S)


def a_lane(number: int, place: int = 1) -> Lane:
    key = UUID(int=place)
    return Lane(key, key, UUID(int=number), key, Direction.ENTRY, f"Entry {number}")


class Looked(FakeLaneService):
    """A domain that remembers which lanes were asked for together; each has policy 7."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.looks: list[set[int]] = []

    async def refresh_policies(self, lanes: Sequence[Lane]) -> Mapping[UUID, int]:
        self.looks.append({lane.lane_id.int for lane in lanes})
        for lane in lanes:
            self.policies.setdefault(lane.lane_id, PolicyPart(version=7))
        return await super().refresh_policies(lanes)


class Board:
    """Rounds of one test, with a clock of its own, and whom they told."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.service = Looked()
        self.told: list[tuple[int, int]] = []
        self.stack = ExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self.rounds = PolicyRounds(self.service, WIRE, 5.0, self._spawn, lambda: self.now_s)

    def _spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        self._tasks.append(asyncio.create_task(work))
        return self._tasks[-1]

    def connect(self, lane: Lane) -> None:
        async def tell(news: PolicyAvailable) -> None:
            self.told.append((lane.lane_id.int, news.version))

        self.stack.enter_context(self.rounds.over(lane, tell))

    async def after(self, seconds: float) -> list[int]:
        """Let time pass, look, and return which lanes were told since."""
        self.now_s += seconds
        before = len(self.told)
        await self.rounds.look()
        while self._tasks:
            await self._tasks.pop(0)
        return sorted(lane for lane, _ in self.told[before:])


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    for pause in ("PLACE_PAUSE_S", "LANE_PAUSE_S"):
        monkeypatch.setattr(policy_rounds, pause, 0.0)
    return Board()


async def test_lanes_that_come_are_told_soon_and_all_of_a_place_by_one_look(board: Board) -> None:
    for number in range(3):
        board.connect(a_lane(number))
    board.connect(a_lane(9, place=2))
    assert await board.after(FIRST_S * 0.49) == []
    assert await board.after(FIRST_S) == [0, 1, 2, 9]
    assert board.service.looks == [{0, 1, 2}, {9}]
    assert set(board.told) == {(number, 7) for number in (0, 1, 2, 9)}
    board.connect(a_lane(3))
    # The others know already.
    assert await board.after(FIRST_S) == [3]
    assert board.service.looks[2:] == [{3}]


async def test_all_of_them_are_told_again_now_and_then(board: Board) -> None:
    for number in range(2):
        board.connect(a_lane(number))
    assert await board.after(FIRST_S) == [0, 1]
    assert await board.after(EVERY_S * 0.49 - FIRST_S) == []
    for _ in range(2):
        assert await board.after(EVERY_S) == [0, 1]


async def test_nothing_is_told_to_who_left_or_has_no_policy(board: Board) -> None:
    board.connect(a_lane(0))
    board.stack.close()
    board.service.policies[UUID(int=1)] = PolicyPart(version=0)
    board.connect(a_lane(1))
    assert await board.after(FIRST_S) == []
    assert board.service.looks == [{1}]
    board.stack.close()
    assert await board.after(EVERY_S) == []
    assert len(board.service.looks) == 1


async def test_a_look_that_fails_and_a_lane_that_is_gone_cost_the_others_nothing(
    board: Board,
) -> None:
    async def gone(_news: PolicyAvailable) -> None:
        raise CallUnansweredError("gone")

    board.connect(a_lane(0))
    board.connect(a_lane(9, place=2))
    board.stack.enter_context(board.rounds.over(a_lane(1), gone))
    board.service.failures_left = 1
    assert await board.after(FIRST_S) == [9]
    assert await board.after(EVERY_S) == [0, 9]


async def test_a_large_place_is_looked_at_in_parts(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_rounds, "POLICY_LANES_MAX", 2)
    for number in range(5):
        board.connect(a_lane(number))
    assert await board.after(FIRST_S) == [0, 1, 2, 3, 4]
    assert sorted(map(len, board.service.looks)) == [1, 2, 2]

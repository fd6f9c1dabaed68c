"""What a bridge tells the domain of its lanes, and how often."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from gate_bridge.fake_lane_service import FakeLaneService
from gate_bridge.fleet import TELL_S, FleetHealth
from gate_bridge.metrics import BridgeMetrics
from gate_bridge.wire.actions import AgentHealth, BarrierPosition, DeviceHealth
from parking.flows.lane_types import AgentCondition, DeviceSignal, Direction, Lane
from parking.kit.clock import ManualClock, SystemClock
from parking.lanes.health import REPORTS_MAX, LaneReport

START = SystemClock().now()


class Counted(FakeLaneService):
    """A domain that remembers each statement."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.batches: list[list[LaneReport]] = []

    async def report_health(self, reports: Sequence[LaneReport]) -> None:
        await super().report_health(reports)
        self.batches.append(list(reports))


class Board:
    """A fleet of one test, with a clock of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.service = Counted(self.clock)
        self.fleet = FleetHealth(
            self.service, "bridge-1", self.clock, BridgeMetrics(lambda: 0), self._seconds
        )

    def _seconds(self) -> float:
        return (self.clock.now() - START).total_seconds()

    async def told(self) -> list[UUID]:
        """Let the bridge look; return which lanes it told of."""
        before = len(self.service.batches)
        await self.fleet.tell()
        return [report.lane_id for batch in self.service.batches[before:] for report in batch]


def lane(number: int) -> Lane:
    some = UUID(int=1)
    return Lane(some, some, UUID(int=number), some, Direction.EXIT, f"exit {number}")


def health(**changes: object) -> AgentHealth:
    return AgentHealth.model_validate({"queue_depth": 0, **changes})


async def test_a_connection_and_its_end_are_told_at_once() -> None:
    board = Board()
    board.fleet.connected(lane(9), 3, "agent/1")
    assert await board.told() == [lane(9).lane_id]
    board.clock.advance(timedelta(seconds=1))
    board.fleet.ended(lane(9).lane_id, 3, 1006)
    assert await board.told() == [lane(9).lane_id]
    assert await board.told() == []
    report = board.service.health[lane(9).lane_id]
    assert (report.bridge, report.session_epoch, report.close_code) == ("bridge-1", 3, 1006)
    assert (report.connected_at, report.ended_at) == (START, board.clock.now())


async def test_a_lane_with_nothing_new_is_told_now_and_then_only() -> None:
    board = Board()
    board.fleet.connected(lane(9), 3, "agent/1")
    assert len(await board.told()) == 1
    for _ in range(2):
        board.fleet.heard(lane(9).lane_id, 3, health(barrier=BarrierPosition.UNKNOWN))
    assert len(await board.told()) == 1, "the first word of the agent about itself"
    board.clock.advance(timedelta(seconds=TELL_S - 1))
    board.fleet.heard(lane(9).lane_id, 3, health())
    assert await board.told() == []
    board.clock.advance(timedelta(seconds=1))
    assert len(await board.told()) == 1
    assert board.service.health[lane(9).lane_id].last_seen_at == START + timedelta(
        seconds=TELL_S - 1
    )
    board.clock.advance(timedelta(seconds=TELL_S))
    assert await board.told() == [], "nothing was heard since"


async def test_what_the_agent_says_is_told_as_it_said_it() -> None:
    board = Board()
    board.fleet.connected(lane(9), 3, "agent/1")
    said = AgentHealth(
        queue_depth=2,
        oldest_queued_at=START,
        clock_offset_ms=-5,
        clock_uncertainty_ms=1,
        barrier=BarrierPosition.UP,
        policy_version="7",
        devices=[DeviceHealth(name="camera", last_signal_at=START)],
    )
    board.fleet.heard(lane(9).lane_id, 3, said)
    await board.told()
    assert board.service.health[lane(9).lane_id].condition == AgentCondition(
        queue_depth=2,
        oldest_queued_at=START,
        clock_offset_ms=-5,
        clock_uncertainty_ms=1,
        barrier="up",
        policy_version="7",
        devices=(DeviceSignal("camera", START),),
    )


async def test_an_older_connection_says_nothing_of_the_newer_one() -> None:
    board = Board()
    board.fleet.connected(lane(9), 4, "agent/1")
    board.fleet.connected(lane(9), 3, "agent/1")
    board.fleet.heard(lane(9).lane_id, 3, health(queue_depth=9))
    board.fleet.ended(lane(9).lane_id, 3, 4409)
    await board.told()
    report = board.service.health[lane(9).lane_id]
    assert (report.session_epoch, report.ended_at, report.condition.queue_depth) == (4, None, None)


async def test_many_lanes_are_told_together_and_again_after_a_failure() -> None:
    board = Board()
    for number in range(REPORTS_MAX + 1):
        board.fleet.connected(lane(number), 1, "agent/1")
    board.service.failures_left = 1
    assert await board.told() == []
    assert len(await board.told()) == REPORTS_MAX + 1
    assert [len(batch) for batch in board.service.batches] == [REPORTS_MAX, 1]
    assert await board.told() == []

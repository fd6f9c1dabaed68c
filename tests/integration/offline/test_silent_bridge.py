"""A bridge that is connected and commits nothing: for the car at the gate it is as good as none."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TypeVar

import pytest

from gate_bridge.agent.barrier import ArmPosition
from gate_bridge.agent.errors import DecidedMeanwhileError
from gate_bridge.agent.offline.reachability import Reachability
from gate_bridge.agent.offline.rules import Spent
from gate_bridge.agent.stall import StallWatch
from gate_bridge.wire.fields import WireModel
from gate_bridge.wire.offline import FetchPolicyResult
from parking.offline.bundle import Right
from tests.factories.policies import listed, policy
from tests.integration.offline.edge_stage import PLATE, OfflineEdge, Steady, open_edge
from tests.integration.offline.test_decider import ordered

ResultT = TypeVar("ResultT", bound=WireModel)
CREDIT = policy({PLATE: listed(Right.CREDIT, risk_minor=1500, limit_minor=1500)})


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncGenerator[OfflineEdge]:
    async with open_edge(tmp_path / "j.sqlite") as made:
        await made.takes(CREDIT)
        await made.hears()
        made.bridge.found()
        yield made


async def test_a_bridge_that_takes_no_event_for_long_is_an_outage(edge: OfflineEdge) -> None:
    presentation_id = await edge.comes()
    edge.bridge.told()
    edge.steady.now_s += 9.9
    edge.bridge.told()
    await edge.decider.look()
    assert (edge.barrier.pulses, await edge.decisions()) == ([], [])
    edge.steady.now_s += 0.2
    for _ in range(3):
        await edge.decider.look()
    assert len(edge.barrier.pulses) == 1
    assert await edge.decisions() == [("open", "credit")]
    # Its database is back: what it orders for this car finds the arm up.
    edge.bridge.committed()
    assert await ordered(edge, presentation_id) == ("accepted", "already_open")
    await edge.decider.look()
    assert len(edge.barrier.pulses) == 1


async def test_a_database_that_is_away_for_seconds_leaves_the_car_to_the_bridge(
    edge: OfflineEdge,
) -> None:
    presentation_id = await edge.comes()
    edge.bridge.told()
    edge.steady.now_s += 9.9
    edge.bridge.committed()
    [(_, presented), *_] = await edge.events()
    await edge.journal.acknowledge(99)
    assert presented["presentation_id"] == str(presentation_id)
    edge.steady.now_s += 3600
    await edge.decider.look()
    assert (edge.barrier.pulses, await edge.decisions()) == ([], [])


async def test_an_event_that_is_committed_before_the_turn_leaves_the_car_to_the_bridge(
    edge: OfflineEdge,
) -> None:
    presentation_id = await edge.comes()
    edge.bridge.told()
    edge.steady.now_s += 11
    async with edge.state.pulsing:
        looking = asyncio.create_task(edge.decider.look())
        for _ in range(50):
            await asyncio.sleep(0)
        await edge.journal.acknowledge(99)
        edge.bridge.committed()
    await looking
    assert (edge.barrier.pulses, await edge.decisions()) == ([], [])
    assert await ordered(edge, presentation_id) == ("accepted", None)


async def test_a_car_that_the_bridge_opened_for_is_not_opened_for_again(edge: OfflineEdge) -> None:
    presentation_id = await edge.comes()
    edge.bridge.told()
    assert await ordered(edge, presentation_id) == ("accepted", None)
    # It committed the decision, and then its database went away; the arm has fallen again.
    edge.steady.now_s += 60
    edge.barrier.arm = ArmPosition.DOWN
    await edge.decider.look()
    assert len(edge.barrier.pulses) == 1
    assert await edge.decisions() == []


async def test_a_car_at_the_end_of_a_long_journal_does_not_wait_for_it(edge: OfflineEdge) -> None:
    edge.bridge.lost()
    edge.steady.now_s += 9
    await edge.comes()
    edge.bridge.found()
    await edge.decider.look()
    for _ in range(9):
        edge.steady.now_s += 1
        edge.bridge.told()
        await edge.decider.look()
        edge.bridge.committed()
    assert edge.barrier.pulses == []
    edge.steady.now_s += 1.1
    await edge.decider.look()
    assert len(edge.barrier.pulses) == 1


async def test_a_process_that_stood_still_reads_its_answers_first(tmp_path: Path) -> None:
    async with open_edge(tmp_path / "j.sqlite") as edge:
        await edge.takes(CREDIT)
        await edge.hears()
        stall = StallWatch(edge.steady)
        decider = edge.make_decider(stall)
        edge.bridge.found()
        await edge.comes()
        stall.beat()
        edge.bridge.told()
        edge.steady.now_s += 60
        # Frozen for a minute, with the acknowledgement in its socket.
        await decider.look()
        stall.beat()
        await decider.look()
        assert edge.barrier.pulses == []
        edge.steady.now_s += 1.5
        stall.beat()
        edge.steady.now_s += 1.5
        stall.beat()
        await decider.look()
        assert len(edge.barrier.pulses) == 1


class LateBridge:
    """Answers when it is let."""

    def __init__(self, answer: FetchPolicyResult) -> None:
        self._answer = answer
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def ask(self, call: WireModel, model: type[ResultT]) -> ResultT:
        assert call
        self.asked.set()
        await self.may_answer.wait()
        assert isinstance(self._answer, model)
        return self._answer


async def test_a_policy_that_was_asked_for_before_a_decision_does_not_end_its_risk(
    edge: OfflineEdge,
) -> None:
    same = FetchPolicyResult(version=1, chunk=0, chunks=0, public_key="", signature="", data="")
    bridge = LateBridge(same)
    fetching = asyncio.create_task(edge.keeper.fetch(bridge, await edge.store.decisions()))
    await bridge.asked.wait()
    await edge.comes()
    edge.bridge.told()
    edge.steady.now_s += 11
    await edge.decider.look()
    assert await edge.store.spent() == Spent(1, 1500)
    bridge.may_answer.set()
    with pytest.raises(DecidedMeanwhileError):
        await fetching
    assert await edge.store.spent() == Spent(1, 1500)
    # The next one is asked for after the decision.
    await edge.keeper.fetch(bridge, await edge.store.decisions())
    assert await edge.store.spent() == Spent()


def test_a_connection_that_ends_in_the_silence_goes_on_with_it() -> None:
    steady = Steady()
    bridge = Reachability(steady)
    bridge.found()
    bridge.told()
    steady.now_s += 9
    bridge.lost()
    steady.now_s += 1
    assert bridge.is_lost_for(10)
    bridge.lost()
    assert bridge.is_lost_for(10)
    # Whoever answers Hello has a database.
    bridge.found()
    steady.now_s += 60
    assert not bridge.is_lost_for(10)
    assert bridge.is_found_for(60)
    assert not bridge.is_found_for(61)


async def all_told(edge: OfflineEdge) -> None:
    """Let the bridge commit everything that it was told."""
    edge.bridge.told()
    await edge.journal.acknowledge(99)
    edge.bridge.committed()


async def test_a_bridge_that_says_that_it_cannot_decide_is_an_outage_for_a_car_it_knows(
    edge: OfflineEdge,
) -> None:
    presentation_id = await edge.comes()
    await all_told(edge)
    edge.bridge.says_unable(9.9)
    await edge.decider.look()
    assert (edge.barrier.pulses, await edge.decisions()) == ([], [])
    edge.steady.now_s += 0.2
    for _ in range(3):
        await edge.decider.look()
    assert len(edge.barrier.pulses) == 1
    assert await edge.decisions() == [("open", "credit")]
    # The bridge has decided meanwhile; the arm is up, and later it has fallen again.
    edge.bridge.says_unable(None)
    assert await ordered(edge, presentation_id) == ("accepted", "already_open")
    edge.barrier.arm = ArmPosition.DOWN
    edge.state.opened_by_itself(presentation_id, 0.0)
    assert await ordered(edge, presentation_id) == ("accepted", "already_open")
    assert len(edge.barrier.pulses) == 1
    assert await edge.decisions() == [("open", "credit")]


@pytest.mark.parametrize("ends", ["says", "commits"])
async def test_a_bridge_that_can_decide_again_in_time_keeps_the_car(
    edge: OfflineEdge, ends: str
) -> None:
    presentation_id = await edge.comes()
    await all_told(edge)
    edge.bridge.says_unable(9.9)
    if ends == "says":
        edge.bridge.says_unable(None)
    else:
        edge.bridge.committed()
    edge.steady.now_s += 3600
    await edge.decider.look()
    assert (edge.barrier.pulses, await edge.decisions()) == ([], [])
    assert await ordered(edge, presentation_id) == ("accepted", None)


def test_what_a_bridge_says_of_itself_counts_from_its_hello() -> None:
    steady = Steady()
    bridge = Reachability(steady)
    bridge.found()
    steady.now_s += 3
    bridge.says_unable(3600)
    assert bridge.is_lost_for(3)
    assert not bridge.is_lost_for(3.1)
    # The connection ends, too: it goes on from there.
    steady.now_s += 6
    bridge.lost()
    assert bridge.is_lost_for(9)
    bridge.found()
    steady.now_s += 60
    assert not bridge.is_lost_for(0)

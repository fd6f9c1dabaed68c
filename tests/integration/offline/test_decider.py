"""The gate's own decisions: once a car, written down before the arm rises, within the cap."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate_bridge.agent import journal
from gate_bridge.agent.barrier import ArmPosition
from gate_bridge.agent.errors import JournalFullError
from gate_bridge.agent.guards import Situation
from gate_bridge.agent.journal import Append
from gate_bridge.agent.offline.rules import Spent, Verdict
from gate_bridge.agent.offline.store import Decided
from gate_bridge.agent.opening import Opening
from gate_bridge.agent.seen_car import SeenCar
from gate_bridge.wire.actions import CommandStatus, OpenBarrier
from gate_bridge.wire.fields import WireModel
from gate_bridge.wire.offline import FetchPolicy, FetchPolicyResult, OfflineReason
from parking.kit.ids import new_id
from parking.offline.bundle import Fallback, PolicyBundle, PolicyRefusedError, Right
from tests.factories.policies import ISSUED, listed, policy, signed
from tests.integration.offline.edge_stage import (
    PLATE,
    FlagBarrier,
    KilledError,
    OfflineEdge,
    Steady,
    open_edge,
)

ResultT = TypeVar("ResultT", bound=WireModel)
PASS_LIST = policy({PLATE: listed(Right.PASS)})
OPEN_LIST = policy({PLATE: listed(Right.CREDIT, risk_minor=1500, limit_minor=1500)})


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncGenerator[OfflineEdge]:
    async with open_edge(tmp_path / "j.sqlite") as made:
        await made.takes(OPEN_LIST)
        await made.hears()
        yield made


async def test_a_listed_car_is_let_through_once_with_its_plate_and_times(
    edge: OfflineEdge,
) -> None:
    presentation_id = await edge.comes()
    for _ in range(3):
        await edge.decider.look()
    assert len(edge.barrier.pulses) == 1
    events = await edge.events()
    assert [action for action, _ in events] == ["Presentation", "Observation", "OfflineDecision"]
    decision = events[2][1]
    assert decision["observation_id"] == events[1][1]["event_id"]
    assert decision["presentation_id"] == str(presentation_id)
    assert decision["command_id"] == str(edge.barrier.pulses[0])
    assert (decision["choice"], decision["reason"]) == ("open", "credit")
    assert (decision["risk_minor"], decision["policy_version"]) == (1500, 1)
    assert decision["occupied_at"] == events[0][1]["occurred_at"]
    # 50 ms of the round trip, and what the clock may drift in a minute.
    assert decision["clock_uncertainty_ms"] == 62
    assert edge.reports[-1]["lines"] == [PLATE, "Goodbye"]


async def test_a_bridge_that_is_there_decides_and_the_gate_does_not(edge: OfflineEdge) -> None:
    await edge.comes()
    edge.bridge.found()
    await edge.decider.look()
    edge.bridge.lost()
    edge.steady.now_s += 9.9
    await edge.decider.look()
    assert (edge.barrier.pulses, await edge.decisions()) == ([], [])
    edge.steady.now_s += 0.2
    await edge.decider.look()
    assert len(edge.barrier.pulses) == 1


async def test_a_bridge_that_comes_back_before_the_turn_takes_over(edge: OfflineEdge) -> None:
    await edge.comes()
    async with edge.state.pulsing:
        looking = asyncio.create_task(edge.decider.look())
        for _ in range(50):
            await asyncio.sleep(0)
        edge.bridge.found()
    await looking
    assert (edge.barrier.pulses, await edge.decisions()) == ([], [])


@pytest.mark.parametrize("moves", [True, False], ids=["arm is up", "arm has not moved yet"])
async def test_an_order_that_comes_with_the_network_does_not_open_again(
    edge: OfflineEdge, *, moves: bool
) -> None:
    edge.barrier.moves = moves
    presentation_id = await edge.comes()
    await edge.decider.look()
    assert await ordered(edge, presentation_id) == ("accepted", "already_open")
    assert len(edge.barrier.pulses) == 1


async def test_an_order_waits_for_the_pulse_that_is_under_way(edge: OfflineEdge) -> None:
    edge.barrier.held, edge.barrier.moves = asyncio.Event(), False
    presentation_id = await edge.comes()
    looking = asyncio.create_task(edge.decider.look())
    for _ in range(500):
        if edge.barrier.pulses:
            break
        await asyncio.sleep(0.01)
    ordering = asyncio.create_task(ordered(edge, presentation_id))
    done, _ = await asyncio.wait([ordering], timeout=0.1)
    assert not done
    edge.barrier.held.set()
    await looking
    assert await ordering == ("accepted", "already_open")
    assert len(edge.barrier.pulses) == 1


async def ordered(edge: OfflineEdge, presentation_id: UUID) -> tuple[str, str | None]:
    """Let the bridge order the gate open for a car."""
    now = edge.clock.now()
    opening = Opening(
        edge.journal,
        edge.barrier,
        lambda: Situation(7, presentation_id, now, now),
        edge.state,
    )
    result = await opening.carry_out(
        OpenBarrier(
            command_id=new_id(ISSUED),
            presentation_id=presentation_id,
            session_epoch=7,
            issued_at=now,
            ttl_ms=5000,
        )
    )
    return result.status.value, result.reason


async def test_an_order_that_was_carried_out_leaves_nothing_to_decide(edge: OfflineEdge) -> None:
    presentation_id = await edge.comes()
    await edge.journal.begin_command(new_id(ISSUED), presentation_id)
    await edge.decider.look()
    assert (edge.barrier.pulses, await edge.decisions()) == ([], [])


async def killed_before_the_pulse(
    folder: Path, barrier: FlagBarrier, steady: Steady, bundle: PolicyBundle
) -> None:
    """Let an agent decide on a car, and end before the relay hears of it."""
    async with open_edge(folder / "j.sqlite", barrier, steady) as edge:
        await edge.takes(bundle)
        await edge.hears()
        await edge.comes()
        barrier.kills = True
        with pytest.raises(KilledError):
            await edge.decider.look()
    assert barrier.pulses == []
    barrier.kills = False


@pytest.mark.parametrize("arm", [ArmPosition.DOWN, ArmPosition.UP])
async def test_a_kill_between_decision_and_pulse_opens_for_nobody_whom_no_camera_has_read_since(
    tmp_path: Path, arm: ArmPosition
) -> None:
    barrier, steady = FlagBarrier(), Steady()
    await killed_before_the_pulse(tmp_path, barrier, steady, PASS_LIST)
    barrier.arm = arm
    for _ in range(2):
        async with open_edge(tmp_path / "j.sqlite", barrier, steady) as edge:
            steady.now_s += 60
            for _ in range(3):
                await edge.decider.look()
            assert await edge.decisions() == [("open", "pass")]
    assert barrier.pulses == []
    async with open_edge(tmp_path / "j.sqlite", barrier, steady) as edge:
        steady.now_s += 60
        await edge.state.observe(SeenCar(plate=PLATE, confidence=0.97, source="camera-1"))
        for _ in range(3):
            await edge.decider.look()
    # The arm that is up may be up for this very car.
    assert len(barrier.pulses) == (1 if arm is ArmPosition.DOWN else 0)


async def test_after_a_kill_nobody_is_let_out_again_on_the_same_stay(tmp_path: Path) -> None:
    barrier, steady = FlagBarrier(), Steady()
    await killed_before_the_pulse(tmp_path, barrier, steady, OPEN_LIST)
    async with open_edge(tmp_path / "j.sqlite", barrier, steady) as edge:
        steady.now_s += 60
        await edge.state.observe(SeenCar(plate=PLATE, confidence=0.97, source="camera-1"))
        await edge.decider.look()
        assert await edge.decisions() == [("open", "credit"), ("keep_closed", "ask_staff")]
        spent = await edge.store.spent()
        assert (spent.cars, spent.amount_minor) == (1, 1500)
    assert barrier.pulses == []


async def test_a_relay_slower_than_the_arm_is_not_pulsed_again_for_an_earlier_decision(
    edge: OfflineEdge,
) -> None:
    presentation_id = await edge.comes()
    barrier = edge.barrier
    barrier.held, barrier.moves = asyncio.Event(), False
    looking = asyncio.create_task(edge.decider.look())
    for _ in range(500):
        if barrier.pulses:
            break
        await asyncio.sleep(0.01)
    # Another one that finds the decision before its pulse has a result, as after a kill.
    again = asyncio.create_task(edge.make_decider().look())
    await asyncio.wait([again], timeout=0.05)
    barrier.held.set()
    await asyncio.gather(looking, again)
    assert barrier.position() is ArmPosition.DOWN
    assert len(barrier.pulses) == 1
    known = await edge.store.decision_of(presentation_id)
    assert known is not None
    assert known.status is CommandStatus.ACCEPTED


async def test_an_arm_that_rose_meanwhile_is_not_pulsed_after_a_kill(tmp_path: Path) -> None:
    barrier, steady = FlagBarrier(), Steady()
    await killed_before_the_pulse(tmp_path, barrier, steady, OPEN_LIST)
    async with open_edge(tmp_path / "j.sqlite", barrier, steady) as edge:
        barrier.arm = ArmPosition.MOVING
        steady.now_s += 60
        await edge.decider.look()
        barrier.arm = ArmPosition.DOWN
        await edge.decider.look()
    assert barrier.pulses == []


async def test_a_loop_that_was_freed_before_the_pulse_keeps_the_arm_down(
    edge: OfflineEdge,
) -> None:
    await edge.comes()
    edge.barrier.occupied = False
    await edge.decider.look()
    assert (edge.barrier.pulses, await edge.decisions()) == ([], [("open", "credit")])


async def test_a_car_that_left_after_a_kill_is_not_opened_for(tmp_path: Path) -> None:
    barrier, steady = FlagBarrier(), Steady()
    await killed_before_the_pulse(tmp_path, barrier, steady, OPEN_LIST)
    barrier.occupied = False
    async with open_edge(tmp_path / "j.sqlite", barrier, steady) as edge:
        steady.now_s += 60
        await edge.decider.look()
        await edge.comes("京B00000")
        await edge.decider.look()
        assert await edge.decisions() == [("open", "credit"), ("keep_closed", "ask_staff")]
    assert barrier.pulses == []


async def test_the_cap_holds_over_a_restart_and_ends_with_a_newer_policy(tmp_path: Path) -> None:
    opens = policy(fallback=Fallback.OPEN, cars=2, amount_minor=6000)
    barrier, steady = FlagBarrier(), Steady()
    for number, expected in enumerate(("open", "open", "keep_closed")):
        async with open_edge(tmp_path / "j.sqlite", barrier, steady) as edge:
            if number == 0:
                await edge.takes(opens)
                await edge.hears()
            await edge.comes(f"京C{number}0000")
            await edge.decider.look()
            assert (await edge.decisions())[-1][0] == expected
            await edge.leaves()
    assert len(barrier.pulses) == 2
    async with open_edge(tmp_path / "j.sqlite", barrier, steady) as edge:
        await edge.takes(policy(fallback=Fallback.OPEN, version=2))
        await edge.comes("京C90000")
        await edge.decider.look()
    assert len(barrier.pulses) == 3


async def test_a_car_without_a_readable_plate_gets_the_fallback_after_a_while(
    edge: OfflineEdge,
) -> None:
    await edge.comes(PLATE, confidence=0.89)
    await edge.decider.look()
    edge.steady.now_s += 2.9
    await edge.decider.look()
    assert await edge.decisions() == []
    edge.steady.now_s += 0.2
    await edge.decider.look()
    assert await edge.decisions() == [("keep_closed", "ask_staff")]
    assert (await edge.events())[-1][1]["observation_id"] is None
    assert edge.reports[-1]["lines"] == ["Please call staff"]
    assert edge.barrier.pulses == []


async def test_what_cannot_be_written_down_does_not_happen(
    edge: OfflineEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    await edge.comes()
    monkeypatch.setattr(journal, "EVENTS_MAX", 2)
    with pytest.raises(JournalFullError):
        await edge.decider.look()
    assert (edge.barrier.pulses, await edge.decisions()) == ([], [])
    assert await edge.store.spent() == Spent()
    monkeypatch.setattr(journal, "EVENTS_MAX", 3)
    await edge.decider.look()
    assert (len(edge.barrier.pulses), await edge.decisions()) == (1, [("open", "credit")])


async def test_a_relay_that_is_silent_is_not_tried_again(edge: OfflineEdge) -> None:
    edge.barrier.broken = True
    await edge.comes()
    for _ in range(3):
        await edge.decider.look()
    assert edge.barrier.pulses == []
    # Somebody raises the arm: not for this car.
    edge.barrier.arm = ArmPosition.UP
    assert not edge.state.opened_for_current()


@pytest.mark.parametrize("set_by", [timedelta(minutes=10), timedelta(days=5)])
async def test_a_wall_clock_that_jumps_changes_nothing_while_the_machine_runs(
    edge: OfflineEdge, set_by: timedelta
) -> None:
    edge.wall.advance(set_by)
    await edge.comes()
    await edge.decider.look()
    assert await edge.decisions() == [("open", "credit")]
    [came, *_] = await edge.events()
    assert came[1]["occurred_at"] == (ISSUED + timedelta(seconds=60.05)).isoformat()


async def test_a_policy_out_of_its_time_lists_nobody(edge: OfflineEdge) -> None:
    edge.steady.now_s += 24 * 3600
    await edge.comes()
    await edge.decider.look()
    assert await edge.decisions() == [("keep_closed", "ask_staff")]


async def test_a_clock_set_back_at_a_reboot_leaves_only_the_fallback(tmp_path: Path) -> None:
    barrier = FlagBarrier()
    async with open_edge(tmp_path / "j.sqlite", barrier) as edge:
        await edge.takes(OPEN_LIST)
        edge.wall.advance(timedelta(minutes=10))
        await edge.hears()
    # The machine started anew: its steady clock counts from 0, and its wall clock is back.
    async with open_edge(tmp_path / "j.sqlite", barrier, Steady(5.0)) as edge:
        await edge.comes()
        await edge.decider.look()
        assert await edge.decisions() == [("keep_closed", "ask_staff")]
        assert (await edge.events())[-1][1]["clock_uncertainty_ms"] is None
    assert barrier.pulses == []


async def test_only_a_newer_policy_of_the_same_key_and_lane_replaces_one(
    edge: OfflineEdge,
) -> None:
    other_key = Ed25519PrivateKey.generate()
    raw, signature, key = signed(policy(version=3))
    refused = (
        signed(policy(version=1)),
        signed(policy(version=1, fallback=Fallback.OPEN)),
        signed(policy(version=2), other_key),
        signed(policy(version=2, lane_id=new_id(ISSUED))),
        (raw[:-1] + b" ", signature, key),
        (raw, signature, b"short"),
    )
    for one in refused:
        with pytest.raises(PolicyRefusedError):
            await edge.keeper.accept(*one)
        assert edge.keeper.policy == OPEN_LIST
    await edge.keeper.accept(raw, signature, key)
    assert edge.keeper.version() == 3
    with pytest.raises(PolicyRefusedError):
        await edge.keeper.accept(*signed(policy(version=2)))


async def test_a_policy_survives_a_restart_and_not_a_file_that_was_tampered_with(
    tmp_path: Path,
) -> None:
    async with open_edge(tmp_path / "j.sqlite") as edge:
        await edge.takes(replace(OPEN_LIST, version=2))
    async with open_edge(tmp_path / "j.sqlite") as edge:
        assert edge.keeper.policy == replace(OPEN_LIST, version=2)

        def tamper(connection: sqlite3.Connection, _append: Append) -> None:
            connection.execute(
                "UPDATE offline_policy SET bundle = CAST(replace(bundle, '1500', '1400') AS BLOB)"
            )

        await edge.journal.transact(tamper)
    async with open_edge(tmp_path / "j.sqlite") as edge:
        assert edge.keeper.policy is None
        assert edge.reports[0]["event"] == "policy_refused"
        await edge.comes()
        await edge.decider.look()
        assert (edge.barrier.pulses, await edge.decisions()) == ([], [])
    for _ in range(2):
        async with open_edge(tmp_path / "j.sqlite") as edge:
            assert edge.keeper.version() == 0
            with pytest.raises(PolicyRefusedError):
                await edge.takes(policy(version=1))
    async with open_edge(tmp_path / "j.sqlite") as edge:
        await edge.takes(policy(version=2))
        assert edge.keeper.version() == 2


async def test_of_two_decisions_about_one_car_the_second_is_not_written(
    edge: OfflineEdge,
) -> None:
    presentation_id = await edge.comes()
    closed = Decided(
        presentation_id=presentation_id,
        command_id=None,
        event_id=new_id(ISSUED),
        body="{}",
        verdict=Verdict(is_open=False, reason=OfflineReason.ASK_STAFF),
        plate_hash=None,
        policy_version=1,
    )
    assert await edge.store.decide(closed)
    assert not await edge.store.decide(replace(closed, event_id=new_id(ISSUED)))
    assert [action for action, _ in await edge.events()].count("OfflineDecision") == 1


class AnsweringBridge:
    """Answers every FetchPolicy with the same."""

    def __init__(self, answer: FetchPolicyResult) -> None:
        self._answer = answer
        self.asked: list[WireModel] = []

    async def ask(self, call: WireModel, model: type[ResultT]) -> ResultT:
        self.asked.append(call)
        assert isinstance(self._answer, model)
        return self._answer


async def test_the_cap_begins_anew_when_the_bridge_has_nothing_new_to_say(
    edge: OfflineEdge,
) -> None:
    await edge.comes()
    await edge.decider.look()
    assert await edge.store.spent() == Spent(1, 1500)
    nothing = FetchPolicyResult(version=1, chunk=0, chunks=0, public_key="", signature="", data="")
    bridge = AnsweringBridge(nothing)
    await edge.keeper.fetch(bridge)
    assert await edge.store.spent() == Spent()
    assert bridge.asked == [FetchPolicy(have_version=1, chunk=0)]
    # A bridge without any policy takes none away.
    await edge.keeper.fetch(AnsweringBridge(nothing.model_copy(update={"version": 0})))
    assert edge.keeper.policy == OPEN_LIST

"""A lane through the bridge: real sockets, real Valkey, a domain in memory."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from gate_bridge.agent import session
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.pictures import CarPictures
from gate_bridge.agent.play import CAMERA_SOURCE, play_lane
from gate_bridge.fake_lane_service import FakeLaneService
from gate_bridge.options import BridgeOptions, ReadingLimits
from gate_bridge.server import GateBridge
from parking.events.pokes import Poke, lane_channel
from parking.flows.lane_types import (
    Action,
    CommandState,
    DisplayText,
    ObservationMethod,
    ReadSource,
)
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.errors import InvalidInputError
from parking.kit.ids import id_time
from parking.lanes.service import COMMANDS_PER_PRESENTATION_MAX
from parking.plates.frame_stream import FRAMES_STREAM
from parking.plates.reads import PlateRead
from tests.integration.gate_process import run_agent
from tests.integration.gate_stage import (
    PLATE,
    Stage,
    ValkeyClient,
    barrier_event,
    eventually,
    fresh_id,
    make_lane,
    open_stage,
    valkey_tools,
)

THROUGH = ["occupied", "opening", "opened", "cleared", "passed", "closed"]


@pytest.fixture
async def stage(valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with open_stage(valkey_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncGenerator[ValkeyClient]:
    async with valkey_tools(valkey_url) as client:
        yield client


def whats(stage: Stage) -> list[str]:
    return [event[2] for event in stage.service.events]


async def test_a_car_is_read_decided_on_once_and_let_through(stage: Stage) -> None:
    async with stage.play() as lane:
        presentation_id = await lane.present_car(stage.picture())
        assert await lane.wait_free(10)
        await eventually(lambda: len(stage.service.events) == 6)

    assert stage.service.decide_calls == [(presentation_id, PLATE)]
    assert stage.service.sources == {presentation_id: ReadSource(ObservationMethod.ANPR, "told")}
    assert lane.barrier.pulses == 1
    assert whats(stage) == THROUGH
    assert [event[0] for event in stage.service.events] == [1, 2, 3, 4, 5, 6]
    assert [answer[0] for answer in stage.service.answers.values()] == [CommandState.ACCEPTED]
    [timings] = stage.timings
    assert set(timings.steps_ms) == {"store", "decode", "detect", "read", "match", "commit", "send"}
    assert timings.frame_to_open_ms is not None


async def test_an_open_that_reaches_a_frozen_gate_late_is_refused_and_a_fresh_one_opens(
    stage: Stage,
) -> None:
    stage.service.ttl_ms = 400
    stage.recognizer.on.clear()
    async with run_agent(stage) as agent:
        agent.car(stage.folder / "car.jpg")
        await eventually(lambda: len(stage.service.frames) > 0)
        agent.freeze()
        stage.recognizer.on.set()
        await eventually(lambda: len(stage.service.commands) == 1)
        await asyncio.sleep(0.6)
        stage.service.ttl_ms = 5000
        agent.thaw()
        await eventually(lambda: "passed" in whats(stage))

        assert list(stage.service.answers.values()) == [
            (CommandState.REJECTED, "expired"),
            (CommandState.ACCEPTED, None),
        ]
        assert agent.pulses == 1


async def test_an_order_that_is_always_refused_as_stale_is_renewed_a_few_times_with_pauses(
    valkey_url: str, tmp_path: Path
) -> None:
    options = BridgeOptions(reading=ReadingLimits(poll_s=60.0))
    async with open_stage(valkey_url, tmp_path, options) as stage, stage.connect() as agent:
        await agent.hello()
        await agent.frame_of(await agent.start(1))
        orders = set[str]()
        started_s = time.monotonic()
        for _ in range(COMMANDS_PER_PRESENTATION_MAX):
            order = await agent.receive()
            while order[2] != "OpenBarrier":
                order = await agent.receive()
            command_id = order[3]["command_id"]
            orders.add(command_id)
            refused = {"status": "rejected", "reason": "stale_epoch", "repeated": False}
            await agent.send([3, order[1], {"command_id": command_id, **refused}])
        assert len(orders) == COMMANDS_PER_PRESENTATION_MAX
        assert time.monotonic() - started_s >= 0.1 * (COMMANDS_PER_PRESENTATION_MAX - 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                while (await agent.receive())[2] != "OpenBarrier":
                    pass
        assert (
            list(stage.service.answers.values())
            == [(CommandState.REJECTED, "stale_epoch")] * COMMANDS_PER_PRESENTATION_MAX
        )


@pytest.mark.parametrize(
    ("slow", "killed_at_pulses"), [("relay_after_s", 1), ("relay_before_s", 0)]
)
async def test_an_agent_killed_in_the_middle_of_an_order_opens_once(
    stage: Stage, slow: str, killed_at_pulses: int
) -> None:
    async with run_agent(stage, **{slow: 30.0}) as agent:
        agent.car(stage.folder / "car.jpg")
        await eventually(lambda: len(stage.service.commands) == 1)
        await eventually(lambda: agent.pulses == killed_at_pulses)
        await asyncio.sleep(0.1)
        await agent.kill()
        assert agent.pulses == killed_at_pulses
        assert stage.service.answers == {}

    async with run_agent(stage) as agent:
        await eventually(lambda: "closed" in whats(stage))
        assert agent.pulses == 1
    # Whose arm did not move was not watched since: it is presented and decided on anew.
    assert len(stage.service.commands) == 2 - killed_at_pulses
    assert [answer[0] for answer in stage.service.answers.values()] == [CommandState.ACCEPTED]
    assert "passed" in whats(stage)


async def test_events_of_an_offline_gate_are_delivered_in_order_and_open_nothing(
    stage: Stage,
) -> None:
    stage.service.lanes.clear()
    async with stage.play() as lane:
        await lane.present_car(CarPictures(photos=stage.picture().photos), "X1", 0.99)
        await lane.car_leaves()
        await lane.present_car(stage.picture())
        await lane.car_leaves()
        await eventually(lambda: len(stage.reported("disconnected")) > 1)
    refusals = {str(report["error"]) for report in stage.reported("disconnected")}
    assert refusals == {
        "Authorization: expected the device token of the lane whose id is in the path"
    }
    assert stage.service.events == []

    stage.service.add_lane(stage.lane, "device-token")
    async with stage.play() as lane:
        await eventually(lambda: len(stage.service.events) == 5)
        assert whats(stage) == ["occupied", "X1", "cleared", "occupied", "cleared"]
        assert lane.barrier.pulses == 0
    assert stage.service.decide_calls == []


async def test_a_lost_database_delays_and_loses_nothing(stage: Stage) -> None:
    async with stage.play() as lane:
        await eventually(lambda: len(stage.reported("connected")) == 1)
        stage.service.failures_left = 4
        await lane.present_car(stage.picture())
        assert await lane.wait_free(10)
        await eventually(lambda: len(stage.service.events) == 6)
        assert lane.barrier.pulses == 1
    assert whats(stage) == THROUGH


async def test_an_event_that_is_never_accepted_does_not_hold_up_the_lane(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_arguments: object) -> int:
        raise InvalidInputError("plate", "a plate")

    monkeypatch.setattr(stage.service, "record_observation", refuse)
    async with stage.play() as lane:
        await lane.present_car(stage.picture(), "B777", 0.5)
        assert await lane.wait_free(10)
        await eventually(lambda: len(stage.service.events) == 6)
    assert whats(stage) == THROUGH
    assert [event[0] for event in stage.service.events] == [1, 2, 3, 4, 5, 6]
    assert len(stage.reported("event_refused")) == 1


async def test_an_event_that_always_meets_a_defect_does_not_hold_up_the_lane(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = list[object]()

    async def broken(*arguments: object) -> int:
        tries.append(arguments)
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(session, "EVENT_DEFECTS_MAX", 3)
    monkeypatch.setattr(stage.service, "record_observation", broken)
    async with stage.play() as lane:
        await lane.present_car(stage.picture(), "B777", 0.5)
        assert await lane.wait_free(10)
        await eventually(lambda: len(stage.service.events) == 6)
    assert whats(stage) == THROUGH
    assert len(tries) == 3
    [refused] = stage.reported("event_refused")
    assert refused["action"] == "Observation"
    assert str(refused["error"]).startswith("InternalError")


async def test_an_event_of_an_older_agent_that_the_wire_refuses_is_set_aside(stage: Stage) -> None:
    journal = await Journal.open(stage.folder / "journal.sqlite")
    body = {**barrier_event(1), "operator": "Lee\0"}
    del body["seq"]
    await journal.append(UUID(body["event_id"]), "BarrierEvent", orjson.dumps(body).decode())
    await journal.close()
    async with stage.play() as lane:
        await eventually(lambda: len(stage.reported("event_refused")) == 1)
        await lane.present_car(stage.picture())
        assert await lane.wait_free(10)
        await eventually(lambda: len(stage.service.events) == 6)
    assert whats(stage) == THROUGH
    assert [event[0] for event in stage.service.events] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("last_seq", [0, 50])
async def test_the_next_car_is_let_through_where_the_two_ends_counted_differently(
    stage: Stage, last_seq: int
) -> None:
    async with stage.play() as lane:
        await lane.present_car(stage.picture())
        assert await lane.wait_free(10)
        await eventually(lambda: len(stage.service.events) == 6)
    stage.service.last_seqs[stage.lane.lane_id] = last_seq
    async with stage.play() as lane:
        await eventually(lambda: len(stage.reported("connected")) == 2)
        await lane.present_car(stage.picture())
        assert await lane.wait_free(10)
        await eventually(lambda: len(stage.service.events) == 12)
    assert [event[0] for event in stage.service.events[6:]] == list(
        range(last_seq + 1, last_seq + 7)
    )


async def test_a_display_shows_a_name_with_control_characters_without_them(stage: Stage) -> None:
    stage.service.decide_rule = lambda _id, _read: (Action.PAY, DisplayText(("A\0b\nc", "12")))
    async with stage.play() as lane:
        await lane.present_car(stage.picture())
        await eventually(lambda: len(stage.reported("display")) == 1)
    assert stage.reported("display")[0]["lines"] == ["A b c", "12"]


async def test_a_decision_that_fails_for_a_passing_reason_is_tried_again(stage: Stage) -> None:
    stage.recognizer.on.clear()
    async with stage.play() as lane:
        presentation_id = await lane.present_car(stage.picture())
        await eventually(lambda: stage.service.presentations.get(presentation_id) is not None)
        await eventually(lambda: len(stage.service.frames) > 0)
        stage.service.failures_left = 3
        stage.recognizer.on.set()
        assert await lane.wait_free(10)
        assert lane.barrier.pulses == 1
    assert len(stage.service.commands) == 1


async def test_an_emptied_valkey_loses_no_car(stage: Stage, valkey: ValkeyClient) -> None:
    stage.recognizer.on.clear()
    async with stage.play() as lane:
        await lane.present_car(stage.picture())
        await eventually(lambda: len(stage.service.frames) > 0)
        await valkey.flushall()
        await valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        stage.recognizer.on.set()
        assert await lane.wait_free(10)
        assert lane.barrier.pulses == 1


async def test_frames_that_nobody_answers_are_submitted_again(
    valkey_url: str, tmp_path: Path, valkey: ValkeyClient
) -> None:
    options = BridgeOptions(reading=ReadingLimits(resubmit_after_s=0.2))
    async with open_stage(valkey_url, tmp_path, options) as stage, stage.connect() as agent:
        await agent.hello()
        presentation_id = await agent.start(1)
        stage.recognizer.on.clear()
        await agent.frame_of(presentation_id)
        # Once it was submitted; the bound only ends a test that would hang.
        assert await valkey.execute_command("XREAD", "BLOCK", "5000", "STREAMS", FRAMES_STREAM, "0")
        await valkey.flushall()
        stage.recognizer.on.set()
        order = await agent.receive()
    assert order[2] == "OpenBarrier"
    assert order[3]["presentation_id"] == str(presentation_id)


@pytest.mark.parametrize("poked", [True, False])
async def test_a_late_payment_opens(
    valkey_url: str, tmp_path: Path, valkey: ValkeyClient, poked: bool
) -> None:
    options = BridgeOptions(reading=ReadingLimits(poll_s=60.0 if poked else 0.2))
    async with open_stage(valkey_url, tmp_path, options) as stage:
        stage.service.decide_rule = lambda _id, _read: (
            Action.PAY,
            DisplayText(("Please pay",), "https://pay.example/x"),
        )
        async with stage.play() as lane:
            presentation_id = await lane.present_car(stage.picture())
            await eventually(lambda: len(stage.reported("display")) == 1)
            assert lane.barrier.pulses == 0
            stage.service.pay(presentation_id)
            if poked:
                poke = Poke(presentation_id, "SessionPaid")
                await valkey.publish(lane_channel(stage.lane.lane_id), poke.to_json())
            assert await lane.wait_free(10)
            assert lane.barrier.pulses == 1
        [first, second] = stage.reported("display")
        assert (first["lines"], first["qr"]) == (["Please pay"], "https://pay.example/x")
        assert second["lines"] == ["Thank you", "Please drive on"]


async def test_a_car_that_cannot_be_read_is_sent_to_staff(valkey_url: str, tmp_path: Path) -> None:
    options = BridgeOptions(reading=ReadingLimits(answered_frames_max=2))
    async with open_stage(valkey_url, tmp_path, options) as stage:
        stage.recognizer.read = None
        async with stage.play() as lane:
            await lane.present_car(stage.picture())
            await eventually(lambda: len(stage.reported("display")) == 1)
            assert stage.reported("display")[0]["lines"] == [
                "Plate not readable",
                "Please call staff",
            ]
            assert lane.barrier.pulses == 0
        assert stage.service.decide_calls == []
        assert stage.service.commands == {}


async def test_the_best_vote_is_taken_when_frames_never_agree(
    valkey_url: str, tmp_path: Path
) -> None:
    options = BridgeOptions(reading=ReadingLimits(answered_frames_max=2))
    async with open_stage(valkey_url, tmp_path, options) as stage:
        stage.recognizer.agreed = False
        stage.recognizer.read = PlateRead(text="A1", confidence=0.4)
        async with stage.play() as lane:
            presentation_id = await lane.present_car(stage.picture())
            assert await lane.wait_free(10)
        assert stage.service.decide_calls == [(presentation_id, "A1")]


async def test_a_camera_that_reads_by_itself_needs_no_pictures(stage: Stage) -> None:
    async with stage.play() as lane:
        presentation_id = await lane.present_car(CarPictures(), "B777", 0.97)
        assert await lane.wait_free(10)
    assert stage.service.decide_calls == [(presentation_id, "B777")]
    assert stage.service.sources == {
        presentation_id: ReadSource(ObservationMethod.CAMERA, CAMERA_SOURCE)
    }
    assert stage.service.frames == {}


async def test_a_car_that_backs_out_before_the_decision_stays_outside(stage: Stage) -> None:
    stage.recognizer.on.clear()
    async with stage.play() as lane:
        presentation_id = await lane.present_car(stage.picture())
        await eventually(lambda: len(stage.service.frames) > 0)
        await lane.car_leaves()
        await eventually(lambda: whats(stage) == ["occupied", "cleared"])
        stage.recognizer.on.set()
        await eventually(lambda: len(stage.recognizer.seen) > 0)
        await asyncio.sleep(0.3)
        assert lane.barrier.pulses == 0
    assert stage.service.decide_calls == []
    assert presentation_id not in stage.service.decisions


async def test_a_jammed_arm_is_reported_and_nothing_passes(stage: Stage) -> None:
    async with stage.play() as lane:
        lane.barrier.faults.arm_jammed = True
        await lane.present_car(stage.picture())
        await eventually(lambda: "obstructed" in whats(stage))
        assert lane.barrier.pulses == 1
        assert lane.presentation_id is not None
    assert whats(stage) == ["occupied", "obstructed"]


@pytest.mark.parametrize("minutes", [-10, 10])
async def test_a_gate_with_a_wrong_clock_works_by_the_time_of_its_bridge(
    stage: Stage, minutes: int
) -> None:
    now = SystemClock().now()
    wrong = ManualClock(now + timedelta(minutes=minutes))
    journal = stage.folder / "journal.sqlite"
    async with play_lane(stage.agent_options(), journal, wrong, stage.reports.append) as lane:
        await eventually(lambda: len(stage.reported("connected")) == 1)
        presentation_id = await lane.present_car(stage.picture())
        assert await lane.wait_free(10)
        assert lane.barrier.pulses == 1
    assert abs(id_time(presentation_id) - now) < timedelta(minutes=1)


async def test_a_lane_that_names_the_car_of_another_lane_gets_none_of_its_reads(
    stage: Stage,
) -> None:
    other = make_lane()
    stage.service.add_lane(other, "device-token")
    thief = replace(stage, lane=other)
    stage.recognizer.on.clear()
    async with stage.connect() as agent, thief.connect() as second:
        await agent.hello()
        presentation_id = await agent.start(1)
        await second.hello(presentation_id=presentation_id)
        await agent.frame_of(presentation_id)
        stage.recognizer.on.set()
        order = await agent.receive()
        assert (order[2], order[3]["presentation_id"]) == ("OpenBarrier", str(presentation_id))
        assert await second.present(1, fresh_id()) == [3, "Presentation", {"last_seq": 1}]
    assert stage.service.decide_calls == [(presentation_id, PLATE)]


async def test_a_restarted_bridge_sends_the_same_order_again(stage: Stage, valkey_url: str) -> None:
    async with stage.connect() as agent:
        await agent.hello()
        presentation_id = await agent.start(1)
        await agent.frame_of(presentation_id)
        first = await agent.receive()
        assert first[2] == "OpenBarrier"
    async with stage.connect() as agent:
        await agent.hello(2, presentation_id)
        second = await agent.receive()
    assert second[2] == "OpenBarrier"
    assert second[3]["command_id"] == first[3]["command_id"]
    assert second[3]["session_epoch"] == first[3]["session_epoch"] + 1
    assert len(stage.service.decide_calls) == 1
    assert UUID(second[3]["command_id"]) in stage.service.commands


async def test_a_bridge_whose_port_is_taken_ends_and_leaves_nothing_running(
    valkey_url: str,
) -> None:
    # No bridge holds the port: one that runs has tasks that come and go with every command.
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = BridgeOptions(port=holder.getsockname()[1])
        service = FakeLaneService(SystemClock())
        before = asyncio.all_tasks()
        with pytest.raises(OSError, match="address already in use"):
            async with GateBridge(service, valkey_url, taken, SystemClock()):
                pass
        assert asyncio.all_tasks() == before

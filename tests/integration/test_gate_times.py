"""Times far from the bridge's clock: nothing opens by them, and what happened is still recorded."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gate_bridge.agent.play import play_lane
from parking.flows.lane_types import ObservationMethod, ReadSource
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.ids import id_time, new_id
from parking.plates.reads import PlateRead
from tests.integration.gate_stage import (
    PICTURE,
    PLATE,
    RawAgent,
    Stage,
    barrier_event,
    eventually,
    frame_header,
    fresh_id,
    observation,
    open_stage,
    presentation,
)

LONG_AGO = timedelta(hours=5)
STAFF = ["Not possible right now", "Please call staff"]


@pytest.fixture
async def stage(valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with open_stage(valkey_url, tmp_path) as opened:
        yield opened


def ago(age: timedelta) -> datetime:
    return SystemClock().now() - age


def came(seq: int, age: timedelta) -> dict[str, Any]:
    """Return the event of a car that came so long ago, with ids of that time."""
    at = ago(age)
    times = {"event_id": str(new_id(at)), "occurred_at": at.isoformat()}
    return {**presentation(seq, new_id(at)), **times}


def refusal(answer: list[Any]) -> tuple[str, str]:
    assert answer[0] == 4, answer
    return answer[2], answer[4]["field"]


async def test_a_time_that_disagrees_with_its_id_is_refused(stage: Stage) -> None:
    early = ago(timedelta(seconds=310)).isoformat()
    backdated = {**presentation(1, fresh_id()), "event_id": str(new_id(ago(LONG_AGO)))}
    old_car = {**presentation(1, new_id(ago(timedelta(seconds=310))))}
    async with stage.connect() as agent:
        await agent.hello()
        for action, payload, field in (
            ("Presentation", {**presentation(1, fresh_id()), "occurred_at": early}, "occurred_at"),
            ("Presentation", backdated, "occurred_at"),
            ("Presentation", old_car, "occurred_at"),
            ("BarrierEvent", {**barrier_event(1), "occurred_at": early}, "occurred_at"),
            ("Observation", {**observation(1, fresh_id()), "captured_at": early}, "captured_at"),
        ):
            assert refusal(await agent.call(action, payload)) == ("PayloadInvalid", field)
        header = {**frame_header(fresh_id()), "captured_at": early}
        assert refusal(await agent.frame(header, PICTURE)) == ("PayloadInvalid", "captured_at")
    assert stage.service.events == []
    assert stage.service.frames == {}


async def test_a_car_may_leave_long_after_it_came(stage: Stage) -> None:
    car = new_id(ago(LONG_AGO))
    async with stage.connect() as agent:
        await agent.hello()
        assert await agent.present(1, car, "cleared") == [3, "Presentation", {"last_seq": 1}]


@pytest.mark.parametrize("age", [LONG_AGO, timedelta(seconds=310)])
async def test_a_new_car_that_came_long_ago_is_recorded_and_not_decided_on(
    stage: Stage, age: timedelta
) -> None:
    car = came(1, age)
    async with stage.connect() as agent:
        await agent.hello()
        assert await agent.call("Presentation", car) == [3, "Presentation", {"last_seq": 1}]
        await shows_staff(agent)
        await sends_all_it_has(agent, UUID(car["presentation_id"]))
    assert stage.service.events[0] == (1, "Presentation", "occupied")
    assert stage.service.decide_calls == []


async def test_a_car_in_hello_that_came_long_ago_is_not_decided_on(stage: Stage) -> None:
    car = came(1, LONG_AGO)
    async with stage.connect() as agent:
        await agent.hello(2, UUID(car["presentation_id"]))
        await shows_staff(agent)
        assert await agent.call("Presentation", car) == [3, "Presentation", {"last_seq": 1}]
        await sends_all_it_has(agent, UUID(car["presentation_id"]))
    assert stage.service.decide_calls == []


async def shows_staff(agent: RawAgent) -> None:
    display = await agent.receive()
    assert display[2] == "Display"
    assert (display[3]["presentation_id"], display[3]["lines"]) == (None, STAFF)


async def sends_all_it_has(agent: RawAgent, car: UUID) -> None:
    """Send a picture and a sure read; both are taken, and a live car would be let through."""
    answer = await agent.call("Observation", observation(2, car))
    assert answer == [3, "Observation", {"last_seq": 2}]
    await agent.frame_of(car)
    # The answer to one more event: an order would have come before it.
    assert await agent.present(3, car, "cleared") == [3, "Presentation", {"last_seq": 3}]


async def test_a_car_in_hello_cannot_be_made_younger(stage: Stage) -> None:
    car = new_id(ago(LONG_AGO))
    payload = {"presentation_id": str(car), "occupied_at": ago(timedelta()).isoformat()}
    async with stage.connect() as agent:
        hello = {**agent.hello_payload(), "presentation": payload}
        answer = await agent.call("Hello", hello)
    assert refusal(answer) == ("PayloadInvalid", "presentation.occupied_at")
    assert stage.service.epochs == {}


async def test_a_new_car_from_the_future_is_refused(stage: Stage) -> None:
    ahead = came(1, -timedelta(seconds=310))
    async with stage.connect() as agent:
        await agent.hello()
        answer = await agent.call("Presentation", ahead)
        assert refusal(answer) == ("PayloadInvalid", "occurred_at")
        assert stage.service.events == []
    async with stage.connect() as agent:
        await agent.hello(2)
        assert await agent.call("Presentation", ahead) == [3, "Presentation", {"last_seq": 1}]
        assert await agent.present(2, fresh_id()) == [3, "Presentation", {"last_seq": 2}]


async def test_a_decision_taken_in_time_is_carried_out_late(stage: Stage) -> None:
    car = came(1, LONG_AGO)
    presentation_id = UUID(car["presentation_id"])
    async with stage.connect() as agent:
        await agent.hello()
        await agent.call("Presentation", car)
    await stage.service.decide(
        stage.lane,
        presentation_id,
        PlateRead(text=PLATE, confidence=0.99),
        ReadSource(ObservationMethod.CAMERA, "camera-1"),
    )
    async with stage.connect() as agent:
        await agent.hello(2, presentation_id)
        order = await agent.receive()
    assert (order[2], order[3]["presentation_id"]) == ("OpenBarrier", str(presentation_id))


@pytest.mark.parametrize("wrong_by", [-LONG_AGO, LONG_AGO])
async def test_a_car_that_waited_through_an_outage_is_presented_again(
    stage: Stage, wrong_by: timedelta
) -> None:
    now = SystemClock().now()
    stage.service.lanes.clear()
    journal = stage.folder / "journal.sqlite"
    wrong = ManualClock(now + wrong_by)
    async with play_lane(stage.agent_options(), journal, wrong, stage.reports.append) as lane:
        old = await lane.present_car(stage.picture())
        await eventually(lambda: len(stage.reported("disconnected")) > 0)
        stage.service.add_lane(stage.lane, "device-token")
        assert await lane.wait_free(10)
        await eventually(lambda: len(stage.service.events) == 8)
        assert lane.barrier.pulses == 1
    [(decided, plate)] = stage.service.decide_calls
    assert (plate, abs(id_time(decided) - now) < timedelta(minutes=1)) == (PLATE, True)
    assert old not in stage.service.decisions
    assert [event[2] for event in stage.service.events][:3] == ["occupied", "cleared", "occupied"]

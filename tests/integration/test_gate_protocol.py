"""What the bridge answers to a client that breaks the rules, byte for byte."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gate_bridge.options import BridgeOptions, ReadingLimits
from gate_bridge.server import GateBridge
from gate_bridge.wire.limits import SUBPROTOCOL, WireLimits
from parking.events.pokes import Poke, lane_channel
from parking.flows.lane_types import Action, Connection, DisplayText, Lane
from parking.kit.clock import SystemClock
from parking.kit.ids import new_id
from tests.integration.gate_stage import (
    PICTURE,
    RawAgent,
    Stage,
    ValkeyClient,
    barrier_event,
    eventually,
    frame_header,
    fresh_id,
    observation,
    open_stage,
    presentation,
    valkey_tools,
)

LIMITS = WireLimits(
    hello_timeout_s=0.3, malformed_max=3, frames_burst=3, frames_per_s=0.001, image_bytes_max=65536
)
QUICK = BridgeOptions(wire=LIMITS, reading=ReadingLimits(frames_max=2))


@pytest.fixture
async def stage(valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with open_stage(valkey_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def strict_stage(valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with open_stage(valkey_url, tmp_path, QUICK) as opened:
        yield opened


@pytest.fixture
async def valkey(valkey_url: str) -> AsyncGenerator[ValkeyClient]:
    async with valkey_tools(valkey_url) as client:
        yield client


async def refused(url: str, *, token: str | None, subprotocol: str = SUBPROTOCOL) -> object:
    headers = {} if token is None else {"Authorization": token}
    with pytest.raises(InvalidStatus) as caught:
        async with connect(
            url,
            additional_headers=headers,
            subprotocols=[Subprotocol(subprotocol)],
            proxy=None,
        ):
            pass
    response = caught.value.response
    body = httpx.Response(200, content=bytes(response.body or b"")).json()
    return response.status_code, body["error"]["field"]


async def test_requests_that_are_no_admitted_lane_are_refused_before_the_upgrade(
    stage: Stage,
) -> None:
    good = "Bearer device-token"
    assert await refused(stage.path, token="Bearer wrong") == (401, "Authorization")
    assert await refused(stage.path, token=None) == (401, "Authorization")
    assert await refused(stage.path, token="Basic abc") == (401, "Authorization")
    assert await refused(stage.path, token="Bearer " + "x" * 600) == (401, "Authorization")
    assert await refused(f"{stage.url}/gates/{uuid4()}", token=good) == (401, "Authorization")
    assert await refused(f"{stage.url}/gates/nonsense", token=good) == (404, "lane_id")
    assert await refused(f"{stage.url}/elsewhere", token=good) == (404, "path")
    assert await refused(stage.path, token=good, subprotocol="other") == (
        400,
        "Sec-WebSocket-Protocol",
    )
    assert stage.service.epochs == {}


async def test_a_database_that_is_away_asks_the_agent_to_come_again(stage: Stage) -> None:
    stage.service.failures_left = 1
    assert await refused(stage.path, token="Bearer device-token") == (503, "service")


async def test_health_is_answered_on_the_same_port(stage: Stage) -> None:
    base = stage.url.replace("ws:", "http:")
    async with httpx.AsyncClient(trust_env=False) as client:
        health = await client.get(f"{base}/healthz")
        ready = await client.get(f"{base}/readyz")
        stage.service.failures_left = 1
        unready = await client.get(f"{base}/readyz")
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (
        200,
        {"ready": True, "database": True, "valkey": True},
    )
    assert (unready.status_code, unready.json()) == (
        503,
        {"ready": False, "database": False, "valkey": True},
    )


MALFORMED: list[tuple[str, str, str]] = [
    ("{", "-1", "message"),
    ("[]", "-1", "message"),
    ("{}", "-1", "message"),
    ('[7,"x",{}]', "x", "type"),
    ('[true,"x","Hello",{}]', "x", "type"),
    ('[2,"x","Hello"]', "x", "message"),
    ('[2,5,"Hello",{}]', "-1", "id"),
    ('[2,"x",5,{}]', "x", "action"),
    ('[2,"x","Hello",[]]', "x", "payload"),
    ("[" * 5000, "-1", "message"),
]


async def test_malformed_messages_are_answered_and_the_connection_lives(stage: Stage) -> None:
    async with stage.connect() as agent:
        await agent.hello()
        for text, call_id, field in MALFORMED[:9]:
            await agent.socket.send(text)
            answer = await agent.receive()
            assert answer[:3] == [4, call_id, "FormatViolation"], text
            assert answer[4]["field"] == field
        assert await agent.present(1, fresh_id()) == [3, "Presentation", {"last_seq": 1}]


async def test_too_many_malformed_messages_end_the_connection(strict_stage: Stage) -> None:
    async with strict_stage.connect() as agent:
        await agent.hello()
        for _ in range(3):
            await agent.socket.send("nonsense")
        assert await agent.closed() == 4400
    async with strict_stage.connect() as agent:
        await agent.hello()


async def test_a_field_that_is_wrong_is_named(stage: Stage) -> None:
    good = presentation(1, fresh_id())
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"seq": "1"}, "seq"),
        ({"seq": 0}, "seq"),
        ({"event_id": "x"}, "event_id"),
        ({"event_id": str(uuid4())}, "event_id"),
        ({"state": "flying"}, "state"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": "2026-01-01T00:00:00"}, "occurred_at"),
        ({"occurred_at": 1700000000}, "occurred_at"),
        ({"extra": 1}, "extra"),
    ]
    async with stage.connect() as agent:
        await agent.hello()
        for change, field in wrong:
            answer = await agent.call("Presentation", {**good, **change})
            assert answer[:3] == [4, "Presentation", "PayloadInvalid"], change
            assert answer[4]["field"] == field
        del good["state"]
        answer = await agent.call("Presentation", good)
        assert (answer[2], answer[4]["field"]) == ("PayloadInvalid", "state")
        answer = await agent.call("Fly", {})
        assert (answer[2], answer[4]["field"]) == ("UnknownAction", "action")
        answer = await agent.call("Frame", frame_header(fresh_id()))
        assert (answer[2], answer[4]["field"]) == ("FormatViolation", "action")
        answer = await agent.call("Hello", agent.hello_payload())
        assert (answer[2], answer[4]["field"]) == ("FormatViolation", "action")
    assert stage.service.events == []


CONTROLS = ["\x00", "\x1b", "\n", "\x7f", "\x85", "\u2028"]


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
async def test_control_characters_in_texts_are_refused_and_nothing_is_kept(
    stage: Stage, control: str
) -> None:
    text = f"a{control}b"
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("BarrierEvent", {**barrier_event(1), "operator": text}, "operator"),
        ("BarrierEvent", {**barrier_event(1), "reason": text}, "reason"),
        ("Observation", {**observation(1, fresh_id()), "plate": text}, "plate"),
        ("Observation", {**observation(1, fresh_id()), "source": text}, "source"),
    ]
    async with stage.connect() as agent:
        answer = await agent.call("Hello", {**agent.hello_payload(), "agent_version": text})
        assert (answer[2], answer[4]["field"]) == ("PayloadInvalid", "agent_version")
        await agent.hello()
        for action, payload, field in wrong:
            answer = await agent.call(action, payload)
            assert answer[2] == "PayloadInvalid", field
            assert answer[4] == {
                "field": field,
                "expected": "text without control characters and line breaks",
            }
        assert stage.service.events == []
        good = await agent.call("BarrierEvent", barrier_event(1))
    assert good == [3, "BarrierEvent", {"last_seq": 1}]
    assert stage.service.events == [(1, "BarrierEvent", "manual_open")]


async def test_ids_from_a_clock_far_off_are_refused(stage: Stage) -> None:
    old = new_id(SystemClock().now().replace(year=2001))
    async with stage.connect() as agent:
        await agent.hello()
        answer = await agent.present(1, old)
    assert (answer[2], answer[4]["field"]) == ("PayloadInvalid", "presentation_id")


BROKEN_PICTURES: list[tuple[bytes, str, str]] = [
    (b"", "PayloadInvalid", "image"),
    (b"not a picture", "PayloadInvalid", "image"),
    (PICTURE[:-2], "PayloadInvalid", "image"),
    (b"\xff\xd8\xff" + bytes(70_000) + b"\xff\xd9", "TooLarge", "image"),
]


@pytest.mark.parametrize(("image", "code", "field"), BROKEN_PICTURES)
async def test_a_broken_picture_is_refused_and_not_kept(
    strict_stage: Stage, image: bytes, code: str, field: str
) -> None:
    async with strict_stage.connect() as agent:
        await agent.hello()
        presentation_id = await agent.start(1)
        answer = await agent.frame(frame_header(presentation_id), image)
        assert answer[:3] == [4, "f", code]
        assert answer[4]["field"] == field
        assert strict_stage.service.frames == {}
        await agent.frame_of(presentation_id)


async def test_a_frame_of_another_car_is_refused(stage: Stage) -> None:
    async with stage.connect() as agent:
        await agent.hello()
        before = await agent.frame(frame_header(fresh_id()), PICTURE)
        await agent.start(1)
        other = await agent.frame(frame_header(fresh_id()), PICTURE)
    for answer in (before, other):
        assert answer[:3] == [4, "f", "PayloadInvalid"]
        assert answer[4]["field"] == "presentation_id"
    assert stage.service.frames == {}


UPLOAD_50_MB = (bytes(250_000) for _ in range(200))


@pytest.mark.parametrize("data", [UPLOAD_50_MB, "x" * 200_000], ids=["50 MB", "long text"])
async def test_a_message_beyond_the_limit_ends_only_its_connection(
    stage: Stage, data: Iterable[bytes] | str
) -> None:
    async with stage.connect() as agent:
        await agent.hello()
        with suppress(ConnectionClosed):
            await agent.socket.send(data)
        assert await agent.closed() == 1009
    async with stage.connect() as agent:
        await agent.hello()


async def test_calls_before_hello_are_refused_and_hello_has_a_deadline(
    strict_stage: Stage,
) -> None:
    async with strict_stage.connect() as agent:
        answer = await agent.present(1, fresh_id())
        assert (answer[2], answer[4]["field"]) == ("NotReady", "action")
        assert await agent.closed() == 4408
    assert strict_stage.service.events == []


async def test_a_hello_for_another_lane_is_refused(stage: Stage) -> None:
    async with stage.connect() as agent:
        answer = await agent.call("Hello", {**agent.hello_payload(), "lane_id": str(uuid4())})
        assert (answer[2], answer[4]["field"]) == ("PayloadInvalid", "lane_id")
        assert await agent.closed() == 4403
    assert stage.service.epochs == {}


async def test_a_newer_connection_fences_the_older_one(stage: Stage) -> None:
    async with stage.connect() as older, stage.connect() as newer:
        assert (await older.hello())["session_epoch"] == 1
        assert (await newer.hello())["session_epoch"] == 2
        assert await older.closed() == 4409
        presentation_id = await newer.start(1)
        await newer.frame_of(presentation_id)
        order = await newer.receive()
        assert (order[2], order[3]["session_epoch"]) == ("OpenBarrier", 2)


async def test_a_newer_connection_at_another_bridge_fences_the_older_one(
    stage: Stage, valkey_url: str
) -> None:
    other = GateBridge(stage.service, valkey_url, BridgeOptions(), SystemClock())
    async with other, stage.connect() as older:
        await older.hello()
        path = stage.path.replace(str(stage.bridge.port), str(other.port))
        async with connect(
            path,
            additional_headers={"Authorization": "Bearer device-token"},
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            proxy=None,
        ) as socket:
            await RawAgent(socket, stage.lane.lane_id).hello()
            assert await older.closed() == 4409


async def test_a_connection_that_was_overtaken_in_its_hello_leaves_the_pokes_to_the_newer(
    valkey_url: str, tmp_path: Path, valkey: ValkeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken = asyncio.Event()
    options = BridgeOptions(reading=ReadingLimits(poll_s=60.0))
    async with open_stage(valkey_url, tmp_path, options) as stage:
        take_epoch = stage.service.connect

        async def take_first_epoch_slowly(lane: Lane, bridge: str) -> Connection:
            connection = await take_epoch(lane, bridge)
            if connection.session_epoch == 1:
                await overtaken.wait()
            return connection

        monkeypatch.setattr(stage.service, "connect", take_first_epoch_slowly)
        stage.service.decide_rule = lambda _id, _read: (Action.PAY, DisplayText(("Please pay",)))
        async with stage.connect() as older, stage.connect() as newer:
            await older.send([2, "h", "Hello", older.hello_payload()])
            await eventually(lambda: stage.service.epochs == {stage.lane.lane_id: 1})
            assert (await newer.hello())["session_epoch"] == 2
            overtaken.set()
            assert await older.closed() == 4409

            presentation_id = await newer.start(1)
            await newer.frame_of(presentation_id)
            assert (await newer.receive())[2] == "Display"
            stage.service.pay(presentation_id)
            poke = Poke(presentation_id, "SessionPaid")
            await valkey.publish(lane_channel(stage.lane.lane_id), poke.to_json())
            order = await newer.receive()
            assert (order[2], order[3]["session_epoch"]) == ("OpenBarrier", 2)


async def test_events_are_acknowledged_without_gaps_and_once(stage: Stage) -> None:
    first = presentation(1, fresh_id())
    async with stage.connect() as agent:
        assert (await agent.hello())["last_seq"] == 0
        gap = await agent.present(2, fresh_id())
        assert (gap[2], gap[4]) == ("NotReady", {"field": "seq", "expected": "1"})
        assert (await agent.call("Presentation", first))[2] == {"last_seq": 1}
        assert (await agent.call("Presentation", first))[2] == {"last_seq": 1}
    async with stage.connect() as agent:
        assert (await agent.hello(2))["last_seq"] == 1
    assert stage.service.events == [(1, "Presentation", "occupied")]


async def test_too_many_frames_are_refused(strict_stage: Stage) -> None:
    async with strict_stage.connect() as agent:
        strict_stage.recognizer.on.clear()
        await agent.hello()
        presentation_id = await agent.start(1)
        await agent.frame_of(presentation_id)
        await agent.frame_of(presentation_id)
        of_car = await agent.frame(frame_header(presentation_id), PICTURE)
        at_once = await agent.frame(frame_header(presentation_id), PICTURE)
    assert of_car[2:] == [
        "RateLimited",
        "frames_per_presentation: at most 2",
        {"field": "frames_per_presentation", "limit_max": 2},
    ]
    assert (at_once[2], at_once[4]["field"]) == ("RateLimited", "frames_per_s")
    assert len(strict_stage.service.frames) == 2


async def test_pictures_beyond_the_byte_budget_of_a_lane_are_not_stored(
    valkey_url: str, tmp_path: Path
) -> None:
    wire = WireLimits(frame_bytes_burst=2 * len(PICTURE), frame_bytes_per_s=0.5)
    async with open_stage(valkey_url, tmp_path, BridgeOptions(wire=wire)) as stage:
        stage.recognizer.on.clear()
        async with stage.connect() as agent:
            await agent.hello()
            presentation_id = await agent.start(1)
            await agent.frame_of(presentation_id)
            await agent.frame_of(presentation_id)
            over = await agent.frame(frame_header(presentation_id), PICTURE)
        async with stage.connect() as agent:
            await agent.hello(2, presentation_id)
            again = await agent.frame(frame_header(presentation_id), PICTURE)
            assert await agent.present(2, fresh_id()) == [3, "Presentation", {"last_seq": 2}]
        assert len(stage.service.frames) == 2
    for answer in (over, again):
        assert (answer[2], answer[4]["field"]) == ("RateLimited", "frame_bytes_per_s")


async def test_an_unexpected_failure_is_masked_and_the_connection_lives(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_arguments: object) -> int:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(stage.service, "present", broken)
    async with stage.connect() as agent:
        await agent.hello()
        answer = await agent.present(1, fresh_id())
        assert answer[2:4] == ["InternalError", "the call failed here; try again"]
        assert list(answer[4]) == ["correlation_id"]
        monkeypatch.undo()
        assert (await agent.present(1, fresh_id()))[2] == {"last_seq": 1}


async def test_a_lane_that_left_is_not_listened_for(stage: Stage, valkey: ValkeyClient) -> None:
    channel = lane_channel(stage.lane.lane_id)

    async def becomes(count: int) -> bool:
        for _ in range(500):
            answer = await valkey.execute_command("PUBSUB", "NUMSUB", channel)
            if answer == [channel.encode(), count]:
                return True
            await asyncio.sleep(0.01)
        return False

    async with stage.connect() as agent:
        await agent.hello()
        assert await becomes(1)
    assert await becomes(0)


async def test_a_restart_is_announced(valkey_url: str, tmp_path: Path) -> None:
    async with open_stage(valkey_url, tmp_path) as stage:
        agent_context = stage.connect()
        agent = await agent_context.__aenter__()
        await agent.hello()
        await eventually(lambda: stage.service.epochs != {})
    assert await agent.closed() == 1012
    await agent_context.__aexit__(None, None, None)

"""Bad input against the real processes: a clear error names the field, and nothing is lost."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gate_bridge.wire.limits import SUBPROTOCOL
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.ids import new_id
from parking.kit.tokens import ACCESS_PERIOD, TokenIssuer
from parking.lanes.service import PICTURE_CONTEXT
from tests.e2e.raw_agent import PatientAgent, observation, raw_agent
from tests.e2e.stage import DEADLINE_S, ENTRY, PICTURES, RAW_ENTRY, Stage
from tests.integration.gate_stage import frame_header, presentation

pytestmark = pytest.mark.asyncio(loop_scope="package")

GOOD: Final = (PICTURES / "munich-1.jpg").read_bytes()
FIFTY_MB: Final = 50 * 1024 * 1024
FRAMES: Final = "SELECT image FROM frames WHERE presentation_id = :id ORDER BY id"


@pytest_asyncio.fixture(loop_scope="package", autouse=True)
async def same_processes(stage: Stage) -> AsyncGenerator[None]:
    """Whatever comes, no process ends."""
    before = stage.pids()
    yield
    assert stage.pids() == before


# Through the gate wire


async def refusal(url: str, *, token: str, subprotocol: str = SUBPROTOCOL) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(
            url,
            additional_headers={"Authorization": token},
            subprotocols=[Subprotocol(subprotocol)],
            proxy=None,
        ):
            pass
    response = caught.value.response
    return response.status_code, json.loads(response.body or b"")["error"]["field"]


async def test_strangers_are_refused_at_the_bridges_door(stage: Stage) -> None:
    base = stage.town.gates_url.replace("http", "ws", 1)
    lane, other = stage.lanes[RAW_ENTRY], stage.lanes[ENTRY]
    path, good = f"{base}/gates/{lane.lane_id}", f"Bearer {lane.token}"
    epochs = "SELECT session_epoch FROM lane_connections WHERE lane_id = :id"
    before = await stage.rows(epochs, id=lane.lane_id)
    assert await refusal(path, token="Bearer wrong") == (401, "Authorization")
    assert await refusal(path, token=f"Bearer {other.token}") == (401, "Authorization")
    assert await refusal(f"{base}/gates/{uuid4()}", token=good) == (401, "Authorization")
    assert await refusal(f"{base}/gates/1", token=good) == (404, "lane_id")
    assert await refusal(f"{base}/elsewhere", token=good) == (404, "path")
    assert await refusal(path, token=good, subprotocol="x") == (400, "Sec-WebSocket-Protocol")
    assert await stage.rows(epochs, id=lane.lane_id) == before


BROKEN: Final[list[tuple[bytes, str]]] = [
    (b"", "PayloadInvalid"),
    (b"not a picture, whatever the header says", "PayloadInvalid"),
    (GOOD[: len(GOOD) // 2], "PayloadInvalid"),
    (GOOD[:3] + bytes(5 * 1024 * 1024) + GOOD[-2:], "TooLarge"),
]


async def test_broken_pictures_are_refused_and_the_good_one_after_them_is_read(
    stage: Stage,
) -> None:
    async with raw_agent(stage) as agent:
        presentation_id = await agent.start((await agent.hello())["last_seq"] + 1)
        for image, code in BROKEN:
            answer = await agent.frame(frame_header(presentation_id), image)
            assert answer[:3] == [4, "f", code]
            assert answer[4]["field"] == "image"
        # It begins and ends like a picture: only the recogniser finds out.
        hollow = GOOD[:200] + bytes(5000) + GOOD[-2:]
        for image in (hollow, GOOD, GOOD):
            answer = await agent.frame(frame_header(presentation_id), image)
            assert answer[:2] == [3, "f"]
        assert (await agent.order())["presentation_id"] == str(presentation_id)

    vault = stage.town.context.database.vault
    kept = await stage.rows(FRAMES, id=presentation_id)
    assert [vault.open_bytes(row["image"], context=PICTURE_CONTEXT) for row in kept] == [
        hollow,
        GOOD,
        GOOD,
    ]


async def test_fifty_megabytes_end_one_connection_and_lose_no_event(stage: Stage) -> None:
    async with raw_agent(stage) as agent:
        seq = (await agent.hello())["last_seq"] + 1
        presentation_id = await agent.start(seq)
        with suppress(ConnectionClosed):
            await agent.socket.send(bytes(1024 * 1024) for _ in range(50))
        assert await agent.closed() == 1009
    async with raw_agent(stage) as agent:
        assert (await agent.hello(seq + 1, presentation_id))["last_seq"] == seq

    assert (
        await stage.rows("SELECT 1 FROM frames WHERE presentation_id = :id", id=presentation_id)
        == []
    )


MALFORMED: Final[list[tuple[str, str, str]]] = [
    ("this is not JSON", "-1", "message"),
    ("{}", "-1", "message"),
    ('[2,"x","Hello"]', "x", "message"),
    ('[7,"x",{}]', "x", "type"),
    ('[2,["x"],"Hello",{}]', "-1", "id"),
    ('[2,"x",5,{}]', "x", "action"),
    ('[2,"x","Hello",[]]', "x", "payload"),
    ('[2,"x","Presentation",' + '{"a":' * 3000 + "1" + "}" * 3001, "-1", "message"),
]
WRONG: Final[list[tuple[dict[str, Any], str]]] = [
    ({"seq": "1"}, "seq"),
    ({"seq": -1}, "seq"),
    ({"seq": 10**18}, "seq"),
    ({"event_id": 5}, "event_id"),
    ({"presentation_id": None}, "presentation_id"),
    ({"state": {"deep": [[[[]]]]}}, "state"),
    ({"occurred_at": "yesterday"}, "occurred_at"),
    ({"occurred_at": 1e300}, "occurred_at"),
    ({"surprise": True}, "surprise"),
]


async def test_malformed_messages_are_answered_and_the_events_around_them_kept(
    stage: Stage,
) -> None:
    async with raw_agent(stage) as agent:
        seq = (await agent.hello())["last_seq"] + 1
        presentation_id = await agent.start(seq)
        for message, call_id, field in MALFORMED:
            await agent.socket.send(message)
            answer = await agent.receive()
            assert answer[:3] == [4, call_id, "FormatViolation"], message[:40]
            assert answer[4]["field"] == field, message[:40]
        good = presentation(seq + 1, presentation_id, "cleared")
        for change, field in WRONG:
            assert await _refused(agent, "Presentation", {**good, **change}) == field
        missing = {name: value for name, value in good.items() if name != "state"}
        assert await _refused(agent, "Presentation", missing) == "state"
        unsure = {**observation(seq + 1, presentation_id, "MKL4731"), "confidence": 1e308}
        assert await _refused(agent, "Observation", unsure) == "confidence"
        answer = await agent.call("OpenSesame", {})
        assert (answer[2], answer[4]["field"]) == ("UnknownAction", "action")
        assert await agent.answer("Presentation", good) == {"last_seq": seq + 1}

    events = "SELECT seq, kind FROM lane_events WHERE presentation_id = :id ORDER BY seq"
    assert [(row["seq"], row["kind"]) for row in await stage.rows(events, id=presentation_id)] == [
        (seq, "presentation"),
        (seq + 1, "presentation"),
    ]


async def _refused(agent: PatientAgent, action: str, payload: dict[str, Any]) -> str:
    answer = await agent.call(action, payload)
    assert answer[:3] == [4, action, "PayloadInvalid"], payload
    return answer[4]["field"]


async def test_a_camera_that_shows_no_picture_is_told_so(stage: Stage, tmp_path: Path) -> None:
    note = tmp_path / "note.jpg"
    note.write_text("not a picture", encoding="utf-8")
    lane = stage.lane(ENTRY)
    visit = await lane.car([note])
    report = await lane.wait(
        lambda report: report["event"] == "picture_refused", "refused picture", DEADLINE_S
    )
    await lane.leave()

    assert (report["picture"], report["code"], report["field"]) == (
        "note.jpg",
        "PayloadInvalid",
        "image",
    )
    assert await stage.rows(FRAMES, id=visit.presentation_id) == []


# Through `sesame recognize`


async def test_recognize_names_what_is_wrong_and_reads_the_rest(
    stage: Stage, tmp_path: Path
) -> None:
    files = {
        "cut.jpg": GOOD[: len(GOOD) // 2],
        "empty.jpg": b"",
        "note.jpg": b"not a picture",
        "vast.jpg": GOOD[:-2] + bytes(FIFTY_MB) + GOOD[-2:],
        "good.jpg": GOOD,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    paths = [str(tmp_path / name) for name in (*files, "missing.jpg")]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sesame", "recognize", "--json", *paths),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        printed, _ = await process.communicate()

    assert process.returncode == 1
    results = json.loads(printed)["results"]
    *refused, good, missing = results
    assert [(result["error"]["field"], result["error"]["expected"]) for result in refused] == [
        ("image", "a whole jpeg picture, got one that is cut off"),
        ("image", "a JPEG, PNG or WebP picture, got 0 bytes"),
        ("image", "a JPEG, PNG or WebP picture, got something else"),
        ("image", f"at most 16777216 bytes, got {FIFTY_MB + len(GOOD)}"),
    ]
    assert missing["error"]["field"] == "path"
    assert [plate["text"] for plate in good["plates"]] == ["MKL4731"]


# Through GraphQL


def _query(document: str, **rest: object) -> bytes:
    return json.dumps({"query": document, **rest}).encode()


ALIASES: Final = "{ " + " ".join(f"a{number}: __typename" for number in range(1000)) + " }"
FIRST: Final = "query ($n: Int!) { viewer { sessions(first: $n) { __typename } } }"
GARBAGE: Final[list[tuple[bytes, int, str]]] = [
    (b"this is not JSON", 400, "body: expected JSON"),
    (b"\xff\xfe\x00", 400, "body: expected JSON"),
    (b'{"query":5}', 400, "query: expected a string"),
    (_query("{ a }", variables=[]), 400, "variables: expected an object"),
    (_query("{ viewer {"), 200, "Syntax Error"),
    (_query("{ viewer { plate } }"), 200, "Cannot query field 'plate' on type 'Viewer'."),
    (_query(FIRST, variables={"n": "many"}), 200, "Variable '$n' has invalid value"),
    (_query(FIRST, variables={"n": 10**30}), 200, "Variable '$n' has invalid value"),
    (_query(FIRST), 200, "Variable '$n' has invalid value"),
    (_query("{" * 3000), 200, "Expected Name, found '{'"),
    (_query("{ viewer " * 3000), 200, "nested too deeply"),
    (_query(ALIASES), 200, "tokens"),
    (b'{"query":"' + b"x" * (5 * 1024 * 1024) + b'"}', 413, "body: expected at most 65536 bytes"),
]


async def test_graphql_garbage_is_answered_with_what_is_wrong(stage: Stage) -> None:
    async with httpx.AsyncClient(base_url=stage.town.api_url, trust_env=False) as client:
        for content, status, message in GARBAGE:
            json_type = {"content-type": "application/json"}
            answer = await client.post("/graphql", content=content, headers=json_type)
            [told, *_] = [error["message"] for error in answer.json()["errors"]]
            assert (answer.status_code, message in told) == (status, True), (content[:60], told)
            assert "data" not in answer.json()
        plain = await client.post(
            "/graphql", content=_query("{ a }"), headers={"content-type": "text/plain"}
        )
        [error] = plain.json()["errors"]
        assert (plain.status_code, error["message"]) == (
            415,
            "content-type: expected application/json",
        )
    # Whoever asks rightly is served by the same process.
    assert (await stage.phone.viewer())["plates"][0]["text"] == "AX417RT"


async def test_tokens_that_are_wrong_or_spent_change_nothing(stage: Stage) -> None:
    key = (stage.town.stack.folder.root / "secrets" / "token_key.pem").read_bytes()
    now = SystemClock().now()
    [driver] = await stage.rows("SELECT driver_id, id FROM sign_ins")
    issuer = TokenIssuer(key, clock=ManualClock(now - 2 * ACCESS_PERIOD))
    expired, _ = issuer.issue_driver(driver["driver_id"], driver["id"])
    stranger, _ = TokenIssuer(key, clock=SystemClock()).issue_driver(new_id(now), new_id(now))
    [mandate] = (await stage.phone.viewer())["mandates"]
    revoke = """
        mutation ($id: ID!) {
          revokePasswordFree(input: {mandateId: $id}) { ... on Refused { code } }
        }"""

    async with httpx.AsyncClient(base_url=stage.town.api_url, trust_env=False) as client:
        for token, code in (
            ("nonsense", "UNAUTHENTICATED"),
            (expired, "TOKEN_EXPIRED"),
            (stranger, "UNAUTHENTICATED"),
            (f"{expired[:-8]}AAAAAAAA", "UNAUTHENTICATED"),
        ):
            client.headers["authorization"] = f"Bearer {token}"
            client.headers["content-type"] = "application/json"
            read = await client.post("/graphql", content=_query("{ viewer { id } }"))
            assert read.json()["data"] == {"viewer": None}
            assert [error["extensions"]["code"] for error in read.json()["errors"]] == [code]
            body = _query(revoke, variables={"id": mandate["id"]})
            write = await client.post("/graphql", content=body)
            assert write.json() == {"data": {"revokePasswordFree": {"code": code}}}

    [kept] = (await stage.phone.viewer())["mandates"]
    assert (kept["id"], kept["state"]) == (mandate["id"], "ACTIVE")

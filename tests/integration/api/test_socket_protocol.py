"""graphql-transport-ws, message by message and close code by close code."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from api import config, socket_places
from api.app import create_app
from api.global_ids import encode_id
from api.graphql import engine
from api.graphql import websocket as sockets
from api.request import RequestContext
from tests.factories.api import ApiWorld, serve
from tests.factories.graphql_socket import open_socket, signed_in_socket

TYPENAME = "{ __typename }"


@pytest.fixture
async def address(api: ApiWorld) -> AsyncGenerator[str]:
    async with serve(api.app) as address:
        yield address


@pytest.fixture
async def token(api: ApiWorld) -> str:
    _, token = await api.add_driver()
    return token


async def test_queries_and_mutations_work_too(address: str, token: str) -> None:
    async with signed_in_socket(address, token) as client:
        for _ in range(2):
            await client.subscribe("1", "{ viewer { plates { text } } }")
            assert await client.data() == {"viewer": {"plates": [{"text": "京A88731"}]}}
            assert await client.next() == {"id": "1", "type": "complete"}


async def test_a_query_over_a_socket_has_a_time_limit(
    address: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    async with signed_in_socket(address, token) as client:
        monkeypatch.setattr(engine, "OPERATION_TIMEOUT_S", 0.01)
        monkeypatch.setattr(RequestContext, "look", hang)
        monkeypatch.setattr(RequestContext, "driver", hang)
        await client.subscribe("1", "{ viewer { id } }")
        told = await client.next()
        assert (told["id"], told["type"]) == ("1", "error")
        assert [error["extensions"]["code"] for error in told["payload"]] == ["TIMEOUT"]
        await client.subscribe("1", TYPENAME)
        assert await client.data() == {"__typename": "Query"}


async def test_ping_is_answered_with_its_payload(address: str) -> None:
    async with open_socket(address) as client:
        await client.send({"type": "ping"})
        assert await client.next() == {"type": "pong"}
        await client.send({"type": "ping", "payload": {"a": 1}})
        assert await client.next() == {"type": "pong", "payload": {"a": 1}}
        await client.send({"type": "pong"})
        await client.send({"type": "ping"})
        assert await client.next() == {"type": "pong"}


async def test_the_server_pings(address: str, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "PING_INTERVAL_S", 0.01)
    async with signed_in_socket(address, token) as client:
        assert [await client.next() for _ in range(2)] == [{"type": "ping"}] * 2


@pytest.mark.parametrize("kind", ["ping", "pong"])
async def test_too_many_pings_end_the_socket(
    address: str, token: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(sockets, "PINGS_MAX", 3)
    async with signed_in_socket(address, token) as client:
        for _ in range(3):
            await client.send({"type": kind})
        if kind == "ping":
            assert [await client.next() for _ in range(3)] == [{"type": "pong"}] * 3
        await client.send({"type": kind})
        assert await client.closed() == (4429, "Too many pings")


async def test_pings_are_counted_from_one_of_ours_to_the_next(
    address: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "PINGS_MAX", 1)
    monkeypatch.setattr(sockets, "PING_INTERVAL_S", 0.05)
    async with signed_in_socket(address, token) as client:
        for _ in range(3):
            # Counted anew from here: the next of ours is late enough.
            while await client.next() != {"type": "ping"}:
                pass
            await client.send({"type": "ping"})
            while await client.next() != {"type": "pong"}:
                pass


SUBSCRIBE: dict[str, Any] = {"id": "1", "type": "subscribe", "payload": {"query": TYPENAME}}


WRONG: list[tuple[object, int]] = [
    ({"type": "connection_init"}, 4429),
    ({"type": "nonsense"}, 4400),
    ([], 4400),
    ("text", 4400),
    (None, 4400),
    ({}, 4400),
    ({"type": 1}, 4400),
    ({"type": "complete"}, 4400),
    ({"id": "1", "type": "subscribe"}, 4400),
    ({**SUBSCRIBE, "id": 1}, 4400),
    ({**SUBSCRIBE, "id": ""}, 4400),
    ({**SUBSCRIBE, "payload": {"query": 1}}, 4400),
    ({**SUBSCRIBE, "payload": {"query": TYPENAME, "variables": "x"}}, 4400),
    ({**SUBSCRIBE, "payload": {"query": TYPENAME, "operationName": 1}}, 4400),
]


async def test_close_codes_of_a_client_that_is_in(address: str, token: str) -> None:
    for message, code in WRONG:
        async with signed_in_socket(address, token) as client:
            await client.send(message)
            assert (await client.closed())[0] == code, message


async def test_frames_that_are_no_json(address: str, token: str) -> None:
    for frame, code in (("{", 4400), (b"\x01\x02", 4400), ("x" * 70_000, 1009)):
        async with signed_in_socket(address, token) as client:
            await client.connection.send(frame)
            assert (await client.closed())[0] == code


async def test_nobody_subscribes_before_being_let_in(address: str) -> None:
    async with open_socket(address) as client:
        await client.send(SUBSCRIBE)
        assert await client.closed() == (4401, "Unauthorized")


async def test_whom_the_server_does_not_let_in(api: ApiWorld, address: str, token: str) -> None:
    staff, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
    for bad in (None, "", "x", token[:-4] + "AAAA", staff):
        async with open_socket(address) as client:
            await client.init(bad)
            assert await client.closed() == (4403, "Forbidden")
    async with open_socket(address) as client:
        await client.send({"type": "connection_init", "payload": {"Authorization": [token]}})
        assert await client.closed() == (4403, "Forbidden")
    async with open_socket(address) as client:
        await client.send({"type": "connection_init", "payload": []})
        assert (await client.closed())[0] == 4400


async def test_a_client_that_says_nothing(api: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "CONNECTION_INIT_TIMEOUT_S", 0.05)
    app = create_app(api.lanes.context, config.ApiConfig(tokens=api.tokens, sms=api.sms))
    async with serve(app) as address, open_socket(address) as client:
        assert await client.closed() == (4408, "Connection initialisation timeout")


async def test_an_id_that_is_in_use(api: ApiWorld, address: str, token: str) -> None:
    session_id = await follow_id(api)
    query = "subscription($id: ID!) { sessionUpdated(sessionId: $id) { __typename } }"
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", query, id=session_id)
        await client.data()
        await client.subscribe("1", query, id=session_id)
        assert await client.closed() == (4409, "Subscriber for 1 already exists")


async def follow_id(api: ApiWorld) -> str:
    return encode_id("Session", await api.lanes.drive_in())


async def test_an_operation_that_fails_leaves_the_socket_open(address: str, token: str) -> None:
    async with signed_in_socket(address, token) as client:
        for query, name, told in (
            ("{", None, "Syntax Error: Expected Name, found <EOF>."),
            ("{ __typename " * 600, None, "nested too deeply"),
            ("{ " + "__typename " * 2000, None, "tokens"),
            ("{ nothing }", None, "Cannot query field 'nothing' on type 'Query'."),
            ("query A {__typename}", "B", "operationName: expected the name of an operation"),
        ):
            payload = {"query": query, "operationName": name}
            await client.send({"id": "1", "type": "subscribe", "payload": payload})
            message = await client.next()
            assert (message["type"], message["id"]) == ("error", "1")
            assert told in message["payload"][0]["message"]
        await client.send({"id": "none", "type": "complete"})
        await client.subscribe("1", TYPENAME)
        assert await client.data() == {"__typename": "Query"}


async def test_fragments_that_double_at_every_level(address: str, token: str) -> None:
    fragments = " ".join(
        f"fragment f{level} on Query {{ ...f{level + 1} ...f{level + 1} }}" for level in range(60)
    )
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", f"{{...f0}} {fragments} fragment f60 on Query {{a:__typename}}")
        message = await client.next()
        assert message["payload"][0]["message"] == "aliases: expected at most 15"


async def test_subscriptions_of_one_socket_are_bounded(
    api: ApiWorld, address: str, token: str
) -> None:
    session_id = await follow_id(api)
    query = "subscription($id: ID!) { sessionUpdated(sessionId: $id) { __typename } }"
    async with signed_in_socket(address, token) as client:
        for number in range(config.SUBSCRIPTIONS_PER_SOCKET_MAX):
            await client.subscribe(str(number), query, id=session_id)
            await client.data(str(number))
        await client.subscribe("more", query, id=session_id)
        message = await client.next()
        assert (message["type"], message["id"]) == ("error", "more")
        await client.send({"id": "0", "type": "complete"})
        await client.subscribe("again", query, id=session_id)
        await client.data("again")


async def test_an_unknown_subprotocol(address: str) -> None:
    async with open_socket(address, protocol="graphql-ws") as client:
        assert await client.closed() == (4406, "Subprotocol not acceptable")


async def test_too_many_sockets(address: str, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_places, "SOCKETS_MAX", 1)
    async with signed_in_socket(address, token), open_socket(address) as second:
        assert await second.closed() == (1013, "too many connections; try again later")
    async with signed_in_socket(address, token):
        pass


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("SOCKETS_UNACKNOWLEDGED_MAX", "too many connections; try again later"),
        (
            "SOCKETS_UNACKNOWLEDGED_PER_ADDRESS_MAX",
            "too many connections that say nothing from your address",
        ),
    ],
)
async def test_silent_sockets_take_few_places(
    address: str, token: str, monkeypatch: pytest.MonkeyPatch, limit: str, reason: str
) -> None:
    monkeypatch.setattr(socket_places, limit, 2)
    async with (
        signed_in_socket(address, token),
        signed_in_socket(address, token),
        open_socket(address) as first,
        open_socket(address) as second,
    ):
        async with open_socket(address) as third:
            assert await third.closed() == (1013, reason)
        await first.init("nobody")
        assert await first.closed() == (4403, "Forbidden")
        async with signed_in_socket(address, token):
            await second.init(token)
            assert await second.next() == {"type": "connection_ack"}


async def test_the_sockets_of_a_driver_are_bounded(
    api: ApiWorld, address: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_places, "SOCKETS_PER_DRIVER_MAX", 1)
    _, other = await api.add_driver("京B12345")
    async with signed_in_socket(address, token):
        async with open_socket(address) as second:
            await second.init(token)
            assert await second.closed() == (1013, "too many connections of one driver")
        async with signed_in_socket(address, other):
            pass
    async with signed_in_socket(address, token):
        pass


async def test_the_socket_ends_with_its_token(api: ApiWorld, address: str, token: str) -> None:
    expires_at = api.tokens.verify_driver(token).expires_at
    api.lanes.clock.advance(expires_at - api.lanes.clock.now() - timedelta(seconds=0.1))
    async with signed_in_socket(address, token) as client:
        assert await client.closed() == (4401, "the access token has expired")
    api.lanes.wait(seconds=1)
    async with open_socket(address) as client:
        await client.init(token)
        assert await client.closed() == (4403, "Forbidden")

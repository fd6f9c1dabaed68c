"""A plain request for a WebSocket is taken as the library takes it; any other is left to it."""

from typing import Any

import pytest
from websockets.http11 import Request
from websockets.server import ServerProtocol

from sesame.socket_handshake import HEADERS_MAX, LINE_BYTES_MAX, plain_handshake

Headers = list[tuple[bytes, bytes]]
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
PLAIN: Headers = [
    (b"host", b"example.com"),
    (b"upgrade", b"websocket"),
    (b"connection", b"Upgrade"),
    (b"sec-websocket-key", KEY),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-protocol", b"graphql-transport-ws"),
]


def with_value(name: bytes, value: bytes) -> Headers:
    return [(each, value if each == name else before) for each, before in PLAIN]


def without(name: bytes) -> Headers:
    return [(each, value) for each, value in PLAIN if each != name]


def scope(headers: Headers, method: str = "GET", version: str = "1.1") -> dict[str, Any]:
    return {"method": method, "http_version": version, "headers": headers}


def by_library(headers: Headers, url: bytes = b"/graphql") -> tuple[int, str | None]:
    """Return the library's status and its answer to the key."""
    server = ServerProtocol()
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    server.receive_data(b"GET " + url + b" HTTP/1.1\r\n" + lines + b"\r\n")
    (request,) = server.events_received()
    assert isinstance(request, Request)
    response = server.accept(request)
    return response.status_code, response.headers.get("Sec-WebSocket-Accept")


@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [
        (PLAIN, ["graphql-transport-ws"]),
        (without(b"sec-websocket-protocol"), []),
        (with_value(b"sec-websocket-protocol", b"one, two,three"), ["one", "two", "three"]),
        (with_value(b"connection", b"keep-alive, Upgrade"), ["graphql-transport-ws"]),
        (with_value(b"upgrade", b"WebSocket"), ["graphql-transport-ws"]),
        ([*PLAIN, (b"origin", b"https://example.com")], ["graphql-transport-ws"]),
        (
            [*PLAIN, (b"sec-websocket-extensions", b"permessage-deflate")],
            ["graphql-transport-ws"],
        ),
    ],
)
def test_a_plain_request_is_accepted_as_by_the_library(
    headers: Headers, subprotocols: list[str]
) -> None:
    found = plain_handshake(scope(headers), b"/graphql?one=two")
    assert found is not None
    assert (101, found.accept.decode()) == by_library(headers)
    assert found.subprotocols == subprotocols


def test_the_answer_is_that_of_the_standard() -> None:
    found = plain_handshake(scope(PLAIN), b"/graphql")
    assert found is not None
    assert found.accept == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    "headers",
    [
        *(without(name) for name in (b"upgrade", b"connection", b"sec-websocket-key")),
        without(b"sec-websocket-version"),
        with_value(b"upgrade", b"h2c"),
        with_value(b"upgrade", b"websocket, h2c"),
        with_value(b"connection", b"keep-alive"),
        with_value(b"connection", b"upgrade;"),
        with_value(b"sec-websocket-version", b"8"),
        with_value(b"sec-websocket-key", b"dGhlIHNhbXBsZQ=="),
        with_value(b"sec-websocket-key", b"no base64 at all"),
        with_value(b"sec-websocket-protocol", b"one two"),
        with_value(b"sec-websocket-protocol", b"one,"),
        with_value(b"sec-websocket-protocol", b"one\xe9"),
        [*PLAIN, (b"sec-websocket-key", KEY)],
        [*PLAIN, (b"sec-websocket-protocol", b"another")],
        [*PLAIN, (b"content-length", b"4")],
        [*PLAIN, (b"transfer-encoding", b"chunked")],
        [*PLAIN, (b"x-long", b"x" * LINE_BYTES_MAX)],
        [*PLAIN, (b"x-name", b"\xe9")],
        [*PLAIN, *[(b"x-many", b"")] * HEADERS_MAX],
    ],
)
def test_whatever_is_unusual_is_left_to_the_library(headers: Headers) -> None:
    assert plain_handshake(scope(headers), b"/graphql") is None


@pytest.mark.parametrize(
    ("method", "version", "url"),
    [
        ("POST", "1.1", b"/graphql"),
        ("GET", "1.0", b"/graphql"),
        ("GET", "1.1", b"http://example.com/graphql"),
        ("GET", "1.1", b"/graphql\xe9"),
        ("GET", "1.1", b"/" + b"x" * LINE_BYTES_MAX),
    ],
)
def test_an_unusual_request_line_is_left_to_it_too(method: str, version: str, url: bytes) -> None:
    assert plain_handshake(scope(PLAIN, method, version), url) is None

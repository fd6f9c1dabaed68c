"""Requests that never end, over real sockets: a connection is not held for them, nor filled."""

import asyncio

import pytest
import websockets
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from sesame import http_connection
from tests.factories.api import serve

WAIT_S = 10
HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\n"


async def _echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def _late(socket: WebSocket) -> None:
    await socket.accept()
    await asyncio.sleep(0.2)
    await socket.send_text("still here")
    await socket.close()


APP = Starlette(routes=[Route("/echo", _echo, methods=["POST"]), WebSocketRoute("/late", _late)])


async def say(address: str, *parts: bytes) -> bytes:
    """Send the parts until the server closes; returns what it said, empty for a reset."""
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(WAIT_S):
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "begun", [b"", b"POST /ec", b"POST /echo HTTP/1.1\r\nX-A: ", b"GET /echo HTTP/1.1\r\n"]
)
async def test_a_head_that_does_not_come(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(http_connection, "REQUEST_TIMEOUT_S", 0.05)
    async with serve(APP) as address:
        assert (await say(address, begun)).startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_nobody_reads_and_that_does_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_connection, "REQUEST_TIMEOUT_S", 0.2)
    async with serve(APP) as address:
        answer = await say(address, b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "begun",
    [
        HEAD + b"X-A: ",
        b"GET /",
        b"GET / HTTP/1.1\r\nA",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: ",
    ],
    ids=["value", "address", "name", "trailer"],
)
async def test_a_head_without_an_end_is_not_kept(begun: bytes) -> None:
    piece = b"a" * http_connection.FRAMING_BYTES_MAX
    async with serve(APP) as address:
        # Ended before all of it was read: half the connection would take minutes.
        await say(address, begun, *[piece] * 400)
        answer = await say(address, HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok")
    assert answer.endswith(b"\r\n\r\nok")


@pytest.mark.parametrize(("more", "status"), [(0, b"408"), (1, b"431")])
async def test_the_first_byte_of_a_head_counts_as_the_last(
    monkeypatch: pytest.MonkeyPatch, more: int, status: bytes
) -> None:
    monkeypatch.setattr(http_connection, "REQUEST_TIMEOUT_S", 0.5)
    begun = HEAD + b"X-A: "
    head = begun.ljust(http_connection.FRAMING_BYTES_MAX + more, b"a")
    async with serve(APP) as address:
        assert (await say(address, head)).startswith(b"HTTP/1.1 " + status)


async def test_small_chunks_and_one_request_after_another_are_no_trouble() -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % one for one in b"hello") + b"0\r\n\r\n"
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    large = b"x" * (2 * http_connection.FRAMING_BYTES_MAX)
    last = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(large) + large
    async with serve(APP) as address:
        answer = await say(address, chunked, chunked, last)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b"hello") == 2
    assert answer.endswith(b"\r\n\r\n" + large)


async def test_a_socket_outlives_the_time_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "REQUEST_TIMEOUT_S", 0.05)
    async with serve(APP) as address, websockets.connect(f"ws://{address}/late") as socket:
        assert await socket.recv() == "still here"

"""A body that came whole is handed over at once; any other is read as it comes."""

import asyncio
from typing import Final

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Config
from uvicorn.server import ServerState

from api.body import REFUSED_HEADERS, WHOLE_BODY, BodyRefusedError, read_body
from sesame.http_connection import BoundedConnection

BYTES_MAX: Final = 8
WAIT_S: Final = 5
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"


def request(body: bytes = b"", framing: bytes | None = None) -> bytes:
    framing = b"Content-Length: %d\r\n" % len(body) if framing is None else framing
    return b"POST /body HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n" + body


async def _told(asked: Request) -> Response:
    """Say how the body came, and which it was."""
    how = "whole" if WHOLE_BODY in asked.scope else "read"
    try:
        body = await read_body(asked, BYTES_MAX)
    except BodyRefusedError as refused:
        return Response(f"<{how} {refused.code}>", refused.status, REFUSED_HEADERS)
    return Response(f"<{how} {body.decode()}>")


class Wire(asyncio.Transport):
    """Keeps what the server writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        """Read on all the same."""

    def resume_reading(self) -> None:
        """Read on."""


async def answers(*reads: bytes, expected: int) -> list[tuple[int, str]]:
    """Hand the reads to a connection, one after the other; returns statuses and what was told."""
    config = Config(Starlette(routes=[Route("/body", _told, methods=["POST"])]), log_config=None)
    config.load()
    connection = BoundedConnection(config, ServerState(), {})
    wire = Wire()
    connection.connection_made(wire)
    for each in reads:
        if not wire.is_closed:
            connection.data_received(each)
        # As far as it comes without what the next read brings.
        for _ in range(10):
            await asyncio.sleep(0)
    async with asyncio.timeout(WAIT_S):
        while wire.written.count(b">") < expected:  # noqa: ASYNC110 - a transport tells nobody
            await asyncio.sleep(0)
    connection.connection_lost(None)
    parts = wire.written.decode().split("HTTP/1.1 ")[1:]
    return [(int(part[:3]), part[part.index("<") :]) for part in parts]


async def test_a_request_in_one_read_has_its_body_at_once() -> None:
    assert await answers(request(b"one"), expected=1) == [(200, "<whole one>")]
    assert await answers(request(), expected=1) == [(200, "<whole >")]


async def test_requests_of_one_read_each_have_their_own_body() -> None:
    pipelined = request(b"one") + request(b"two") + request() + request(b"four")
    assert await answers(pipelined, expected=4) == [
        (200, "<whole one>"),
        (200, "<whole two>"),
        (200, "<whole >"),
        (200, "<whole four>"),
    ]


async def test_a_second_request_that_is_cut_is_read_and_the_first_is_not() -> None:
    second = request(b"second")
    for cut in (1, len(second) - 6, len(second) - 1):
        found = await answers(request(b"first") + second[:cut], second[cut:], expected=2)
        # Even where only its head is cut: it is not fresh any more when its body comes.
        assert found == [(200, "<whole first>"), (200, "<read second>")], cut


async def test_a_body_in_chunks() -> None:
    chunks = request(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", CHUNKED)
    assert await answers(chunks, expected=1) == [(200, "<whole onetwo>")]
    cut = chunks.index(b"two")
    assert await answers(chunks[:cut], chunks[cut:], expected=1) == [(200, "<read onetwo>")]


async def test_a_body_in_several_reads() -> None:
    head, body = request(framing=b"Content-Length: 6\r\n"), b"abcdef"
    assert await answers(head + b"ab", b"cd", b"ef", expected=1) == [(200, "<read abcdef>")]
    bytewise = [bytes([each]) for each in body]
    assert await answers(head, *bytewise, expected=1) == [(200, "<read abcdef>")]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_as_long_as_it_may_be_and_one_byte_longer(*, chunked: bool) -> None:
    for length, said in ((BYTES_MAX, (200, "<whole aaaaaaaa>")), (BYTES_MAX + 1, None)):
        body = b"a" * length
        framed = b"%x\r\n%s\r\n0\r\n\r\n" % (length, body)
        sent = request(framed, CHUNKED) if chunked else request(body)
        expected = said or (413, "<whole PAYLOAD_TOO_LARGE>")
        assert await answers(sent, expected=1) == [expected]


async def test_an_over_long_body_in_several_reads_is_refused() -> None:
    announced = request(framing=b"Content-Length: 9\r\n")
    assert await answers(announced + b"a", b"b" * 8, expected=1) == [
        (413, "<read PAYLOAD_TOO_LARGE>")
    ]
    chunks = [b"5\r\naaaaa\r\n", b"5\r\naaaaa\r\n"]
    begun = request(framing=CHUNKED)
    assert await answers(begun, *chunks, b"0\r\n\r\n", expected=1) == [
        (413, "<read PAYLOAD_TOO_LARGE>")
    ]

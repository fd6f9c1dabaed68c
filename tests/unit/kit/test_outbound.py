"""Calls outside read no more than they asked for, packed or not, and follow nobody elsewhere."""

import gzip

import httpx
import pytest

from parking.kit.outbound import AnswerTooLongError, open_connections, read_bounded

BYTES_MAX = 1000


def _answer(content: bytes, **headers: str) -> httpx.Response:
    stream = httpx.ByteStream(content)
    request = httpx.Request("GET", "https://provider.example")
    return httpx.Response(200, headers=headers, stream=stream, request=request)


async def test_a_packed_answer_is_not_unpacked() -> None:
    packed = gzip.compress(b"\0" * 100_000)
    assert len(packed) < BYTES_MAX
    with pytest.raises(AnswerTooLongError, match="packed"):
        await read_bounded(_answer(packed, **{"content-encoding": "gzip"}), BYTES_MAX)


async def test_an_answer_that_is_too_long_is_refused() -> None:
    assert await read_bounded(_answer(b"x" * BYTES_MAX), BYTES_MAX) == b"x" * BYTES_MAX
    with pytest.raises(AnswerTooLongError):
        await read_bounded(_answer(b"x" * (BYTES_MAX + 1)), BYTES_MAX)


async def test_what_every_connection_says_and_does_not_do() -> None:
    async with open_connections({"Accept": "application/json"}) as client:
        assert client.headers["accept-encoding"] == "identity"
        assert client.headers["accept"] == "application/json"
        assert not client.follow_redirects
        assert not client.trust_env

"""How a process that was told to end lets go of its clients."""

import asyncio
import signal
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

import httpx
import orjson
import pytest

from api import draining
from api.draining import Drain
from tests.factories.graphql_socket import open_socket
from tests.integration.api.test_commands import environment, served

__all__ = ["environment"]

WAIT_S: Final = 30
BODY: Final = orjson.dumps({"query": "{ __typename }"})


async def test_running_requests_finish_and_sockets_are_sent_elsewhere(
    environment: dict[str, str],
) -> None:
    environment = {**environment, "SESAME_API_DRAIN_S": "2"}
    async with served(environment) as (process, address), AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://{address}"))
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        stack.callback(writer.close)
        writer.write(
            b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(BODY) + BODY[:5]
        )
        clients = [await stack.enter_async_context(open_socket(address)) for _ in range(2)]
        await clients[0].send({"type": "ping"})
        assert await clients[0].next() == {"type": "pong"}
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WAIT_S):
            while (ready := await http.get("/readyz")).status_code == 200:  # noqa: ASYNC110 - it only answers
                await asyncio.sleep(0.01)
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "reason": "draining"})
        async with open_socket(address) as late:
            assert (await late.closed())[0] == 1012
        writer.write(BODY[5:])
        async with asyncio.timeout(WAIT_S):
            assert (await reader.read()).endswith(b'{"data":{"__typename":"Query"}}')
        told = (1012, "the server restarts: connect again")
        # They had said nothing: the greeting's timer is longer than the drain.
        assert [await client.closed() for client in clients] == [told, told]
        async with asyncio.timeout(WAIT_S):
            assert await process.wait() == 0


async def test_sockets_are_closed_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    drain = Drain()
    closed: list[int] = []
    pauses: list[tuple[float, int]] = []

    async def close(number: int) -> None:
        closed.append(number)

    async def sleep(seconds: float) -> None:
        pauses.append((seconds, len(closed)))

    monkeypatch.setattr(draining.asyncio, "sleep", sleep)
    for number in range(121):
        drain.join(number, partial(close, number))
    drain.leave(7)
    await drain.run(6)
    assert pauses == [(2, 0), (2, 50), (2, 100)]
    assert closed == [number for number in range(121) if number != 7]

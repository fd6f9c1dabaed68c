"""Phones that ask: connections that each send the next request when the last is answered.

`python -m sesame.bench.graphql.load` takes orders as lines of JSON on standard input: `port`,
`connections`, `count` and `requests`, whole HTTP requests that are sent in turn. It answers each
with the times and with what went wrong. It runs in a process of its own: what it costs is not the
server's.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import uvloop

HOST: Final = "127.0.0.1"
# An order carries a request with a token for each driver.
ORDER_BYTES_MAX: Final = 16 * 1024 * 1024
ROUND_TIMEOUT_S: Final = 120.0
PROBLEMS_MAX: Final = 3
_END_OF_HEADERS: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_OK: Final = b"HTTP/1.1 200"
_ERRORS: Final = b'"errors"'


@dataclass
class Round:
    """One order on its way."""

    requests: Sequence[bytes]
    count: int
    done: "asyncio.Future[None]"
    sent: int = 0
    taken_ms: list[float] = field(default_factory=list[float])
    problems: list[str] = field(default_factory=list[str])
    sample: str = ""

    def next_request(self) -> bytes | None:
        """Return what to send now; None when all is sent."""
        if self.sent >= self.count:
            return None
        self.sent += 1
        return self.requests[(self.sent - 1) % len(self.requests)]

    def take(self, taken_ms: float, head: bytes, body: bytes) -> None:
        """Take an answer up."""
        self.taken_ms.append(taken_ms)
        if not head.startswith(_OK) or _ERRORS in body:
            self.fail(f"{head[:40]!r} {body[:200]!r}")
        if not self.sample:
            self.sample = body.decode()
        if len(self.taken_ms) == self.count and not self.done.done():
            self.done.set_result(None)

    def fail(self, problem: str) -> None:
        """Keep what went wrong."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)


class Phone(asyncio.Protocol):
    """One connection."""

    def __init__(self, asked: Round) -> None:
        self._round = asked
        self._received = bytearray()
        self._started_s = 0.0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection; the first request is sent when all of them stand."""
        self._transport = transport

    def send(self) -> None:
        """Send the next request, if there is one left."""
        request = self._round.next_request()
        if request is not None:
            self._started_s = time.perf_counter()
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take an answer that is whole, and go on."""
        self._received += data
        head, found, body = bytes(self._received).partition(_END_OF_HEADERS)
        if not found or len(body) < _length(head):
            return
        self._received.clear()
        self._round.take((time.perf_counter() - self._started_s) * 1000, head, body)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the round, if the server left in the middle."""
        if not self._round.done.done():
            self._round.fail(f"the server closed the connection: {exc}")
            self._round.done.set_result(None)

    def close(self) -> None:
        """Leave."""
        self._transport.close()


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(_LENGTH)
    return int(rest.split(b"\r\n", 1)[0])


async def ask(order: dict[str, Any]) -> dict[str, Any]:
    """Send what was ordered, and say how it went."""
    loop = asyncio.get_running_loop()
    requests = [text.encode() for text in order["requests"]]
    asked = Round(requests, order["count"], loop.create_future())
    phones = [
        (await loop.create_connection(lambda: Phone(asked), HOST, order["port"]))[1]
        for _ in range(order["connections"])
    ]
    started_s = time.perf_counter()
    for phone in phones:
        phone.send()
    try:
        async with asyncio.timeout(ROUND_TIMEOUT_S):
            await asked.done
    except TimeoutError:
        asked.fail("the round took too long")
    seconds = time.perf_counter() - started_s
    for phone in phones:
        phone.close()
    return {
        "seconds": seconds,
        "taken_ms": asked.taken_ms,
        "problems": asked.problems,
        "sample": asked.sample,
    }


async def _run() -> None:
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(limit=ORDER_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        sys.stdout.write(json.dumps(await ask(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(_run())

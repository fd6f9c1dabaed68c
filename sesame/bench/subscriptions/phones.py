"""The phones: sockets that greet, subscribe, and note when each message came.

Orders come as JSON, one a line; the answer to each is one line. Nothing of a message is read but
its beginning, so that the phones are never what is measured.
"""

import asyncio
import base64
import json
import os
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import uvloop

from sesame.bench.gates.crowd import LINE_BYTES_MAX
from sesame.bench.gates.open_files import raise_open_files
from sesame.bench.subscriptions.question import PATH, PROTOCOL

HOST: Final = "127.0.0.1"
# Below what the API lets strangers of one address hold at once.
CONNECTING_MAX: Final = 40
CONNECT_TIMEOUT_S: Final = 300.0
ARRIVE_TIMEOUT_S: Final = 30.0
_HEAD_BYTES: Final = 2
_SMALL: Final = 126
_NEXT: Final = b'"type":"next"'
_ACKNOWLEDGED: Final = b"connection_ack"
_PING: Final = b'{"type":"ping"}'
_OPCODE: Final = 0x0F
_CLOSE: Final = 8
_WIRE_PING: Final = 9


class Phone(asyncio.Protocol):
    """One socket with one subscription."""

    def __init__(self, order: Mapping[str, Any], variables: Mapping[str, str], token: str) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.arrived_ns = 0
        self.messages = 0
        self.awaited: asyncio.Future[None] | None = None
        self._order = order
        self._variables = variables
        self._token = token
        self._buffer = b""
        self._is_open = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            (
                f"GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Protocol: {PROTOCOL}\r\nSec-WebSocket-Key: {key}\r\n\r\n"
            ).encode()
        )

    def data_received(self, data: bytes) -> None:
        """Take what came, frame by frame."""
        now_ns = time.monotonic_ns()
        self._buffer += data
        if not self._is_open:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head[:16]:
                self._fail(head.decode("latin-1"))
                return
            self._is_open, self._buffer = True, rest
            greeting = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            self._send({"type": "connection_init", "payload": greeting})
        while (body := self._take_frame()) is not None:
            self._take(body, now_ns)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._fail(f"the connection was lost: {exc}")

    def abort(self) -> None:
        """Vanish."""
        if self._transport is not None:
            self._transport.abort()

    def _take(self, body: bytes, now_ns: int) -> None:
        if body.startswith(b'{"id"') and _NEXT in body[:60]:
            self.messages += 1
            self.arrived_ns = now_ns
            if not self.ready.done():
                self.ready.set_result(None)
            if self.awaited is not None and not self.awaited.done():
                self.awaited.set_result(None)
        elif _ACKNOWLEDGED in body:
            payload = {"query": self._order["query"], "variables": self._variables}
            self._send({"id": "1", "type": "subscribe", "payload": payload})
        elif body != _PING:
            self._fail(body.decode("utf-8", "replace"))

    def _take_frame(self) -> bytes | None:
        """Return the next whole frame's body; the server does not mask."""
        data = self._buffer
        if len(data) < _HEAD_BYTES:
            return None
        size, start = data[1] & 0x7F, _HEAD_BYTES
        if size == _SMALL:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size > _SMALL:
            size, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start + size:
            return None
        body, self._buffer = data[start : start + size], data[start + size :]
        opcode = data[0] & _OPCODE
        if opcode == _WIRE_PING and self._transport is not None:
            self._transport.write(bytes([0x8A, 0x80 | size]) + b"\0\0\0\0" + body)
            return _PING
        if opcode == _CLOSE:
            return b"closed: " + body
        return body

    def _send(self, message: Mapping[str, object]) -> None:
        body = json.dumps(message).encode()
        size = len(body)
        is_small = size < _SMALL
        length = bytes([0x80 | size]) if is_small else b"\xfe" + size.to_bytes(2, "big")
        # A mask of zeros changes nothing.
        if self._transport is not None:
            self._transport.write(b"\x81" + length + b"\0\0\0\0" + body)

    def _fail(self, why: str) -> None:
        for future in (self.ready, self.awaited):
            if future is not None and not future.done():
                future.set_exception(ConnectionError(why[:300]))


class Crowd:
    """The phones of this process."""

    def __init__(self) -> None:
        self._phones: dict[int, Phone] = {}

    async def connect(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Connect a phone for each of `phones`, CONNECTING_MAX at a time."""
        phones: Sequence[Mapping[str, Any]] = order["phones"]
        waiting = deque(enumerate(phones))
        started = time.monotonic()

        async def connect_some() -> None:
            while waiting:
                await self._connect_one(order, *waiting.popleft())

        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await asyncio.gather(*(connect_some() for _ in range(CONNECTING_MAX)))
        return {"connected": len(self._phones), "seconds": time.monotonic() - started}

    async def arrive(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Wait for the next message of some phones; returns when each came.

        The order is answered twice: once when they listen, once when all have come.
        """
        chosen: Sequence[int] = order["which"]
        loop = asyncio.get_running_loop()
        phones = [self._phones[number] for number in chosen]
        for phone in phones:
            phone.awaited = loop.create_future()
        _answer({"listening": len(phones)})
        async with asyncio.timeout(ARRIVE_TIMEOUT_S):
            for phone in phones:
                if phone.awaited is not None:
                    await phone.awaited
        return {"arrived_ns": [phone.arrived_ns for phone in phones]}

    async def leave(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Vanish with all phones, without a word."""
        _ = order
        left = len(self._phones)
        for phone in self._phones.values():
            phone.abort()
        self._phones = {}
        await asyncio.sleep(0)
        return {"left": left}

    async def _connect_one(
        self, order: Mapping[str, Any], number: int, one: Mapping[str, Any]
    ) -> None:
        loop = asyncio.get_running_loop()
        _, phone = await loop.create_connection(
            lambda: Phone(order, one["variables"], one["token"]), HOST, order["port"]
        )
        await phone.ready
        self._phones[number] = phone


def _answer(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Obey orders until standard input ends."""
    raise_open_files(int(sys.argv[1]))
    crowd = Crowd()
    acts = {"connect": crowd.connect, "arrive": crowd.arrive, "leave": crowd.leave}
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        order = json.loads(line)
        _answer(await acts[order["do"]](order))


if __name__ == "__main__":
    uvloop.run(main())

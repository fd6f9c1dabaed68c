"""A device that speaks HTTP, as tests want it: with Digest, slow, silent or frozen."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

REALM = "device"
_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass(frozen=True)
class DeviceRequest:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpDevice:
    """Answers by `reply`; what it gets is kept in `requests`, and of those proven in `accepted`.

    Attributes:
        reply: Status and body for a request; None: no answer, ever.
        algorithm: Of Digest.
        username: Empty for a device that asks for no password.
        nonces_are_single: Whether every request needs a fresh challenge.
        before_answer: Is told of every request before its answer leaves.
        connections: How many were made.
    """

    reply: Callable[[DeviceRequest], tuple[int, bytes] | None]
    username: str = ""
    password: str = ""
    algorithm: str = "MD5"
    nonces_are_single: bool = False
    before_answer: Callable[[DeviceRequest], None] = lambda _: None
    requests: list[DeviceRequest] = field(default_factory=list[DeviceRequest])
    accepted: list[DeviceRequest] = field(default_factory=list[DeviceRequest])
    nonces: set[str] = field(default_factory=set[str])
    challenges: int = 0
    connections: int = 0
    url: str = ""
    writers: dict[asyncio.StreamWriter, "asyncio.Task[None] | None"] = field(
        default_factory=dict[asyncio.StreamWriter, "asyncio.Task[None] | None"]
    )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers[writer] = asyncio.current_task()
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                answer = self._answer(request)
                if answer is None:
                    await reader.read()
                    return
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.pop(writer)
            writer.close()

    def _answer(self, request: DeviceRequest) -> bytes | None:
        if self.username and not self._is_proven(request):
            self.challenges += 1
            nonce = f"n{self.challenges}"
            self.nonces.add(nonce)
            self.before_answer(request)
            challenge = (
                f'Digest qop="auth", realm="{REALM}", nonce="{nonce}", algorithm={self.algorithm}'
            )
            return _written(401, b"", f"WWW-Authenticate: {challenge}\r\n")
        self.accepted.append(request)
        self.before_answer(request)
        replied = self.reply(request)
        return None if replied is None else _written(*replied)

    def _is_proven(self, request: DeviceRequest) -> bool:
        header = request.headers.get("authorization", "")
        given = {name: quoted or bare for name, quoted, bare in _PAIR.findall(header)}
        if given.get("nonce") not in self.nonces or given.get("username") != self.username:
            return False
        if self.nonces_are_single:
            self.nonces.discard(given["nonce"])

        def digest(text: str) -> str:
            return _HASHES[self.algorithm](text.encode()).hexdigest()

        secret = digest(f"{self.username}:{REALM}:{self.password}")
        what = digest(f"{request.method}:{request.path}")
        parts = (secret, given["nonce"], given["nc"], given["cnonce"], given["qop"], what)
        return given.get("uri") == request.path and given.get("response") == digest(":".join(parts))


@asynccontextmanager
async def open_device(device: HttpDevice) -> AsyncGenerator[HttpDevice]:
    """Let the device listen inside the context."""
    server = await asyncio.start_server(device.serve, "127.0.0.1", 0)
    device.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield device
    finally:
        server.close()
        await end_all(device.writers)


async def end_all(writers: "dict[asyncio.StreamWriter, asyncio.Task[None] | None]") -> None:
    """Close the connections of a test's server, and wait for those that serve them."""
    tasks = [task for task in writers.values() if task is not None]
    for writer in list(writers):
        writer.close()
    if tasks:
        await asyncio.wait(tasks, timeout=5)


async def _read(reader: asyncio.StreamReader) -> DeviceRequest | None:
    line = await reader.readline()
    if not line:
        return None
    method, path, _ = line.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while (line := (await reader.readline()).decode().strip()) != "":
        name, value = line.split(":", 1)
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return DeviceRequest(method, path, headers, body)


def _written(status: int, body: bytes, extra: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body

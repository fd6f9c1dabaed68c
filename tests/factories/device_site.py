"""A site's listener on a real socket, with what it keeps in a list, and curl as a device."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from uuid import UUID

import pytest

from gate_bridge.agent.site.device_access import ListenedDevice
from gate_bridge.agent.site.listener import Listener, ListenerTimes
from gate_bridge.agent.site.listener_server import ServedAt, serve_devices
from gate_bridge.drivers.hikvision import HikvisionDriver
from gate_bridge.drivers.port import (
    DeviceMessage,
    DeviceReply,
    DeviceSettings,
    DeviceSignal,
    PushDriver,
)
from parking.kit.clock import ManualClock
from sesame.http_connection import BoundedConnection

CURL_S_MAX = 20
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.0/8"),)

needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None and os.environ.get("CI") != "true", reason="needs curl"
)


class KeptMessages:
    """Keeps messages in memory, and does with them what a test says.

    Attributes:
        refuses: What `keep` raises.
        breaks: What `act` raises.
        gate: Where set, `keep` waits for it.
        waits: Whether `act` waits until the device hangs up.
        begun: Set once a message is acted on.
        hung: Set once a device has hung up.
    """

    def __init__(self) -> None:
        self.kept: list[tuple[str, DeviceMessage]] = []
        self.acted: list[UUID] = []
        self.refuses: Exception | None = None
        self.breaks: Exception | None = None
        self.opens = False
        self.waits = False
        self.begun = asyncio.Event()
        self.hung = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self.waiting = 0
        self.waiting_max = 0

    async def keep(self, device_name: str, message: DeviceMessage) -> UUID:
        if self.gate is not None:
            self.waiting += 1
            self.waiting_max = max(self.waiting, self.waiting_max)
            await self.gate.wait()
            self.waiting -= 1
        if self.refuses is not None:
            raise self.refuses
        self.kept.append((device_name, message))
        return UUID(int=len(self.kept))

    async def act(self, stored_id: UUID) -> bool:
        self.acted.append(stored_id)
        self.begun.set()
        if self.breaks is not None:
            raise self.breaks
        if self.waits:
            await self.hung.wait()
        return self.opens

    def hung_up(self, stored_id: UUID) -> None:
        assert stored_id in self.acted
        self.hung.set()

    async def until_waiting(self, count: int) -> None:
        """Return once so many messages wait at the gate."""
        async with asyncio.timeout(CURL_S_MAX):
            while self.waiting < count:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)

    @property
    def bodies(self) -> list[bytes]:
        return [message.body for _, message in self.kept]


class SayingDriver:
    """Answers with what it was told, so that a test sees that."""

    def __init__(self, name: str = "saying") -> None:
        self.name = name
        self.reply_opens = True

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> list[DeviceSignal]:
        del message, settings
        return []

    def reply(
        self, message: DeviceMessage, settings: DeviceSettings, *, opens: bool
    ) -> DeviceReply:
        del message, settings
        return DeviceReply(content_type="application/json", body=b'{"opens": %d}' % opens)


def device(
    name: str = "cam", driver: PushDriver | None = None, **changes: object
) -> ListenedDevice:
    """Return a device that proves itself, unless `changes` of its settings say otherwise."""
    told = {"username": "user", "password": "s3cret"} | changes
    allowed = told.pop("allow_from", ())
    algorithm = told.pop("algorithm", None)
    limits = told.pop("limits", None)
    others = {"algorithm": algorithm} if algorithm is not None else {}
    return ListenedDevice(
        settings=DeviceSettings(name=name, zone=UTC, **told),  # type: ignore[arg-type]
        driver=driver or HikvisionDriver(),
        allow_from=allowed,  # type: ignore[arg-type]
        limits=limits,  # type: ignore[arg-type]
        **others,  # type: ignore[arg-type]
    )


def open_device(name: str = "cam", driver: PushDriver | None = None) -> ListenedDevice:
    """Return a device that needs no proof on this machine."""
    return device(name, driver, username="", password="", allow_from=LOOPBACK)


class Site:
    """A listener that listens.

    Attributes:
        url: Without a path.
    """

    def __init__(self, intake: KeptMessages, url: str, port: int) -> None:
        self.intake = intake
        self.url = url
        self.port = port

    async def curl(self, path: str, *arguments: str, body: bytes | None = None) -> int:
        """Post a body with the real curl; return the status."""
        status, _ = await self.curl_reply(path, *arguments, body=body)
        return status

    async def curl_reply(
        self, path: str, *arguments: str, body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Post a body with the real curl; return the status and the answer."""
        data = () if body is None else ("--data-binary", "@-")
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "-m", str(CURL_S_MAX), "--noproxy", "*", "-w", "\n%{http_code}",
            *data, *arguments, self.url + path,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        said, _ = await process.communicate(body)
        answer, _, status = said.rpartition(b"\n")
        return int(status), answer

    async def raw(self, sent: bytes, *, then_close: bool = False) -> bytes:
        """Send bytes and return everything that comes back until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(CURL_S_MAX):
                writer.write(sent)
                if then_close:
                    writer.write_eof()
                return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def site(
    *devices: ListenedDevice,
    times: ListenerTimes | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    client_ca: Path | None = None,
) -> AsyncGenerator[Site]:
    """Run a site with these devices."""
    intake = KeptMessages()
    listener = Listener(
        devices, intake, ManualClock(NOW), certificates_asked=client_ca is not None, times=times
    )
    at = ServedAt(port=0, certificate=certificate, key=key, client_ca=client_ca)
    async with serve_devices(listener, at, BoundedConnection) as port:
        scheme = "http" if certificate is None else "https"
        yield Site(intake, f"{scheme}://127.0.0.1:{port}", port)

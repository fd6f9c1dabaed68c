"""A real broker, and a camera made of its own command-line clients."""

import asyncio
import contextlib
import getpass
import os
import shutil
import signal
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import orjson
import pytest

PROGRAMS: Final = ("mosquitto", "mosquitto_pub", "mosquitto_sub")
WAIT_S: Final = 20.0
POLL_S: Final = 0.01
_READY: Final = "tests/ready"

_MISSING = [name for name in PROGRAMS if shutil.which(name) is None]
needs_mosquitto = pytest.mark.skipif(
    bool(_MISSING) and os.environ.get("CI") != "true", reason=f"needs {', '.join(_MISSING)}"
)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, at most `WAIT_S`."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - other processes tell of nothing
            await asyncio.sleep(POLL_S)


class Mosquitto:
    """The broker's process; it keeps its port and its sessions over a restart."""

    def __init__(self, folder: Path, extra: str = "allow_anonymous true") -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port: int = taken.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            # Started by root it would become another user, to whom the folder is closed.
            f"user {getpass.getuser()}\nlistener {self.port} 127.0.0.1\n{extra}\n"
            f"persistence true\npersistence_location {folder}/\n",
            encoding="utf-8",
        )
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            "mosquitto",
            "-c",
            str(self._config),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await until(self._answers)

    async def stop(self) -> None:
        """End the broker in good order: it writes its sessions down."""
        if self._process is not None:
            self.send(signal.SIGCONT)
            self._process.terminate()
            await self._process.wait()
            self._process = None

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    async def publish(self, topic: str, body: bytes, *options: str) -> None:
        """Publish as a device does, with QoS 1."""
        arguments = (
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-q",
            "1",
            "-t",
            topic,
            "-s",
            *options,
        )
        process = await asyncio.create_subprocess_exec(
            "mosquitto_pub", *arguments, stdin=asyncio.subprocess.PIPE
        )
        await process.communicate(body)
        assert process.returncode == 0


class Camera:
    """Takes commands as `mosquitto_sub`, and answers them with `mosquitto_pub`.

    Attributes:
        commands: Every command that reached it, in order.
        answers: Gives the code of the answer to a command's value; None stays silent.
    """

    def __init__(self, broker: Mosquitto, serial: str) -> None:
        self._broker = broker
        self._topic = f"device/{serial}/message/down/gpio_out"
        self._process: asyncio.subprocess.Process | None = None
        self.commands: list[dict[str, object]] = []
        self.answers: Callable[[int], int | None] = lambda _: 200

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def values(self) -> list[int]:
        """Return what each command was to do: 0 off, 2 a pulse."""
        return [_value(command) for command in self.commands]

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None, None]:
        # Retained, so that it comes as soon as the camera listens.
        await self._broker.publish(_READY, b"ready", "-r")
        self._process = process = await asyncio.create_subprocess_exec(
            "mosquitto_sub",
            *("-p", str(self._broker.port), "-t", self._topic, "-t", _READY, "-q", "1"),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        ready = asyncio.Event()
        reading = asyncio.create_task(self._read(process.stdout, ready))
        try:
            await asyncio.wait_for(ready.wait(), WAIT_S)
            yield
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            await process.wait()
            await reading

    async def _read(self, lines: asyncio.StreamReader, ready: asyncio.Event) -> None:
        async for line in lines:
            if line.startswith(b"ready"):
                ready.set()
            if line.startswith(b"{"):
                command = orjson.loads(line)
                self.commands.append(command)
                code = self.answers(_value(command))
                if code is not None:
                    reply = {"id": command["id"], "sn": command["sn"], "code": code}
                    await self._broker.publish(f"{self._topic}/reply", orjson.dumps(reply))


def _value(command: dict[str, object]) -> int:
    payload = command["payload"]
    assert isinstance(payload, dict)
    return payload["body"]["value"]  # type: ignore[no-any-return]

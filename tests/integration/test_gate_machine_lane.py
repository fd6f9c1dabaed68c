"""A real agent process with a Shelly, a camera and a display, each over its own socket."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from parking.flows.lane_types import CommandState
from tests.contract.relay_stages import PASSWORD, HttpLogic
from tests.factories.camera_server import CameraServer, open_camera
from tests.factories.http_device import HttpDevice, open_device
from tests.integration.gate_stage import TOKEN, Stage, eventually, open_stage

LOOP, EXIT, UP, DOWN = range(4)
SITE = """
[bridge]
url = "{bridge}"
reconnect_s_max = 0.2

[[lane]]
id = "{lane}"
name = "exit"
loop = "contact"
token_file = "lane.token"

[lane.barrier]
driver = "shelly"
url = "{shelly}"
username = "admin"
password_file = "shelly.password"
options = {{ look_s = 0.05, pulse_s = 0.2 }}

[lane.contacts]
loop = "barrier:0"
exit_loop = "barrier:1"
arm_up = "barrier:2"
arm_down = "barrier:3"

[lane.timing]
settle_s = 0.1
blind_s_max = 1.0

[lane.display]
driver = "http"
url = "{display}"
options = {{ body = '{{"rows": ["{{line_1}}", "{{line_2}}"]}}' }}

[[device]]
name = "camera"
lane = "exit"
driver = "frames"
stream = "http://127.0.0.1:{camera}/video.mjpg"
"""


@dataclass
class MachineLane:
    """The process, and everything around it."""

    stage: Stage
    logic: HttpLogic
    display: HttpDevice
    process: Process
    manager: socket.socket
    reports: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def contacts(self, *on: int) -> None:
        """Have exactly these inputs on."""
        self.logic.inputs = {number: number in on for number in range(4)}

    def kinds(self) -> list[str]:
        return [what for _, _, what in self.stage.service.events if what != "observation"]

    def reported(self, event: str) -> list[dict[str, Any]]:
        return [report for report in self.reports if report["event"] == event]

    def told_manager(self) -> list[bytes]:
        """Return what the service manager has heard since it last listened."""
        heard: list[bytes] = []
        while True:
            try:
                heard.append(self.manager.recv(100))
            except BlockingIOError:
                return heard

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.startswith(b"{"):
                self.reports.append(json.loads(line))


@pytest.fixture
async def lane(valkey_url: str, tmp_path: Path) -> AsyncGenerator[MachineLane]:
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(open_stage(valkey_url, tmp_path))
        logic = HttpLogic()
        logic.inputs = {LOOP: False, EXIT: False, UP: False, DOWN: True}
        shelly = HttpDevice(logic.shelly, "admin", PASSWORD, "SHA-256")
        display = HttpDevice(lambda _: (200, b""))
        camera = await stack.enter_async_context(open_camera(CameraServer()))
        for device in (shelly, display):
            await stack.enter_async_context(open_device(device))
        (tmp_path / "lane.token").write_text(TOKEN)
        (tmp_path / "shelly.password").write_text(PASSWORD)
        for name in ("lane.token", "shelly.password"):
            (tmp_path / name).chmod(0o600)
        site = tmp_path / "site.toml"
        site.write_text(
            SITE.format(
                bridge=stage.url,
                lane=stage.lane.lane_id,
                shelly=shelly.url,
                display=display.url,
                camera=camera.port,
            )
        )
        manager = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        process = await stack.enter_async_context(_agent(site, tmp_path / "notify"))
        lane = MachineLane(stage, logic, display, process, manager)
        reading = asyncio.create_task(lane.read())
        await eventually(lambda: bool(lane.reported("connected")), looks_max=3000)
        yield lane
        process.kill()
        await reading


@asynccontextmanager
async def _agent(site: Path, notify: Path) -> AsyncGenerator[Process]:
    environment = os.environ | {"NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": "600000"}
    words = ("-m", "sesame", "gate-agent", "--site", str(site), "--json")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=PIPE, env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_car_is_let_out_and_seen_to_pass(lane: MachineLane) -> None:
    assert lane.told_manager()[0] in {b"READY=1", b"WATCHDOG=1"}
    lane.contacts(LOOP, DOWN)
    await eventually(lambda: lane.logic.pulses == 1)
    lane.contacts(LOOP)
    await eventually(lambda: "opening" in lane.kinds())
    lane.contacts(LOOP, UP)
    await eventually(lambda: "opened" in lane.kinds())
    lane.contacts(EXIT, UP)
    await eventually(lambda: "cleared" in lane.kinds())
    lane.contacts(UP)
    await eventually(lambda: "passed" in lane.kinds())
    lane.contacts(DOWN)
    await eventually(lambda: "closed" in lane.kinds())

    story = ["occupied", "opening", "opened", "cleared", "passed", "closed"]
    assert lane.kinds() == story
    assert lane.logic.pulses == 1
    assert list(lane.stage.service.answers.values()) == [(CommandState.ACCEPTED, None)]
    await eventually(lambda: bool(lane.display.accepted))
    shown = [orjson.loads(request.body)["rows"] for request in lane.display.accepted]
    assert any(rows != ["", ""] for rows in shown)


async def test_a_car_that_came_while_the_agent_was_frozen_is_not_let_out_for_another(
    lane: MachineLane,
) -> None:
    lane.stage.recognizer.on.clear()
    lane.contacts(LOOP, DOWN)
    await eventually(lambda: len(lane.stage.service.frames) > 0)
    [first] = lane.stage.service.presentations

    lane.process.send_signal(signal.SIGSTOP)
    lane.told_manager()
    # The order goes to the frozen agent, and is good for far longer than the freeze takes.
    lane.stage.recognizer.on.set()
    await eventually(lambda: len(lane.stage.service.commands) == 1)
    # Meanwhile its car backs out and another one comes. Nobody sees that.
    lane.contacts(DOWN)
    lane.contacts(LOOP, DOWN)
    await asyncio.sleep(2.5)
    assert lane.told_manager() == []
    lane.process.send_signal(signal.SIGCONT)

    await eventually(lambda: len(lane.stage.service.presentations) == 2)
    second = next(key for key in lane.stage.service.presentations if key != first)
    await eventually(lambda: lane.logic.pulses == 1)
    await eventually(lambda: (CommandState.ACCEPTED, None) in lane.stage.service.answers.values())
    answered = {
        command.presentation_id: lane.stage.service.answers.get(command_id)
        for command_id, command in lane.stage.service.commands.items()
    }
    assert answered[first] != (CommandState.ACCEPTED, None)
    assert answered[second] == (CommandState.ACCEPTED, None)
    assert lane.logic.pulses == 1
    await eventually(lambda: b"WATCHDOG=1" in lane.told_manager())

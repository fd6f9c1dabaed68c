"""A lane of a site on a disk that is full, and then has room again: a process of its own.

No test can fill the disk that it runs on. To SQLite a file that may not grow is the same.
"""

import asyncio
import json
import resource
import sys
from contextlib import suppress
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx

from gate_bridge.agent import lane_state
from gate_bridge.agent.errors import JournalFullError
from gate_bridge.agent.guards import Situation
from gate_bridge.agent.opening import Opening
from gate_bridge.agent.site.device_access import ListenedDevice
from gate_bridge.agent.site.listener import Listener
from gate_bridge.agent.site.listener_server import ServedAt, serve_devices
from gate_bridge.drivers.port import DeviceSettings
from gate_bridge.wire.actions import OpenBarrier
from sesame.http_connection import BoundedConnection
from tests.integration.site_stage import CAMERA, FakeMachine, LaneStage, PlainDriver, lane_stage

WAIT_S = 60
BODY_BYTES = 500_000
HARD = resource.getrlimit(resource.RLIMIT_FSIZE)[1]


def fill(folder: Path) -> None:
    """Let no file of the folder grow any more."""
    sizes = [path.stat().st_size for path in folder.iterdir()]
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(sizes), HARD))


def make_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (HARD, HARD))


class PulsedMachine(FakeMachine):
    """Counts its pulses."""

    pulses = 0

    async def pulse(self, command_id: UUID, deadline_s: float) -> None:
        del command_id, deadline_s
        self.pulses += 1


async def order(stage: LaneStage, command_id: UUID) -> str:
    """Let the bridge order the gate open for whoever stands there."""
    car, now = stage.state.car, stage.clock.now()
    assert car is not None
    situation = Situation(1, car.presentation_id, now, now)
    opening = Opening(stage.journal, stage.machine, lambda: situation, stage.state)
    wanted = OpenBarrier(
        command_id=command_id,
        presentation_id=car.presentation_id,
        session_epoch=1,
        issued_at=now - timedelta(seconds=1),
        ttl_ms=5000,
    )
    try:
        return (await opening.carry_out(wanted)).status.value
    except JournalFullError:
        return "not written"


async def stored(stage: LaneStage, command_id: UUID) -> str | None:
    command = await stage.journal.command(command_id)
    return None if command is None else str(command.status)


async def play(stage: LaneStage, folder: Path, url: str) -> dict[str, Any]:
    """Return what was seen, by name."""
    machine, command_id = stage.machine, uuid4()
    assert isinstance(machine, PulsedMachine)
    machine.car_on_loop(is_on=True)
    await stage.state.occupied.wait()
    seen: dict[str, Any] = {}
    async with httpx.AsyncClient(timeout=WAIT_S, trust_env=False) as camera:

        async def post(plate: str) -> int:
            # Larger than what any file may still grow by.
            body = json.dumps({"plate": plate, "picture": "x" * BODY_BYTES}).encode()
            return (await camera.post(url, content=body)).status_code

        fill(folder)
        seen["full"] = [await post("B777"), await order(stage, command_id), machine.pulses]
        machine.car_on_loop(is_on=False)
        machine.car_on_loop(is_on=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await stage.state.free.wait()
        seen["car"] = stage.state.car is not None
        seen["written"] = [await stored(stage, command_id), await stage.told()]
        make_room()
        while len(await stage.told()) < 3:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        seen["room"] = [await post("B777"), await order(stage, command_id), machine.pulses]
        seen["stored"] = [await stored(stage, command_id), len(await stage.store.waiting())]
        seen["told"] = await stage.told()
    return seen


async def main(folder: Path) -> None:
    lane_state.FULL_RETRY_S = 0.01
    settings = DeviceSettings(name=CAMERA, zone=ZoneInfo("UTC"))
    allowed = (ip_network("127.0.0.0/8"),)
    device = ListenedDevice(settings=settings, driver=PlainDriver(), allow_from=allowed)
    async with lane_stage(folder, has_loop=True, machine=PulsedMachine()) as stage:
        listener = Listener([device], stage.intake, stage.clock)
        async with serve_devices(listener, ServedAt(port=0), BoundedConnection) as port:
            async with asyncio.timeout(WAIT_S):
                seen = await play(stage, folder, f"http://127.0.0.1:{port}/devices/{CAMERA}")
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

"""A real lane on the real bridge: a camera that posts, a relay with its loop, and a site agent."""

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from parking.kit.clock import SystemClock
from parking.places import service as places
from parking.places.models import Direction, IdentifiedArea
from tests.contract.relay_stages import HttpLogic
from tests.e2e.stage import Stage, eventually
from tests.factories.http_device import HttpDevice, open_device

CURL_S_MAX: Final = 20
PASSWORD: Final = "s3cret camera"
# What is told here is of lanes whose gate waits for its bridge, however slow the machine is.
AWAY_S: Final = 300
needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None and os.environ.get("CI") != "true", reason="needs curl"
)

SITE: Final = """
name = "e2e"
data = "data"

[bridge]
url = "{bridge}"
reconnect_s_max = 0.5

[listener]
port = 0

[[lane]]
id = "{lane_id}"
name = "entry"
loop = "contact"
token_file = "token"

[lane.barrier]
driver = "shelly"
url = "{relay}"

[lane.barrier.options]
look_s = 0.05

[lane.contacts]
loop = "barrier:0"

[lane.timing]
arm_rise_s = 0.05

[lane.offline]
away_s = {away_s}

[[device]]
name = "camera-1"
lane = "entry"
driver = "hikvision"
username = "admin"
password_file = "password"
"""

READ: Final = """<?xml version="1.0" encoding="UTF-8"?>
<EventNotificationAlert version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema">
<ipAddress>10.0.0.9</ipAddress><channelID>1</channelID>
<dateTime>{time}</dateTime><activePostCount>1</activePostCount>
<eventType>ANPR</eventType><eventState>active</eventState>
<ANPR><licensePlate>{plate}</licensePlate><line>1</line><direction>forward</direction>
<confidenceLevel>97</confidenceLevel></ANPR>
<UUID>{read_id}</UUID>{late}
</EventNotificationAlert>"""


def read_body(plate: str, at: datetime | None = None, *, is_late: bool = False) -> bytes:
    """What the camera posts for a car."""
    time = (at or SystemClock().now()).isoformat(timespec="seconds")
    late = "<isDataRetransmission>true</isDataRetransmission>" if is_late else ""
    return READ.format(plate=plate, time=time, read_id=uuid4(), late=late).encode()


@dataclass
class DeviceLane:
    """The lane from outside.

    Attributes:
        logic: The relay's inside: input 0 is the loop.
    """

    stage: Stage
    lane_id: UUID
    folder: Path
    logic: HttpLogic
    process: Process | None = None
    reports: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def pulses(self) -> int:
        return self.logic.pulses

    async def start(self) -> None:
        """Start the site's agent, and wait until devices can post."""
        self.reports.clear()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sesame", "gate-agent", "--site", str(self.folder / "site.toml"),
            "--json", stdout=PIPE,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read(self.process))
        await self.told("site_runs")

    async def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            if self.process.returncode is None:
                self.process.kill()
            await self.process.wait()
            await self._reading

    async def post(self, body: bytes) -> int:
        """Let the camera post; return the answer's status."""
        [running] = await self.told("site_runs")
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "-m", str(CURL_S_MAX), "--noproxy", "*", "--digest",
            "-u", f"admin:{PASSWORD}", "-H", "Content-Type: application/xml",
            "--data-binary", "@-", "-o", "/dev/null", "-w", "%{http_code}",
            f"http://127.0.0.1:{running['port']}/devices/camera-1",
            stdin=PIPE, stdout=PIPE,
        )  # fmt: skip
        status, _ = await process.communicate(body)
        return int(status)

    async def told(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the agent has reported something so often."""

        async def found() -> list[dict[str, Any]]:
            reports = [report for report in self.reports if report["event"] == event]
            return reports if len(reports) >= count else []

        return await eventually(f"the report {event}", found)

    async def arrive(self) -> None:
        """Let a car roll onto the loop."""
        before = len([report for report in self.reports if report["event"] == "presented"])
        self.logic.inputs[0] = True
        await self.told("presented", before + 1)

    async def leave(self) -> None:
        """Let it roll off."""
        before = len([report for report in self.reports if report["event"] == "cleared"])
        self.logic.inputs[0] = False
        await self.told("cleared", before + 1)
        self.logic.outputs[0] = False

    async def opened(self, pulses: int) -> None:
        """Wait until the relay was pulsed so often, ever."""

        async def pulsed() -> bool:
            return self.pulses >= pulses

        await eventually(f"{pulses} pulses", pulsed)
        assert self.pulses == pulses

    async def events(self) -> list[str]:
        """Return what the bridge has committed of this lane; there is no gap in the numbers."""
        rows = await self.stage.rows(
            "SELECT seq, kind, detail FROM lane_events WHERE lane_id = :id ORDER BY seq",
            id=self.lane_id,
        )
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
        return [_told(row["kind"], row["detail"]) for row in rows]

    async def committed(self, *expected: str) -> None:
        """Wait until the bridge's record of this lane ends so."""

        last: list[str] = []

        async def so() -> bool:
            last[:] = (await self.events())[-len(expected) :]
            return tuple(last) == expected

        await eventually(lambda: f"the events {expected}, but {last}", so)

    async def read_committed(self) -> None:
        """Wait until the bridge has the one read of this lane, live or late."""

        async def so() -> bool:
            kinds = [kind for kind in await self.events() if kind.endswith("observation")]
            assert len(kinds) <= 1
            return len(kinds) == 1

        await eventually("the read", so)

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.reports.append(json.loads(line))


def _told(kind: str, detail: dict[str, Any]) -> str:
    if kind == "presentation":
        return str(detail["state"])
    return f"late {kind}" if detail.get("is_backfill") else kind


@asynccontextmanager
async def device_lane(stage: Stage, folder: Path) -> AsyncGenerator[DeviceLane]:
    """Add an entry to the place, with everything that stands there."""
    async with stage.town.context.database.begin() as unit:
        [row] = await stage.rows(
            "SELECT id FROM identified_areas WHERE place_id = :id", id=stage.place.place_id
        )
        area = await unit.session.get(IdentifiedArea, (stage.place.operator_id, row["id"]))
        assert area is not None
        new = places.add_lane(
            unit, area, name=f"device entry {folder.name}", direction=Direction.ENTRY
        )
        lane_id, token = new.lane.id, new.device_token
    logic = HttpLogic()
    async with open_device(HttpDevice(logic.shelly)) as relay:
        (folder / "token").write_text(token)
        (folder / "password").write_text(PASSWORD)
        bridge = stage.town.gates_url.replace("http", "ws", 1)
        text = SITE.format(bridge=bridge, lane_id=lane_id, relay=relay.url, away_s=AWAY_S)
        (folder / "site.toml").write_text(text)
        lane = DeviceLane(stage, lane_id, folder, logic)
        await lane.start()
        try:
            await lane.told("connected")
            yield lane
        finally:
            await lane.kill()

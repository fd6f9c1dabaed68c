"""The demo's site with devices of its own: one gate agent, two lanes, and a cable to the bridge."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from gate_bridge.loops import stop_task
from parking.kit.clock import Clock
from sesame.demo.gate_devices import GateDevices, post_read
from sesame.demo.lane import REPORTS_MAX, LaneClient, Report, Visit
from sesame.demo.network import Cable
from sesame.demo.town import PRIVATE_MODE, QUAY, TownLane, TownPlace
from sesame.process_spec import PrintedLine, ProcessSpec

# Quicker than a real gate, which lets a short outage pass; slower than a busy machine's database.
AWAY_S: Final = 3.0
WAIT_S: Final = 30.0
_AGENT: Final[Sequence[str]] = (sys.executable, "-m", "sesame", "gate-agent")
_HEAD: Final = """
name = "{name}"
data = "."

[bridge]
url = "ws://127.0.0.1:{port}"
reconnect_s_max = 0.5

[listener]
port = 0
"""
_LANE: Final = """
[[lane]]
id = "{lane_id}"
name = "{key}"
loop = "contact"
token_file = "{key}.token"
barrier = {{ driver = "shelly", url = "{relay}", options = {{ output = 0 }} }}
contacts = {{ loop = "barrier:0", exit_loop = "barrier:1" }}
offline = {{ away_s = {away_s} }}

[[device]]
name = "{key}-camera"
lane = "{key}"
driver = "hikvision"
allow_from = ["127.0.0.1/32"]
"""


class SiteLane(LaneClient):
    """A lane of the site: its devices, and what the site's agent reports of it."""

    def __init__(
        self, key: str, clock: Clock, on_report: Callable[[str, Report], None] | None
    ) -> None:
        # There is no control socket: real lanes have cars instead.
        super().__init__(key, Path(), on_report)
        self.devices = GateDevices()
        self.camera_url = ""
        self._clock = clock

    async def __aenter__(self) -> Self:
        return self

    async def drive_up(self, plate: str) -> Visit:
        """Let a car come onto the loop, and be read by the camera."""
        pulses, before = self.devices.pulses, self._cars()
        self.devices.car(is_there=True)
        came = await self.wait(
            lambda report: (
                report["event"] == "presented" and report["presentation_id"] not in before
            ),
            "car on the loop",
            WAIT_S,
        )
        await post_read(self.camera_url, plate, self._clock.now())
        return Visit(self, str(came["presentation_id"]), pulses)

    async def leave(self) -> None:
        """Let the car back out; without one nothing happens."""
        self.devices.car(is_there=False)

    async def status(self) -> Report:
        """Return `arm` and `pulses`."""
        arm = "up" if self.devices.is_arm_up else "down"
        return {"event": "status", "arm": arm, "pulses": self.devices.pulses}

    async def told(self, event: str, **fields: str) -> Report:
        """Return the first report of an event with these fields."""
        return await self.wait(
            lambda report: (
                report["event"] == event
                and all(report.get(name) == value for name, value in fields.items())
            ),
            event,
            WAIT_S,
        )

    async def connected_again(self, times: int) -> None:
        """Wait until the lane has connected more often than `times`."""
        await self.wait(lambda _: self.connections() > times, "connection", WAIT_S)

    def connections(self) -> int:
        """Return how often the lane has connected."""
        return sum(report["event"] == "connected" for report in self.reports)

    def _cars(self) -> set[str]:
        return {
            str(report["presentation_id"])
            for report in self.reports
            if report["event"] == "presented"
        }


class GateSite:
    """The process `sesame gate-agent --site`, what stands around it, and its lanes.

    Attributes:
        cable: Between the site and the bridge.
        lanes: By their keys.
        spec: How the process is started.
    """

    spec: ProcessSpec

    def __init__(
        self,
        place: TownPlace,
        clock: Clock,
        gates_url: str,
        on_report: Callable[[str, Report], None] | None = None,
    ) -> None:
        self.cable = Cable(urlsplit(gates_url).port or 0)
        self.lanes = {lane.key: SiteLane(lane.key, clock, on_report) for lane in place.lanes}
        self._place = place
        self._lines: asyncio.Queue[str] = asyncio.Queue(REPORTS_MAX)

    @asynccontextmanager
    async def open(self, folder: Path, environment: Mapping[str, str]) -> AsyncGenerator[None]:
        """Let the devices stand there for the length of the block; the process is yet to start.

        Args:
            folder: The site's own.
            environment: The whole environment of the process.
        """
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.cable.laid())
            for lane in self.lanes.values():
                await stack.enter_async_context(lane.devices.served())
            self.spec = ProcessSpec(
                name=QUAY,
                argv=(*_AGENT, "--site", str(self._write(folder)), "--json"),
                environment=environment,
                ready=PrintedLine('"site_runs"'),
            )
            listening = asyncio.create_task(self._listen())
            stack.push_async_callback(stop_task, listening)
            yield

    def hear(self, line: str) -> None:
        """Take in a line of the process; never waits."""
        with suppress(asyncio.QueueFull):
            self._lines.put_nowait(line)

    async def _listen(self) -> None:
        while True:
            await self._take(await self._lines.get())

    async def _take(self, line: str) -> None:
        try:
            report = json.loads(line)
        except ValueError:
            # Of its log.
            return
        if report["event"] == "site_runs":
            for key, lane in self.lanes.items():
                lane.camera_url = f"http://127.0.0.1:{report['port']}/devices/{key}-camera"
        elif report.get("lane") in self.lanes:
            await self.lanes[report["lane"]].take(report)

    def _write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        text = _HEAD.format(name=QUAY, port=self.cable.port)
        for lane in self._place.lanes:
            _keep_token(folder / f"{lane.key}.token", lane)
            relay = self.lanes[lane.key].devices.url
            text += _LANE.format(lane_id=lane.lane_id, key=lane.key, relay=relay, away_s=AWAY_S)
        file = folder / "site.toml"
        file.write_text(text, encoding="utf-8")
        return file


def _keep_token(file: Path, lane: TownLane) -> None:
    file.touch(mode=PRIVATE_MODE)
    file.write_text(lane.token, encoding="ascii")

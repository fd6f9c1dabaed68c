"""A site in one process with a real bridge: replies that open, pictures, and lanes that fail."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from gate_bridge.agent.journal import Journal
from gate_bridge.agent.reports import Report
from gate_bridge.agent.site import camera_watch as camera_watch_module
from gate_bridge.agent.site import intake as intake_module
from gate_bridge.agent.site import lane_host as lane_host_module
from gate_bridge.agent.site.host import SiteHost
from gate_bridge.agent.site.site_file import read_site
from parking.flows.lane_types import Action, CommandState, DisplayText
from parking.kit.clock import SystemClock
from parking.plates.reads import PlateRead
from sesame.http_connection import BoundedConnection
from tests.contract.relay_stages import HttpLogic
from tests.factories.http_device import HttpDevice, open_device
from tests.integration.gate_stage import (
    PICTURE,
    TOKEN,
    Stage,
    eventually,
    make_lane,
    open_stage,
)

SITE = """
name = "test"

[bridge]
url = "{url}"
reconnect_s_max = 0.2

[listener]
port = 0

[[lane]]
id = "{lane_id}"
name = "entry"
loop = "camera"
token_file = "token"
barrier = {{ driver = "reply", device = "camera-1" }}

[[device]]
name = "camera-1"
lane = "entry"
driver = "vzenith"
allow_from = ["127.0.0.0/8"]
"""
SECOND_LANE = """
[[lane]]
id = "{lane_id}"
name = "exit"
loop = "camera"
token_file = "token"
barrier = {{ driver = "none" }}

[[device]]
name = "camera-2"
lane = "exit"
driver = "generic"
allow_from = ["127.0.0.0/8"]
options = {{ plate = "plate", confidence = "score", confidence_full = 1 }}
"""


RELAY_LANE = """
[[lane]]
id = "{lane_id}"
name = "exit"
loop = "camera"
token_file = "token"
timing = {{ arm_rise_s = 0 }}
barrier = {{ driver = "shelly", url = "{relay}", options = {{ inputs = false }} }}

[[device]]
name = "camera-2"
lane = "exit"
driver = "generic"
allow_from = ["127.0.0.0/8"]
options = {{ plate = "plate", confidence = "score", confidence_full = 1 }}
"""


LOOP_LANE = (
    RELAY_LANE.replace(", options = {{ inputs = false }}", "")
    .replace('loop = "camera"', 'loop = "contact"')
    .replace("timing =", 'contacts = {{ loop = "barrier:0" }}\ntiming =')
)


@dataclass
class RunningSite:
    client: httpx.AsyncClient
    folder: Path
    reports: list[Report] = field(default_factory=list[Report])

    def reported(self, event: str, lane: str | None = None) -> list[Report]:
        return [
            report
            for report in self.reports
            if report["event"] == event and lane in {None, report.get("lane")}
        ]

    async def until(self, event: str, lane: str | None = None, count: int = 1) -> None:
        await eventually(lambda: len(self.reported(event, lane)) >= count)


@pytest.fixture
async def stage(valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with open_stage(valkey_url, tmp_path) as opened:
        yield opened


@asynccontextmanager
async def site(
    stage: Stage, *more: str, reply_window_s: float = 5.0
) -> AsyncGenerator[RunningSite]:
    path = stage.folder / "site.toml"
    (stage.folder / "token").write_text(TOKEN)
    path.write_text(SITE.format(url=stage.url, lane_id=stage.lane.lane_id) + "".join(more))
    reports: list[Report] = []
    host = SiteHost(
        read_site(path), BoundedConnection, SystemClock(), reports.append, reply_window_s
    )
    stop = asyncio.Event()
    serving = asyncio.create_task(host.run(stop))
    try:
        await eventually(lambda: host.port is not None or serving.done())
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{host.port}") as client:
            yield RunningSite(client, stage.folder, reports)
    finally:
        stop.set()
        await serving


def plate_body(plate: str, number: int, *, picture: bytes = b"") -> dict[str, Any]:
    """What a camera posts that asks whether to open."""
    result: dict[str, Any] = {
        "license": plate,
        "confidence": 97,
        "plateid": number,
        "isoffline": 0,
        "triggerType": 1,
        "direction": 4,
        "timeStamp": {"Timeval": {"sec": int(SystemClock().now().timestamp()), "usec": 0}},
    }
    if picture:
        result["imageFile"] = base64.b64encode(picture).decode()
    return {
        "AlarmInfoPlate": {
            "channel": 0,
            "deviceName": "IVS",
            "ipaddr": "10.0.0.7",
            "serialno": "917e2298-8ddf3e46",
            "result": {"PlateResult": result},
        }
    }


async def ask(running: RunningSite, body: dict[str, Any]) -> str:
    """Post what a camera sees; return what the reply says about the arm."""
    answer = await running.client.post("/devices/camera-1/", content=orjson.dumps(body), timeout=20)
    assert answer.status_code == 200
    return answer.json()["Response_AlarmInfoPlate"]["info"]


async def test_the_reply_opens_once_for_the_car_that_the_bridge_lets_in(stage: Stage) -> None:
    async with site(stage) as running:
        await running.until("connected")
        body = plate_body("沪A12345", 1, picture=PICTURE)
        assert await ask(running, body) == "ok"
        # Once more, because our answer was lost on its way: the arm is up already.
        assert await ask(running, body) == "no"
        await eventually(lambda: len(stage.service.frames) == 1)
        [frame] = stage.service.frames.values()
        assert frame.image == PICTURE
        [(presentation_id, plate)] = stage.service.decide_calls
        assert (plate, frame.presentation_id) == ("沪A12345", presentation_id)
        await eventually(
            lambda: (
                [state for state, _ in stage.service.answers.values()] == [CommandState.ACCEPTED]
            )
        )


async def test_no_reply_opens_without_an_order_and_the_next_car_waits_for_the_first(
    stage: Stage,
) -> None:
    stage.service.decide_rule = refuse
    async with site(stage, reply_window_s=0.2) as running:
        await running.until("connected")
        assert await ask(running, plate_body("沪A12345", 1)) == "no"
        await running.until("display")
        assert await ask(running, plate_body("沪B70F35", 2)) == "no"
        assert [plate for _, plate in stage.service.decide_calls] == ["沪A12345"]
        assert (running.reported("order"), stage.service.answers) == ([], {})


async def test_one_lane_that_cannot_begin_does_not_end_the_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_host_module, "RESTART_S_MAX", 0.05)
    monkeypatch.setattr(intake_module, "RETRY_S", 0.05)
    other = make_lane()
    stage.service.add_lane(other, TOKEN)
    async with (
        held(stage.folder / "exit.sqlite") as free,
        site(stage, SECOND_LANE.format(lane_id=other.lane_id)) as running,
    ):
        await running.until("lane_failed", "exit")
        await running.until("connected", "entry")
        assert await ask(running, plate_body("沪A12345", 1)) == "ok"
        answer = await running.client.post("/devices/camera-2", content=read_of("C333"))
        assert answer.status_code == 200
        free.set()
        await running.until("lane_runs", "exit")
        # What came meanwhile is told, and opens nothing: nobody knows who is there now.
        await told(stage, ["C333"])
        assert running.reported("presented", "exit") == []
        await running.client.post("/devices/camera-2", content=read_of("D444"))
        await running.until("presented", "exit")


async def test_the_log_names_the_lane_and_why_a_read_leads_to_nothing(stage: Stage) -> None:
    other, logic = make_lane(), HttpLogic()
    stage.service.add_lane(other, TOKEN)
    with capture_logs(processors=[merge_contextvars]) as logged:
        async with (
            open_device(HttpDevice(logic.shelly)) as relay,
            site(stage, LOOP_LANE.format(lane_id=other.lane_id, relay=relay.url)) as running,
        ):
            await running.until("connected", "exit")
            # Nobody stands on the loop: the read waits for a car.
            await running.client.post("/devices/camera-2", content=read_of("C333"))
            await eventually(lambda: "device_message_unused" in {each["event"] for each in logged})
            logic.inputs[0] = True
            await running.until("order", "exit")
            logic.inputs[0] = False
            await running.until("cleared", "exit")
    [unused] = [each for each in logged if each["event"] == "device_message_unused"]
    assert (unused["lane"], unused["device"], unused["what"]) == ("exit", "camera-2", "waits")
    assert "C333" not in str(logged)


def read_of(plate: str) -> bytes:
    return orjson.dumps({"plate": plate, "score": 0.97})


async def test_cars_in_a_lane_without_a_loop_are_let_in_one_after_the_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_watch_module, "REOPEN_COOLDOWN_S", 0.1)
    other, logic = make_lane(), HttpLogic()
    stage.service.add_lane(other, TOKEN)
    async with (
        open_device(HttpDevice(logic.shelly)) as relay,
        site(stage, RELAY_LANE.format(lane_id=other.lane_id, relay=relay.url)) as running,
    ):
        await running.until("connected", "exit")
        await running.client.post("/devices/camera-2", content=read_of("C333"))
        await running.until("barrier", "exit")
        logic.outputs[0] = False
        await running.client.post("/devices/camera-2", content=read_of("D444"))
        await running.until("barrier", "exit", count=3)
        assert logic.pulses == 2
        assert [report["kind"] for report in running.reported("barrier", "exit")] == [
            "pulsed",
            "passed",
            "pulsed",
        ]
        assert [plate for _, plate in stage.service.decide_calls] == ["C333", "D444"]
        assert len(running.reported("presented", "exit")) == 2


def refuse(presentation_id: UUID, read: PlateRead) -> tuple[Action, DisplayText]:
    del presentation_id, read
    return Action.REFUSE, DisplayText(("Full",))


@asynccontextmanager
async def held(journal: Path) -> AsyncGenerator[asyncio.Event]:
    """Have a lane's journal open, as another process would, until the event is set."""
    taken, free = await Journal.open(journal), asyncio.Event()

    async def let_go() -> None:
        await free.wait()
        await taken.close()

    letting_go = asyncio.create_task(let_go())
    try:
        yield free
    finally:
        free.set()
        await letting_go


async def told(stage: Stage, plates: list[str]) -> None:
    """Wait until the bridge has committed these reads, in this order."""

    def so() -> bool:
        observed = [what for _, action, what in stage.service.events if action == "Observation"]
        return [plate for plate in observed if plate in plates] == plates

    await eventually(so)

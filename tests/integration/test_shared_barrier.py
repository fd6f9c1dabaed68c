"""A site whose one barrier serves entry and exit, in one process with a real bridge."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import orjson
import pytest

from gate_bridge.agent.machines.shared_arm import SharedArm
from gate_bridge.agent.reports import Report
from gate_bridge.agent.site import camera_watch as camera_watch_module
from gate_bridge.agent.site import host as host_module
from gate_bridge.agent.site.host import SiteHost
from gate_bridge.agent.site.shared_place import SharedPlace, places_at
from gate_bridge.agent.site.site_file import read_site
from parking.flows.lane_types import Action, DisplayText
from parking.kit.clock import SystemClock
from parking.plates.reads import PlateRead
from sesame.http_connection import BoundedConnection
from tests.contract.relay_stages import HttpLogic
from tests.factories.http_device import DeviceRequest, HttpDevice, open_device
from tests.integration.gate_stage import TOKEN, Stage, eventually, make_lane, open_stage

OUTSIDE, INSIDE = 0, 1
LANES = """
name = "small"

[bridge]
url = "{url}"
reconnect_s_max = 0.2

[listener]
port = 0

[[lane]]
id = "{entry}"
name = "entry"
loop = "{loop}"
token_file = "token"
timing = {{ arm_rise_s = 0, settle_s = 0.05 }}
{contacts}

[lane.barrier]
driver = "shelly"
url = "{relay}"
options = {{ look_s = 0.05, inputs = {has_inputs} }}

[[lane]]
id = "{exit}"
name = "exit"
loop = "{loop}"
token_file = "token"
shares = "entry"
"""
CONTACTS = 'contacts = { loop = "barrier:0", exit_loop = "barrier:1" }'
CAMERA = """
[[device]]
name = "{name}"
lane = "{lane}"
driver = "generic"
allow_from = ["127.0.0.0/8"]
{more}

[device.options]
plate = "plate"
confidence = "score"
confidence_full = 1
heading = "way"
headings = {{ in = "towards", out = "away" }}
"""
TWO_CAMERAS = "".join(CAMERA.format(name=lane, lane=lane, more="") for lane in ("entry", "exit"))
ONE_CAMERA = CAMERA.format(name="entry", lane="entry", more='lane_away = "exit"')


class ArmLogic(HttpLogic):
    """A Shelly with a loop on either side of the arm, whose pulses end in time."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = {OUTSIDE: False, INSIDE: False}
        self.looks = 0

    def answer(self, request: DeviceRequest) -> tuple[int, bytes] | None:
        self.looks += b"Shelly.GetStatus" in request.body
        answer = self.shelly(request)
        self.outputs[0] = False
        return answer


@dataclass
class SmallSite:
    stage: Stage
    client: httpx.AsyncClient
    logic: ArmLogic
    reports: list[Report]

    def reported(self, event: str, lane: str) -> list[Report]:
        return [one for one in self.reports if (one["event"], one.get("lane")) == (event, lane)]

    async def until(self, event: str, lane: str, count: int = 1) -> None:
        await eventually(lambda: len(self.reported(event, lane)) >= count)

    def kinds(self, lane: str) -> list[object]:
        return [one["kind"] for one in self.reported("barrier", lane)]

    async def until_kinds(self, lane: str, *kinds: str) -> None:
        await eventually(lambda: len(self.kinds(lane)) >= len(kinds))
        assert self.kinds(lane) == list(kinds)

    async def read(self, camera: str, plate: str, way: str = "") -> None:
        body = {"plate": plate, "score": 0.97, "way": way or None}
        answer = await self.client.post(f"/devices/{camera}", content=orjson.dumps(body))
        assert answer.status_code == 200

    async def loops(self, *on: int) -> None:
        """Have exactly these loops on, and wait until the relay was looked at."""
        self.logic.inputs = {number: number in on for number in (OUTSIDE, INSIDE)}
        looks = self.logic.looks
        await eventually(lambda: self.logic.looks >= looks + 3)

    def decided(self) -> list[str]:
        return [plate for _, plate in self.stage.service.decide_calls]


@pytest.fixture
async def stage(valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with open_stage(valkey_url, tmp_path) as opened:
        yield opened


@asynccontextmanager
async def small_site(stage: Stage, loop: str, cameras: str) -> AsyncGenerator[SmallSite]:
    other, logic = make_lane(), ArmLogic()
    stage.service.add_lane(other, TOKEN)
    (stage.folder / "token").write_text(TOKEN)
    path = stage.folder / "site.toml"
    async with open_device(HttpDevice(logic.answer)) as relay:
        lanes = LANES.format(
            url=stage.url,
            entry=stage.lane.lane_id,
            exit=other.lane_id,
            relay=relay.url,
            loop=loop,
            contacts=CONTACTS if loop == "contact" else "",
            has_inputs="true" if loop == "contact" else "false",
        )
        path.write_text(lanes + cameras)
        reports: list[Report] = []
        host = SiteHost(read_site(path), BoundedConnection, SystemClock(), reports.append)
        stop = asyncio.Event()
        serving = asyncio.create_task(host.run(stop))
        try:
            await eventually(lambda: host.port is not None or serving.done())
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{host.port}") as client:
                running = SmallSite(stage, client, logic, reports)
                for lane in ("entry", "exit"):
                    await running.until("connected", lane)
                    await running.until("lane_runs", lane)
                yield running
        finally:
            stop.set()
            await serving


async def test_a_car_that_both_cameras_see_is_one_car(stage: Stage) -> None:
    async with small_site(stage, "contact", TWO_CAMERAS) as site:
        await site.loops(OUTSIDE)
        await site.until("presented", "entry")
        await site.read("entry", "A1111")
        await site.until("order", "entry")
        await site.loops(OUTSIDE, INSIDE)
        await site.read("exit", "A1111")
        await site.read("exit", "A1171")
        await site.loops(INSIDE)
        await site.loops()
        await site.until_kinds("entry", "pulsed", "passed")
        await site.read("exit", "A1111", "out")
        assert (site.decided(), site.logic.pulses) == (["A1111"], 1)
        assert site.reported("presented", "exit") == []
        # The next one goes the other way.
        await site.loops(INSIDE)
        await site.read("exit", "B2222")
        await site.until("order", "exit")
        await site.loops(OUTSIDE, INSIDE)
        await site.loops(OUTSIDE)
        await site.loops()
        await site.until_kinds("exit", "pulsed", "passed")
        assert (site.decided(), site.logic.pulses) == (["A1111", "B2222"], 2)
        assert len(site.reported("presented", "entry")) == 1


async def test_two_cars_that_face_each_other_go_one_after_the_other(stage: Stage) -> None:
    async with small_site(stage, "contact", TWO_CAMERAS) as site:
        await site.loops(OUTSIDE, INSIDE)
        await site.until("presented", "entry")
        await site.until("presented", "exit")
        await site.read("exit", "B2222")
        await site.until_kinds("exit", "pulsed")
        await site.read("entry", "A1111")
        await eventually(lambda: len(site.decided()) == 2)
        looks = site.logic.looks
        await eventually(lambda: site.logic.looks >= looks + 5)
        assert site.logic.pulses == 1
        # It drives past the one that waits outside.
        await site.loops(OUTSIDE)
        await site.until_kinds("exit", "pulsed", "passed")
        await site.until_kinds("entry", "pulsed")
        assert (site.decided(), site.logic.pulses) == (["B2222", "A1111"], 2)


async def test_a_car_whose_orders_ran_out_behind_the_other_is_decided_on_anew(
    stage: Stage,
) -> None:
    async with small_site(stage, "contact", TWO_CAMERAS) as site:
        await site.loops(OUTSIDE, INSIDE)
        await site.until("presented", "entry")
        await site.until("presented", "exit")
        await site.read("exit", "B2222")
        await site.until_kinds("exit", "pulsed")
        await site.read("entry", "A1111")
        await site.until("order", "entry")
        assert [one["status"] for one in site.reported("order", "entry")] == ["rejected"]
        assert site.logic.pulses == 1
        await site.loops(OUTSIDE)
        await site.until("presented", "entry", count=2)
        await site.until_kinds("entry", "pulsed")
        assert site.decided() == ["B2222", "A1111", "A1111"]


async def test_one_camera_without_loops_tells_the_lanes_apart_by_the_heading(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_watch_module, "PASSAGE_S", 0.2)
    async with small_site(stage, "camera", ONE_CAMERA) as site:
        await site.read("entry", "A1111", "in")
        await site.until("order", "entry")
        # From behind, while it drives through and afterwards; and one of which nobody can tell.
        await site.read("entry", "A1111", "out")
        await site.until("cleared", "entry")
        await site.read("entry", "A1111", "out")
        await site.read("entry", "C3333")
        assert site.decided() == ["A1111"]
        await site.read("entry", "B2222", "out")
        await site.until("order", "exit")
        await site.until("cleared", "exit")
        assert (site.decided(), site.logic.pulses) == (["A1111", "B2222"], 2)
        assert len(site.reported("presented", "entry")) == 1
        assert len(site.reported("presented", "exit")) == 1


async def test_a_lane_that_ended_keeps_no_car_from_the_other_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[SharedPlace] = []

    def noted(arm: SharedArm) -> tuple[SharedPlace, SharedPlace]:
        places.extend(pair := places_at(arm))
        return pair

    monkeypatch.setattr(host_module, "places_at", noted)
    async with small_site(stage, "camera", ONE_CAMERA) as site:
        await site.read("entry", "A1111", "in")
        await site.until("order", "entry")
        assert [place.watch is None for place in places] == [False, False]
    # Whose car stood there when it ended, nobody knows: it may be the other lane's next one.
    assert [place.watch is None for place in places] == [True, True]


async def test_a_car_that_is_refused_keeps_the_arm_from_nobody(stage: Stage) -> None:
    def refuse_first(presentation_id: UUID, read: PlateRead) -> tuple[Action, DisplayText]:
        del presentation_id
        action = Action.REFUSE if read.text == "A1111" else Action.OPEN
        return action, DisplayText((read.text,))

    stage.service.decide_rule = refuse_first
    async with small_site(stage, "contact", TWO_CAMERAS) as site:
        await site.loops(OUTSIDE)
        await site.read("entry", "A1111")
        await eventually(lambda: len(site.decided()) == 1)
        await site.loops(OUTSIDE, INSIDE)
        await site.read("exit", "B2222")
        await site.until_kinds("exit", "pulsed")
        assert site.logic.pulses == 1

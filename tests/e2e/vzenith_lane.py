"""A lane of Vzenith's: its camera tells of the loop and of the car, and raises the arm itself."""

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import orjson

from parking.kit.clock import SystemClock
from parking.places import service as places
from parking.places.models import Direction, IdentifiedArea
from tests.contract.relay_stages import HttpLogic
from tests.e2e.device_lane import DeviceLane
from tests.e2e.stage import Stage

SERIAL: Final = "3c0d9ab2-77e1f405"
UP: Final = f"device/{SERIAL}/message/up"
TOKEN: Final = "camera-token-of-this-test"

_HEAD: Final = """
name = "vzenith"
data = "data"

[bridge]
url = "{bridge}"
reconnect_s_max = 0.5
"""
_LANE: Final = """
[[lane]]
id = "{lane_id}"
name = "entry"
loop = "contact"
token_file = "token"
contacts = {{ loop = "camera-1:0" }}
timing = {{ arm_rise_s = 0.0, blind_s_max = 600.0 }}
"""
OVER_MQTT: Final = f"""

[lane.barrier]
driver = "vzenith-mqtt"
device = "camera-1"
options = {{{{ serial = "{SERIAL}" }}}}

[[broker]]
name = "yard"
url = "mqtt://127.0.0.1:{{port}}"

[[device]]
name = "camera-1"
lane = "entry"
driver = "vzenith-mqtt"
broker = "yard"
topic = "{UP}/#"
"""
OVER_HTTP: Final = """
barrier = {{ driver = "reply", device = "camera-1" }}

[listener]
port = 0

[[device]]
name = "camera-1"
lane = "entry"
driver = "vzenith"
token_file = "camera-token"
"""


def plate_alarm(plate: str, age_s: float = 0.0, *, is_mqtt: bool = False) -> bytes:
    """Return what the camera tells of a car that it saw `age_s` ago."""
    at = SystemClock().now() - timedelta(seconds=age_s)
    licence = base64.b64encode(plate.encode()).decode() if is_mqtt else plate
    result = {
        "license": licence,
        "confidence": 97,
        "direction": 4,
        "isoffline": 0,
        "plateid": uuid4().int % 1_000_000,
        "timeStamp": {"Timeval": {"sec": int(at.timestamp()), "usec": 0}},
        "triggerType": 8,
    }
    alarm = {"AlarmInfoPlate": {"serialno": SERIAL, "result": {"PlateResult": result}}}
    return orjson.dumps(_message("ivs_result", alarm) if is_mqtt else alarm)


def loop_alarm(*, is_on: bool, is_mqtt: bool = False) -> bytes:
    """Return what the camera tells of the loop at its first input."""
    trigger = {"TriggerResult": {"source": 0, "value": int(is_on)}}
    alarm = {"AlarmGioIn": {"serialno": SERIAL, "result": trigger}}
    return orjson.dumps(_message("gpio_in", {"body": alarm}) if is_mqtt else alarm)


def _message(name: str, payload: object) -> dict[str, object]:
    now = int(SystemClock().now().timestamp())
    return {
        "id": uuid4().hex[:16],
        "sn": SERIAL,
        "name": name,
        "version": "1.0",
        "timestamp": now,
        "payload": payload,
    }


@asynccontextmanager
async def vzenith_lane(
    stage: Stage, folder: Path, rest: str, port: int = 0
) -> AsyncGenerator[DeviceLane]:
    """Add an entry to the place, and run its site.

    Args:
        stage: The bridge and its database.
        folder: For the site's files.
        rest: The site file's part about the barrier and the camera.
        port: Of the broker.
    """
    async with stage.town.context.database.begin() as unit:
        [row] = await stage.rows(
            "SELECT id FROM identified_areas WHERE place_id = :id", id=stage.place.place_id
        )
        area = await unit.session.get(IdentifiedArea, (stage.place.operator_id, row["id"]))
        assert area is not None
        name = f"vzenith {folder.name}"
        new = places.add_lane(unit, area, name=name, direction=Direction.ENTRY)
        lane_id, token = new.lane.id, new.device_token
    (folder / "token").write_text(token)
    (folder / "camera-token").write_text(TOKEN)
    text = (_HEAD + _LANE + rest).format(
        bridge=stage.town.gates_url.replace("http", "ws", 1), lane_id=lane_id, port=port
    )
    (folder / "site.toml").write_text(text)
    lane = DeviceLane(stage, lane_id, folder, HttpLogic())
    await lane.start()
    try:
        await lane.told("connected")
        yield lane
    finally:
        await lane.kill()

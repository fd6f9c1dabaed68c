"""Every driver, whatever comes: signals, or one of two refusals; and always an answer."""

import copy
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, cast
from uuid import UUID

import orjson
import pytest

from gate_bridge.agent.site.makers import DRIVER_NAMES, FRAMES, device_driver
from gate_bridge.agent.site.settings import SiteDevice
from gate_bridge.drivers.port import (
    CameraRead,
    DeviceMessage,
    DeviceSettings,
    NotAnprError,
    PushDriver,
)
from parking.kit.errors import InvalidInputError
from parking.plates.reads import TEXT_LENGTH_MAX
from tests.contract.vzenith_replies import plate_body

RECEIVED_AT: Final = datetime(2026, 3, 2, 7, 0, 5, tzinfo=UTC)
LANE_ID: Final = UUID(int=7)
FLIPS: Final = 150
LEAVES_MAX: Final = 60
JUNK: Final[tuple[object, ...]] = (
    None,
    True,
    -1,
    0,
    2**62,
    1e308,
    -0.5,
    "",
    "nan",
    "1e999",
    "\x00",
    "𐀀" * 70,
    "9999-12-31T23:59:59+00:00",
    "0001-01-01 00:00:00",
    [],
    [["x"]],
    {},
    {"": None},
)
_ONVIF: Final = (
    '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><e:Notify>'
    "<e:NotificationMessage><e:Topic>t:RuleEngine/Plate</e:Topic><e:Message>"
    '<e:Message UtcTime="2026-03-02T07:00:00Z"><e:Data>'
    '<e:SimpleItem Name="PlateNumber" Value="AB12CDE"/>'
    '<e:SimpleItem Name="Likelihood" Value="90"/></e:Data></e:Message></e:Message>'
    "</e:NotificationMessage></e:Notify></e:Body></e:Envelope>"
)
_HIKVISION: Final = (
    "<EventNotificationAlert><dateTime>2026-03-02T07:00:00Z</dateTime>"
    "<eventType>ANPR</eventType><ANPR><licensePlate>AB12CDE</licensePlate>"
    "<confidenceLevel>90</confidenceLevel><direction>forward</direction></ANPR>"
    "</EventNotificationAlert>"
)
_DAHUA: Final = {
    "Picture": {
        "Plate": {"PlateNumber": "AB12CDE", "Confidence": 90},
        "SnapInfo": {"AccurateTime": "2026-03-02 07:00:00", "Direction": "Obverse"},
    }
}
_AXIS: Final = {
    "plateUTF8": "AB12CDE",
    "plateConfidence": "0.91",
    "carID": "5",
    "carState": "new",
    "datetime": "20260302 070000000",
}
_MQTT: Final = {
    "id": "k",
    "timestamp": 1_772_434_803,
    "payload": {
        "AlarmInfoPlate": {"result": {"PlateResult": {"license": "QUIxMkNERQ==", "confidence": 90}}}
    },
}
_STREAM: Final[dict[str, object]] = {
    "data": {
        "timestamp": "2026-03-02T07:00:00Z",
        "results": [{"plate": "ab12cde", "score": 0.9, "direction": 5, "candidates": []}],
    }
}
_REKOR: Final = {
    "data_type": "alpr_group",
    "best_plate_number": "AB12CDE",
    "best_confidence": 90,
    "epoch_end": 1_772_434_803_000,
    "candidates": [{"plate": "AB12CDF", "confidence": 5}],
}
_MILESIGHT: Final = {"plate": "AB12CDE", "time": "2026-03-02 07:00:00", "direction": "In"}
_GENERIC: Final = {"p": "AB12CDE", "c": 0.9, "t": "2026-03-02T07:00:00Z", "l": [{"i": ""}]}
_MAP: Final[dict[str, object]] = {
    "plate": "p",
    "confidence": "c",
    "time": "t",
    "pictures": ["l[0].i"],
}
BODIES: Final[dict[str, bytes]] = {
    "axis": orjson.dumps(_AXIS),
    "dahua": orjson.dumps(_DAHUA),
    "generic": orjson.dumps(_GENERIC),
    "hikvision": _HIKVISION.encode(),
    "milesight": orjson.dumps(_MILESIGHT),
    "onvif": _ONVIF.encode(),
    "platerecognizer": orjson.dumps(_STREAM),
    "rekor": orjson.dumps(_REKOR),
    "vzenith": plate_body("AB12CDE"),
    "vzenith-mqtt": orjson.dumps(_MQTT),
}
TARGETS: Final = {
    "dahua": "/NotificationInfo/TollgateInfo",
    "vzenith-mqtt": "device/s/message/up/ivs_result",
}


def settings_of(name: str) -> DeviceSettings:
    options = _MAP if name == "generic" else {}
    return DeviceSettings(name="camera", zone=UTC, options=options)


def driver_of(name: str) -> PushDriver:
    driver = device_driver(SiteDevice(settings=settings_of(name), lane_id=LANE_ID, driver=name))
    assert driver is not None
    return driver


def try_message(name: str, body: bytes, content_type: str = "") -> list[CameraRead]:
    """Return the reads; raises whatever is neither of the two refusals."""
    driver, settings = driver_of(name), settings_of(name)
    message = DeviceMessage(
        target=TARGETS.get(name, ""),
        headers={"content-type": content_type} if content_type else {},
        body=body,
        received_at=RECEIVED_AT,
    )
    for opens in (False, driver.reply_opens):
        assert driver.reply(message, settings, opens=opens).status == 200
    try:
        signals = driver.signals(message, settings)
    except (NotAnprError, InvalidInputError):
        return []
    reads = [signal for signal in signals if isinstance(signal, CameraRead)]
    for read in reads:
        assert 0 <= read.confidence <= 1
        assert read.captured_at.utcoffset() is not None
        assert read.plate is None or 2 <= len(read.plate) <= TEXT_LENGTH_MAX
    return reads


def test_every_driver_is_held_to_the_contract() -> None:
    assert {*BODIES, FRAMES} == set(DRIVER_NAMES)


@pytest.mark.parametrize("name", BODIES)
def test_a_plain_message_is_one_read(name: str) -> None:
    assert [read.plate for read in try_message(name, BODIES[name])] == ["AB12CDE"]


@pytest.mark.parametrize("name", BODIES)
def test_cut_and_broken_bytes_are_refused_or_read(name: str) -> None:
    chance = random.Random(f"{name} 6")  # noqa: S311 - no secret
    body = BODIES[name]
    for _ in range(FLIPS):
        broken = bytearray(body[: chance.randrange(len(body) + 1)])
        for _ in range(min(len(broken), chance.randrange(4))):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try_message(name, bytes(broken))


@pytest.mark.parametrize("name", [name for name in BODIES if BODIES[name].startswith(b"{")])
def test_values_of_other_kinds_are_refused_or_read(name: str) -> None:
    whole: object = orjson.loads(BODIES[name])
    for path in list(_leaves(whole, ()))[:LEAVES_MAX]:
        for junk in JUNK:
            try_message(name, orjson.dumps(_replaced(whole, path, junk)))


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00" * 1000,
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"<a>" * 100_000,
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"--b\r\n" * 50_000,
        b"--b\r\n\r\n--b--",
        b"a=b&" * 50_000,
    ],
    ids=lambda body: repr(body[:24]),
)
@pytest.mark.parametrize(
    "content_type",
    ["", "multipart/form-data; boundary=b", "application/x-www-form-urlencoded"],
)
def test_bombs_are_refused(name: str, body: bytes, content_type: str) -> None:
    assert try_message(name, body, content_type) == []


def _leaves(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, below in cast("dict[str, object]", value).items():
            yield from _leaves(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(cast("list[object]", value)):
            yield from _leaves(below, (*path, index))


def _replaced(whole: object, path: tuple[str | int, ...], junk: object) -> object:
    changed = copy.deepcopy(whole)
    place = cast("dict[str | int, object]", changed)
    for step in path[:-1]:
        place = cast("dict[str | int, object]", place[step])
    place[path[-1]] = junk
    return changed

"""What curl sends to the listener is what the drivers read: from the socket to the plate."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from gate_bridge.drivers.axis import AxisDriver
from gate_bridge.drivers.dahua import DahuaDriver
from gate_bridge.drivers.hikvision import HikvisionDriver
from gate_bridge.drivers.port import CameraRead, NotAnprError
from parking.kit.errors import InvalidInputError
from tests.factories.device_site import Site, device, needs_curl, open_device, site

pytestmark = needs_curl
HIKVISION, DAHUA, AXIS = HikvisionDriver(), DahuaDriver(), AxisDriver()
DIGEST = ("--digest", "-u", "user:s3cret")
XML = (
    b"<EventNotificationAlert><eventType>ANPR</eventType><ANPR><licensePlate>WX 1234</licensePlate>"
    b"<confidenceLevel>92</confidenceLevel></ANPR></EventNotificationAlert>"
)
JPEG = b"\xff\xd8\xff\xe0" + b"\r\n--x\n" * 200_000 + b"\xff\xd9"
LAUGHS = b'<!DOCTYPE l [<!ENTITY a "a"><!ENTITY b "' + b"&a;" * 99 + b'">]><l>' + b"&b;" * 99


@pytest.fixture
async def at() -> AsyncGenerator[Site]:
    async with site(
        device("hik", HIKVISION),
        device("dahua", DAHUA),
        device("axis", AXIS),
        open_device("bare", HIKVISION),
    ) as started:
        yield started


def last_read(at: Site) -> CameraRead:
    name, message = at.intake.kept[-1]
    settings = device(name).settings
    driver = {"dahua": DAHUA, "axis": AXIS}.get(name, HIKVISION)
    (read,) = driver.signals(message, settings)
    assert isinstance(read, CameraRead)
    return read


async def test_hikvision_by_form_or_bare(at: Site, tmp_path: Path) -> None:
    (tmp_path / "anpr.xml").write_bytes(XML)
    (tmp_path / "plate.jpg").write_bytes(JPEG)
    xml, jpeg = f"@{tmp_path}/anpr.xml", f"@{tmp_path}/plate.jpg"
    form = ("-F", f"anpr.xml={xml};type=text/xml", "-F", f"licensePlatePicture.jpg={jpeg}")
    for way in (
        form,
        (*form[:2], "-F", f"licensePlatePicture.jpg=<{jpeg[1:]}"),
        (*form, "-H", "Content-Type: multipart/mixed"),
    ):
        assert await at.curl_reply("/devices/hik", *DIGEST, *way) == (200, b"")
        read = last_read(at)
        assert (read.plate, read.confidence) == ("WX1234", 0.92)
        assert [(each.image, each.is_plate_only) for each in read.pictures] == [(JPEG, True)]
    for content_type in ("application/xml", "text/xml; charset=UTF-8", "", "multipart/form-data"):
        header = ("-H", f"Content-Type: {content_type}")
        assert await at.curl("/devices/hik", *DIGEST, *header, body=XML) == 200
        assert last_read(at).plate == "WX1234"


QUIRKS = {
    "line feeds alone": b"--b\nContent-Type: text/xml\n\n" + XML + b"\n--b--\n",
    "no end": b"--b\r\n\r\n" + XML,
    "no empty line": b"--b\r\n" + XML + b"\r\n--b--",
    "a preamble and a wrong length": b"x\r\n--b\r\nContent-Length: 3\r\n\r\n" + XML + b"\r\n--b--",
}


@pytest.mark.parametrize(
    "content_type",
    ["multipart/mixed; boundary=b", 'multipart/form-data; boundary="b";', "multipart/form-data"],
)
async def test_every_quirk_comes_through(at: Site, content_type: str) -> None:
    for body in QUIRKS.values():
        header = ("-H", f"Content-Type: {content_type}")
        assert await at.curl("/devices/bare", *header, body=body) == 200
        assert last_read(at).plate == "WX1234"


async def test_dahua_proves_itself_and_is_told_that_it_was_heard(at: Site) -> None:
    body = b'{"Picture":{"Plate":{"PlateNumber":"ABC1234","Confidence":204}}}'
    path = "/devices/dahua/NotificationInfo/TollgateInfo"
    assert await at.curl_reply(path, *DIGEST, body=body) == (200, b'{"Result":true}')
    assert (last_read(at).plate, last_read(at).confidence) == ("ABC1234", 0.8)
    # Where the path cannot be changed, the username tells the camera.
    fixed = "/NotificationInfo/TollgateInfo"
    assert await at.curl_reply(fixed, *DIGEST, body=body) == (200, b'{"Result":true}')
    assert [name for name, _ in at.intake.kept] == ["dahua", "dahua"]


async def test_dahua_asks_with_an_empty_proof_and_the_whole_message(at: Site) -> None:
    path = "/devices/dahua/NotificationInfo/TollgateInfo"
    body = b'{"Picture":{"Plate":{"PlateNumber":"ABC1234"}}}' + b" " * 1_000_000
    empty = f'Digest username="user", realm="", nonce="", uri="{path}", qop="", response=""'
    async with httpx.AsyncClient() as client:
        asked = await client.post(at.url + path, content=body, headers={"Authorization": empty})
        assert asked.status_code == 401
        assert asked.headers["www-authenticate"].startswith('Digest realm="sesame", qop="auth"')
        assert at.intake.kept == []
        proof = httpx.DigestAuth("user", "s3cret")
        answers = [await client.post(at.url + path, content=body, auth=proof) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3
        # One challenge serves them all: the count goes on.
        assert [len(answer.history) for answer in answers] == [1, 0, 0]
    assert at.intake.bodies == [body] * 3


async def test_axis_sends_an_event_beside_a_picture(at: Site, tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(JPEG)
    event = '{"plateUTF8":"RZ3832H","plateConfidence":"0.9","carState":"new","imageType":"plate"}'
    form = ("--form-string", f"event={event}", "-F", f"=@{tmp_path}/p.jpg;filename=")
    assert await at.curl("/devices/axis", *DIGEST, *form) == 200
    read = last_read(at)
    assert (read.plate, [each.image for each in read.pictures]) == ("RZ3832H", [JPEG])


async def test_bombs_are_kept_answered_and_refused_when_they_are_read(at: Site) -> None:
    bombs = [LAUGHS, b"<a>" * 100_000, b"--b\n" * 100_000, b"\n" * 1_000_000, b'{"a":' * 50_000]
    for bomb in bombs:
        assert await at.curl_reply("/devices/bare", body=bomb) == (200, b"")
    assert at.intake.bodies == bombs
    for _, message in at.intake.kept:
        with pytest.raises((InvalidInputError, NotAnprError)):
            HIKVISION.signals(message, device().settings)


async def test_many_cameras_at_once_lose_nothing(at: Site) -> None:
    bodies = [b"%d" % number for number in range(24)]
    names = ("hik", "axis", "dahua")
    statuses = await asyncio.gather(
        *(
            at.curl(f"/devices/{names[number % 3]}", *DIGEST, body=body)
            for number, body in enumerate(bodies)
        )
    )
    assert statuses == [200] * 24
    assert sorted(at.intake.bodies) == sorted(bodies)

import base64
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_bridge.drivers.axis import AxisDriver
from gate_bridge.drivers.port import (
    CameraRead,
    CarState,
    DeviceMessage,
    DeviceReply,
    DeviceSettings,
    DeviceSignal,
    Heading,
    KeepAlive,
    NotAnprError,
)
from parking.kit.errors import InvalidInputError

DRIVER = AxisDriver()
RECEIVED_AT = datetime(2026, 2, 23, 9, 11, 13, tzinfo=UTC)
STOCKHOLM = ZoneInfo("Europe/Stockholm")
FORM = "multipart/form-data; boundary=axis"
CAR = b"\xff\xd8\xff\xe0car\xff\xd9"
PLATE = b"\x89PNG\r\n\x1a\nplate\x00\x00\x00\x00IEND\xaeB`\x82"


def event(**changes: object) -> dict[str, object]:
    """An event as protocol 1.6 describes it, with what a test changes."""
    told: dict[str, object] = {
        "packetCounter": "2591",
        "datetime": "20260223 101112345",
        "plateUTF8": "rz 3832-h",
        "plateUnicode": "RZ3832H",
        "plateText": "RZ3832H",
        "plateCountry": "DNK",
        "plateConfidence": "0.875",
        "carState": "new",
        "imageType": "plate",
        "plateImageType": "jpeg",
        "plateImageSize": "0",
        "carMoveDirection": "unk",
        "timeProcessing": "50",
        "plateCoordinates": [10, 20, 100, 30],
        "carID": "123456789",
        "roiID": "1",
        "sensorProviderID": "Entry",
        "frame_timestamp": "155131902113266",
        "capture_timestamp": "1771837872345000000",
    }
    return {name: value for name, value in (told | changes).items() if value is not None}


def form(told: object, *images: tuple[str, bytes]) -> bytes:
    """The event and its pictures, each with the headers that a test says."""
    parts = [(b'Content-Disposition: form-data; name="event"', orjson.dumps(told))]
    parts += [(headers.encode(), image) for headers, image in images]
    return b"".join(b"--axis\r\n%b\r\n\r\n%b\r\n" % part for part in parts) + b"--axis--\r\n"


def signals(
    body: object, content_type: str = "application/json", **options: object
) -> list[DeviceSignal]:
    settings = DeviceSettings(name="camera", zone=STOCKHOLM, options=options)
    DRIVER.check(settings)
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    message = DeviceMessage(
        target="/", headers={"content-type": content_type}, body=raw, received_at=RECEIVED_AT
    )
    return list(DRIVER.signals(message, settings))


def read(body: object, **told: Any) -> CameraRead:  # noqa: ANN401 - of `signals`
    (signal,) = signals(body, **told)
    assert isinstance(signal, CameraRead)
    return signal


NEW = CameraRead(
    plate="RZ3832H",
    confidence=0.875,
    captured_at=datetime(2026, 2, 23, 9, 11, 12, 345000, tzinfo=UTC),
    heading=Heading.UNKNOWN,
    state=CarState.NEW,
    read_id="2026-02-23T09:11:12.345000+00:00:2591",
    car_id="123456789",
    region="DNK",
)


def test_a_new_car_has_no_direction() -> None:
    assert read(event()) == NEW


@pytest.mark.parametrize(
    ("state", "direction", "expected"),
    [
        ("update", "in", (CarState.UPDATED, Heading.TOWARDS)),
        ("updated", "out", (CarState.UPDATED, Heading.AWAY)),
        ("UPDATE", "IN", (CarState.UPDATED, Heading.TOWARDS)),
        ("lost", "in", (CarState.LOST, Heading.TOWARDS)),
        ("new", "", (CarState.NEW, Heading.UNKNOWN)),
        (None, None, (CarState.NEW, Heading.UNKNOWN)),
    ],
)
def test_the_camera_follows_a_car(
    state: str | None, direction: str | None, expected: tuple[CarState, Heading]
) -> None:
    found = read(event(carState=state, carMoveDirection=direction, plateUTF8="RZ3832K"))
    assert (found.state, found.heading) == expected
    assert (found.car_id, found.plate) == ("123456789", "RZ3832K")


def test_an_installer_turns_the_headings_round() -> None:
    found = read(event(carMoveDirection="in"), headings={"in": "away", "out": "towards"})
    assert found.heading is Heading.AWAY


def test_an_empty_id_is_none() -> None:
    found = read(event(carID="", packetCounter="", plateCountry=""))
    assert (found.car_id, found.read_id, found.region) == (None, None, None)


def test_a_car_that_is_lost_without_a_plate() -> None:
    found = read(event(carState="lost", plateUTF8="----/----", plateConfidence="0.9"))
    assert (found.plate, found.confidence, found.state) == (None, 0.0, CarState.LOST)


@pytest.mark.parametrize("written", ["unknown", "_无_", "", "R?3832H"])
def test_a_car_without_a_plate(written: str) -> None:
    found = read(event(plateUTF8=written, plateUnicode="", plateText=""))
    assert (found.plate, found.confidence) == (None, 0.0)


@pytest.mark.parametrize(
    ("confidence", "options", "expected"),
    [
        ("1", {}, 1.0),
        (0, {}, 0.0),
        (95.5, {}, 0.955),
        (1, {"confidence_full": 100}, 0.01),
        (None, {}, 0.8),
        ("", {"assumed_confidence": 0.6}, 0.6),
    ],
)
def test_confidence(confidence: object, options: dict[str, object], expected: float) -> None:
    assert read(event(plateConfidence=confidence), **options).confidence == pytest.approx(expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"capture_timestamp": None, "capture_ts": "1771837872345"},
        {"capture_timestamp": 1771837872345000},
        {"capture_timestamp": None},
        {"capture_timestamp": None, "datetime": "20260223 101112345+0100"},
        {"capture_timestamp": 0, "datetime": "2026-02-23T09:11:12.345Z"},
    ],
)
def test_times(changes: dict[str, object]) -> None:
    assert read(event(**changes)).captured_at == NEW.captured_at


def test_a_time_that_is_missing_is_that_of_the_receipt() -> None:
    assert read(event(capture_timestamp=None, datetime=None)).captured_at == RECEIVED_AT


@pytest.mark.parametrize("content_type", [FORM, "multipart/mixed; boundary=axis", ""])
def test_pictures_beside_the_event(content_type: str) -> None:
    body = form(
        event(),
        ("Content-Type: image/png", PLATE),
        ('Content-Disposition: form-data; name="frame"; filename="frame.jpg"', CAR),
    )
    found = read(body, content_type=content_type)
    assert [(each.image, each.is_plate_only) for each in found.pictures] == [
        (PLATE, True),
        (CAR, False),
    ]
    frame = read(form(event(imageType="frame"), ("Content-Type: image/jpeg", CAR)))
    assert [each.is_plate_only for each in frame.pictures] == [False]


def test_pictures_inside_the_event() -> None:
    images = [
        {"ImageType": "plate", "BinaryImage": base64.b64encode(PLATE).decode()},
        {"ImageType": "vehicle", "BinaryImage": base64.b64encode(CAR).decode()},
    ]
    found = read(event(ImageArray=images))
    assert [(each.image, each.is_plate_only) for each in found.pictures] == [
        (PLATE, True),
        (CAR, False),
    ]


def test_several_events_at_once_with_their_pictures() -> None:
    told = [
        event(imageType="frame", imageArray=base64.b64encode(CAR).decode()),
        event(carState="update", imageType="plate", imageArray=base64.b64encode(PLATE).decode()),
        {"heartbeat": 1},
    ]
    first, second = signals(told)
    assert isinstance(first, CameraRead)
    assert isinstance(second, CameraRead)
    assert (first.state, second.state) == (CarState.NEW, CarState.UPDATED)
    assert [(each.image, each.is_plate_only) for each in first.pictures] == [(CAR, False)]
    assert [(each.image, each.is_plate_only) for each in second.pictures] == [(PLATE, True)]


def test_the_region_of_one_device() -> None:
    assert read(event(), region_of_interest=1) == NEW
    with pytest.raises(NotAnprError):
        signals(event(), region_of_interest=2)


@pytest.mark.parametrize(
    "body", [{"heartbeat": 1}, {"event": "HeartBeat"}, {"type": "keepalive"}, {"MAC_Address": "x"}]
)
def test_signs_of_life(body: dict[str, object]) -> None:
    assert signals(body) == [KeepAlive()]


def test_what_is_no_car() -> None:
    with pytest.raises(NotAnprError):
        signals({"event": "tampering"})
    with pytest.raises(NotAnprError):
        signals({"carState": "lost", "deviceID": "x"})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"hello", "body"),
        (form([]), "body"),
        (b"[]", "body"),
        (b"[[", "body"),
        (b"{", "body"),
        (b'--axis\r\nContent-Disposition: form-data; name="event"\r\n\r\n{\r\n--axis--', "event"),
        (event(carState="gone"), "carState"),
        (event(plateConfidence=101), "plateConfidence"),
        (event(plateConfidence="high"), "plateConfidence"),
        (event(capture_timestamp=1e300), "capture_timestamp"),
        (event(capture_timestamp=None, datetime="soon"), "datetime"),
    ],
)
def test_what_cannot_be_read_names_the_part(body: object, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        signals(body, FORM)
    assert refused.value.field == field


def test_the_answer_is_a_bare_200() -> None:
    message = DeviceMessage(target="", headers={}, body=b"", received_at=RECEIVED_AT)
    settings = DeviceSettings(name="camera", zone=UTC)
    assert DRIVER.reply(message, settings, opens=False) == DeviceReply(status=200, body=b"")
    assert not DRIVER.reply_opens


VALUES = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text()


@given(st.dictionaries(st.sampled_from(sorted(event())), VALUES))
def test_whatever_a_field_holds_is_read_or_refused(changes: dict[str, object]) -> None:
    try:
        found = signals(event(**changes))
    except (InvalidInputError, NotAnprError):
        return
    assert all(isinstance(each, CameraRead) and 0 <= each.confidence <= 1 for each in found)

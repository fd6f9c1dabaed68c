import base64
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_bridge.drivers.dahua import DahuaDriver
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

DRIVER = DahuaDriver()
RECEIVED_AT = datetime(2026, 2, 10, 12, 30, 46, tzinfo=UTC)
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
CAR = b"\xff\xd8\xff\xe0car\xff\xd9"
PLATE = b"\xff\xd8\xff\xe0plate\xff\xd9"


def message(body: object, content_type: str = "", target: str = "") -> DeviceMessage:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return DeviceMessage(
        target=target, headers={"content-type": content_type}, body=raw, received_at=RECEIVED_AT
    )


def signals(
    body: object,
    content_type: str = "application/json",
    target: str = "/NotificationInfo/TollgateInfo",
    zone: ZoneInfo | timezone = SAO_PAULO,
    **options: object,
) -> list[DeviceSignal]:
    settings = DeviceSettings(name="camera", zone=zone, options=options)
    DRIVER.check(settings)
    return list(DRIVER.signals(message(body, content_type, target), settings))


def read(body: object, **told: Any) -> CameraRead:  # noqa: ANN401 - of `signals`
    (signal,) = signals(body, **told)
    assert isinstance(signal, CameraRead)
    return signal


def tollgate(
    plate: dict[str, object] | None = None,
    snap: dict[str, object] | None = None,
    **picture: object,
) -> dict[str, object]:
    """A message as a camera of the 7250 series sends it, with what a test changes."""
    return {
        "Picture": {
            "Plate": {"PlateNumber": "abc-1d23", "Confidence": 90, "IsExist": True, "Channel": 0}
            | (plate or {}),
            "Vehicle": {"VehicleColor": "Black", "VehicleType": "Car"},
            "SnapInfo": {
                "AccurateTime": "2026-02-10 09:30:45.250",
                "DeviceID": "camera_01",
                "Direction": "Obverse",
                "LanNo": 1,
                "TriggerSource": "Video",
            }
            | (snap or {}),
        }
        | picture
    }


def test_a_car() -> None:
    found = read(tollgate())
    assert found == CameraRead(
        plate="ABC1D23",
        confidence=0.9,
        captured_at=datetime(2026, 2, 10, 12, 30, 45, 250000, tzinfo=UTC),
        heading=Heading.TOWARDS,
        read_id=found.read_id,
    )


def test_the_same_read_again_has_the_same_id_and_no_other_has() -> None:
    ids = [
        read(tollgate()).read_id,
        read(tollgate()).read_id,
        read(tollgate({"PlateNumber": "XYZ9999"})).read_id,
        read(tollgate(snap={"AccurateTime": "2026-02-10 09:30:46"})).read_id,
        read(tollgate(NormalPic={"PicName": "a.jpg"})).read_id,
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert all(each is not None and "ABC" not in each and len(each) == 32 for each in ids)
    assert read(tollgate(snap={"AccurateTime": None})).read_id is None


@pytest.mark.parametrize(
    ("confidence", "options", "expected"),
    [
        (0, {}, 0.0),
        (100, {}, 1.0),
        (255, {}, 1.0),
        (204, {}, 0.8),
        ("90", {}, 0.9),
        (51, {"confidence_full": 255}, 0.2),
        (None, {}, 0.8),
        (None, {"assumed_confidence": 0.5}, 0.5),
    ],
)
def test_both_scales(confidence: object, options: dict[str, object], expected: float) -> None:
    found = read(tollgate({"Confidence": confidence}), **options)
    assert found.confidence == pytest.approx(expected)


@pytest.mark.parametrize(
    ("confidence", "options"), [(256, {}), (-1, {}), ("x", {}), (101, {"confidence_full": 100})]
)
def test_a_confidence_of_no_scale(confidence: object, options: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read(tollgate({"Confidence": confidence}), **options)
    assert refused.value.field == "Picture.Plate.Confidence"


@pytest.mark.parametrize(
    "plate",
    [
        {"PlateNumber": ""},
        {"PlateNumber": None},
        {"PlateNumber": "unknown"},
        {"PlateNumber": "_无_"},
        {"PlateNumber": "ABC1D23", "IsExist": False},
    ],
)
def test_a_car_without_a_plate(plate: dict[str, object]) -> None:
    found = read(tollgate(plate))
    assert (found.plate, found.confidence) == (None, 0.0)


@pytest.mark.parametrize(
    ("direction", "heading"),
    [
        ("Obverse", Heading.TOWARDS),
        ("Reverse", Heading.AWAY),
        ("Approach", Heading.TOWARDS),
        ("Leave", Heading.AWAY),
        ("Unknown", Heading.UNKNOWN),
        (None, Heading.UNKNOWN),
        (8, Heading.UNKNOWN),
    ],
)
def test_headings(direction: object, heading: Heading) -> None:
    assert read(tollgate(snap={"Direction": direction})).heading is heading


def test_an_installer_says_what_a_word_means() -> None:
    options = {"headings": {"8": "away"}}
    assert read(tollgate(snap={"Direction": 8}), **options).heading is Heading.AWAY


@pytest.mark.parametrize(
    ("snap", "captured_at"),
    [
        ({"AccurateTime": "2026-02-10 09:30:45"}, datetime(2026, 2, 10, 12, 30, 45, tzinfo=UTC)),
        ({"AccurateTime": "2026-02-10T09:30:45"}, datetime(2026, 2, 10, 12, 30, 45, tzinfo=UTC)),
        (
            {"AccurateTime": "", "SnapTime": "2026-02-10 09:30:44"},
            datetime(2026, 2, 10, 12, 30, 44, tzinfo=UTC),
        ),
        ({"AccurateTime": None}, RECEIVED_AT),
    ],
)
def test_times(snap: dict[str, object], captured_at: datetime) -> None:
    assert read(tollgate(snap=snap)).captured_at == captured_at


def test_the_lane_of_one_device() -> None:
    assert read(tollgate(), lane=1).plate == "ABC1D23"
    with pytest.raises(NotAnprError, match="lane 1"):
        read(tollgate(), lane=2)


def test_pictures_in_base64() -> None:
    def content(image: bytes) -> str:
        return base64.b64encode(image).decode()

    found = read(
        tollgate(
            NormalPic={"Content": content(CAR), "PicName": "car.jpg"},
            CutoutPic={"Content": "data:image/jpeg;base64," + content(PLATE)},
            VehiclePic={"Content": content(b"no picture"), "PicName": "x.jpg"},
        )
    )
    assert [(each.image, each.name, each.is_plate_only) for each in found.pictures] == [
        (CAR, "car.jpg", False),
        (PLATE, "CutoutPic", True),
    ]


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/NotificationInfo/KeepAlive", {"Active": True, "DeviceID": "x"}),
        ("/NotificationInfo/DeviceInfo", {"DeviceName": "VIP", "DeviceModel": "VIP"}),
        ("/NotificationInfo/KeepAlive", {}),
        ("/whatever", {"Active": True}),
        ("", b"--myboundary\r\nContent-Type: text/plain\r\n\r\nHeartbeat\r\n"),
        ("", b"Heartbeat"),
    ],
)
def test_signs_of_life(target: str, body: object) -> None:
    assert signals(body, "multipart/x-mixed-replace", target=target) == [KeepAlive()]


def event(code: str = "TrafficJunction", /, **data: object) -> dict[str, object]:
    return {
        "Code": code,
        "Action": "Pulse",
        "Data": {
            "TrafficCar": {"PlateNumber": "ABC1D23", "DrivingDirection": ["Approach", "", ""]},
            "Object": {"Text": "ABC1D23", "Confidence": 204},
            "CommInfo": {"SnapCategory": "Motor", "Country": "BR"},
            "GroupID": 41,
            "IndexInGroup": 1,
            "CountInGroup": 2,
            "Lane": 1,
            "RealUTC": 1770726645,
            "UTC": 1770715845,
            "UTCMS": 250,
        }
        | data,
    }


def rpc(*events: object) -> dict[str, object]:
    return {"method": "client.notifyEventStream", "params": {"eventList": list(events)}}


EVENT_READ = CameraRead(
    plate="ABC1D23",
    confidence=0.8,
    captured_at=datetime(2026, 2, 10, 12, 30, 45, 250000, tzinfo=UTC),
    heading=Heading.TOWARDS,
    read_id="41:1",
    car_id="41",
    region="BR",
)
LINES = b"""Events[0].EventBaseInfo.Code=TrafficJunction
Events[0].EventBaseInfo.Action=Pulse
Events[0].UTC=1770715845
Events[0].UTCMS=250
Events[0].GroupID=41
Events[0].Object.Confidence=204
Events[0].Object.BoundingBox[0]=3848
Events[0].TrafficCar.PlateNumber=ABC1D23
Events[0].TrafficCar.DrivingDirection[0]=Approach
Events[0].CommInfo.Country=BR
Events[0].Lane=1
"""


def as_text(told: dict[str, Any]) -> bytes:
    data = orjson.dumps(told["Data"], option=orjson.OPT_INDENT_2)
    return f"Code={told['Code']};action=Pulse;index=0;data=".encode() + data


@pytest.mark.parametrize(
    "body",
    [
        rpc(event()),
        rpc(event("VideoMotion"), event()),
        as_text(event()),
        b"--b\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n"
        + as_text(event())
        + b"\r\n",
        LINES,
        LINES.replace(b"Events[", b"ReturnEvents["),
        LINES.replace(b"\n", b"\r\n"),
    ],
)
def test_events_in_their_three_forms(body: object) -> None:
    assert signals(body, "multipart/x-mixed-replace", target="") == [EVENT_READ]


def test_an_event_with_pictures_behind() -> None:
    body = b"--b\r\nContent-Type: text/plain\r\n\r\n%b\r\n--b\r\nContent-Type: image/jpeg\r\n\r\n%b"
    found = read(body % (LINES, CAR), content_type="multipart/x-mixed-replace; boundary=b")
    assert [each.image for each in found.pictures] == [CAR]


def test_a_burst_is_of_one_car() -> None:
    first, second = signals(rpc(event(), event(IndexInGroup=2)), target="")
    assert isinstance(first, CameraRead)
    assert isinstance(second, CameraRead)
    assert (first.car_id, first.state, first.read_id) == ("41", CarState.NEW, "41:1")
    assert (second.car_id, second.state, second.read_id) == ("41", CarState.UPDATED, "41:2")


def test_an_event_without_a_group() -> None:
    found = read(rpc(event(GroupID="", CommInfo={})))
    assert (found.car_id, found.read_id, found.region) == (None, None, None)


@pytest.mark.parametrize(
    ("data", "heading"),
    [
        ({"VehicleDirection": "Tail"}, Heading.AWAY),
        ({"VehicleDirection": "Head", "TrafficCar": {}}, Heading.TOWARDS),
        ({"TrafficCar": {"DrivingDirection": ["Leave"]}}, Heading.AWAY),
        ({"TrafficCar": {}, "JunctionDirection": "Reverse"}, Heading.AWAY),
        ({"TrafficCar": {}}, Heading.UNKNOWN),
    ],
)
def test_headings_of_events(data: dict[str, object], heading: Heading) -> None:
    assert read(rpc(event(**data))).heading is heading


BANGKOK = timezone(timedelta(hours=7))


@pytest.mark.parametrize(
    ("data", "zone", "captured_at"),
    [
        # The clock on the wall, counted as if it were UTC; and a firmware that counts in earnest.
        ({"UTC": 1770751846}, BANGKOK, RECEIVED_AT),
        ({"UTC": 1770726646}, BANGKOK, RECEIVED_AT),
        ({"UTC": 1770726646}, UTC, RECEIVED_AT),
        ({"UTC": "2026-02-10 19:30:46"}, BANGKOK, RECEIVED_AT),
        ({"UTC": 1, "LocaleTime": "2026-02-10 19:30:46"}, BANGKOK, RECEIVED_AT),
        ({"UTC": 1, "RealUTC": 1770726646}, BANGKOK, RECEIVED_AT),
        ({"UTC": 0}, BANGKOK, RECEIVED_AT),
    ],
)
def test_times_of_events(data: dict[str, object], zone: timezone, captured_at: datetime) -> None:
    told = event(**({"RealUTC": None, "UTCMS": 0} | data))
    assert read(rpc(told), zone=zone).captured_at == captured_at


@pytest.mark.parametrize(
    "body",
    [
        rpc(event("VideoMotion")),
        rpc(event(CommInfo={"SnapCategory": "NonMotor"})),
        rpc(event(Action="Stop")),
        b"Code=VideoMotion;action=Start;index=0",
        b'Code=TrafficJunction;action=Pulse;index=0;data={"CommInfo":{"SnapCategory":"NonMotor"}}',
        {"hello": 1},
    ],
)
def test_what_is_no_car(body: object) -> None:
    with pytest.raises(NotAnprError):
        signals(body, "text/plain")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"hello", "body"),
        (b"{", "body"),
        (CAR, "body"),
        ({"Picture": 1}, "Picture"),
        (tollgate({"PlateNumber": {}}), "Picture.Plate.PlateNumber"),
        (tollgate(snap={"AccurateTime": "soon"}), "Picture.SnapInfo.AccurateTime"),
        (b"Code=TrafficJunction;action=Pulse;index=0;data={", "data"),
        (rpc(event(RealUTC=1e30)), "params.eventList[0].Data.RealUTC"),
    ],
)
def test_what_cannot_be_read_names_the_part(body: object, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        signals(body, "multipart/form-data; boundary=b")
    assert refused.value.field == field


def test_the_answer_ends_the_repetition() -> None:
    settings = DeviceSettings(name="camera", zone=UTC)
    assert DRIVER.reply(message(b"\x00"), settings, opens=False) == DeviceReply(
        status=200, content_type="application/json", body=b'{"Result":true}'
    )
    assert not DRIVER.reply_opens


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)


@given(
    st.dictionaries(st.sampled_from(["PlateNumber", "Confidence", "IsExist", "Region"]), VALUES),
    st.dictionaries(st.sampled_from(["AccurateTime", "SnapTime", "Direction", "LanNo"]), VALUES),
    st.dictionaries(
        st.sampled_from(["UTC", "UTCMS", "RealUTC", "LocaleTime", "GroupID", "Lane", "Object"]),
        VALUES,
    ),
)
def test_whatever_a_field_holds_is_read_or_refused(
    plate: dict[str, object], snap: dict[str, object], data: dict[str, object]
) -> None:
    for body in (tollgate(plate, snap), rpc(event(**data))):
        try:
            raw = orjson.dumps(body)
        except TypeError:  # An integer that JSON of this kind does not know.
            continue
        try:
            found = signals(raw)
        except (InvalidInputError, NotAnprError):
            continue
        assert all(isinstance(each, CameraRead) and 0 <= each.confidence <= 1 for each in found)


@given(
    st.lists(
        st.sampled_from(
            [
                b"Events[0].",
                b"Code=",
                b"TrafficJunction",
                b";data=",
                b"{}",
                b"\n",
                b"=",
                b"[0]",
                b"TrafficCar.PlateNumber=",
                b".",
                b"A1",
                b"UTC=",
                b"--b\r\n",
                b"\r\n",
                b"Heartbeat",
            ]
        ),
        max_size=20,
    ).map(b"".join)
)
def test_garbage_is_read_or_refused(body: bytes) -> None:
    try:
        signals(body, "multipart/mixed; boundary=b")
    except (InvalidInputError, NotAnprError):
        return

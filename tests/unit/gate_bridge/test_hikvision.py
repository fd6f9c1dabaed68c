from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_bridge.drivers.hikvision import HikvisionDriver
from gate_bridge.drivers.port import (
    CameraRead,
    DeviceMessage,
    DeviceReply,
    DeviceSettings,
    DeviceSignal,
    Heading,
    InputSignal,
    KeepAlive,
    NotAnprError,
)
from parking.kit.errors import InvalidInputError

DRIVER = HikvisionDriver()
RECEIVED_AT = datetime(2026, 7, 5, 19, 45, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
FORM = "multipart/form-data; boundary=boundary"
CAR = b"\xff\xd8\xff\xe0car\n--bound\r\n\xff\xd9"
PLATE = b"\xff\xd8\xff\xe0plate\xff\xd9"
NAMESPACES = [
    ' xmlns="http://www.hikvision.com/ver20/XMLSchema" version="2.0"',
    ' xmlns="http://www.std-cgi.com/ver10/XMLSchema" version="1.0"',
    ' xmlns="http://www.isapi.org/ver20/XMLSchema" version="2.0"',
    ' xmlns="urn:psialliance-org"',
    "",
]
LISTED = """<pictureInfoList>
<pictureInfo><fileName>a</fileName><type>detectionPicture</type></pictureInfo>
<pictureInfo><fileName>b</fileName><type>licensePlatePicture</type></pictureInfo>
</pictureInfoList>"""


def alert(anpr: str = "", around: str = "", namespace: str = NAMESPACES[0]) -> bytes:
    fields = (
        anpr
        or "<licensePlate>b-sm 1234</licensePlate><line>1</line><direction>forward</direction>"
        "<confidenceLevel>92.5</confidenceLevel><country>7</country>"
    )
    around = around or (
        "<channelID>1</channelID><dateTime>2026-07-05T21:44:40+02:00</dateTime>"
        "<eventType>ANPR</eventType><eventState>active</eventState><UUID>a0fe</UUID>"
    )
    return (
        f"<EventNotificationAlert{namespace}>{around}<ANPR>{fields}</ANPR></EventNotificationAlert>"
    ).encode()


def form(*parts: tuple[str, bytes], end: str = "\r\n") -> bytes:
    """Every part with its own headers, which may be none."""
    head = "".join
    return (
        b"".join(
            head(
                ["--boundary", end, headers, end, end] if headers else ["--boundary", end, end]
            ).encode()
            + content
            + end.encode()
            for headers, content in parts
        )
        + b"--boundary--"
        + end.encode()
    )


def signals(
    body: bytes, content_type: str = "application/xml", **options: object
) -> list[DeviceSignal]:
    message = DeviceMessage(
        target="", headers={"content-type": content_type}, body=body, received_at=RECEIVED_AT
    )
    settings = DeviceSettings(name="camera", zone=BERLIN, options=options)
    DRIVER.check(settings)
    return list(DRIVER.signals(message, settings))


def read(body: bytes, content_type: str = "application/xml", **options: object) -> CameraRead:
    (signal,) = signals(body, content_type, **options)
    assert isinstance(signal, CameraRead)
    return signal


USUAL = CameraRead(
    plate="BSM1234",
    confidence=0.925,
    captured_at=datetime(2026, 7, 5, 19, 44, 40, tzinfo=UTC),
    heading=Heading.TOWARDS,
    read_id="a0fe",
    region="7",
)


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_namespace(namespace: str) -> None:
    assert read(alert(namespace=namespace)) == USUAL


def test_the_prefix_of_a_recorder() -> None:
    prefixed = alert(namespace=' xmlns:ns1="http://www.hikvision.com/ver20/XMLSchema"')
    prefixed = prefixed.replace(b"</", b"@").replace(b"<", b"<ns1:").replace(b"@", b"</ns1:")
    assert read(prefixed) == USUAL
    assert read(prefixed.replace(b" xmlns:ns1", b" x")) == USUAL


def test_json_in_place_of_xml() -> None:
    body = b"""{"channelID": 1, "dateTime": "2026-07-05T21:44:40+02:00", "eventType": "ANPR",
    "eventState": "active", "UUID": "a0fe", "isDataRetransmission": false, "ANPR": {
    "licensePlate": "B-SM 1234", "line": 1, "direction": "forward", "confidenceLevel": 92.5,
    "country": 7}}"""
    assert read(body, "application/json") == USUAL


FIRMWARES = {
    "V5.8: two pictures with names": form(
        (('Content-Disposition: form-data; name="anpr.xml"; filename="anpr.xml"\r\n'
         "Content-Type: text/xml\r\nContent-Length: 9"), alert()),
        (('Content-Disposition: form-data; name="licensePlatePicture.jpg"; '
         'filename="licensePlatePicture.jpg"\r\nContent-Type: image/jpeg'), PLATE),
        (('Content-Disposition: form-data; name="detectionPicture.jpg"; '
         'filename="detectionPicture.jpg"\r\nContent-Type: image/jpeg'), CAR),
    ),
    "V5.4: no file name at a picture": form(
        (('Content-Disposition: form-data; name="anpr.xml";\r\n'
         'Content-Type: application/xml; charset="UTF-8"'), alert()),
        ('Content-Disposition: form-data; name="licensePlatePicture"', PLATE),
        ('Content-Disposition: form-data; name="detectionPicture"', CAR),
    ),
    "no names, told by the event's list": form(
        ("Content-Type: application/xml", alert(LISTED + alert().decode().partition("<ANPR>")[2]
                                                .partition("</ANPR>")[0])),
        ("Content-Type: image/jpeg", CAR),
        ("Content-Type: image/jpeg", PLATE),
    ),
    "told by the event's ids": form(
        ("Content-Type: application/xml", alert(
            "<licensePlate>b-sm 1234</licensePlate><confidenceLevel>92.5</confidenceLevel>"
            "<pictureInfoList><pictureInfo><pId>p1</pId><type>licensePlatePicture</type>"
            "</pictureInfo><pictureInfo><pId>p2</pId><type>vehiclePicture</type></pictureInfo>"
            "<pictureInfo><pId>p3</pId><type>detectionPicture</type></pictureInfo>"
            "</pictureInfoList>")),
        ("Content-Type: application/octet-stream\r\nContent-ID: p2", CAR),
        ("Content-Type: application/octet-stream\r\nContent-ID: <p1>", PLATE),
    ),
    "line feeds alone": form(
        ('Content-Disposition: form-data; name="anpr.xml"', alert()),
        ('Content-Disposition: form-data; name="plate"', PLATE),
        ('Content-Disposition: form-data; name="car"', CAR),
        end="\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("body", FIRMWARES.values(), ids=FIRMWARES)
@pytest.mark.parametrize("content_type", [FORM, "multipart/mixed; boundary=boundary", ""])
def test_pictures_of_every_firmware(body: bytes, content_type: str) -> None:
    found = read(body, content_type)
    assert (found.plate, found.confidence) == ("BSM1234", 0.925)
    assert sorted((picture.image, picture.is_plate_only) for picture in found.pictures) == [
        (CAR, False),
        (PLATE, True),
    ]
    assert {picture.content_type for picture in found.pictures} == {"image/jpeg"}


def test_a_picture_without_a_byte() -> None:
    """As a camera sends it that read a plate and did not upload the crop."""
    head = 'Content-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: %s'
    picture = head % (*["licensePlatePicture.jpg"] * 2, "image/pjpeg\r\nContent-Length: 0")
    body = form((head % ("anpr.xml", "anpr.xml", 'text/xml; charset="UTF-8"'), alert()))
    body = body.replace(b"--boundary--", f"--boundary\r\n{picture}\r\n\r\n--boundary--".encode())
    assert read(body, FORM) == USUAL
    assert read(body, "") == USUAL


def test_a_picture_that_is_none_costs_only_itself() -> None:
    body = form(("", alert()), ('Content-Disposition: form-data; name="a"', b"GIF89a"))
    assert read(body, FORM) == USUAL


@pytest.mark.parametrize(
    "written", ["unknown", "UNKNOWN", "_无_", "", "  ", "无车牌", "noplate", "B?M1234"]
)
def test_a_car_without_a_plate(written: str) -> None:
    anpr = f"<licensePlate>{written}</licensePlate><confidenceLevel>60</confidenceLevel>"
    found = read(alert(anpr))
    assert (found.plate, found.confidence) == (None, 0.0)


@pytest.mark.parametrize(
    ("written", "plate"),
    [
        ("京A·12345", "京A12345"),
        ("蓝京A12345", "京A12345"),
        ("黑京A12345", "京A12345"),
        ("黑A12345", "黑A12345"),
        ("绿粤BD12345", "粤BD12345"),
        (" wx-1234 a ", "WX1234A"),
    ],
)
def test_the_spelling_of_plates(written: str, plate: str) -> None:
    anpr = f"<licensePlate>{written}</licensePlate><confidenceLevel>100</confidenceLevel>"
    found = read(alert(anpr))
    assert (found.plate, found.confidence) == (plate, 1.0)


@pytest.mark.parametrize(
    ("fields", "heading"),
    [
        ("<direction>reverse</direction>", Heading.AWAY),
        ("<direction>unknown</direction>", Heading.UNKNOWN),
        ("", Heading.UNKNOWN),
        ("<direction>Forward</direction>", Heading.TOWARDS),
    ],
)
def test_headings(fields: str, heading: Heading) -> None:
    assert read(alert(fields + "<licensePlate>AB1</licensePlate>")).heading is heading


def test_the_direction_type_counts_where_the_direction_is_not_known() -> None:
    around = "<eventType>ANPR</eventType><carDirectionType>1</carDirectionType>"
    assert read(alert("<direction>unknown</direction>", around)).heading is Heading.AWAY
    assert read(alert("<direction>forward</direction>", around)).heading is Heading.TOWARDS


def test_an_installer_turns_the_headings_round() -> None:
    assert read(alert(), headings={"forward": "away"}).heading is Heading.AWAY


@pytest.mark.parametrize(
    ("written", "captured_at"),
    [
        ("2026-07-05T21:44:40", datetime(2026, 7, 5, 19, 44, 40, tzinfo=UTC)),
        ("2026-07-05 21:44:40", datetime(2026, 7, 5, 19, 44, 40, tzinfo=UTC)),
        ("2026-07-05T19:44:40Z", datetime(2026, 7, 5, 19, 44, 40, tzinfo=UTC)),
        (
            "2024-05-07T17:48:03.847+07:00",
            datetime(2024, 5, 7, 17, 48, 3, 847000, timezone(timedelta(hours=7))),
        ),
        ("", RECEIVED_AT),
    ],
)
def test_times(written: str, captured_at: datetime) -> None:
    around = f"<eventType>ANPR</eventType><dateTime>{written}</dateTime>"
    assert read(alert(around=around)).captured_at == captured_at


@pytest.mark.parametrize(("written", "expected"), [("true", True), ("1", True), ("false", False)])
def test_what_a_camera_sends_again_is_backfill(written: str, *, expected: bool) -> None:
    around = f"<eventType>ANPR</eventType><isDataRetransmission>{written}</isDataRetransmission>"
    assert read(alert(around=around)).is_backfill is expected


def test_what_a_camera_marks_as_history_is_backfill() -> None:
    for kind, expected in (("0", False), ("1", True)):
        anpr = f"<licensePlate>AB1</licensePlate><alarmDataType>{kind}</alarmDataType>"
        assert read(alert(anpr)).is_backfill is expected


def test_the_plate_first_and_the_whole_later_are_no_repetition() -> None:
    plate = "<licensePlate>AB1</licensePlate>"
    assert read(alert(plate + "<hasMoreData>true</hasMoreData>")).read_id == "a0fe:first"
    assert read(alert(plate + "<hasMoreData>false</hasMoreData>")).read_id == "a0fe"


def test_the_letters_of_the_plate_s_country() -> None:
    both = "<licensePlate>MUEAB1</licensePlate><originalLicensePlate>MÜ-AB 1</originalLicensePlate>"
    found = read(alert(both + "<confidenceLevel>90</confidenceLevel>"))
    assert (found.plate, found.alternatives) == ("MUEAB1", (("MÜAB1", 0.9),))
    same = "<licensePlate>8กผ444</licensePlate><originalLicensePlate>8กผ444</originalLicensePlate>"
    assert (read(alert(same)).plate, read(alert(same)).alternatives) == ("8กผ444", ())


@pytest.mark.parametrize("name", ["plate", "plateNumber", "originalLicensePlate"])
def test_where_old_firmware_writes_the_plate(name: str) -> None:
    assert read(alert(f"<plateType>x</plateType><{name}>DW 111</{name}>")).plate == "DW111"
    unknown = f"<licensePlate>unknown</licensePlate><{name}>unknown</{name}>"
    assert read(alert(unknown)).plate is None


@pytest.mark.parametrize("kind", ["pedestrian", "nonmotorVehicle"])
def test_people_and_bicycles_are_no_cars(kind: str) -> None:
    with pytest.raises(NotAnprError):
        signals(alert(f"<licensePlate>AB1</licensePlate><vehicleType>{kind}</vehicleType>"))
    bike = "<licensePlate>AB1</licensePlate><vehicleType>twoWheelVehicle</vehicleType>"
    assert read(alert(bike)).plate == "AB1"


def test_the_line_and_channel_of_one_device() -> None:
    assert read(alert(), line=1, channel=1) == USUAL
    with pytest.raises(NotAnprError):
        signals(alert(), line=2)
    with pytest.raises(NotAnprError):
        signals(alert(), channel=2)


def test_a_recorder_tells_of_several_cars_at_once() -> None:
    body = b"<EventNotificationAlertList>" + alert() + alert() + b"</EventNotificationAlertList>"
    assert signals(body) == [USUAL, USUAL]


def test_signs_of_life() -> None:
    for kind, state in (("videoloss", "inactive"), ("heartBeat", "inactive")):
        around = f"<eventType>{kind}</eventType><eventState>{state}</eventState>"
        assert signals(alert(around=around)) == [KeepAlive()]
    around = "<eventType>heartBeat</eventType><dateTime>2026-07-05T19:44:40Z</dateTime>"
    assert signals(alert(around=around)) == [KeepAlive(device_time=USUAL.captured_at)]


def test_an_input_is_a_contact_only_where_the_installer_says_so() -> None:
    around = "<eventType>IO</eventType><inputIOPortID>2</inputIOPortID><eventState>%s</eventState>"
    body = alert(around=around % "active")
    with pytest.raises(NotAnprError, match="IO"):
        signals(body)
    assert signals(body, contacts="io") == [InputSignal(number=2, is_on=True)]
    assert signals(alert(around=around % "inactive"), contacts="io") == [
        InputSignal(number=2, is_on=False)
    ]


@pytest.mark.parametrize(
    "around",
    [
        "<eventType>VMD</eventType><eventState>active</eventState>",
        "<eventType>vehicledetection</eventType>",
        "<eventType>ANPR</eventType><eventState>inactive</eventState>",
        "<eventType>videoloss</eventType><eventState>active</eventState>",
        "<channelID>1</channelID>",
    ],
)
def test_what_is_no_car(around: str) -> None:
    with pytest.raises(NotAnprError):
        signals(alert(around=around))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"hello", "body"),
        (CAR, "body"),
        (b"<EventNotificationAlert>", "body"),
        (b"<!DOCTYPE a><EventNotificationAlert/>", "body"),
        (form(('Content-Disposition: form-data; filename="anpr.xml"', b"<a")), "anpr.xml"),
        (
            b"<EventNotificationAlert><eventType>ANPR</eventType></EventNotificationAlert>",
            "ANPR",
        ),
        (alert(around="<eventType>ANPR</eventType><dateTime>x</dateTime>"), "dateTime"),
        (
            alert("<licensePlate>AB1</licensePlate><confidenceLevel>101</confidenceLevel>"),
            "ANPR.confidenceLevel",
        ),
        (
            alert("<licensePlate>AB1</licensePlate><confidenceLevel>nan</confidenceLevel>"),
            "ANPR.confidenceLevel",
        ),
    ],
)
def test_what_cannot_be_read_names_the_part(body: bytes, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        signals(body, FORM)
    assert refused.value.field == field


def test_options_that_nobody_reads_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"options\.lines"):
        signals(alert(), lines=1)


def test_the_answer_is_a_bare_200() -> None:
    message = DeviceMessage(target="", headers={}, body=b"", received_at=RECEIVED_AT)
    settings = DeviceSettings(name="camera", zone=UTC)
    assert DRIVER.reply(message, settings, opens=False) == DeviceReply(status=200, body=b"")
    assert not DRIVER.reply_opens


@given(
    st.text(alphabet=st.characters(exclude_categories=["C"], exclude_characters="<&"), max_size=40),
    st.sampled_from(["licensePlate", "confidenceLevel", "line", "direction", "country"]),
    st.sampled_from(["dateTime", "UUID", "eventState", "isDataRetransmission", "channelID"]),
)
def test_whatever_a_field_holds_is_read_or_refused(text: str, inner: str, outer: str) -> None:
    around = f"<eventType>ANPR</eventType><{outer}>{text}</{outer}>"
    body = alert(f"<licensePlate>AB1</licensePlate><{inner}>{text}</{inner}>", around)
    try:
        found = signals(body, line=1)
    except (InvalidInputError, NotAnprError):
        return
    assert all(isinstance(each, CameraRead) and 0 <= each.confidence <= 1 for each in found)

"""Plate Recognizer, Rekor, Milesight and ONVIF beyond their samples."""

import base64
from datetime import UTC, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
import pytest

from gate_bridge.drivers.milesight import MilesightDriver
from gate_bridge.drivers.onvif import OnvifDriver
from gate_bridge.drivers.platerecognizer import PlateRecognizerDriver
from gate_bridge.drivers.port import (
    CameraRead,
    CarState,
    DeviceMessage,
    DeviceSettings,
    Heading,
    InputSignal,
    KeepAlive,
    NotAnprError,
    PushDriver,
)
from gate_bridge.drivers.rekor import RekorDriver
from parking.kit.errors import InvalidInputError

RECEIVED_AT = datetime(2026, 10, 25, 2, 30, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0" + b"shutter" + b"\xff\xd9"


def signals_of(
    driver: PushDriver,
    body: bytes,
    content_type: str = "application/json",
    zone: str = "UTC",
    **options: object,
) -> list[object]:
    message = DeviceMessage(
        target="", headers={"content-type": content_type}, body=body, received_at=RECEIVED_AT
    )
    settings = DeviceSettings(name="camera", zone=ZoneInfo(zone), options=options)
    return list(driver.signals(message, settings))


def read_of(driver: PushDriver, told: object, zone: str = "UTC", **options: object) -> CameraRead:
    (read,) = signals_of(driver, orjson.dumps(told), "application/json", zone, **options)
    assert isinstance(read, CameraRead)
    return read


def stream(**result: object) -> dict[str, object]:
    return streamed({"plate": "kx55dvb", "score": 0.87, "direction": None} | result)


def streamed(*results: dict[str, object]) -> dict[str, object]:
    data = {"camera_id": "yard", "timestamp": "2026-10-25 02:29:58.5", "results": results}
    return {"hook": {"event": "recognition", "id": "yard"}, "data": data}


class TestPlateRecognizer:
    DRIVER = PlateRecognizerDriver()

    @pytest.mark.parametrize(
        ("degrees", "heading"),
        [
            (170, Heading.TOWARDS),
            (239, Heading.TOWARDS),
            (100, Heading.UNKNOWN),
            (10, Heading.AWAY),
            (359, Heading.AWAY),
            (None, Heading.UNKNOWN),
        ],
    )
    def test_an_angle_is_towards_where_the_installer_says(
        self, degrees: float | None, heading: Heading
    ) -> None:
        read = read_of(self.DRIVER, stream(direction=degrees), towards_degrees=180)
        assert read.heading is heading
        assert read_of(self.DRIVER, stream(direction=degrees)).heading is Heading.UNKNOWN

    def test_a_form_without_a_picture_is_read(self) -> None:
        body = urlencode({"json": orjson.dumps(stream()).decode()}).encode()
        (read,) = signals_of(self.DRIVER, body, "application/x-www-form-urlencoded")
        assert isinstance(read, CameraRead)
        assert (read.plate, read.confidence) == ("KX55DVB", 0.87)
        assert read.captured_at == datetime(2026, 10, 25, 2, 29, 58, 500_000, tzinfo=UTC)

    def test_every_car_of_the_picture_is_a_read(self) -> None:
        told = streamed({"plate": "kx55dvb", "score": 0.9}, {"plate": "lo06kfg", "score": 0.5})
        reads = signals_of(self.DRIVER, orjson.dumps(told))
        assert [(r.plate, r.read_id) for r in reads if isinstance(r, CameraRead)] == [
            ("KX55DVB", "yard:2026-10-25T02:29:58.500000+00:00:0"),
            ("LO06KFG", "yard:2026-10-25T02:29:58.500000+00:00:1"),
        ]

    def test_newer_versions_wrap_the_plate(self) -> None:
        wrapped = {"box": {}, "props": {"plate": [{"value": "kx55dvb", "score": 0.87}]}}
        assert read_of(self.DRIVER, stream(plate=wrapped)).plate == "KX55DVB"

    def test_a_score_is_at_most_one(self) -> None:
        with pytest.raises(InvalidInputError) as caught:
            read_of(self.DRIVER, stream(score=87))
        assert caught.value.field == "data.results[0].score"

    def test_a_form_without_json_names_the_field(self) -> None:
        with pytest.raises(InvalidInputError, match="json: expected a form field"):
            signals_of(self.DRIVER, b"a=b", "application/x-www-form-urlencoded")

    def test_no_results_are_no_car(self) -> None:
        with pytest.raises(NotAnprError):
            signals_of(self.DRIVER, orjson.dumps(streamed()))


def group(**others: object) -> dict[str, object]:
    told: dict[str, object] = {
        "data_type": "alpr_group",
        "agent_uid": "agent-1",
        "camera_id": 77,
        "epoch_start": 1_792_895_390_000,
        "epoch_end": 1_792_895_394_250,
        "best_plate_number": "7ABC123",
        "best_confidence": 93.5,
        "best_uuid": "uuid-9",
        "travel_direction": 275.0,
    }
    return told | others


class TestRekor:
    DRIVER = RekorDriver()

    def test_a_group_is_one_car_at_its_last_picture(self) -> None:
        crop = base64.b64encode(JPEG).decode()
        read = read_of(self.DRIVER, group(vehicle_crop_jpeg=crop), towards_degrees=270)
        assert (read.plate, read.confidence, read.heading) == ("7ABC123", 0.935, Heading.TOWARDS)
        assert read.captured_at == datetime.fromtimestamp(1_792_895_394.25, UTC)
        assert (read.read_id, read.car_id) == ("uuid-9", "agent-1:77:1792895390000")
        assert [picture.image for picture in read.pictures] == [JPEG]

    def test_an_older_agent_writes_only_the_best_plate(self) -> None:
        told = {
            "data_type": "alpr_group",
            "best_plate": {"plate": "7ABC123", "confidence": 88},
            "epoch_start": 1_792_895_390_000,
        }
        read = read_of(self.DRIVER, told)
        assert (read.plate, read.confidence) == ("7ABC123", 0.88)
        assert read.captured_at == datetime.fromtimestamp(1_792_895_390, UTC)

    def test_a_parked_car_is_no_new_one(self) -> None:
        read = read_of(self.DRIVER, group(is_parked=True), towards_degrees=270)
        assert (read.state, read.heading) == (CarState.UPDATED, Heading.UNKNOWN)

    @pytest.mark.parametrize("kind", ["alpr_results", "alpr_alert", "vehicle", None])
    def test_single_pictures_and_alerts_are_refused(self, kind: str | None) -> None:
        with pytest.raises(NotAnprError):
            signals_of(self.DRIVER, orjson.dumps(group(data_type=kind)))

    def test_a_heartbeat_tells_the_agents_time(self) -> None:
        told = {"data_type": "heartbeat", "timestamp": 1_792_895_394_000}
        at = datetime.fromtimestamp(1_792_895_394, UTC)
        assert signals_of(self.DRIVER, orjson.dumps(told)) == [KeepAlive(device_time=at)]


class TestMilesight:
    DRIVER = MilesightDriver()

    def test_names_differ_by_firmware(self) -> None:
        told = {
            "Device": "LPR",
            "Time": "2026-10-25 02:29:59",
            "Plate": "M-AB 1234",
            "Direction": "Away",
            "Confidence": "97",
            "Plate Image": base64.b64encode(JPEG).decode(),
        }
        read = read_of(self.DRIVER, told)
        assert (read.plate, read.confidence, read.heading) == ("MAB1234", 0.97, Heading.AWAY)
        assert [(p.image, p.is_plate_only) for p in read.pictures] == [(JPEG, True)]

    def test_the_hour_that_comes_twice_is_the_one_nearer_to_the_receipt(self) -> None:
        told = {"time": "2026-10-25 02:29:59", "plate": "MAB1234"}
        # Berlin's clocks went back at 01:00 UTC: 02:29 came at 00:29 and at 01:29 UTC.
        read = read_of(self.DRIVER, told, zone="Europe/Berlin")
        assert read.captured_at == datetime(2026, 10, 25, 1, 29, 59, tzinfo=UTC)

    def test_a_read_without_a_confidence_has_the_assumed_one(self) -> None:
        told = {"time": "2026-10-25 02:29:59", "plate": "MAB1234"}
        assert read_of(self.DRIVER, told).confidence == 0.8
        assert read_of(self.DRIVER, told, assumed_confidence=0.92).confidence == 0.92
        assert read_of(self.DRIVER, told | {"plate": "-"}).confidence == 0.0

    def test_an_installer_names_his_directions(self) -> None:
        told = {"plate": "MAB1234", "direction": "In"}
        assert read_of(self.DRIVER, told, headings={"In": "away"}).heading is Heading.AWAY
        with pytest.raises(InvalidInputError, match=r"options\.headings\.In"):
            read_of(self.DRIVER, told, headings={"In": "inwards"})

    @pytest.mark.parametrize("time", ["yesterday", "2026-13-01 00:00:00", "0001-01-01 00:00:00"])
    def test_a_time_that_is_none_is_refused(self, time: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            read_of(self.DRIVER, {"plate": "MAB1234", "time": time}, zone="Asia/Shanghai")
        assert caught.value.field == "time"

    def test_another_event_is_no_car(self) -> None:
        with pytest.raises(NotAnprError):
            signals_of(self.DRIVER, b'{"event": "Motion Detection"}')


def notify(topic: str, items: str, operation: str = "Changed", source: str = "") -> bytes:
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2" '
        'xmlns:tt="http://www.onvif.org/ver10/schema"><s:Body><wsnt:Notify>'
        f"<wsnt:NotificationMessage><wsnt:Topic>{topic}</wsnt:Topic><wsnt:Message>"
        f'<tt:Message UtcTime="2026-10-25T02:29:59" PropertyOperation="{operation}">'
        f"<tt:Source>{source}</tt:Source><tt:Data>{items}</tt:Data></tt:Message>"
        "</wsnt:Message></wsnt:NotificationMessage></wsnt:Notify></s:Body></s:Envelope>"
    ).encode()


def item(name: str, value: str) -> str:
    return f'<tt:SimpleItem Name="{name}" Value="{value}"/>'


class TestOnvif:
    DRIVER = OnvifDriver()
    PLATE = item("PlateNumber", "SB 164 RL") + item("Likelihood", "88")

    def test_utc_is_utc_also_without_the_z(self) -> None:
        body = notify("tns1:RuleEngine/LicensePlate", self.PLATE)
        (read,) = signals_of(self.DRIVER, body, zone="Asia/Shanghai")
        assert isinstance(read, CameraRead)
        assert (read.plate, read.confidence) == ("SB164RL", 0.88)
        assert read.captured_at == datetime(2026, 10, 25, 2, 29, 59, tzinfo=UTC)

    def test_the_state_before_the_subscription_is_no_car(self) -> None:
        for operation in ("Initialized", "Deleted"):
            with pytest.raises(NotAnprError):
                signals_of(self.DRIVER, notify("tns1:X/Plate", self.PLATE, operation))

    def test_other_makers_call_their_items_otherwise(self) -> None:
        items = item("text", "SB164RL") + item("sure", "0.5")
        (read,) = signals_of(
            self.DRIVER,
            notify("tnsaxis:ALPV", items),
            plate_item="text",
            confidence_item="sure",
            confidence_full=1,
        )
        assert isinstance(read, CameraRead)
        assert (read.plate, read.confidence) == ("SB164RL", 0.5)

    @pytest.mark.parametrize(("state", "is_on"), [("true", True), ("0", False)])
    def test_a_digital_input_is_a_contact(self, state: str, *, is_on: bool) -> None:
        body = notify(
            "tns1:Device/Trigger/tnshik:DigitalInput",
            item("LogicalState", state),
            "Initialized",
            item("InputToken", "AlarmIn_2"),
        )
        assert signals_of(self.DRIVER, body) == [InputSignal(number=2, is_on=is_on)]

    def test_an_input_without_a_number_gets_one_from_the_installer(self) -> None:
        body = notify(
            "tns1:Device/Trigger/DigitalInput",
            item("LogicalState", "true"),
            source=item("InputToken", "Loop"),
        )
        with pytest.raises(InvalidInputError, match=r"options\.inputs\.Loop"):
            signals_of(self.DRIVER, body)
        assert signals_of(self.DRIVER, body, inputs={"Loop": 5}) == [
            InputSignal(number=5, is_on=True)
        ]

    def test_motion_is_no_car(self) -> None:
        body = notify("tns1:VideoSource/MotionAlarm", item("State", "true"))
        with pytest.raises(NotAnprError, match="VideoSource/MotionAlarm"):
            signals_of(self.DRIVER, body)

    def test_an_empty_answer_says_that_the_camera_lives(self) -> None:
        body = (
            b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>'
            b'<t:PullMessagesResponse xmlns:t="http://www.onvif.org/ver10/events/wsdl"/>'
            b"</e:Body></e:Envelope>"
        )
        assert signals_of(self.DRIVER, body) == [KeepAlive()]

    def test_a_document_type_is_refused(self) -> None:
        body = b'<!DOCTYPE a [<!ENTITY b "c">]>' + notify("t", self.PLATE)
        with pytest.raises(InvalidInputError):
            signals_of(self.DRIVER, body)


@pytest.mark.parametrize(
    "driver", [PlateRecognizerDriver(), RekorDriver(), MilesightDriver(), OnvifDriver()]
)
def test_an_option_that_nobody_reads_is_named(
    driver: PlateRecognizerDriver | RekorDriver | MilesightDriver | OnvifDriver,
) -> None:
    settings = DeviceSettings(name="camera", zone=UTC, options={"towards_degress": 180})
    with pytest.raises(InvalidInputError) as caught:
        driver.check(settings)
    assert caught.value.field == "options.towards_degress"

"""Vzenith's messages beyond the samples, and what each is answered with."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import orjson
import pytest

from gate_bridge.drivers.lateness import LATE
from gate_bridge.drivers.port import (
    Arm,
    ArmSignal,
    CameraRead,
    CarState,
    Heading,
    InputSignal,
    KeepAlive,
    NotAnprError,
)
from gate_bridge.drivers.vzenith import VzenithDriver
from gate_bridge.drivers.vzenith_mqtt import VzenithCommands, VzenithMqttDriver, read_answer
from parking.kit.errors import InvalidInputError
from tests.contract.vzenith_replies import (
    RECEIVED_AT,
    plate_body,
    posted,
    reply_of,
    settings_of,
)

DRIVER = VzenithDriver()
MQTT = VzenithMqttDriver()
JPEG = b"\xff\xd8\xff\xe0" + b"shutter" + b"\xff\xd9"
NO_OPENING: dict[str, dict[str, object]] = {
    "Response_AlarmInfoPlate": {
        "info": "no",
        "content": "retransfer_stop",
        "is_pay": "false",
        "serialData": [],
    }
}


def read_of(body: bytes, **options: object) -> CameraRead:
    (read,) = DRIVER.signals(posted(body), settings_of(options))
    assert isinstance(read, CameraRead)
    return read


def test_a_read_has_all_that_the_camera_says() -> None:
    read = read_of(plate_body(imageFile=base64.b64encode(JPEG).decode()))
    (picture,) = read.pictures
    assert picture.image == JPEG
    assert read == CameraRead(
        plate="沪B70F35",
        confidence=0.91,
        captured_at=datetime(2026, 3, 2, 7, 0, 0, 250_000, tzinfo=UTC),
        heading=Heading.TOWARDS,
        read_id="0a1b2c3d-4e5f6071:7:1772434800",
        pictures=(picture,),
    )


@pytest.mark.parametrize("licence", ["_无_", "无牌车", "unknown", "", "沪B7?F35"])
def test_a_car_without_a_readable_plate_is_still_a_car(licence: str) -> None:
    assert read_of(plate_body(licence)).plate is None


# The bytes of the second and third are letters of UTF-8, too.
@pytest.mark.parametrize("licence", ["皖C0G4D7", "鲁Q0D3F8", "豫A0D3F学"])
def test_a_body_in_gb18030_is_read(licence: str) -> None:
    body = plate_body(licence).decode().encode("gb18030")
    assert read_of(body).plate == licence


@pytest.mark.parametrize(
    ("direction", "heading"),
    [
        (0, Heading.UNKNOWN),
        (1, Heading.UNKNOWN),
        (2, Heading.UNKNOWN),
        (3, Heading.AWAY),
        (4, Heading.TOWARDS),
    ],
)
def test_up_in_the_picture_is_away_from_the_camera(direction: int, heading: Heading) -> None:
    assert read_of(plate_body(direction=direction)).heading is heading


@pytest.mark.parametrize("trigger", [64, 65, 66])
def test_a_car_that_stands_or_turns_back_is_no_new_one(trigger: int) -> None:
    assert read_of(plate_body(triggerType=trigger)).state is CarState.UPDATED


def test_a_picture_of_a_plate_is_trusted_with_nothing() -> None:
    assert read_of(plate_body(is_fake_plate=1)).confidence == 0.0


@pytest.mark.parametrize("confidence", [101, -1, "much"])
def test_a_confidence_of_another_scale_is_refused(confidence: object) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_of(plate_body(confidence=confidence))
    assert caught.value.field == "AlarmInfoPlate.result.PlateResult.confidence"


def test_the_wall_clock_counts_where_the_installer_says_so() -> None:
    wall = {"decyear": 2026, "decmon": 3, "decday": 2, "dechour": 15, "decmin": 0, "decsec": 1}
    time = wall | {"sec": 1_772_434_800}
    body = plate_body(timeStamp={"Timeval": time})
    settings = replace(settings_of({"clock": "wall"}), zone=ZoneInfo("Asia/Shanghai"))
    (read,) = DRIVER.signals(posted(body), settings)
    assert isinstance(read, CameraRead)
    assert read.captured_at == datetime(2026, 3, 2, 7, 0, 1, tzinfo=UTC)


def test_without_a_time_the_receipt_counts() -> None:
    assert read_of(plate_body(timeStamp={})).captured_at == RECEIVED_AT


def test_the_registration_form_says_that_the_camera_lives() -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="device_name"\r\n\r\nIVS\r\n'
        b'--x\r\nContent-Disposition: form-data; name="serialno"\r\n\r\n0a1b\r\n--x--\r\n'
    )
    message = posted(body, "multipart/form-data; boundary=x")
    assert list(DRIVER.signals(message, settings_of())) == [KeepAlive()]
    assert orjson.loads(DRIVER.reply(message, settings_of(), opens=True).body) == NO_OPENING


@pytest.mark.parametrize("body", [b"{}", b'{"TriggerImage": {"imageFile": ""}}'])
def test_what_tells_of_no_car_is_refused(body: bytes) -> None:
    with pytest.raises(NotAnprError):
        DRIVER.signals(posted(body), settings_of())


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe{", b'{"AlarmInfoPlate": 5}'])
def test_what_cannot_be_read_is_answered_so_that_it_is_not_sent_for_ever(body: bytes) -> None:
    with pytest.raises(InvalidInputError):
        DRIVER.signals(posted(body), settings_of())
    assert orjson.loads(DRIVER.reply(posted(body), settings_of(), opens=True).body) == NO_OPENING


def test_a_read_from_memory_is_backfill_and_never_opens() -> None:
    assert read_of(plate_body(is_offline=True)).is_backfill
    assert orjson.loads(reply_of(opens=True, plate_id=9, is_offline=True)) == {
        "Response_AlarmInfoPlate": {"ContinuePushOffline": {"plateid": 9, "continue": 1}}
    }


def test_the_reply_switches_the_output_that_the_installer_names() -> None:
    assert orjson.loads(reply_of(opens=True, options={"io": 2})) == {
        "Response_AlarmInfoPlate": {"info": "ok", "content": "retransfer_stop", "channelNum": 2}
    }
    options: dict[str, object] = {"open_with": "ioctrl", "io": 1, "pulse_ms": 900}
    assert orjson.loads(reply_of(opens=True, options=options)) == {
        "Response_AlarmInfoPlate": {"ivs_ioctrl": {"delay": 900, "io": 1, "value": 2}}
    }


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"io": 4}, "options.io"),
        ({"pulse_ms": 0}, "options.pulse_ms"),
        ({"open_with": "hope"}, "options.open_with"),
        ({"clock": "sun"}, "options.clock"),
        ({"colour": "red"}, "options.colour"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        DRIVER.check(settings_of(options))
    assert caught.value.field == field


def published(kind: str, payload: dict[str, object], **others: object) -> bytes:
    told = {"id": "k1", "sn": "s", "name": kind, "timestamp": 1_772_434_803, "payload": payload}
    return orjson.dumps(told | others)


def signals_of(kind: str, body: bytes, *, late: bool = False, **options: object) -> list[object]:
    message = replace(
        posted(body), target=f"device/s/message/up/{kind}", headers=LATE if late else {}
    )
    return list(MQTT.signals(message, settings_of(options)))


def plate_payload(licence: str) -> dict[str, object]:
    return orjson.loads(plate_body(licence))


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_mqtt_writes_the_licence_in_base64(encoding: str) -> None:
    licence = base64.b64encode("鲁Q0D3F8".encode(encoding)).decode()
    (read,) = signals_of("ivs_result", published("ivs_result", plate_payload(licence)))
    assert isinstance(read, CameraRead)
    assert (read.plate, read.is_backfill) == ("鲁Q0D3F8", False)


def test_mqtt_may_write_it_plainly() -> None:
    body = published("ivs_result", {"body": plate_payload("AB12CD34")})
    (read,) = signals_of("ivs_result", body, licence="plain")
    assert isinstance(read, CameraRead)
    assert read.plate == "AB12CD34"


def test_a_short_alarm_has_the_time_and_the_number_of_its_message() -> None:
    licence = base64.b64encode(b"B2109KLM").decode()
    result = {"license": licence, "confidence": 100, "direction": 4}
    alarm: dict[str, object] = {"AlarmInfoPlate": {"result": {"PlateResult": result}}}
    (read,) = signals_of("ivs_result", published("ivs_result", alarm))
    assert read == CameraRead(
        plate="B2109KLM",
        confidence=1.0,
        captured_at=datetime(2026, 3, 2, 7, 0, 3, tzinfo=UTC),
        heading=Heading.TOWARDS,
        read_id="k1",
    )
    # Said twice at the same moment: once without the pictures.
    with pytest.raises(NotAnprError):
        signals_of("quick_ivs_result", published("quick_ivs_result", alarm))


def test_a_licence_that_is_not_base64_names_the_option() -> None:
    with pytest.raises(InvalidInputError, match='licence = "plain"'):
        signals_of("ivs_result", published("ivs_result", plate_payload("鲁Q0D3F8")))


def test_contacts_arm_and_life_come_over_mqtt() -> None:
    trigger = {"AlarmGioIn": {"result": {"TriggerResult": {"source": 1, "value": 0}}}}
    for payload in (trigger, {"body": trigger}):
        assert signals_of("gpio_in", published("gpio_in", dict[str, object](payload))) == [
            InputSignal(number=1, is_on=False)
        ]
    status: dict[str, object] = {"connect_status": 1, "enable": 1, "gate_status": 1}
    assert signals_of("barr_gate_status", published("b", {"body": status})) == [
        ArmSignal(arm=Arm.UP)
    ]
    # NUL bytes before the brace, as some firmware sends them.
    alive = b"\x00\x00" + published("keep_alive", {"body": {}})
    at = datetime(2026, 3, 2, 7, 0, 3, tzinfo=UTC)
    assert signals_of("keep_alive", alive) == [KeepAlive(device_time=at)]


def test_a_barrier_that_the_camera_lost_says_nothing_of_its_arm() -> None:
    status: dict[str, object] = {"connect_status": 0, "gate_status": 1}
    assert signals_of("barr_gate_status", published("b", {"body": status})) == [KeepAlive()]
    with pytest.raises(InvalidInputError, match="gate_status"):
        signals_of("barr_gate_status", published("b", {"body": {"gate_status": 7}}))


def test_what_waited_at_the_broker_opens_nothing_and_sets_no_clock() -> None:
    licence = base64.b64encode("鲁Q0D3F8".encode()).decode()
    body = published("ivs_result", plate_payload(licence))
    (read,) = signals_of("ivs_result", body, late=True)
    assert isinstance(read, CameraRead)
    assert read.is_backfill
    alive = published("keep_alive", {"body": {}})
    assert signals_of("keep_alive", alive, late=True) == [KeepAlive()]


def test_older_firmware_has_the_serial_first() -> None:
    commands = VzenithCommands(serial="5e1f-00aa", is_serial_first=True)
    assert commands.topic("gpio_out") == "5e1f-00aa/device/message/down/gpio_out"
    assert commands.reply_topic("gpio_out") == "5e1f-00aa/device/message/down/gpio_out/reply"
    at = datetime(2026, 3, 2, 7, tzinfo=UTC) + timedelta(milliseconds=900)
    assert orjson.loads(commands.open_directly("c-1", at)) == {
        "id": "c-1",
        "sn": "5e1f-00aa",
        "name": "gate_direct_open",
        "version": "1.0",
        "timestamp": 1_772_434_800,
        "payload": {"type": "gate_direct_open", "body": {}},
    }


def test_an_answer_says_yes_only_with_200() -> None:
    assert read_answer(b'{"id": "c-1", "code": 200}').is_accepted
    assert not read_answer(b'{"id": "c-1", "code": 404}').is_accepted
    with pytest.raises(InvalidInputError):
        read_answer(b'{"id": "c-1"}')

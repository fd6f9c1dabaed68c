"""Any webhook by its field map: what is found, and how errors name the option."""

import base64
from datetime import UTC, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
import pytest

from gate_bridge.drivers.generic import GenericDriver
from gate_bridge.drivers.lateness import LATE
from gate_bridge.drivers.port import (
    CameraRead,
    CarState,
    DeviceMessage,
    DeviceSettings,
    Heading,
    NotAnprError,
)
from parking.kit.errors import InvalidInputError

DRIVER = GenericDriver()
RECEIVED_AT = datetime(2026, 7, 1, 10, 0, 9, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0" + b"shutter" + b"\xff\xd9"
FORM = "application/x-www-form-urlencoded"


def reads_of(
    body: bytes,
    content_type: str = "application/json",
    *,
    is_late: bool = False,
    **options: object,
) -> list[CameraRead]:
    message = DeviceMessage(
        target="",
        headers={"content-type": content_type} | (dict(LATE) if is_late else {}),
        body=body,
        received_at=RECEIVED_AT,
    )
    settings = DeviceSettings(name="camera", zone=ZoneInfo("Europe/Berlin"), options=options)
    signals = DRIVER.signals(message, settings)
    return [signal for signal in signals if isinstance(signal, CameraRead)]


def read_of(told: object, **options: object) -> CameraRead:
    (read,) = reads_of(orjson.dumps(told), "application/json", is_late=False, **options)
    return read


def test_everything_a_map_can_name_is_found() -> None:
    told = {
        "event": {
            "type": "LPR",
            "vehicle": {"plate.text": "b-ab 123", "sure": 874},
            "at": "2026-07-01 12:00:05",
            "way": "Einfahrt",
            "phase": "Korrektur",
            "buffered": "ja",
            "shots": [{"data": base64.b64encode(JPEG).decode()}],
        },
        "ids": ["r-1", "c-2"],
        "land": "DE",
    }
    read = read_of(
        told,
        plate="event.vehicle.'plate.text'",
        confidence="event.vehicle.sure",
        confidence_full=1000,
        time="event.at",
        heading="event.way",
        headings={"Einfahrt": "towards"},
        state="event.phase",
        states={"korrektur": "updated"},
        backfill="event.buffered",
        backfill_values=["ja"],
        read_id="ids[0]",
        car_id="ids[1]",
        region="land",
        pictures=["event.shots[0].data"],
        only_if={"event.type": ["lpr", "anpr"]},
    )
    (picture,) = read.pictures
    assert picture.image == JPEG
    assert read == CameraRead(
        plate="BAB123",
        confidence=0.874,
        captured_at=datetime(2026, 7, 1, 10, 0, 5, tzinfo=UTC),
        heading=Heading.TOWARDS,
        state=CarState.UPDATED,
        read_id="r-1",
        car_id="c-2",
        region="DE",
        is_backfill=True,
        pictures=(picture,),
    )


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("iso", "2026-07-01T12:00:05+02:00"),
        ("epoch_s", 1_782_900_005),
        ("epoch_ms", "1782900005000"),
        ("%d.%m.%Y %H:%M:%S", "01.07.2026 12:00:05"),
        ("%Y%m%d %H%M%S %z", "20260701 100005 +0000"),
    ],
)
def test_times_come_in_many_forms(form: str, written: object) -> None:
    read = read_of({"p": "BAB123", "t": written}, plate="p", time="t", time_form=form)
    assert read.captured_at == datetime(2026, 7, 1, 10, 0, 5, tzinfo=UTC)


def test_without_a_time_the_receipt_counts() -> None:
    assert read_of({"p": "BAB123"}, plate="p", time="t").captured_at == RECEIVED_AT


def test_a_list_of_cars_is_as_many_reads() -> None:
    told = {"cam": "north", "cars": [{"p": "BAB123"}, {"p": "BAB124"}, {"p": None}]}
    reads = reads_of(orjson.dumps(told), reads="cars", plate="p", region="$.cam")
    assert [(read.plate, read.region) for read in reads] == [
        ("BAB123", "north"),
        ("BAB124", "north"),
        (None, "north"),
    ]
    with pytest.raises(NotAnprError):
        reads_of(b'{"cars": []}', reads="cars", plate="p")


def test_a_picture_of_many_cars_is_decoded_once() -> None:
    body = orjson.dumps(
        {"image": base64.b64encode(JPEG).decode(), "cars": [{"plate": f"A{n}23"} for n in range(9)]}
    )
    reads = reads_of(
        body, plate="plate", reads="cars", pictures=["$image", "$.image"], plate_pictures=["$image"]
    )
    shown = [picture for read in reads for picture in read.pictures]
    assert len(shown) == 27
    assert {picture.image for picture in shown} == {JPEG}
    # A message of a few megabytes would take gigabytes, and with them every lane of the site.
    assert len({id(picture) for picture in shown}) == 2


def test_the_fields_of_a_form_are_values() -> None:
    body = urlencode({"Kennzeichen": "B-ÄB 1", "sure": "99"}).encode()
    (read,) = reads_of(body, FORM, plate="Kennzeichen", confidence="sure", confidence_full=100)
    assert (read.plate, read.confidence) == ("BÄB1", 0.99)


def test_a_field_of_a_form_may_hold_the_json_beside_a_picture() -> None:
    body = (
        b'--b\nContent-Disposition: form-data; name="event"\n\n{"p": "BAB123"}\n'
        b'--b\nContent-Disposition: form-data; name="shot"\n\n' + JPEG + b"\n--b--"
    )
    (read,) = reads_of(body, "multipart/form-data; boundary=b", json_field="event", plate="p")
    assert (read.plate, [picture.image for picture in read.pictures]) == ("BAB123", [JPEG])


def test_a_heading_may_be_an_angle() -> None:
    headings = [
        read_of(
            {"p": "BAB123", "d": degrees}, plate="p", direction_degrees="d", towards_degrees=90
        ).heading
        for degrees in (100, 270)
    ]
    assert headings == [Heading.TOWARDS, Heading.AWAY]


def test_what_waited_at_a_broker_is_backfill() -> None:
    (read,) = reads_of(b'{"p": "BAB123"}', is_late=True, plate="p")
    assert read.is_backfill


def test_other_events_are_no_cars() -> None:
    with pytest.raises(NotAnprError):
        reads_of(b'{"type": "motion", "p": "BAB123"}', plate="p", only_if={"type": "lpr"})
    assert reads_of(b'{"ok": true, "p": "BAB123"}', plate="p", only_if={"ok": True})


def test_a_message_without_the_plates_place_is_no_car() -> None:
    with pytest.raises(NotAnprError):
        reads_of(b'{"vehicle": {}}', plate="vehicle.plate")
    with pytest.raises(NotAnprError):
        reads_of(b'{"plates": []}', plate="plates[0]")
    # An empty place is a car whose plate could not be read.
    assert [
        read.plate for read in reads_of(b'{"vehicle": {"plate": null}}', plate="vehicle.plate")
    ] == [None]


def test_a_deep_message_is_refused() -> None:
    body = b'{"p":' + b'{"p":' * 40 + b"1" + b"}" * 41
    with pytest.raises(InvalidInputError, match="at most 32 levels"):
        reads_of(body, plate="p")


def test_a_value_of_another_kind_names_its_place() -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_of({"a": {"p": ["B"]}}, plate="a.p")
    assert caught.value.field == "a.p"
    with pytest.raises(InvalidInputError) as caught:
        read_of({"p": "BAB123", "t": "1 July"}, plate="p", time="t", time_form="%d.%m.%Y %H:%M:%S")
    assert caught.value.field == "t"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({}, "options.plate"),
        ({"plate": "a..b"}, "options.plate"),
        ({"plate": "a."}, "options.plate"),
        ({"plate": "a[b]"}, "options.plate"),
        ({"plate": "a[-1]"}, "options.plate"),
        ({"plate": "x." * 17 + "y"}, "options.plate"),
        ({"plate": "p" * 201}, "options.plate"),
        ({"plate": "p", "colour": "c"}, "options.colour"),
        ({"plate": "p", "time_form": "noon"}, "options.time_form"),
        ({"plate": "p", "time_form": "%H:%M"}, "options.time_form"),
        ({"plate": "p", "headings": {"in": "inside"}}, "options.headings.in"),
        ({"plate": "p", "states": {"x": "gone"}}, "options.states.x"),
        ({"plate": "p", "only_if": {"a..b": "c"}}, "options.only_if.a..b"),
        ({"plate": "p", "only_if": {"a": []}}, "options.only_if.a"),
        ({"plate": "p", "confidence_full": 0}, "options.confidence_full"),
        ({"plate": "p", "assumed_confidence": 2}, "options.assumed_confidence"),
        ({"plate": "p", "pictures": ["a"] * 5}, "options.pictures"),
        ({"plate": "p", "towards_degrees": 400}, "options.towards_degrees"),
    ],
)
def test_a_wrong_map_is_named(options: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        DRIVER.check(DeviceSettings(name="camera", zone=UTC, options=options))
    assert caught.value.field == field

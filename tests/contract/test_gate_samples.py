"""Every sample of a device's message, one row each: what it becomes, or that it is no car.

A file without a row fails, so that no sample is forgotten.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import orjson
import pytest

from gate_bridge.agent.machines.hikvision_barrier import gate_call
from gate_bridge.drivers.dahua import DahuaDriver
from gate_bridge.drivers.hikvision import HikvisionDriver
from gate_bridge.drivers.milesight import MilesightDriver
from gate_bridge.drivers.onvif import OnvifDriver
from gate_bridge.drivers.platerecognizer import PlateRecognizerDriver
from gate_bridge.drivers.port import CameraRead, Heading, InputSignal, KeepAlive, NotAnprError
from gate_bridge.drivers.rekor import RekorDriver
from gate_bridge.drivers.vzenith import VzenithDriver
from gate_bridge.drivers.vzenith_mqtt import VzenithCommands
from tests.contract.gate_samples import (
    FOLDER,
    RECEIVED_AT,
    SHANGHAI,
    NoCar,
    Ours,
    Picture,
    Read,
    Row,
    Sent,
    Told,
    needs_samples,
)
from tests.contract.vzenith_replies import reply_of

pytestmark = needs_samples

KindT = TypeVar("KindT", Read, Told, NoCar, Ours, Picture)

VZENITH = Sent(driver=VzenithDriver(), zone=SHANGHAI)
STREAM = Sent(driver=PlateRecognizerDriver(), options={"towards_degrees": 200})

HIKVISION = Sent(driver=HikvisionDriver(), content_type="application/xml")
ITSAPI = Sent(driver=DahuaDriver(), zone=SHANGHAI, target="/NotificationInfo/TollgateInfo")
ATTACHED = Sent(driver=DahuaDriver(), content_type="multipart/x-mixed-replace; boundary=myboundary")
NOT_ANPR = (
    "cam1_DS-2CD2T46G2-ISU_io_notification",
    "cam2_DS-2CD2346G2-ISU_io_notification",
    "cam3_DS-2CD2T86G2-ISU_io_notification",
    "fielddetection_human",
    "fielddetection_vehicle",
    "ipc_1_fielddetection",
    "ipc_thermometry_motiondetection",
    "nvr_2_fielddetection",
    "pir",
)

ROWS: tuple[Row, ...] = (
    Read(
        file="hikvision/deepinview_v58.xml",
        sent=HIKVISION,
        plate="WX1234A",
        confidence=0.92,
        captured_at=datetime(2026, 7, 5, 19, 44, 40, tzinfo=UTC),
        heading=Heading.AWAY,
        region="7",
    ),
    Read(
        file="hikvision/ds_tcg405_fields.xml",
        sent=HIKVISION,
        plate="B1234XYZ",
        confidence=0.98,
        captured_at=datetime(2024, 5, 7, 10, 48, 3, 847000, tzinfo=UTC),
        heading=Heading.TOWARDS,
        region="64",
    ),
    Read(
        file="hikvision/older_v54_stdcgi.xml",
        sent=HIKVISION,
        plate="EL123AB",
        confidence=0.85,
        captured_at=datetime(2020, 3, 10, 8, 12, tzinfo=UTC),
        heading=Heading.TOWARDS,
    ),
    Read(
        file="hikvision/float_conf_no_ns.xml",
        sent=HIKVISION,
        plate="PO55X",
        confidence=0.925,
        captured_at=RECEIVED_AT,
    ),
    Read(
        file="hikvision/unknown_plate.xml",
        sent=HIKVISION,
        plate=None,
        confidence=0.0,
        captured_at=RECEIVED_AT,
    ),
    NoCar(file="hikvision/httpHosts_put_payload.xml", sent=HIKVISION),
    *(NoCar(file=f"hikvision/non_anpr/{name}.xml", sent=HIKVISION) for name in NOT_ANPR),
    Ours(
        file="hikvision/barrierGate_open_put_body.xml", built=gate_call(channel=1, mode="open").body
    ),
    Read(
        file="dahua/itsapi_TollgateInfo_reduced.json",
        sent=ITSAPI,
        plate="ABC1234",
        confidence=0.9,
        captured_at=datetime(2026, 2, 10, 9, 30, 45, tzinfo=SHANGHAI),
        heading=Heading.TOWARDS,
    ),
    Told(
        file="dahua/itsapi_KeepAlive.json",
        sent=replace(ITSAPI, target="/NotificationInfo/KeepAlive"),
        signal=KeepAlive(),
    ),
    Told(
        file="dahua/itsapi_DeviceInfo.json",
        sent=replace(ITSAPI, target="/NotificationInfo/DeviceInfo"),
        signal=KeepAlive(),
    ),
    Told(file="dahua/eventManager_attach_multipart.txt", sent=ATTACHED, signal=KeepAlive()),
    NoCar(file="dahua/rpc2_notifyEventStream_TrafficJunction_nonmotor.json", sent=ITSAPI),
    Read(
        file="vzenith/http_AlarmInfoPlate_online.json",
        sent=VZENITH,
        plate="粤Z9065澳",
        confidence=0.96,
        captured_at=datetime(2023, 6, 9, 16, 39, 54, 687772, tzinfo=SHANGHAI),
    ),
    Told(
        file="vzenith/http_AlarmGioIn.json",
        sent=VZENITH,
        signal=InputSignal(number=3, is_on=True),
    ),
    NoCar(file="vzenith/http_SerialData.json", sent=VZENITH),
    Ours(file="vzenith/reply_open.json", built=reply_of(opens=True)),
    Ours(
        file="vzenith/reply_ioctrl.json",
        built=reply_of(opens=True, options={"open_with": "ioctrl"}),
    ),
    Ours(file="vzenith/reply_noopen_stop_retransfer.json", built=reply_of(opens=False)),
    Ours(
        file="vzenith/reply_offline_continue.json",
        built=reply_of(opens=False, plate_id=123, is_offline=True),
    ),
    Ours(
        file="vzenith/mqtt_gpio_out_open.json",
        built=VzenithCommands(serial="917e2298-8ddf3e46").pulse(
            "unique", datetime.fromtimestamp(1784098020, UTC), output=0, pulse_ms=1500
        ),
    ),
    Read(
        file="platerecognizer/stream_webhook.json",
        sent=STREAM,
        plate="PL8REC",
        confidence=0.902,
        captured_at=datetime(2025, 8, 11, 16, 42, 58, 740143, tzinfo=UTC),
        heading=Heading.TOWARDS,
        alternatives=(("PLBREC", 0.758),),
        region="us-ca",
    ),
    Picture(
        file="platerecognizer/small.jpg",
        sent=STREAM,
        beside="platerecognizer/stream_webhook.json",
    ),
    Read(
        file="onvif/pullmessages_tnshik_vehicle.xml",
        sent=Sent(driver=OnvifDriver(), content_type="application/soap+xml"),
        plate="PP7069",
        confidence=0.71,
        captured_at=datetime(2022, 12, 30, 15, 18, 27, tzinfo=UTC),
        heading=Heading.TOWARDS,
        region="Netherlands",
    ),
    Read(
        file="milesight/http_post_recog_reduced.json",
        sent=Sent(driver=MilesightDriver(), zone=SHANGHAI),
        plate="ABC1234",
        confidence=0.8,
        captured_at=datetime(2024, 1, 15, 10, 30, tzinfo=SHANGHAI),
        heading=Heading.TOWARDS,
    ),
    Read(
        file="rekor/alpr_group_reduced.json",
        sent=Sent(driver=RekorDriver()),
        plate="JD6085B",
        confidence=0.6049,
        captured_at=datetime.fromtimestamp(1788761105.5, UTC),
        alternatives=(("JO6085B", 0.567),),
        region="mx-nle",
    ),
)


def _rows(kind: type[KindT]) -> list[KindT]:
    return [row for row in ROWS if isinstance(row, kind)]


def test_every_sample_has_exactly_one_row() -> None:
    files = sorted(
        str(path.relative_to(FOLDER))
        for path in FOLDER.rglob("*")
        if path.is_file() and path.name != "SOURCES.md"
    )
    assert sorted(row.file for row in ROWS) == files


@pytest.mark.parametrize("row", _rows(Read), ids=lambda row: row.file)
def test_the_car_is_read(row: Read) -> None:
    signals = row.sent.driver.signals(
        row.sent.message((FOLDER / row.file).read_bytes()), row.sent.settings
    )
    assert len(signals) == 1
    read = signals[0]
    assert isinstance(read, CameraRead)
    assert read.captured_at.tzinfo is not None
    assert (
        read.plate,
        read.heading,
        read.state,
        read.captured_at,
        read.is_backfill,
        read.region,
    ) == (
        row.plate,
        row.heading,
        row.state,
        row.captured_at,
        row.is_backfill,
        row.region,
    )
    assert read.confidence == pytest.approx(row.confidence)
    assert dict(read.alternatives) == pytest.approx(dict(row.alternatives))


@pytest.mark.parametrize("row", _rows(Told), ids=lambda row: row.file)
def test_what_else_a_device_tells_is_read(row: Told) -> None:
    message = row.sent.message((FOLDER / row.file).read_bytes())
    assert list(row.sent.driver.signals(message, row.sent.settings)) == [row.signal]


@pytest.mark.parametrize("row", _rows(NoCar), ids=lambda row: row.file)
def test_what_is_no_car_is_refused(row: NoCar) -> None:
    message = row.sent.message((FOLDER / row.file).read_bytes())
    with pytest.raises(NotAnprError):
        row.sent.driver.signals(message, row.sent.settings)


@pytest.mark.parametrize("row", _rows(Ours), ids=lambda row: row.file)
def test_what_we_send_is_what_the_device_knows(row: Ours) -> None:
    sample = (FOLDER / row.file).read_bytes()
    if row.file.endswith(".json"):
        assert orjson.loads(row.built) == orjson.loads(sample)
    else:
        assert row.built == sample.strip()


@pytest.mark.parametrize("row", _rows(Picture), ids=lambda row: row.file)
def test_the_picture_comes_with_the_read(row: Picture) -> None:
    image = (FOLDER / row.file).read_bytes()
    told = (FOLDER / row.beside).read_bytes()
    body = (
        b'--b\r\nContent-Disposition: form-data; name="json"\r\n\r\n'
        + told
        + b'\r\n--b\r\nContent-Disposition: form-data; name="upload"; filename="image.jpg"\r\n'
        + b"Content-Type: image/jpeg\r\n\r\n"
        + image
        + b"\r\n--b--\r\n"
    )
    sent = replace(row.sent, content_type="multipart/form-data; boundary=b")
    (read,) = sent.driver.signals(sent.message(body), sent.settings)
    assert isinstance(read, CameraRead)
    assert [picture.image for picture in read.pictures] == [image]
    assert read.pictures[0].content_type == "image/jpeg"

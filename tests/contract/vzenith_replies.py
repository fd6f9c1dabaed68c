"""Reads in the shape of Vzenith's cameras, and how we answer them."""

from datetime import UTC, datetime

import orjson

from gate_bridge.drivers.port import DeviceMessage, DeviceSettings
from gate_bridge.drivers.vzenith import VzenithDriver

RECEIVED_AT = datetime(2026, 3, 2, 7, 0, 5, tzinfo=UTC)


def plate_body(
    licence: str = "沪B70F35",
    *,
    plate_id: int = 7,
    is_offline: bool = False,
    counted_s: int = 1_772_434_800,
    **others: object,
) -> bytes:
    """Return an `AlarmInfoPlate` as a camera posts it."""
    result: dict[str, object] = {
        "confidence": 91,
        "direction": 4,
        "isoffline": int(is_offline),
        "license": licence,
        "plateid": plate_id,
        "timeStamp": {"Timeval": {"sec": counted_s, "usec": 250_000}},
        "triggerType": 1,
    }
    alarm = {
        "channel": 0,
        "deviceName": "Entry 1",
        "ipaddr": "10.1.2.3",
        "result": {"PlateResult": result | others},
        "serialno": "0a1b2c3d-4e5f6071",
    }
    return orjson.dumps({"AlarmInfoPlate": alarm})


def posted(body: bytes, content_type: str = "application/json") -> DeviceMessage:
    """Return a message as the listener hands it on."""
    return DeviceMessage(
        target="", headers={"content-type": content_type}, body=body, received_at=RECEIVED_AT
    )


def settings_of(options: dict[str, object] | None = None) -> DeviceSettings:
    """Return a camera in UTC."""
    return DeviceSettings(name="entry-1", zone=UTC, options=options or {})


def reply_of(
    *,
    opens: bool,
    plate_id: int = 7,
    is_offline: bool = False,
    options: dict[str, object] | None = None,
) -> bytes:
    """Return the body that the camera gets back."""
    message = posted(plate_body(plate_id=plate_id, is_offline=is_offline))
    return VzenithDriver().reply(message, settings_of(options), opens=opens).body

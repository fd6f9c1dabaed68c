"""Milesight LPR cameras: flat JSON by HTTP POST.

Source: the maker's guide for the connection of LPR cameras to other software.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.device_pictures import base64_picture
from gate_bridge.drivers.device_times import written_time
from gate_bridge.drivers.headings import check_camera, heading_words
from gate_bridge.drivers.json_body import JsonPart
from gate_bridge.drivers.json_parts import read_webhook
from gate_bridge.drivers.plain_reply import PlainReply
from gate_bridge.drivers.plate_text import plate_text
from gate_bridge.drivers.port import (
    CameraRead,
    DeviceMessage,
    DevicePicture,
    DeviceSettings,
    DeviceSignal,
    Heading,
    NotAnprError,
)

CONFIDENCE_FULL: Final = 100.0
_HEADINGS: Final = {
    "in": Heading.TOWARDS,
    "approach": Heading.TOWARDS,
    "approaching": Heading.TOWARDS,
    "out": Heading.AWAY,
    "away": Heading.AWAY,
    "leave": Heading.AWAY,
}


class MilesightDriver(PlainReply):
    """Times without a zone; a confidence only in newer firmware."""

    name = "milesight"

    def check(self, settings: DeviceSettings) -> None:
        """Look through the options.

        Raises:
            InvalidInputError: naming the option.
        """
        check_camera(settings)

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> Sequence[DeviceSignal]:
        """Return what the message says."""
        body = _lowered(read_webhook(message).json())
        if "plate" not in body and "license_plate" not in body:
            raise NotAnprError(body.at("event").text() or "no plate")
        options = DeviceOptions(settings.options)
        words = _HEADINGS | heading_words(options)
        written = body.at("direction").text() or ""
        confidence = body.at("confidence").scaled(CONFIDENCE_FULL)
        if confidence is None:
            confidence = options.assumed_confidence()
        plate = plate_text(body.at("plate").text() or body.at("license_plate").text())
        read = CameraRead(
            plate=plate,
            confidence=0.0 if plate is None else confidence,
            captured_at=_captured_at(body, message, settings),
            heading=words.get(written.strip().lower(), Heading.UNKNOWN),
            region=body.at("region").text() or None,
            pictures=_pictures(body),
        )
        return (read,)


def _lowered(body: JsonPart) -> JsonPart:
    # Names differ between firmwares only by capitals and blanks: "Plate Color", "plate_color".
    values = cast("dict[str, object]", body.value)
    return JsonPart({name.lower().replace(" ", "_"): value for name, value in values.items()})


def _captured_at(body: JsonPart, message: DeviceMessage, settings: DeviceSettings) -> datetime:
    written = body.at("time").text()
    if not written:
        return message.received_at
    return written_time(written, settings.zone, message.received_at, "time")


def _pictures(body: JsonPart) -> tuple[DevicePicture, ...]:
    car = base64_picture(body.at("full_image").text(), "full_image")
    plate = base64_picture(body.at("plate_image").text(), "plate_image", is_plate_only=True)
    return tuple(found for found in (car, plate) if found is not None)

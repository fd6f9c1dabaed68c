"""Plate Recognizer Stream: webhooks with JSON and a picture in one form.

Source: the maker's webhook document and its own example of a receiver.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.device_times import written_time
from gate_bridge.drivers.headings import check_degrees, heading_of_degrees
from gate_bridge.drivers.json_body import JsonPart
from gate_bridge.drivers.json_parts import read_webhook
from gate_bridge.drivers.plain_reply import PlainReply
from gate_bridge.drivers.plate_text import alternative_texts, plate_text
from gate_bridge.drivers.port import (
    CameraRead,
    DeviceMessage,
    DevicePicture,
    DeviceSettings,
    DeviceSignal,
    NotAnprError,
)

CONFIDENCE_FULL: Final = 1.0


class PlateRecognizerDriver(PlainReply):
    """One read for each of the results; `score` is 0 to 1, `direction` an angle."""

    name = "platerecognizer"

    def check(self, settings: DeviceSettings) -> None:
        """Look through the options.

        Raises:
            InvalidInputError: naming the option.
        """
        check_degrees(settings)

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> Sequence[DeviceSignal]:
        """Return what the message says."""
        webhook = read_webhook(message)
        body = webhook.json()
        data = body.at("data").object()
        results = tuple(data.at("results").items())
        if not results:
            raise NotAnprError(body.at("hook", "event").text() or "no results")
        captured_at = _captured_at(data, message, settings)
        # A car that drives behind another is in the same picture: it belongs to all of them.
        return tuple(
            _read(result, number, data, captured_at, settings, webhook.pictures)
            for number, result in enumerate(results)
        )


def _read(
    result: JsonPart,
    number: int,
    data: JsonPart,
    captured_at: datetime,
    settings: DeviceSettings,
    pictures: tuple[DevicePicture, ...],
) -> CameraRead:
    plate = plate_text(_written(result.at("plate")))
    camera = data.at("camera_id").text() or ""
    return CameraRead(
        plate=plate,
        confidence=result.at("score").scaled(CONFIDENCE_FULL) or 0.0,
        captured_at=captured_at,
        heading=heading_of_degrees(
            result.at("direction").number(), DeviceOptions(settings.options)
        ),
        read_id=f"{camera}:{captured_at.isoformat()}:{number}",
        alternatives=alternative_texts(
            (
                (_written(each.at("plate")), each.at("score").scaled(CONFIDENCE_FULL) or 0.0)
                for each in result.at("candidates").items()
            ),
            plate,
        ),
        region=_written(result.at("region", "code")) or _written(result.at("region")),
        pictures=pictures,
    )


def _written(part: JsonPart) -> str | None:
    # Newer versions wrap it: {"plate": {"props": {"plate": [{"value": "...", "score": 0.9}]}}}.
    if not isinstance(part.value, dict):
        return part.text()
    first = next(part.at("props", "plate").items(), None)
    return None if first is None else first.at("value").text()


def _captured_at(data: JsonPart, message: DeviceMessage, settings: DeviceSettings) -> datetime:
    # `timestamp_camera` is the camera's own, where Stream reads it from the picture.
    for name in ("timestamp_camera", "timestamp"):
        written = data.at(name).text()
        if written:
            return written_time(written, settings.zone, message.received_at, data.at(name).path)
    return message.received_at

"""Rekor Scout (OpenALPR): the agent posts a group of pictures of one car as one result.

Source: the maker's "JSON group results" and "JSON heartbeat".
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.device_pictures import base64_picture
from gate_bridge.drivers.device_times import epoch_time
from gate_bridge.drivers.headings import check_degrees, heading_of_degrees
from gate_bridge.drivers.json_body import JsonPart
from gate_bridge.drivers.json_parts import read_webhook
from gate_bridge.drivers.plain_reply import PlainReply
from gate_bridge.drivers.plate_text import alternative_texts, plate_text
from gate_bridge.drivers.port import (
    CameraRead,
    CarState,
    DeviceMessage,
    DevicePicture,
    DeviceSettings,
    DeviceSignal,
    Heading,
    KeepAlive,
    NotAnprError,
)

CONFIDENCE_FULL: Final = 100.0
_MILLISECONDS: Final = 1000


class RekorDriver(PlainReply):
    """`alpr_group`: confidences of 0 to 100, times in milliseconds since 1970."""

    name = "rekor"

    def check(self, settings: DeviceSettings) -> None:
        """Look through the options.

        Raises:
            InvalidInputError: naming the option.
        """
        check_degrees(settings)

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> Sequence[DeviceSignal]:
        """Return what the message says."""
        body = read_webhook(message).json()
        kind = body.at("data_type").text()
        if kind == "heartbeat":
            counted = body.at("timestamp").number()
            device_time = _epoch(body.at("timestamp")) if counted else None
            return (KeepAlive(device_time=device_time),)
        if kind != "alpr_group":
            # Single pictures and alerts: the group says it again, once and better.
            raise NotAnprError(kind or "no data_type")
        return (_read(body, message, settings),)


def _read(group: JsonPart, message: DeviceMessage, settings: DeviceSettings) -> CameraRead:
    best = group.at("best_plate")
    plate = plate_text(group.at("best_plate_number").text() or best.at("plate").text())
    confidence = group.at("best_confidence").scaled(CONFIDENCE_FULL)
    if confidence is None:
        confidence = best.at("confidence").scaled(CONFIDENCE_FULL) or 0.0
    is_parked = group.at("is_parked").flag()
    degrees = None if is_parked else group.at("travel_direction").number()
    # One car keeps the time at which it came, from the preview to the last result.
    started = group.at("epoch_start").text() or ""
    car_id = ":".join((group.at("agent_uid").text() or "", _camera(group), started))
    return CameraRead(
        plate=plate,
        confidence=confidence,
        captured_at=_captured_at(group, message),
        heading=heading_of_degrees(degrees, DeviceOptions(settings.options))
        if degrees is not None
        else Heading.UNKNOWN,
        # A car that only stood there is none that came.
        state=CarState.UPDATED if is_parked else CarState.NEW,
        read_id=group.at("best_uuid").text() or car_id,
        car_id=car_id if started else None,
        alternatives=alternative_texts(
            (
                (each.at("plate").text(), each.at("confidence").scaled(CONFIDENCE_FULL) or 0.0)
                for each in group.at("candidates").items()
            ),
            plate,
        ),
        region=group.at("best_region").text(),
        pictures=_pictures(group),
    )


def _camera(group: JsonPart) -> str:
    return group.at("camera_id").text() or ""


def _captured_at(group: JsonPart, message: DeviceMessage) -> datetime:
    # The end: a car that waits is still there then, however long ago it came.
    for name in ("epoch_end", "epoch_start"):
        if group.at(name).number():
            return _epoch(group.at(name))
    return message.received_at


def _epoch(part: JsonPart) -> datetime:
    return epoch_time(part.number() or 0.0, part.path, per_s=_MILLISECONDS)


def _pictures(group: JsonPart) -> tuple[DevicePicture, ...]:
    car = base64_picture(group.at("vehicle_crop_jpeg").text(), "vehicle_crop_jpeg")
    plate = base64_picture(
        group.at("best_plate", "plate_crop_jpeg").text(), "plate_crop_jpeg", is_plate_only=True
    )
    return tuple(found for found in (car, plate) if found is not None)

"""What Vzenith's cameras say, over HTTP and over MQTT alike.

Source: the maker's "HTTP push" document and the messages of its cameras on MQTT.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.device_pictures import base64_picture
from gate_bridge.drivers.device_times import epoch_time, wall_time
from gate_bridge.drivers.json_body import JsonPart
from gate_bridge.drivers.lateness import is_late
from gate_bridge.drivers.plate_text import plate_text
from gate_bridge.drivers.port import (
    CameraRead,
    CarState,
    DeviceMessage,
    DevicePicture,
    DeviceSettings,
    Heading,
    InputSignal,
)

CONFIDENCE_FULL: Final = 100.0
_MICROSECONDS: Final = range(1_000_000)
# The way through the picture: up is away from the camera. To the left and right says nothing.
_HEADINGS: Final = {3: Heading.AWAY, 4: Heading.TOWARDS}
# A car that stands, stands no longer, or turned back: the car that was read before.
_SAME_CAR_TRIGGERS: Final = frozenset({64, 65, 66})
_CLOCKS: Final = ("counted", "wall")
_PICTURES: Final = (
    ("imageFile", False),
    ("full_image_content", False),
    ("imageFragmentFile", True),
    ("small_image_content", True),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """What is known of a message besides the alarm in it.

    Attributes:
        at: When it was sent, or came.
        message_id: The camera's own; None for none.
    """

    at: datetime
    message_id: str | None = None


def plate_result(alarm: JsonPart) -> JsonPart:
    """Return the part that tells of the car.

    Raises:
        InvalidInputError: there is none.
    """
    return alarm.at("result", "PlateResult").object()


def camera_read(
    alarm: JsonPart,
    written_plate: str | None,
    message: DeviceMessage,
    settings: DeviceSettings,
    sent: Sent | None = None,
) -> CameraRead:
    """Return the read that an `AlarmInfoPlate` tells of.

    Args:
        alarm: The `AlarmInfoPlate`.
        written_plate: Its licence, decoded.
        message: What it came in.
        settings: Of the camera; the option `clock` says which of its times counts.
        sent: What the message around it says, where the alarm itself does not.

    Raises:
        InvalidInputError: names the part that cannot be read.
    """
    result = plate_result(alarm)
    sent = sent or Sent(message.received_at)
    captured_at = _captured_at(result, sent, message, settings)
    is_same_car = result.at("triggerType").integer() in _SAME_CAR_TRIGGERS
    return CameraRead(
        plate=plate_text(written_plate),
        confidence=_confidence(result),
        captured_at=captured_at,
        heading=_HEADINGS.get(result.at("direction").integer() or 0, Heading.UNKNOWN),
        state=CarState.UPDATED if is_same_car else CarState.NEW,
        read_id=_read_id(alarm, result, captured_at) or sent.message_id,
        is_backfill=is_offline(result) or is_late(message),
        pictures=_pictures(result),
    )


def is_offline(result: JsonPart) -> bool:
    """Return whether the camera kept the read while nobody answered it."""
    return result.at("isoffline").flag()


def input_signal(alarm: JsonPart) -> InputSignal:
    """Return what an `AlarmGioIn` says: inputs count from 0.

    Raises:
        InvalidInputError: names the part that is missing.
    """
    trigger = alarm.at("result", "TriggerResult").object()
    number, value = trigger.at("source").integer(), trigger.at("value").integer()
    if number is None:
        raise trigger.at("source").error("the input's number")
    if value is None:
        raise trigger.at("value").error("0 or 1")
    return InputSignal(number=number, is_on=value == 1)


def check_clock(options: DeviceOptions) -> str:
    """Return which of the two times in a message counts: `counted` since 1970, or on the `wall`."""
    return options.choice("clock", _CLOCKS, _CLOCKS[0])


def _confidence(result: JsonPart) -> float:
    # A picture of a plate, held before the camera: it may be shown to a person, and open nothing.
    if result.at("is_fake_plate").flag():
        return 0.0
    return result.at("confidence").scaled(CONFIDENCE_FULL) or 0.0


def _captured_at(
    result: JsonPart, sent: Sent, message: DeviceMessage, settings: DeviceSettings
) -> datetime:
    time = result.at("timeStamp", "Timeval")
    counted, micros = time.at("sec").integer(), time.at("usec").integer() or 0
    micros = micros if micros in _MICROSECONDS else 0
    if counted and check_clock(DeviceOptions(settings.options)) == "counted":
        return epoch_time(counted, time.at("sec").path).replace(microsecond=micros)
    names = ("decyear", "decmon", "decday", "dechour", "decmin", "decsec")
    numbers = [time.at(name).integer() for name in names]
    if any(number is None for number in numbers):
        return sent.at
    year, month, day, hour, minute, second = (number or 0 for number in numbers)
    try:
        wall = datetime(year, month, day, hour, minute, second, micros)  # noqa: DTZ001 - of the wall
        return wall_time(wall, settings.zone, message.received_at)
    except (ValueError, OverflowError):
        raise time.error("a time") from None


def _read_id(alarm: JsonPart, result: JsonPart, captured_at: datetime) -> str | None:
    plate_id = result.at("plateid").integer()
    if plate_id is None:
        unique = result.at("unique_id").text()
        return unique or None
    # The camera counts from 1 again after a reset, so the number alone would meet an old read.
    serial = alarm.at("serialno").text() or ""
    return f"{serial}:{plate_id}:{int(captured_at.timestamp())}"


def _pictures(result: JsonPart) -> tuple[DevicePicture, ...]:
    found = (
        base64_picture(result.at(name).text(), name, is_plate_only=is_plate)
        for name, is_plate in _PICTURES
    )
    return tuple(picture for picture in found if picture is not None)

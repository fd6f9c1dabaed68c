"""AXIS License Plate Verifier: push events by HTTP POST, an event in JSON beside a picture.

Source: the maker's License plate verifier API and the field table of its developer. The camera
follows each car: `new` at the first read, without a direction; `update` where direction or plate
change; `lost` some seconds after the last read, which is no further sight of the car.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.device_pictures import PICTURES_MAX, base64_picture, picture
from gate_bridge.drivers.device_times import epoch_time, written_time
from gate_bridge.drivers.headings import check_camera, heading_words
from gate_bridge.drivers.json_body import JsonPart, decode_json
from gate_bridge.drivers.multipart import Part, read_parts
from gate_bridge.drivers.plain_reply import PlainReply
from gate_bridge.drivers.plate_text import plate_text
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
from parking.kit.errors import InvalidInputError

CONFIDENCE_FULL: Final = 1.0
PERCENT: Final = 100.0
_OPTIONS: Final = ("confidence_full", "region_of_interest")
_REGIONS_MAX: Final = 16
_PLATE_NAMES: Final = ("plateUTF8", "plateUnicode", "plateText", "plateASCII")
_STATES: Final = {
    "new": CarState.NEW,
    "update": CarState.UPDATED,
    "updated": CarState.UPDATED,
    "lost": CarState.LOST,
}
# The camera's own setting says what drives in; as delivered, it is what comes towards it.
_HEADINGS: Final = {"in": Heading.TOWARDS, "out": Heading.AWAY}
_PLATE_IMAGE: Final = "plate"
# What heartbeats of its versions hold, or are called.
_LIFE_NAMES: Final = frozenset({"heartbeat", "keepalive", "macaddress", "deviceid"})
_NOISE: Final = b"\xef\xbb\xbf \t\r\n\x00"
_MILLISECONDS_PER_S: Final = 1000
_MICROSECONDS_PER_S: Final = 1_000_000
_NANOSECONDS_PER_S: Final = 1_000_000_000
# Counts of seconds, milliseconds and microseconds end below these for the next thousand years.
_UNITS: Final = (
    (1e11, 1),
    (1e14, _MILLISECONDS_PER_S),
    (1e17, _MICROSECONDS_PER_S),
    (float("inf"), _NANOSECONDS_PER_S),
)


class AxisDriver(PlainReply):
    """Confidence 0 to 1; the direction is not defined in `new`."""

    name = "axis"

    def check(self, settings: DeviceSettings) -> None:
        """Look through the options.

        Raises:
            InvalidInputError: naming the option.
        """
        options = check_camera(settings, *_OPTIONS)
        options.number("confidence_full", 1, PERCENT)
        options.number("region_of_interest", 0, _REGIONS_MAX)

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> Sequence[DeviceSignal]:
        """Return what the message says."""
        parts = read_parts(message.body, message.headers.get("content-type", ""))
        events = [event for part in parts for event in _events(part)]
        if not events:
            raise InvalidInputError("body", "a part with the event as JSON")
        told = [
            _read(event, parts, message, settings) for event in events if _is_read(event, settings)
        ]
        return told or (_life(events[0]),)


def _events(part: Part) -> Iterator[JsonPart]:
    """Return the events of a part: one, or a list of them."""
    content = part.content.strip(_NOISE)
    if content.startswith(b"{"):
        yield decode_json(content, part.name or "body")
    elif content.startswith(b"["):
        yield from (
            decode_json(b'{"events":' + content + b"}", part.name or "body").at("events").items()
        )


def _is_read(event: JsonPart, settings: DeviceSettings) -> bool:
    """Return whether the event tells of a car in the region of this device."""
    wanted = DeviceOptions(settings.options).number("region_of_interest", 0, _REGIONS_MAX)
    written = event.at("roiID").number()
    is_here = wanted is None or written is None or wanted == written
    return is_here and any(name in event for name in _PLATE_NAMES)


def _life(event: JsonPart) -> KeepAlive:
    """Return a sign of life: the heartbeat service tells of the camera, and of no car."""
    names = {name.lower().replace("_", "") for name in event.names()}
    kind = str(event.at("event").value or event.at("type").value or "").lower()
    if "carstate" not in names and (names & _LIFE_NAMES or kind in _LIFE_NAMES):
        return KeepAlive()
    raise NotAnprError("no plate")


def _read(
    event: JsonPart, parts: Iterable[Part], message: DeviceMessage, settings: DeviceSettings
) -> CameraRead:
    options = DeviceOptions(settings.options)
    plate = plate_text(_first(event, _PLATE_NAMES))
    counter = event.at("packetCounter").text() or None
    car = event.at("carID").text() or None
    state = (event.at("carState").text() or "new").strip().lower()
    if state not in _STATES:
        raise event.at("carState").error("new, update or lost")
    captured_at = _captured_at(event, message, settings)
    words = _HEADINGS | heading_words(options)
    heading = (event.at("carMoveDirection").text() or "").strip().lower()
    return CameraRead(
        plate=plate,
        confidence=0.0 if plate is None else _confidence(event, options),
        captured_at=captured_at,
        heading=words.get(heading, Heading.UNKNOWN),
        state=_STATES[state],
        # The counter begins again with the camera: only with the time it names one event.
        read_id=None if counter is None else f"{captured_at.isoformat()}:{counter}",
        car_id=car,
        region=event.at("plateCountry").text() or None,
        pictures=_pictures(event, parts),
    )


def _first(event: JsonPart, names: Iterable[str]) -> str | None:
    return next((text for name in names if (text := event.at(name).text())), None)


def _confidence(event: JsonPart, options: DeviceOptions) -> float:
    part = event.at("plateConfidence")
    value = part.number()
    if value is None:
        return options.assumed_confidence()
    stated = options.number("confidence_full", 1, PERCENT)
    # More than one is of the other scale, which some versions use.
    usual = CONFIDENCE_FULL if value <= CONFIDENCE_FULL else PERCENT
    return part.scaled(usual if stated is None else stated) or 0.0


def _captured_at(event: JsonPart, message: DeviceMessage, settings: DeviceSettings) -> datetime:
    # Counted since 1970, whatever the camera's zone; `frame_timestamp` counts from its start.
    counted = event.at("capture_timestamp").number() or event.at("capture_ts").number()
    if counted:
        per_s = next(per_s for end, per_s in _UNITS if counted < end)
        return epoch_time(counted, "capture_timestamp", per_s=per_s)
    part = event.at("datetime")
    written = (part.text() or "").strip()
    if not written:
        return message.received_at
    return written_time(written, settings.zone, message.received_at, part.path)


def _pictures(event: JsonPart, parts: Iterable[Part]) -> tuple[DevicePicture, ...]:
    """Return the pictures; `imageType` says what the one beside the event shows."""
    kind = (event.at("imageType").text() or "").lower()
    found = [
        picture(
            part.content,
            part.filename or part.name,
            is_plate_only=_PLATE_IMAGE in (part.filename or part.name or kind).lower(),
        )
        for part in parts
    ]
    listed = event.at("ImageArray")
    for image in listed.items() if isinstance(listed.value, list) else ():
        shown = image.at("ImageType").text() or ""
        content = image.at("BinaryImage").text()
        found.append(base64_picture(content, shown, is_plate_only=shown.lower() == _PLATE_IMAGE))
    alone = event.at("imageArray")
    if isinstance(alone.value, str):
        found.append(base64_picture(alone.value, kind, is_plate_only=kind == _PLATE_IMAGE))
    return tuple(each for each in found if each is not None)[:PICTURES_MAX]

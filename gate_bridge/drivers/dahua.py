"""Dahua ANPR cameras: ITSAPI by HTTP POST, and the events of their other interfaces.

Source: the ITSAPI guide of an OEM, recorded messages, and public receivers for these cameras.
The camera sends a message again until the answer says `"Result": true`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from gate_bridge.drivers.dahua_events import (
    CONFIDENCE_FULL,
    HEADINGS,
    HEARTBEAT,
    DahuaEvent,
    captured_at,
    heading_of,
    plate_of,
    rpc_events,
    text_events,
)
from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.device_pictures import PICTURES_MAX, base64_picture, picture
from gate_bridge.drivers.device_times import written_time
from gate_bridge.drivers.headings import check_camera, heading_words
from gate_bridge.drivers.json_body import JsonPart, decode_json
from gate_bridge.drivers.multipart import Part, read_parts
from gate_bridge.drivers.plate_text import plate_text
from gate_bridge.drivers.port import (
    CameraRead,
    CarState,
    DeviceMessage,
    DevicePicture,
    DeviceReply,
    DeviceSettings,
    DeviceSignal,
    Heading,
    KeepAlive,
    NotAnprError,
)
from parking.kit.errors import InvalidInputError

PERCENT: Final = 100.0
READ_ID_CHARACTERS: Final = 32
_OPTIONS: Final = ("confidence_full", "lane")
_LANES_MAX: Final = 99
_PICTURES: Final = (("NormalPic", False), ("VehiclePic", False), ("CutoutPic", True))
_LIFE: Final = ("Active", "DeviceName", "DeviceModel", "DeviceType")
_TAKEN: Final = DeviceReply(content_type="application/json", body=b'{"Result":true}')


class DahuaDriver:
    """Times without a zone; a confidence of 0 to 100, or of 0 to 255."""

    name = "dahua"
    reply_opens = False

    def check(self, settings: DeviceSettings) -> None:
        """Look through the options.

        Raises:
            InvalidInputError: naming the option.
        """
        options = check_camera(settings, *_OPTIONS)
        options.number("confidence_full", 1, CONFIDENCE_FULL)
        options.number("lane", 0, _LANES_MAX)

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> Sequence[DeviceSignal]:
        """Return what the message says."""
        if message.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            body = decode_json(message.body)
            if "Picture" in body:
                return (_tollgate(body, message, settings),)
            events = tuple(rpc_events(body))
            if not events:
                return (_life(body, message),)
            return _cars(events, (), message, settings)
        parts = read_parts(message.body, message.headers.get("content-type", ""))
        texts = [part.content for part in parts if picture(part.content) is None]
        events = tuple(event for text in texts for event in _events(text))
        if any(event.is_car for event in events):
            return _cars(events, parts, message, settings)
        if any(text.strip().lower() == HEARTBEAT for text in texts):
            return (KeepAlive(),)
        if not events:
            raise InvalidInputError("body", "JSON, or the lines of an event")
        raise NotAnprError(events[0].code)

    def reply(
        self,
        message: DeviceMessage,  # noqa: ARG002 - the port's
        settings: DeviceSettings,  # noqa: ARG002 - the port's
        *,
        opens: bool,  # noqa: ARG002 - the port's
    ) -> DeviceReply:
        """Return what stops the camera from sending it again."""
        return _TAKEN


def _events(text: bytes) -> Iterator[DahuaEvent]:
    if text.lstrip().startswith(b"{"):
        return rpc_events(decode_json(text))
    return text_events(text)


def _life(body: JsonPart, message: DeviceMessage) -> KeepAlive:
    """Return a sign of life, which `KeepAlive` and `DeviceInfo` are."""
    if message.target.rstrip("/").endswith(("KeepAlive", "DeviceInfo")):
        return KeepAlive()
    if any(name in body for name in _LIFE):
        return KeepAlive()
    raise NotAnprError("no Picture, no eventList")


def _tollgate(body: JsonPart, message: DeviceMessage, settings: DeviceSettings) -> CameraRead:
    car = body.at("Picture").object()
    told, snap = car.at("Plate"), car.at("SnapInfo")
    options = DeviceOptions(settings.options)
    lane = options.number("lane", 0, _LANES_MAX)
    written_lane = snap.at("LanNo").number() or snap.at("Lane").number()
    if lane is not None and written_lane is not None and lane != written_lane:
        raise NotAnprError(f"lane {written_lane:g}")
    plate = None if told.at("IsExist").value is False else plate_text(told.at("PlateNumber").text())
    words = HEADINGS | heading_words(options)
    return CameraRead(
        plate=plate,
        confidence=0.0 if plate is None else _confidence(told.at("Confidence"), PERCENT, options),
        captured_at=_snapped_at(snap, message, settings),
        heading=words.get((snap.at("Direction").text() or "").lower(), Heading.UNKNOWN),
        read_id=_read_id(body, car, plate),
        region=told.at("Region").text() or told.at("Country").text() or None,
        pictures=tuple(_pictures(car)),
    )


def _confidence(part: JsonPart, full: float, options: DeviceOptions) -> float:
    value = part.number()
    if value is None:
        return options.assumed_confidence()
    stated = options.number("confidence_full", 1, CONFIDENCE_FULL)
    # More than a hundred is of the other scale; less may be of either, so that the option tells.
    usual = full if value <= full else CONFIDENCE_FULL
    return part.scaled(usual if stated is None else stated) or 0.0


def _snapped_at(snap: JsonPart, message: DeviceMessage, settings: DeviceSettings) -> datetime:
    for name in ("AccurateTime", "SnapTime"):
        written = snap.at(name).text()
        if written:
            return written_time(written, settings.zone, message.received_at, snap.at(name).path)
    return message.received_at


def _read_id(body: JsonPart, car: JsonPart, plate: str | None) -> str | None:
    """Return an id that is the same when the camera sends the read again.

    A digest, because the names of pictures hold the plate.
    """
    names = [body.at("PicName").text(), car.at("SnapInfo", "AccurateTime").text()]
    names += [car.at(name, "PicName").text() for name, _ in _PICTURES]
    if not any(names):
        return None
    told = "\n".join(name or "" for name in [*names, plate])
    return hashlib.sha256(told.encode()).hexdigest()[:READ_ID_CHARACTERS]


def _pictures(car: JsonPart) -> Iterator[DevicePicture]:
    for name, is_plate_only in _PICTURES:
        content, file = car.at(name, "Content").text(), car.at(name, "PicName").text()
        found = base64_picture(content, file or name, is_plate_only=is_plate_only)
        if found is not None:
            yield found


def _cars(
    events: Iterable[DahuaEvent],
    parts: Iterable[Part],
    message: DeviceMessage,
    settings: DeviceSettings,
) -> Sequence[CameraRead]:
    told = [event for event in events if event.is_car and _is_of_lane(event.data, settings)]
    if not told:
        raise NotAnprError("no car")
    found = [picture(part.content, part.filename or part.name) for part in parts]
    pictures = tuple(each for each in found if each is not None)[:PICTURES_MAX]
    return [_car(event.data, pictures, message, settings) for event in told]


def _is_of_lane(data: JsonPart, settings: DeviceSettings) -> bool:
    wanted = DeviceOptions(settings.options).number("lane", 0, _LANES_MAX)
    written = data.at("Lane").number()
    return wanted is None or written is None or wanted == written


def _car(
    data: JsonPart,
    pictures: tuple[DevicePicture, ...],
    message: DeviceMessage,
    settings: DeviceSettings,
) -> CameraRead:
    options = DeviceOptions(settings.options)
    plate = plate_text(plate_of(data))
    group = data.at("GroupID").text() or data.at("TrafficCar", "GroupID").text() or None
    index = data.at("IndexInGroup").number() or 1.0
    confidence = data.at("Object", "Confidence")
    return CameraRead(
        plate=plate,
        confidence=0.0 if plate is None else _confidence(confidence, CONFIDENCE_FULL, options),
        captured_at=captured_at(data, message, settings),
        heading=heading_of(data, HEADINGS | heading_words(options)),
        # A burst is of one car: it is told from the first picture by its place in the group.
        state=CarState.NEW if index <= 1 else CarState.UPDATED,
        read_id=None if group is None else f"{group}:{index:g}",
        car_id=group,
        region=data.at("CommInfo", "Country").text() or None,
        pictures=pictures,
    )

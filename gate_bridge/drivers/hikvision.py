"""Hikvision ANPR cameras and NVRs: `EventNotificationAlert` by HTTP POST (ISAPI).

Source: the maker's ISAPI guide for ANPR and recorded messages of firmware V5.4 to V5.8. The
namespace has changed twice, and NVRs write a prefix; names are therefore read without either.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, cast

from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.device_pictures import PICTURES_MAX, picture
from gate_bridge.drivers.device_times import written_time
from gate_bridge.drivers.headings import check_camera, heading_words
from gate_bridge.drivers.json_body import decode_json
from gate_bridge.drivers.multipart import Part, read_parts
from gate_bridge.drivers.plain_reply import PlainReply
from gate_bridge.drivers.plate_text import (
    alternative_texts,
    plate_text,
    scaled_confidence,
)
from gate_bridge.drivers.port import (
    CameraRead,
    DeviceMessage,
    DevicePicture,
    DeviceSettings,
    DeviceSignal,
    Heading,
    InputSignal,
    KeepAlive,
    NotAnprError,
)
from gate_bridge.drivers.xml import XmlNode, looks_like_xml, read_xml
from parking.kit.errors import InvalidInputError

CONFIDENCE_FULL: Final = 100.0
_ALERT: Final = "EventNotificationAlert"
_OPTIONS: Final = ("channel", "contacts", "line")
# "Forward" is a car whose front the camera sees; with `carDirectionType`, 0 drives down in the
# picture and 1 up.
_HEADINGS: Final = {"forward": Heading.TOWARDS, "reverse": Heading.AWAY}
_DIRECTION_TYPES: Final = {"0": Heading.TOWARDS, "1": Heading.AWAY}
_PLATE_PICTURE: Final = "plate"
# The second and third of old firmware and of forwarders.
_PLATES: Final = ("licensePlate", "plateNumber", "plate", "originalLicensePlate")
_NO_CARS: Final = frozenset({"pedestrian", "nonmotorvehicle"})
_HISTORY: Final = "1"  # Of `alarmDataType`; 0 is live.


class HikvisionDriver(PlainReply):
    """Confidence 0 to 100, also with a fraction; times mostly with their zone."""

    name = "hikvision"

    def check(self, settings: DeviceSettings) -> None:
        """Look through the options.

        Raises:
            InvalidInputError: naming the option.
        """
        options = check_camera(settings, *_OPTIONS)
        options.choice("contacts", ("", "io"), "")
        for name in ("line", "channel"):
            options.number(name, 0, 999)

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> Sequence[DeviceSignal]:
        """Return what the message says."""
        parts = read_parts(message.body, message.headers.get("content-type", ""))
        alerts = _alerts(parts)
        told = [
            signal
            for alert in alerts
            if (signal := _signal(alert, parts, message, settings)) is not None
        ]
        if not told:
            raise NotAnprError(alerts[0].text_of("eventType") or "no event type")
        return told


def _alerts(parts: Iterable[Part]) -> list[XmlNode]:
    documents = [found for part in parts if (found := _document(part)) is not None]
    if not documents:
        raise InvalidInputError("body", "XML or JSON")
    alerts = [alert for document in documents for alert in document.every(_ALERT)]
    if not alerts:
        raise NotAnprError(documents[0].name)
    return alerts


def _document(part: Part) -> XmlNode | None:
    if picture(part.content) is not None:
        return None
    name = part.filename or part.name or "body"
    if looks_like_xml(part.content):
        return read_xml(part.content, name)
    if part.content.lstrip().startswith(b"{"):
        # As `parameterFormatType` JSON; without a name for the whole.
        return _node(_ALERT, decode_json(part.content, name).value)
    return None


def _node(name: str, value: object) -> XmlNode:
    node = XmlNode(name)
    if isinstance(value, dict):
        for key, below in cast("dict[str, object]", value).items():
            every = cast("list[object]", below) if isinstance(below, list) else [below]
            node.children.extend(_node(key, each) for each in every)
    elif value is not None:
        node.text = str(value).lower() if isinstance(value, bool) else str(value)
    return node


def _signal(
    alert: XmlNode, parts: Sequence[Part], message: DeviceMessage, settings: DeviceSettings
) -> DeviceSignal | None:
    """Return what one alert says; None where it tells of no car, contact or life."""
    options = DeviceOptions(settings.options)
    kind = alert.text_of("eventType").lower()
    is_active = alert.text_of("eventState").lower() != "inactive"
    if kind == "anpr" and is_active and _is_car(alert) and _is_of(alert, options):
        return _read(alert, parts, message, settings)
    if kind == "heartbeat" or (kind == "videoloss" and not is_active):
        return KeepAlive(device_time=_time(alert, message, settings))
    if kind == "io" and options.choice("contacts", ("", "io"), "") == "io":
        number = alert.text_of("inputIOPortID") or alert.text_of("dynInputIOPortID")
        if not number.isascii() or not number.isdigit():
            raise InvalidInputError("inputIOPortID", "a whole number")
        return InputSignal(number=int(number), is_on=is_active)
    return None


def _is_car(alert: XmlNode) -> bool:
    # Mixed-traffic detection tells of people and bicycles in the same event.
    return alert.text_of("ANPR", "vehicleType").lower() not in _NO_CARS


def _is_of(alert: XmlNode, options: DeviceOptions) -> bool:
    """Return whether the read is of the line and channel that belong to this device."""
    written = {"channel": alert.text_of("channelID"), "line": alert.text_of("ANPR", "line")}
    return all(
        (wanted := options.number(name, 0, 999)) is None or not text or text == f"{wanted:g}"
        for name, text in written.items()
    )


def _read(
    alert: XmlNode, parts: Sequence[Part], message: DeviceMessage, settings: DeviceSettings
) -> CameraRead:
    anpr = alert.find("ANPR")
    if anpr is None:
        raise InvalidInputError("ANPR", "what the camera read")
    options = DeviceOptions(settings.options)
    written = next((node.text for name in _PLATES if (node := anpr.find(name)) is not None), "")
    plate = plate_text(written)
    confidence = 0.0 if plate is None else _confidence(anpr, options)
    return CameraRead(
        plate=plate,
        confidence=confidence,
        captured_at=_time(alert, message, settings) or message.received_at,
        heading=_heading(alert, anpr, options),
        read_id=_read_id(alert),
        # With the letters of its country, where the plate itself was written in Latin ones.
        alternatives=alternative_texts([(anpr.text_of(_PLATES[-1]), confidence)], plate),
        region=anpr.text_of("country") or None,
        is_backfill=_is_late(alert, anpr),
        pictures=_pictures(parts, anpr),
    )


def _read_id(alert: XmlNode) -> str | None:
    written = alert.text_of("UUID")
    if not written:
        return None
    # The plate comes first, and with the same id again the whole with its pictures: no repetition.
    is_first = "true" in {alert.text_of(*path, "hasMoreData").lower() for path in ((), ("ANPR",))}
    return f"{written}:first" if is_first else written


def _is_late(alert: XmlNode, anpr: XmlNode) -> bool:
    is_sent_again = alert.text_of("isDataRetransmission").lower() in {"true", "1"}
    return is_sent_again or anpr.text_of("alarmDataType") == _HISTORY


def _confidence(anpr: XmlNode, options: DeviceOptions) -> float:
    written = anpr.text_of("confidenceLevel")
    if not written:
        return options.assumed_confidence()
    try:
        value = float(written)
    except ValueError:
        value = -1
    return scaled_confidence(value, CONFIDENCE_FULL, "ANPR.confidenceLevel")


def _heading(alert: XmlNode, anpr: XmlNode, options: DeviceOptions) -> Heading:
    words = _HEADINGS | heading_words(options)
    heading = words.get(anpr.text_of("direction").lower())
    if heading is not None:
        return heading
    return _DIRECTION_TYPES.get(alert.text_of("carDirectionType"), Heading.UNKNOWN)


def _time(alert: XmlNode, message: DeviceMessage, settings: DeviceSettings) -> datetime | None:
    written = alert.text_of("dateTime")
    if not written:
        return None
    return written_time(written, settings.zone, message.received_at, "dateTime")


def _pictures(parts: Iterable[Part], anpr: XmlNode) -> tuple[DevicePicture, ...]:
    """Return the pictures; what they show is told by their names, or by the event's list."""
    images = [part for part in parts if picture(part.content) is not None]
    infos = list(anpr.every("pictureInfo"))
    by_id = {info.text_of("pId"): info.text_of("type") for info in infos if info.find("pId")}
    in_order = [info.text_of("type") for info in infos] if len(infos) == len(images) else []
    found: list[DevicePicture] = []
    for number, image in enumerate(images):
        content_id = image.headers.get("content-id", "").strip("<>")
        listed = in_order[number] if in_order else ""
        name = image.filename or image.name or by_id.get(content_id) or content_id or listed
        is_plate = _PLATE_PICTURE in name.lower()
        taken = picture(image.content, name, is_plate_only=is_plate)
        if taken is not None:
            found.append(taken)
    return tuple(found[:PICTURES_MAX])

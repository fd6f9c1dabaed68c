"""ONVIF events: what a camera notifies of, pushed to us or pulled by us.

Source: ONVIF Core Specification, "Event handling"; the names of a plate's items are the makers'.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.device_times import written_time
from gate_bridge.drivers.headings import check_camera, heading_words
from gate_bridge.drivers.json_body import JsonPart
from gate_bridge.drivers.plain_reply import PlainReply
from gate_bridge.drivers.plate_text import plate_text
from gate_bridge.drivers.port import (
    CameraRead,
    CarState,
    DeviceMessage,
    DeviceSettings,
    DeviceSignal,
    Heading,
    InputSignal,
    KeepAlive,
    NotAnprError,
)
from gate_bridge.drivers.xml import XmlNode, read_xml
from parking.kit.errors import InvalidInputError

NOTIFICATIONS_MAX: Final = 64
CONFIDENCE_FULL: Final = 100.0
INPUTS_MAX: Final = 32
_OPTIONS: Final = ("confidence_full", "confidence_item", "inputs", "plate_item", "pull")
_PLATE_ITEMS: Final = ("PlateNumber", "LicensePlate", "Plate")
_CONFIDENCE_ITEMS: Final = ("Likelihood", "Confidence", "PlateConfidence")
_DIRECTION_ITEMS: Final = ("VehicleDirection", "Direction")
_REGION_ITEMS: Final = ("Country", "Nation", "CountryCode")
_HEADINGS: Final = {
    "forward": Heading.TOWARDS,
    "reverse": Heading.AWAY,
    "backward": Heading.AWAY,
}
_DIGITAL_INPUT: Final = "Device/Trigger/DigitalInput"
# What was true before anybody subscribed: a plate of then is no car of now.
_INITIAL: Final = frozenset({"Initialized", "Deleted"})


class OnvifDriver(PlainReply):
    """`Notify` and `PullMessagesResponse`, each with any number of notifications."""

    name = "onvif"

    def check(self, settings: DeviceSettings) -> None:
        """Look through the options.

        Raises:
            InvalidInputError: naming the option.
        """
        options = check_camera(settings, *_OPTIONS)
        _scale(options)
        options.text("plate_item")
        options.text("confidence_item")
        _inputs(options)
        # Whether its events are fetched rather than pushed: read where they are fetched.
        options.flag("pull", default=False)

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> Sequence[DeviceSignal]:
        """Return what the message says."""
        root = read_xml(message.body)
        found: list[DeviceSignal] = []
        topics: list[str] = []
        for notification in _notifications(root):
            topic = _topic(notification)
            topics.append(topic)
            signal = _signal(notification, topic, message, settings)
            if signal is not None:
                found.append(signal)
        if not topics and _is_answer(root):
            return (KeepAlive(),)
        if not found:
            raise NotAnprError(", ".join(topics[:4]) or root.name)
        return found


def _notifications(root: XmlNode) -> Iterator[XmlNode]:
    for count, node in enumerate(root.every("NotificationMessage")):
        if count >= NOTIFICATIONS_MAX:
            raise InvalidInputError("body", f"at most {NOTIFICATIONS_MAX} notifications")
        yield node


def _is_answer(root: XmlNode) -> bool:
    return next(root.every("PullMessagesResponse"), None) is not None


def _topic(notification: XmlNode) -> str:
    # tns1:RuleEngine/VehicleDetector/tnshik:Vehicle, without the prefixes that makers choose.
    steps = notification.text_of("Topic").split("/")
    return "/".join(step.rpartition(":")[2] for step in steps)


def _signal(
    notification: XmlNode, topic: str, message: DeviceMessage, settings: DeviceSettings
) -> DeviceSignal | None:
    told = notification.find("Message", "Message")
    if told is None:
        return None
    data, source = _items(told, "Data"), _items(told, "Source")
    options = DeviceOptions(settings.options)
    is_initial = told.attributes.get("PropertyOperation") in _INITIAL
    if topic == _DIGITAL_INPUT:
        return _input(data, source, options)
    plate_item = options.text("plate_item")
    written = _first(data, (plate_item,) if plate_item else _PLATE_ITEMS)
    if written is None or is_initial:
        return None
    captured_at = _captured_at(told, message)
    plate = plate_text(written)
    return CameraRead(
        plate=plate,
        confidence=0.0 if plate is None else _confidence(data, options),
        captured_at=captured_at,
        heading=_heading(data, options),
        state=CarState.NEW,
        region=_first(data, _REGION_ITEMS),
    )


def _items(told: XmlNode, part: str) -> Mapping[str, str]:
    node = told.find(part)
    if node is None:
        return {}
    return {
        item.attributes.get("Name", ""): item.attributes.get("Value", "")
        for item in node.children
        if item.name == "SimpleItem"
    }


def _first(items: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((items[name] for name in names if name in items), None)


def _captured_at(told: XmlNode, message: DeviceMessage) -> datetime:
    written = told.attributes.get("UtcTime", "")
    if not written:
        return message.received_at
    # By its name it is UTC, also where the camera leaves the Z out.
    return written_time(written, UTC, message.received_at, "Message.UtcTime")


def _confidence(data: Mapping[str, str], options: DeviceOptions) -> float:
    item = options.text("confidence_item")
    names = (item,) if item else _CONFIDENCE_ITEMS
    name = next((name for name in names if name in data), None)
    scaled = None if name is None else JsonPart(data[name], name).scaled(_scale(options))
    if scaled is not None:
        return scaled
    return options.assumed_confidence()


def _scale(options: DeviceOptions) -> float:
    return options.number("confidence_full", 1, 1000) or CONFIDENCE_FULL


def _heading(data: Mapping[str, str], options: DeviceOptions) -> Heading:
    words = _HEADINGS | heading_words(options)
    written = _first(data, _DIRECTION_ITEMS) or ""
    return words.get(written.strip().lower(), Heading.UNKNOWN)


def _inputs(options: DeviceOptions) -> Mapping[str, int]:
    numbers: dict[str, int] = {}
    for token, number in options.table("inputs", INPUTS_MAX).items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise InvalidInputError(f"options.inputs.{token}", "the input's number")
        numbers[token] = number
    return numbers


def _input(
    data: Mapping[str, str], source: Mapping[str, str], options: DeviceOptions
) -> InputSignal:
    token = source.get("InputToken", "")
    number = _inputs(options).get(token)
    if number is None:
        digits = token[len(token.rstrip("0123456789")) :]
        if not digits:
            raise InvalidInputError(f"options.inputs.{token}", "the number of this input")
        number = int(digits[-4:])
    state = data.get("LogicalState", "").strip().lower()
    return InputSignal(number=number, is_on=state in {"true", "1"})

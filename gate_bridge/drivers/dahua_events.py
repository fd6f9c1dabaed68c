"""Dahua's events as its own interfaces tell them: three forms of the same tree.

- `client.notifyEventStream` (RPC2): JSON with an `eventList`.
- `eventManager.cgi`: `Code=…;action=…;index=…;data={…}`.
- `snapManager.cgi`: a line for each leaf, `Events[0].TrafficCar.PlateNumber=…`.

Source: the maker's HTTP API and recorded messages. Confidence is 0 to 255 here. `UTC` is the
time of the clock on the wall, counted as if it were UTC; `RealUTC` is what its name says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from gate_bridge.drivers.device_times import epoch_time, wall_time, written_time
from gate_bridge.drivers.json_body import JsonPart, decode_json
from gate_bridge.drivers.port import DeviceMessage, DeviceSettings, Heading

EVENTS_MAX: Final = 16
LINES_MAX: Final = 4096
CODE_CHARACTERS_MAX: Final = 64
CONFIDENCE_FULL: Final = 255.0
HEARTBEAT: Final = b"heartbeat"
_CAR_CODES: Final = frozenset(
    {"TrafficJunction", "TrafficGate", "TrafficTollGate", "TrafficManualSnap", "TrafficVehicle"}
)
_STOP: Final = "stop"
_NON_MOTOR: Final = "nonmotor"
# First of `DrivingDirection`, and which end of the car the camera sees.
HEADINGS: Final = {
    "approach": Heading.TOWARDS,
    "head": Heading.TOWARDS,
    "obverse": Heading.TOWARDS,
    "leave": Heading.AWAY,
    "tail": Heading.AWAY,
    "reverse": Heading.AWAY,
}
_LINE: Final = re.compile(r"(?:Return)?Events\[(\d{1,2})\]\.([\w.\[\]]{1,128})=(.*)")


@dataclass(frozen=True, slots=True)
class DahuaEvent:
    """One event with what it tells."""

    code: str
    data: JsonPart

    @property
    def is_car(self) -> bool:
        """Return whether the event tells of a car, with or without a plate."""
        category = (self.data.at("CommInfo", "SnapCategory").text() or "").lower()
        action = (self.data.at("Action").text() or "").lower()
        return self.code in _CAR_CODES and category != _NON_MOTOR and action != _STOP


def rpc_events(body: JsonPart) -> Iterator[DahuaEvent]:
    """Return the events of a `client.notifyEventStream`."""
    for event in body.at("params", "eventList").items():
        yield DahuaEvent(event.at("Code").text() or "", event.at("Data"))


def text_events(text: bytes) -> Iterator[DahuaEvent]:
    """Return the events of a text part; none where it tells of none.

    Raises:
        InvalidInputError: what it tells cannot be read.
    """
    head, separator, data = text.strip().partition(b";data=")
    if head.lower().startswith(b"code="):
        fields = _fields(head.decode("utf-8", "replace"))
        if fields.get("action", "").lower() != _STOP:
            told = decode_json(data, "data") if separator else JsonPart({}, "data")
            yield DahuaEvent(fields["code"][:CODE_CHARACTERS_MAX], told)
        return
    for number, leaves in _leaves(text).items():
        data_of = JsonPart(_tree(leaves), f"Events[{number}]")
        code = leaves.get("EventBaseInfo.Code") or leaves.get("Code") or ""
        yield DahuaEvent(code, data_of)


def _fields(head: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for field in head.split(";"):
        name, _, value = field.partition("=")
        fields[name.strip().lower()] = value.strip()
    return fields


def plate_of(data: JsonPart) -> str | None:
    """Return what the camera read, as it wrote it."""
    return data.at("TrafficCar", "PlateNumber").text() or data.at("Object", "Text").text()


def heading_of(data: JsonPart, words: dict[str, Heading]) -> Heading:
    """Return which way the car drove; the end that the camera sees counts most."""
    driving = data.at("TrafficCar", "DrivingDirection")
    first = next(driving.items(), None) if isinstance(driving.value, list) else driving.at("0")
    for part in (data.at("VehicleDirection"), first, data.at("JunctionDirection")):
        written = "" if part is None else part.text() or ""
        if written.lower() in words:
            return words[written.lower()]
    return Heading.UNKNOWN


def captured_at(data: JsonPart, message: DeviceMessage, settings: DeviceSettings) -> datetime:
    """Return when the picture was taken.

    Raises:
        InvalidInputError: the time cannot be read; names it.
    """
    millisecond = (data.at("UTCMS").number() or 0.0) / 1000
    real = data.at("RealUTC").number()
    if real:
        return epoch_time(real + millisecond, data.at("RealUTC").path)
    local = data.at("LocaleTime").text()
    if local:
        return written_time(local, settings.zone, message.received_at, data.at("LocaleTime").path)
    counted = data.at("UTC")
    if isinstance(counted.value, str) and not counted.value.strip().isdigit():
        return written_time(counted.value, settings.zone, message.received_at, counted.path)
    seconds = counted.number()
    if not seconds:
        return message.received_at
    wall = epoch_time(seconds + millisecond, counted.path)
    shown = wall_time(wall.replace(tzinfo=None), settings.zone, message.received_at)
    # Some firmwares count in earnest; the one that is nearer to the receipt is meant.
    return min(shown, wall, key=lambda each: abs(each - message.received_at)).astimezone(UTC)


def _leaves(text: bytes) -> dict[int, dict[str, str]]:
    events: dict[int, dict[str, str]] = {}
    for line in text.decode("utf-8", "replace").splitlines()[:LINES_MAX]:
        match = _LINE.match(line.strip())
        if match is not None and (number := int(match[1])) < EVENTS_MAX:
            events.setdefault(number, {})[match[2]] = match[3].strip()
    return events


def _tree(leaves: dict[str, str]) -> dict[str, object]:
    """Return `a.b[0]=c` as objects, the places of a list as names."""
    root: dict[str, object] = {}
    for path, value in leaves.items():
        *above, last = path.replace("[", ".").replace("]", "").split(".")
        node = root
        for name in above:
            below = node.setdefault(name, {})
            if not isinstance(below, dict):
                break
            node = cast("dict[str, object]", below)
        else:
            node[last] = value
    return root

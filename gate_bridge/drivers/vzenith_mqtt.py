"""Vzenith cameras over MQTT: what they publish, and what opens their barrier.

Source: the maker's MQTT messages as its C5H cameras send and answer them.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.device_times import epoch_time
from gate_bridge.drivers.json_body import JsonPart, decode_json
from gate_bridge.drivers.lateness import is_late
from gate_bridge.drivers.plain_reply import PlainReply
from gate_bridge.drivers.port import (
    Arm,
    ArmSignal,
    DeviceMessage,
    DeviceSettings,
    DeviceSignal,
    KeepAlive,
    NotAnprError,
)
from gate_bridge.drivers.vzenith import INPUT, PLATE
from gate_bridge.drivers.vzenith_messages import (
    Sent,
    camera_read,
    check_clock,
    input_signal,
    plate_result,
)
from parking.kit.errors import InvalidInputError

SERIAL_CHARACTERS_MAX: Final = 64
_OPTIONS: Final = ("clock", "licence")
_LICENCES: Final = ("base64", "plain")
_ARMS: Final = {0: Arm.DOWN, 1: Arm.UP}
_ACCEPTED: Final = 200
_OFF: Final = 0
_ON_THEN_OFF: Final = 2


class VzenithMqttDriver(PlainReply):
    """`device/{serial}/message/up/…`; the last part of the topic says what it is."""

    name = "vzenith-mqtt"

    def check(self, settings: DeviceSettings) -> None:
        """Look through the options.

        Raises:
            InvalidInputError: naming the option.
        """
        options = DeviceOptions(settings.options)
        options.only(*_OPTIONS)
        check_clock(options)
        options.choice("licence", _LICENCES, _LICENCES[0])

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> Sequence[DeviceSignal]:
        """Return what the message says."""
        kind = message.target.rstrip("/").rpartition("/")[2]
        body = decode_json(message.body)
        told = _told(body)
        if kind == "ivs_result":
            alarm = told.at(PLATE).object()
            sent = Sent(_sent_at(body) or message.received_at, body.at("id").text() or None)
            return (camera_read(alarm, _licence(alarm, settings), message, settings, sent),)
        if kind == "gpio_in":
            return (input_signal(told.at(INPUT).object()),)
        if kind == "barr_gate_status":
            return (_arm(told),)
        if kind == "keep_alive":
            return (KeepAlive(device_time=None if is_late(message) else _sent_at(body)),)
        # `quick_ivs_result` is one of these: the same read comes at the same moment as
        # `ivs_result`, with its pictures.
        raise NotAnprError(kind)


def _sent_at(body: JsonPart) -> datetime | None:
    counted = body.at("timestamp").number()
    return epoch_time(counted, "timestamp") if counted else None


def _told(body: JsonPart) -> JsonPart:
    payload = body.at("payload").object()
    return payload.at("body") if "body" in payload else payload


def _licence(alarm: JsonPart, settings: DeviceSettings) -> str | None:
    part = plate_result(alarm).at("license")
    written = part.text()
    options = DeviceOptions(settings.options)
    if not written or options.choice("licence", _LICENCES, _LICENCES[0]) == "plain":
        return written
    try:
        decoded = base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        raise part.error('base64; else set the option licence = "plain"') from None
    for encoding in ("utf-8", "gb18030"):
        try:
            return decoded.decode(encoding).rstrip("\x00")
        except UnicodeDecodeError:
            continue
    raise part.error('base64 of UTF-8 or GB18030; else set the option licence = "plain"')


def _arm(told: JsonPart) -> DeviceSignal:
    if told.at("connect_status").integer() == 0:
        # The camera has lost the barrier's controller: what it says of the arm is old.
        return KeepAlive()
    arm = _ARMS.get(-1 if (status := told.at("gate_status").integer()) is None else status)
    if arm is None:
        raise told.at("gate_status").error("0 for down or 1 for up")
    return ArmSignal(arm=arm)


@dataclass(frozen=True, slots=True, kw_only=True)
class VzenithCommands:
    """What is published to one camera, and where its answer comes.

    Attributes:
        serial: The camera's serial number, such as `917e2298-8ddf3e46`.
        is_serial_first: Whether the topics begin `{serial}/device/` as those of older firmware.
    """

    serial: str
    is_serial_first: bool = False

    def topic(self, command: str) -> str:
        """Return where a command is published."""
        places = (self.serial, "device") if self.is_serial_first else ("device", self.serial)
        return "/".join((*places, "message", "down", command))

    def reply_topic(self, command: str) -> str:
        """Return where the camera answers it."""
        return f"{self.topic(command)}/reply"

    def pulse(self, message_id: str, now: datetime, *, output: int, pulse_ms: int) -> bytes:
        """Return `gpio_out`: an output on, and off again after `pulse_ms`."""
        told = {"delay": pulse_ms, "io": output, "value": _ON_THEN_OFF}
        return self._body("gpio_out", message_id, now, told)

    def switch_off(self, message_id: str, now: datetime, *, output: int) -> bytes:
        """Return `gpio_out` that switches an output off, which it is: only its reply matters."""
        told = {"delay": 0, "io": output, "value": _OFF}
        return self._body("gpio_out", message_id, now, told)

    def open_directly(self, message_id: str, now: datetime) -> bytes:
        """Return `gate_direct_open`, which newer firmware has for barriers of the same maker."""
        return self._body("gate_direct_open", message_id, now, {})

    def _body(self, name: str, message_id: str, now: datetime, told: dict[str, int]) -> bytes:
        return orjson.dumps(
            {
                "id": message_id,
                "sn": self.serial,
                "name": name,
                "version": "1.0",
                "timestamp": int(now.astimezone(UTC).timestamp()),
                "payload": {"type": name, "body": told},
            }
        )


@dataclass(frozen=True, slots=True)
class VzenithAnswer:
    """What a camera answered to a command.

    Attributes:
        message_id: Of the command; empty where the camera does not repeat it.
    """

    message_id: str
    is_accepted: bool


def read_answer(body: bytes) -> VzenithAnswer:
    """Return what a reply says.

    Raises:
        InvalidInputError: it is no reply.
    """
    reply = decode_json(body)
    code = reply.at("code").integer()
    if code is None:
        raise reply.at("code").error("a number")
    return VzenithAnswer(reply.at("id").text() or "", is_accepted=code == _ACCEPTED)


def check_serial(serial: str, field: str) -> str:
    """Return a serial number that may stand in a topic.

    Raises:
        InvalidInputError: it is empty, too long, or holds what topics give a meaning to.
    """
    is_plain = serial.isascii() and serial.replace("-", "").replace("_", "").isalnum()
    if not is_plain or len(serial) > SERIAL_CHARACTERS_MAX:
        raise InvalidInputError(field, "the camera's serial number, such as 917e2298-8ddf3e46")
    return serial

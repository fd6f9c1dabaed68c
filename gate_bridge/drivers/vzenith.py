"""Vzenith cameras over HTTP: they post what they see, and our reply raises the arm."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.json_body import decode_json
from gate_bridge.drivers.port import (
    DeviceMessage,
    DeviceReply,
    DeviceSettings,
    DeviceSignal,
    KeepAlive,
    NotAnprError,
)
from gate_bridge.drivers.vzenith_messages import (
    camera_read,
    check_clock,
    input_signal,
    is_offline,
    plate_result,
)
from parking.kit.errors import InvalidInputError

PLATE: Final = "AlarmInfoPlate"
INPUT: Final = "AlarmGioIn"
_RESPONSE: Final = "Response_AlarmInfoPlate"
_STOP: Final = "retransfer_stop"
_OPTIONS: Final = ("clock", "io", "open_with", "pulse_ms")
_OPENINGS: Final = ("info", "ioctrl")
_IO_MAX: Final = 3
_PULSE_MS: Final = 500
_PULSE_MS_MAX: Final = 600_000
_ON_THEN_OFF: Final = 2
# Device registration comes as a form with the serial number in it.
_REGISTRATION_MARK: Final = b"serialno"


class VzenithDriver:
    """The camera's HTTP push; the options say which output the reply switches, and how."""

    name = "vzenith"
    reply_opens = True

    def check(self, settings: DeviceSettings) -> None:
        """Look through the options.

        Raises:
            InvalidInputError: naming the option.
        """
        options = DeviceOptions(settings.options)
        options.only(*_OPTIONS)
        check_clock(options)
        _opening(options)

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> Sequence[DeviceSignal]:
        """Return what the message says."""
        if _is_registration(message.body):
            return (KeepAlive(),)
        body = decode_json(message.body)
        if PLATE in body:
            alarm = body.at(PLATE)
            written = plate_result(alarm).at("license").text()
            return (camera_read(alarm, written, message, settings),)
        if INPUT in body:
            return (input_signal(body.at(INPUT)),)
        raise NotAnprError(", ".join(body.names()) or "an empty object")

    def reply(
        self, message: DeviceMessage, settings: DeviceSettings, *, opens: bool
    ) -> DeviceReply:
        """Return the answer without which the camera sends the message again for ever."""
        content = _content(message, settings, opens=opens)
        return DeviceReply(content_type="application/json", body=orjson.dumps({_RESPONSE: content}))


def _content(
    message: DeviceMessage, settings: DeviceSettings, *, opens: bool
) -> Mapping[str, object]:
    is_live, plate_id = _standing(message.body)
    if plate_id is not None and not is_live:
        # From its memory: it sends the next one only when told to go on. Nothing opens for it.
        return {"ContinuePushOffline": {"plateid": plate_id, "continue": 1}}
    if opens and is_live:
        return _opening(DeviceOptions(settings.options))
    return {"info": "no", "content": _STOP, "is_pay": "false", "serialData": []}


def _opening(options: DeviceOptions) -> Mapping[str, object]:
    output = options.integer("io", 0, _IO_MAX, 0)
    pulse_ms = options.integer("pulse_ms", 1, _PULSE_MS_MAX, _PULSE_MS)
    if options.choice("open_with", _OPENINGS, _OPENINGS[0]) == "info":
        return {"info": "ok", "content": _STOP, "channelNum": output}
    return {"ivs_ioctrl": {"delay": pulse_ms, "io": output, "value": _ON_THEN_OFF}}


def _standing(body: bytes) -> tuple[bool, int | None]:
    """Return whether the body tells of a car that stands there now, and the read's number."""
    try:
        result = plate_result(decode_json(body).at(PLATE))
        return not is_offline(result), result.at("plateid").integer()
    except InvalidInputError:
        # It is answered all the same: else the camera would send it for ever.
        return False, None


def _is_registration(body: bytes) -> bool:
    return not body.lstrip(b"\x00\xef\xbb\xbf \t\r\n").startswith(b"{") and (
        _REGISTRATION_MARK in body
    )

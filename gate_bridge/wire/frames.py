"""Messages on the wire: `[2,id,action,payload]`, `[3,id,payload]`, `[4,id,code,text,details]`.

The layout follows OCPP-J. A Frame is a binary message: a call in one JSON line, then the picture.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast

import orjson

from gate_bridge.wire.errors import NO_CALL_ID, FormatViolationError, TooLargeError
from gate_bridge.wire.limits import CALL_ID_CHARACTERS_MAX, FRAME_HEADER_BYTES_MAX

Payload = dict[str, Any]


class MessageType(IntEnum):
    """First element of every message."""

    CALL = 2
    RESULT = 3
    FAILURE = 4


_LENGTHS = {MessageType.CALL: 4, MessageType.RESULT: 3, MessageType.FAILURE: 5}


@dataclass(frozen=True, slots=True)
class Call:
    """A request of either side."""

    id: str
    action: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class CallResult:
    """The answer to a call that was carried out."""

    id: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class CallFailure:
    """The answer to a call that was refused."""

    id: str
    code: str
    description: str
    details: Payload


@dataclass(frozen=True, slots=True)
class FrameMessage:
    """A call that carries a picture."""

    call: Call
    image: bytes


Message = Call | CallResult | CallFailure


def encode_call(call_id: str, action: str, payload_json: bytes) -> str:
    """Return a call as text; `payload_json` is the payload already in JSON."""
    return (b'[2,"%b","%b",%b]' % (call_id.encode(), action.encode(), payload_json)).decode()


def encode_result(call_id: str, payload_json: bytes) -> str:
    """Return a result as text; `payload_json` is the payload already in JSON."""
    return (b"[3,%b,%b]" % (orjson.dumps(call_id), payload_json)).decode()


def encode_failure(failure: CallFailure) -> str:
    """Return a failure as text."""
    return orjson.dumps(
        [
            MessageType.FAILURE.value,
            failure.id,
            failure.code,
            failure.description,
            failure.details,
        ]
    ).decode()


def encode_frame(call_id: str, payload_json: bytes, image: bytes) -> bytes:
    """Return a Frame: its call in one line, then the picture."""
    return b'[2,"%b","Frame",%b]\n%b' % (call_id.encode(), payload_json, image)


def decode_text(text: str) -> Message:
    """Return the message of a text frame.

    Raises:
        FormatViolationError: it is none; the error carries the call's id where it could be read.
    """
    return _message(_parsed(text))


def decode_frame(data: bytes) -> FrameMessage:
    """Return the call and the picture of a binary message.

    Raises:
        FormatViolationError: the first line is no call.
        TooLargeError: no line ends within the header's limit.
    """
    line_end = data.find(b"\n", 0, FRAME_HEADER_BYTES_MAX + 1)
    if line_end < 0:
        if len(data) > FRAME_HEADER_BYTES_MAX:
            raise TooLargeError("header", FRAME_HEADER_BYTES_MAX)
        raise FormatViolationError("header", "one line of JSON before the picture")
    message = _message(_parsed(data[:line_end]))
    if not isinstance(message, Call):
        raise FormatViolationError("type", "2 in a binary message", message.id)
    return FrameMessage(message, data[line_end + 1 :])


def _parsed(text: str | bytes) -> list[Any]:
    try:
        parsed: Any = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise FormatViolationError("message", "JSON") from error
    if not isinstance(parsed, list) or not parsed:
        raise FormatViolationError("message", "a JSON array")
    return cast("list[Any]", parsed)


def _message(parts: list[Any]) -> Message:
    call_id = _readable_id(parts)
    kind = _kind(parts[0], call_id)
    if len(parts) != _LENGTHS[kind]:
        raise FormatViolationError("message", f"{_LENGTHS[kind]} elements", call_id)
    if call_id == NO_CALL_ID:
        raise FormatViolationError("id", f"text of 1 to {CALL_ID_CHARACTERS_MAX} characters")
    if kind is MessageType.CALL:
        action = _text(parts[2], "action", call_id)
        return Call(call_id, action, _object(parts[3], "payload", call_id))
    if kind is MessageType.RESULT:
        return CallResult(call_id, _object(parts[2], "payload", call_id))
    return CallFailure(
        call_id,
        _text(parts[2], "code", call_id),
        _text(parts[3], "description", call_id),
        _object(parts[4], "details", call_id),
    )


def _readable_id(parts: list[Any]) -> str:
    candidate: object = parts[1] if len(parts) > 1 else None
    if isinstance(candidate, str) and 1 <= len(candidate) <= CALL_ID_CHARACTERS_MAX:
        return candidate
    return NO_CALL_ID


def _kind(value: object, call_id: str) -> MessageType:
    # `True` equals 1 and 2.0 equals 2 in Python; the wire knows integers only.
    if type(value) is int and value in _LENGTHS:
        return MessageType(value)
    raise FormatViolationError("type", "2, 3 or 4", call_id)


def _text(value: object, field: str, call_id: str) -> str:
    if isinstance(value, str):
        return value
    raise FormatViolationError(field, "text", call_id)


def _object(value: object, field: str, call_id: str) -> Payload:
    if isinstance(value, dict):
        return cast("Payload", value)
    raise FormatViolationError(field, "a JSON object", call_id)

"""Encoding and decoding of messages."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_bridge.wire.errors import FormatViolationError, TooLargeError, WireError
from gate_bridge.wire.frames import (
    Call,
    CallFailure,
    CallResult,
    FrameMessage,
    decode_frame,
    decode_text,
    encode_call,
    encode_failure,
    encode_frame,
    encode_result,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
PAYLOADS = st.dictionaries(st.text(), JSON, max_size=4)
IDS = st.text("abc123_", min_size=1, max_size=64)
ACTIONS = st.text("ABCdef", min_size=1)


@given(IDS, ACTIONS, PAYLOADS)
def test_a_call_comes_back_as_it_was(call_id: str, action: str, payload: dict[str, object]) -> None:
    assert decode_text(encode_call(call_id, action, orjson.dumps(payload))) == Call(
        call_id, action, payload
    )


@given(IDS, PAYLOADS)
def test_a_result_comes_back_as_it_was(call_id: str, payload: dict[str, object]) -> None:
    assert decode_text(encode_result(call_id, orjson.dumps(payload))) == CallResult(
        call_id, payload
    )


@given(IDS, st.text(), st.text(), PAYLOADS)
def test_a_failure_comes_back_as_it_was(
    call_id: str, code: str, description: str, details: dict[str, object]
) -> None:
    failure = CallFailure(call_id, code, description, details)
    assert decode_text(encode_failure(failure)) == failure


@given(IDS, PAYLOADS, st.binary(max_size=200))
def test_a_picture_comes_back_byte_for_byte(
    call_id: str, payload: dict[str, object], image: bytes
) -> None:
    decoded = decode_frame(encode_frame(call_id, orjson.dumps(payload), image))
    assert decoded == FrameMessage(Call(call_id, "Frame", payload), image)


PARTS = {"message", "type", "id", "action", "payload", "code", "description", "details"}


def refusal_of_text(text: str) -> FormatViolationError | None:
    try:
        decode_text(text)
    except FormatViolationError as error:
        return error
    return None


def refusal_of_bytes(data: bytes) -> WireError | None:
    try:
        decode_frame(data)
    except WireError as error:
        return error
    return None


@given(st.text() | JSON.map(lambda value: orjson.dumps(value).decode()))
def test_any_text_is_a_message_or_a_named_violation(text: str) -> None:
    error = refusal_of_text(text)
    assert error is None or error.details["field"] in PARTS


@given(st.lists(JSON, max_size=6))
def test_any_array_is_a_message_or_carries_the_readable_id(parts: list[object]) -> None:
    error = refusal_of_text(orjson.dumps(parts).decode())
    sent = parts[1] if len(parts) > 1 else None
    readable = sent if isinstance(sent, str) and 0 < len(sent) <= 64 else "-1"
    assert error is None or error.call_id == readable


@given(st.binary(max_size=6000))
def test_any_bytes_are_a_frame_or_a_named_refusal(data: bytes) -> None:
    error = refusal_of_bytes(data)
    assert error is None or "field" in error.details


def test_a_header_has_an_end_within_its_limit() -> None:
    with pytest.raises(TooLargeError) as caught:
        decode_frame(b"x" * 5000)
    assert caught.value.details == {"field": "header", "bytes_max": 4096}
    with pytest.raises(FormatViolationError):
        decode_frame(b'[2,"f","Frame",{}]')
    with pytest.raises(FormatViolationError) as unnamed:
        decode_frame(b'[3,"f",{}]\n')
    assert (unnamed.value.call_id, unnamed.value.details["field"]) == ("f", "type")


@pytest.mark.parametrize("text", ['[2.0,"x","A",{}]', "[NaN]", '[2,"","A",{}]'])
def test_lookalikes_are_refused(text: str) -> None:
    with pytest.raises(FormatViolationError):
        decode_text(text)

"""An answer's outer JSON object: the signed bytes exactly as they came, and the signature."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

ERROR_NODE = "error_response"
MEMBERS_MAX = 8

_SPACE = re.compile(r"[ \t\r\n]*")


class MalformedAnswerError(Exception):
    """The body is not an answer of this wire."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One answer whose signature nobody has checked yet.

    Attributes:
        raw: The node, byte for byte as received: this is what was signed.
        node: The same, read; numbers with a fraction stay text.
    """

    raw: bytes
    node: dict[str, Any]
    sign: str

    def with_bare_slashes(self) -> "Envelope":
        """Return it as it was before its slashes were escaped, where they are.

        Raises:
            MalformedAnswerError: it means nothing then.
        """
        raw = self.raw.replace(b"\\/", b"/")
        try:
            node = _DECODER.decode(raw.decode())
        except (ValueError, RecursionError) as error:
            raise MalformedAnswerError("json") from error
        return Envelope(raw, node, self.sign)


def node_name(method: str) -> str:
    """Return the member that answers a method: `alipay_trade_pay_response`."""
    return method.replace(".", "_") + "_response"


def read_envelope(method: str, body: bytes) -> Envelope:
    """Return the answer to a method.

    Raises:
        MalformedAnswerError: see there.
    """
    try:
        members = _members(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MalformedAnswerError("json") from error
    found = [members[name] for name in (node_name(method), ERROR_NODE) if name in members]
    if len(found) != 1 or not isinstance(found[0][1], dict):
        raise MalformedAnswerError("node")
    sign = members.get("sign", ("", None))[1]
    if not isinstance(sign, str):
        raise MalformedAnswerError("sign")
    raw, node = found[0]
    return Envelope(raw.encode(), node, sign)


def _members(text: str) -> dict[str, tuple[str, Any]]:
    """Return each member's raw text and value; json.loads would lose the raw text."""
    members: dict[str, tuple[str, Any]] = {}
    position = _expect(text, 0, "{")
    while True:
        name, position = _DECODER.raw_decode(text, _skip(text, position))
        start = _skip(text, _expect(text, position, ":"))
        value, position = _DECODER.raw_decode(text, start)
        if not isinstance(name, str) or name in members or len(members) >= MEMBERS_MAX:
            raise ValueError("members: expected a few, each once")
        members[name] = (text[start:position], value)
        position = _skip(text, position)
        if text[position : position + 1] != ",":
            break
        position += 1
    if _skip(text, _expect(text, position, "}")) != len(text):
        raise ValueError("expected nothing after the object")
    return members


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _expect(text: str, position: int, mark: str) -> int:
    position = _skip(text, position)
    if text[position : position + 1] != mark:
        raise ValueError(f"expected {mark}")
    return position + 1


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two members with one name, readers disagree on which counts.
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("members: expected each once")
    return read


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_KEEP: Callable[[str], str] = str
_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_float=_KEEP, parse_constant=_refuse)

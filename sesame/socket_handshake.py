"""How most clients ask for a WebSocket, as the parser of HTTP has read it already.

The library writes the request out again and parses it anew, in Python. Whatever does not ask in
the plainest way is left to it, and to its refusals.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

# Below what the library refuses.
HEADERS_MAX: Final = 100
LINE_BYTES_MAX: Final = 8000
_KEY_BYTES: Final = 16
# RFC 6455, 1.3.
_SUFFIX: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TOKENS: Final = re.compile(_TOKEN + rb"(?:, ?" + _TOKEN + rb")*")
_ONCE: Final = frozenset(
    (
        b"connection",
        b"upgrade",
        b"sec-websocket-key",
        b"sec-websocket-protocol",
        b"sec-websocket-version",
    )
)
# Nobody sends a body with it.
_LEFT: Final = frozenset((b"content-length", b"transfer-encoding", b"expect"))


class Handshake(NamedTuple):
    """What of a plain request counts.

    Attributes:
        accept: The answer to its key.
        subprotocols: That it offers.
    """

    accept: bytes
    subprotocols: list[str]


def plain_handshake(scope: Mapping[str, Any], url: bytes) -> Handshake | None:
    """Return what a request asks for; None where there is anything unusual about it."""
    if scope["method"] != "GET" or scope["http_version"] != "1.1":
        return None
    if len(url) > LINE_BYTES_MAX or not url.isascii() or url[:1] != b"/":
        return None
    found = _found(scope["headers"])
    if found is None or found.get(b"sec-websocket-version") != b"13":
        return None
    options = found.get(b"connection", b"").lower().split(b",")
    if found.get(b"upgrade", b"").lower() != b"websocket" or b"upgrade" not in map(_bare, options):
        return None
    accept = _accept(found.get(b"sec-websocket-key", b""))
    offered = found.get(b"sec-websocket-protocol")
    if accept is None or not (offered is None or _TOKENS.fullmatch(offered)):
        return None
    names = [] if offered is None else [name.strip() for name in offered.decode().split(",")]
    return Handshake(accept, names)


def _found(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes] | None:
    """Return the headers that count; None where any is twice, too long or not plain."""
    if len(headers) > HEADERS_MAX:
        return None
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if len(name) + len(value) > LINE_BYTES_MAX or not value.isascii() or name in _LEFT:
            return None
        if name in _ONCE:
            if name in found:
                return None
            found[name] = value
    options = found.get(b"connection", b"")
    return found if _TOKENS.fullmatch(options) else None


def _accept(key: bytes) -> bytes | None:
    try:
        if len(base64.b64decode(key, validate=True)) != _KEY_BYTES:
            return None
    except binascii.Error:
        return None
    # Not to keep anything secret: it says that whoever answers speaks the protocol.
    return base64.b64encode(hashlib.sha1(key + _SUFFIX, usedforsecurity=False).digest())


def _bare(option: bytes) -> bytes:
    return option.strip()

"""Who said it: a signature over what was sent, byte for byte (part 2 of a wire's page)."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature

from parking.kit.errors import InvalidInputError

WINDOW_S = 300
PLATFORM_KEYS_MAX = 4

_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


class SignatureRefusedError(Exception):
    """The bytes are not what a known key signed just now.

    Attributes:
        reason: One of `header`, `key`, `timestamp`, `signature`, `body`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """Ours, under its name on the wire."""

    key_id: str
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The platform's, under its name on the wire.

    Attributes:
        verify: Of a signature and a text; raises `InvalidSignature`.
    """

    key_id: str
    verify: Callable[[bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and with which nonce something was signed; `time` is seconds since 1970."""

    time: str
    nonce: str


@dataclass(frozen=True, slots=True)
class SignatureHeader:
    """A parsed header; nothing in it is proven yet."""

    key: str
    stamp: Stamp
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureScheme:
    """How one wire signs.

    Attributes:
        name: The first word of what is signed.
        request_header: Where a request carries its signature.
        header: Where answers and notices do.
        prefix: What a header's value begins with.
        separator: What stands between its fields.
        quote: What stands around a field's value.
        time_field: What it calls the time.
        length_max: Of a header's value.
        names_merchant: Whether requests and answers are signed with the merchant's name too, as
            notices always are.
        load_private_key: Of a PEM; raises InvalidInputError for another algorithm's key.
        load_public_key: Likewise.
    """

    name: str
    request_header: str
    header: str
    prefix: str
    separator: str
    quote: str
    time_field: str
    length_max: int
    names_merchant: bool
    load_private_key: Callable[[str], PrivateKey]
    load_public_key: Callable[[bytes], PublicKey]

    def text(self, purpose: str, *lines: str, stamp: Stamp, body: bytes) -> bytes:
        """Return what is signed for a purpose: `request`, `answer` or `notice`."""
        head = (f"{self.name} {purpose}", *lines, stamp.time, stamp.nonce, "")
        return "\n".join(head).encode() + body

    def write(self, merchant: str, key: PrivateKey, text: bytes, stamp: Stamp) -> str:
        """Return the header for a request's text."""
        fields = {
            "merchant": merchant,
            "key": key.key_id,
            self.time_field: stamp.time,
            "nonce": stamp.nonce,
            "signature": base64.b64encode(key.sign(text)).decode(),
        }
        quoted = (f"{name}={self.quote}{value}{self.quote}" for name, value in fields.items())
        return self.prefix + self.separator.join(quoted)

    def parse(self, header: str) -> SignatureHeader:
        """Return what a header claims.

        Raises:
            SignatureRefusedError: it is malformed (`header`).
        """
        if len(header) > self.length_max or not header.startswith(self.prefix):
            raise SignatureRefusedError("header")
        field = re.compile(rf"([a-z]+)={self.quote}([0-9A-Za-z+/=_.:-]*){self.quote}")
        parts = header.removeprefix(self.prefix).split(self.separator)
        found = {part[1]: part[2] for part in map(field.fullmatch, parts) if part}
        expected = {"merchant", "key", self.time_field, "nonce", "signature"}
        if len(parts) != len(expected) or found.keys() != expected:
            raise SignatureRefusedError("header")
        stamp = Stamp(found[self.time_field], found["nonce"])
        return SignatureHeader(found["key"], stamp, found["signature"])


class PlatformKeys:
    """The platform's public keys; two are valid at once while one replaces the other."""

    def __init__(self, scheme: SignatureScheme, platform_keys_pem: str) -> None:
        blocks = _PEM.findall(platform_keys_pem.encode())
        if not 0 < len(blocks) <= PLATFORM_KEYS_MAX:
            raise InvalidInputError("platform_keys", f"1 to {PLATFORM_KEYS_MAX} PEM public keys")
        keys = map(scheme.load_public_key, blocks)
        self._keys = {key.key_id: key for key in keys}

    def check(self, header: SignatureHeader, text: bytes, now: datetime) -> None:
        """Return if a platform key signed `text` within the time window.

        Raises:
            SignatureRefusedError: it did not.
        """
        key = self._keys.get(header.key)
        if key is None:
            raise SignatureRefusedError("key")
        try:
            key.verify(base64.b64decode(header.signature, validate=True), text)
        except (binascii.Error, InvalidSignature) as error:
            raise SignatureRefusedError("signature") from error
        # Only now is the time somebody's word.
        time = header.stamp.time
        if not (time.isascii() and time.isdigit()):
            raise SignatureRefusedError("timestamp")
        if abs(now.timestamp() - int(time)) > WINDOW_S:
            raise SignatureRefusedError("timestamp")

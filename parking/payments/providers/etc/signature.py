"""Who said it: Ed25519 over what was sent, byte for byte (docs/etc-wire.md, part 2)."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from parking.kit.errors import InvalidInputError

SCHEME = "SESAME-ETC-ED25519"
HEADER = "Sesame-Etc-Signature"
WINDOW_S = 300
PLATFORM_KEYS_MAX = 4
HEADER_LENGTH_MAX = 512
_KEY_ID_LENGTH = 16
_FIELDS = ("merchant", "key", "time", "nonce", "signature")
_FIELD = re.compile(r"([a-z]+)=([0-9A-Za-z+/=_.-]*)")
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


class SignatureRefusedError(Exception):
    """The bytes are not what a known key signed just now.

    Attributes:
        reason: One of `header`, `key`, `timestamp`, `signature`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and with which nonce something was signed; `time` is seconds since 1970."""

    time: str
    nonce: str


def key_id(key: Ed25519PublicKey) -> str:
    """Return the key's name on the wire: 16 hex digits of its 32 bytes' SHA-256."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:_KEY_ID_LENGTH]


def signed_text(purpose: str, *lines: str, stamp: Stamp, body: bytes) -> bytes:
    """Return what is signed for a purpose: `request`, `answer` or `notice`."""
    head = (f"{SCHEME} {purpose}", *lines, stamp.time, stamp.nonce, "")
    return "\n".join(head).encode() + body


class Signer:
    """The merchant's private key."""

    def __init__(self, merchant: str, private_key_pem: str) -> None:
        try:
            key = serialization.load_pem_private_key(private_key_pem.encode(), password=None)
        except ValueError as error:
            raise InvalidInputError("merchant_key", "an Ed25519 private key in PEM") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise InvalidInputError("merchant_key", "an Ed25519 private key in PEM")
        self._merchant = merchant
        self._key = key
        self._key_id = key_id(key.public_key())

    def header(self, text: bytes, stamp: Stamp) -> str:
        """Return the header for a request's text."""
        signature = base64.b64encode(self._key.sign(text)).decode()
        return (
            f"merchant={self._merchant};key={self._key_id};"
            f"time={stamp.time};nonce={stamp.nonce};signature={signature}"
        )


@dataclass(frozen=True, slots=True)
class SignatureHeader:
    """A parsed header; nothing in it is proven yet."""

    merchant: str
    key: str
    stamp: Stamp
    signature: str

    @classmethod
    def parse(cls, header: str) -> Self:
        """Return the header's five fields.

        Raises:
            SignatureRefusedError: it is malformed (`header`).
        """
        if len(header) > HEADER_LENGTH_MAX:
            raise SignatureRefusedError("header")
        parts = [_FIELD.fullmatch(part) for part in header.split(";")]
        found = {part[1]: part[2] for part in parts if part}
        if len(parts) != len(_FIELDS) or found.keys() != set(_FIELDS):
            raise SignatureRefusedError("header")
        stamp = Stamp(found["time"], found["nonce"])
        return cls(found["merchant"], found["key"], stamp, found["signature"])


class Verifier:
    """The platform's public keys; two are valid at once while one replaces the other."""

    def __init__(self, platform_keys_pem: str) -> None:
        blocks = _PEM.findall(platform_keys_pem.encode())
        if not 0 < len(blocks) <= PLATFORM_KEYS_MAX:
            raise InvalidInputError("platform_keys", f"1 to {PLATFORM_KEYS_MAX} PEM public keys")
        self._keys: dict[str, Ed25519PublicKey] = {}
        for block in blocks:
            key = serialization.load_pem_public_key(block)
            if not isinstance(key, Ed25519PublicKey):
                raise InvalidInputError("platform_keys", "Ed25519 keys")
            self._keys[key_id(key)] = key

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

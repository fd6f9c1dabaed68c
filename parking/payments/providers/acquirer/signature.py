"""Who said it: RSA-SHA256 over what was sent, byte for byte (docs/acquirer-wire.md, part 2)."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from parking.kit.errors import InvalidInputError

SCHEME = "SESAME-RSA-SHA256"
WINDOW_S = 300
KEY_BITS_MIN = 2048
PLATFORM_KEYS_MAX = 4
HEADER_LENGTH_MAX = 1024
_KEY_ID_LENGTH = 16

_FIELD = re.compile(r'([a-z]+)="([0-9A-Za-z+/=_.:-]*)"')
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
    """When and with which nonce something was signed."""

    timestamp: str
    nonce: str


def key_id(key: rsa.RSAPublicKey) -> str:
    """Return the key's name on the wire: 16 hex digits of its SHA-256."""
    encoded = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(encoded).hexdigest()[:_KEY_ID_LENGTH]


def request_text(method: str, target: str, stamp: Stamp, body: bytes) -> bytes:
    """Return what the merchant signs; `target` is percent-encoded, as it goes over the wire."""
    return _text("request", method, target, stamp.timestamp, stamp.nonce, body=body)


def answer_text(status_code: int, request_nonce: str, stamp: Stamp, body: bytes) -> bytes:
    """Return what the platform signs; the request's nonce ties the answer to its question."""
    return _text("answer", str(status_code), request_nonce, stamp.timestamp, stamp.nonce, body=body)


def notice_text(merchant: str, stamp: Stamp, body: bytes) -> bytes:
    """Return what the platform signs when it speaks first."""
    return _text("notice", merchant, stamp.timestamp, stamp.nonce, body=body)


class Signer:
    """The merchant's private key."""

    def __init__(self, merchant: str, private_key_pem: str) -> None:
        key = serialization.load_pem_private_key(private_key_pem.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
            raise InvalidInputError("merchant_key", f"an RSA key of {KEY_BITS_MIN} bits or more")
        self._merchant = merchant
        self._key = key
        self._key_id = key_id(key.public_key())

    def authorization(self, text: bytes, stamp: Stamp) -> str:
        """Return the `Authorization` header for a request text."""
        raw = self._key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        signature = base64.b64encode(raw).decode()
        return (
            f'{SCHEME} merchant="{self._merchant}",key="{self._key_id}",'
            f'timestamp="{stamp.timestamp}",nonce="{stamp.nonce}",signature="{signature}"'
        )


@dataclass(frozen=True, slots=True)
class SignatureHeader:
    """A parsed `Sesame-Signature`; nothing in it is proven yet."""

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
        scheme, _, rest = header.partition(" ")
        parts = [_FIELD.fullmatch(part) for part in rest.split(",")]
        fields = {part[1]: part[2] for part in parts if part}
        expected = {"merchant", "key", "timestamp", "nonce", "signature"}
        if (
            scheme != SCHEME
            or len(header) > HEADER_LENGTH_MAX
            or len(parts) != len(expected)
            or fields.keys() != expected
        ):
            raise SignatureRefusedError("header")
        stamp = Stamp(fields["timestamp"], fields["nonce"])
        return cls(fields["merchant"], fields["key"], stamp, fields["signature"])


class Verifier:
    """The platform's public keys; two are valid at once while one replaces the other."""

    def __init__(self, platform_keys_pem: str) -> None:
        blocks = _PEM.findall(platform_keys_pem.encode())
        if not 0 < len(blocks) <= PLATFORM_KEYS_MAX:
            raise InvalidInputError("platform_keys", f"1 to {PLATFORM_KEYS_MAX} PEM public keys")
        self._keys: dict[str, rsa.RSAPublicKey] = {}
        for block in blocks:
            key = serialization.load_pem_public_key(block)
            if not isinstance(key, rsa.RSAPublicKey) or key.key_size < KEY_BITS_MIN:
                raise InvalidInputError("platform_keys", f"RSA, {KEY_BITS_MIN} bits or more")
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
            raw = base64.b64decode(header.signature, validate=True)
            key.verify(raw, text, padding.PKCS1v15(), hashes.SHA256())
        except (binascii.Error, InvalidSignature) as error:
            raise SignatureRefusedError("signature") from error
        # Only now is the timestamp somebody's word.
        timestamp = header.stamp.timestamp
        if not (timestamp.isascii() and timestamp.isdigit()):
            raise SignatureRefusedError("timestamp")
        if abs(now.timestamp() - int(timestamp)) > WINDOW_S:
            raise SignatureRefusedError("timestamp")


def _text(purpose: str, *lines: str, body: bytes) -> bytes:
    return "\n".join((f"{SCHEME} {purpose}", *lines, "")).encode() + body

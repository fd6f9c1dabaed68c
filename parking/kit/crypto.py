"""Sealing of personal values, and the keyed blind index that finds them again."""

import hashlib
import hmac
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from parking.kit.errors import ParkingError

KEY_BYTES = 32
_NONCE_BYTES = 12
# The first byte of a sealed value names the key that sealed it, so that keys can be rotated.
KEY_ID = b"\x01"
# What sealing adds: the key's name, the nonce, and GCM's tag.
SEAL_BYTES = 1 + _NONCE_BYTES + 16


class SealBrokenError(ParkingError):
    """A sealed value was altered, or was sealed with another key or for another field."""

    code = "SEAL_BROKEN"


class Vault:
    """Seals plates and phone numbers with AES-256-GCM, and indexes them with HMAC-SHA-256.

    Args:
        field_key: 32 bytes that seal.
        index_key: 32 other bytes that index; whoever has only one of the keys cannot link rows.
    """

    def __init__(self, *, field_key: bytes, index_key: bytes) -> None:
        for name, key in (("field_key", field_key), ("index_key", index_key)):
            if len(key) != KEY_BYTES:
                raise ValueError(f"{name}: expected {KEY_BYTES} bytes, got {len(key)}")
        if hmac.compare_digest(field_key, index_key):
            raise ValueError("index_key: expected a key that differs from field_key")
        self._cipher = AESGCM(field_key)
        self._index_key = index_key

    def seal(self, text: str, *, context: str) -> bytes:
        """Return `text` sealed for one field; `context` names it and must be given to open it."""
        return self.seal_bytes(text.encode(), context=context)

    def seal_bytes(self, content: bytes, *, context: str) -> bytes:
        """Return a picture or file sealed for one field, as `seal` does with text."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return KEY_ID + nonce + self._cipher.encrypt(nonce, content, context.encode())

    def open(self, sealed: bytes, *, context: str) -> str:
        """Return what was sealed.

        Raises:
            SealBrokenError: altered, or sealed with another key or for another context.
        """
        try:
            return self.open_bytes(sealed, context=context).decode()
        except UnicodeDecodeError as error:
            raise SealBrokenError("sealed: not a text") from error

    def open_bytes(self, sealed: bytes, *, context: str) -> bytes:
        """Return the picture or file that was sealed; errors as in `open`."""
        if sealed[:1] != KEY_ID:
            raise SealBrokenError("sealed: expected a value of key 1")
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, body, context.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBrokenError("sealed: not of this key and context") from error

    def blind_index(self, kind: str, text: str) -> UUID:
        """Return the same opaque id for the same text: half an HMAC-SHA-256, shaped as UUIDv8.

        Args:
            kind: What is indexed (`plate`, `phone`); the same text of two kinds never meets.
            text: The normalised value.
        """
        value = int.from_bytes(self.digest(kind, text)[:16])
        value = value & ~(0xF << 76) | 0x8 << 76
        return UUID(int=value & ~(0b11 << 62) | 0b10 << 62)

    def digest(self, kind: str, text: str) -> bytes:
        """Return the 32-byte HMAC of a code or token, for storing instead of the value."""
        return hmac.new(self._index_key, f"{kind}|{text}".encode(), hashlib.sha256).digest()


def same_digest(left: bytes, right: bytes) -> bool:
    """Compare two digests without telling by the time taken where they differ."""
    return hmac.compare_digest(left, right)

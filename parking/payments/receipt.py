"""A signed receipt: a compact JWS (RFC 7515) with an Ed25519 signature (RFC 8037).

It is read with more care than the format asks for: one algorithm, one type, no member of the header
besides ours, and only the one spelling of each part, so that no byte of it can change.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from parking.kit.canonical_json import canonical, read_strictly
from parking.kit.errors import InvalidInputError, ParkingError
from parking.payments.receipt_keys import ALGORITHM, PublicKeys, key_id, key_set

RECEIPT_TYPE: Final = "parking-receipt+jws"
LENGTH_MAX: Final = 4 * 1024 * 1024
_PARTS: Final = 3
_HEADER_MEMBERS: Final = {"alg", "kid", "typ"}


class ReceiptRefusedError(ParkingError):
    """The receipt is not one that a known key has signed."""

    code = "RECEIPT_REFUSED"


class UnknownKeyError(ReceiptRefusedError):
    """The receipt names a key that is not among the given ones."""

    code = "RECEIPT_KEY_UNKNOWN"

    def __init__(self, kid: str) -> None:
        super().__init__(f"kid: expected one of the given keys, found {kid}")


class ReceiptSigner:
    """Signs receipts with one key and publishes it with the retired ones.

    Args:
        key: Signs from now on.
        retired: Have signed before; what they signed must stay verifiable.
    """

    def __init__(self, key: Ed25519PrivateKey, retired: Sequence[Ed25519PublicKey] = ()) -> None:
        self._key = key
        self._key_id = key_id(key.public_key())
        published = (key.public_key(), *retired)
        self.key_set: Final[Mapping[str, Any]] = key_set(published)
        self.keys: Final[PublicKeys] = {key_id(item): item for item in published}

    def sign(self, claims: Mapping[str, object]) -> str:
        """Return the receipt; the same claims give the same text: Ed25519 takes no randomness."""
        return PyJWS().encode(
            canonical(dict(claims)),
            self._key,
            algorithm=ALGORITHM,
            headers={"kid": self._key_id, "typ": RECEIPT_TYPE},
        )

    def sign_bytes(self, message: bytes) -> tuple[str, bytes]:
        """Return the key's name and its signature of what is no receipt.

        The message must begin with words of its own kind, so that it is never taken for another.
        """
        return self._key_id, self._key.sign(message)


def open_receipt(text: str, keys: PublicKeys) -> dict[str, Any]:
    """Return what a receipt says, if one of the keys has signed it.

    Raises:
        UnknownKeyError: it names another key.
        ReceiptRefusedError: it is malformed, altered, or of another type or algorithm.
    """
    kid = _header_of(text)["kid"]
    if kid not in keys:
        raise UnknownKeyError(kid)
    try:
        payload = PyJWS().decode(text, keys[kid], algorithms=[ALGORITHM])
    except PyJWTError as error:
        raise ReceiptRefusedError("receipt: its signature is not of this key") from error
    return _claims(payload)


def read_unverified(text: str) -> dict[str, Any]:
    """Return what a receipt says, whoever made it; for showing it beside a refusal only.

    Raises:
        ReceiptRefusedError: it is malformed.
    """
    _header_of(text)
    return _claims(_decoded(text.split(".")[1]))


def _header_of(text: str) -> dict[str, str]:
    parts = text.split(".") if len(text) <= LENGTH_MAX else []
    if len(parts) != _PARTS:
        raise ReceiptRefusedError(f"receipt: expected three parts, {LENGTH_MAX} letters at most")
    raw_header, _, _ = (_decoded(part) for part in parts)
    header = _object(raw_header, "header")
    if header.get("alg") != ALGORITHM:
        raise ReceiptRefusedError(f"alg: expected {ALGORITHM}")
    if header.get("typ") != RECEIPT_TYPE:
        raise ReceiptRefusedError(f"typ: expected {RECEIPT_TYPE}")
    # An unknown member may change what the signature covers, `b64` for one.
    if set(header) != _HEADER_MEMBERS or not isinstance(header["kid"], str):
        raise ReceiptRefusedError("header: expected alg, kid and typ, and nothing else")
    return header


def _claims(payload: bytes) -> dict[str, Any]:
    return _object(payload, "payload")


def _object(raw: bytes, field: str) -> dict[str, Any]:
    try:
        value = read_strictly(raw, field=field)
    except InvalidInputError as error:
        raise ReceiptRefusedError(str(error)) from error
    if not isinstance(value, dict):
        raise ReceiptRefusedError(f"{field}: expected an object")
    return cast("dict[str, Any]", value)


def _decoded(part: str) -> bytes:
    """Decode base64url; of the spellings of the same bytes only the usual one is taken."""
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ReceiptRefusedError("receipt: expected base64url without padding") from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != part.encode():
        raise ReceiptRefusedError("receipt: expected the usual spelling of base64url")
    return raw

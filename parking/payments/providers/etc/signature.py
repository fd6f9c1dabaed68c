"""Ed25519 as docs/etc-wire.md, part 2, asks for it."""

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from parking.kit.errors import InvalidInputError
from parking.payments.signed_wire import PrivateKey, PublicKey, SignatureScheme

_KEY_ID_LENGTH = 16


def load_private_key(pem: str) -> PrivateKey:
    """Return the merchant's key.

    Raises:
        InvalidInputError: it is not an Ed25519 key.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInputError("merchant_key", "an Ed25519 private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInputError("merchant_key", "an Ed25519 private key in PEM")
    return PrivateKey(_key_id(key.public_key()), key.sign)


def load_public_key(pem: bytes) -> PublicKey:
    """Return one of the acquirer's keys.

    Raises:
        InvalidInputError: it is not an Ed25519 key.
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInputError("platform_keys", "Ed25519 keys") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidInputError("platform_keys", "Ed25519 keys")
    return PublicKey(_key_id(key), key.verify)


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:_KEY_ID_LENGTH]


SCHEME = SignatureScheme(
    name="SESAME-ETC-ED25519",
    request_header="Sesame-Etc-Signature",
    header="Sesame-Etc-Signature",
    prefix="",
    separator=";",
    quote="",
    time_field="time",
    length_max=512,
    names_merchant=True,
    load_private_key=load_private_key,
    load_public_key=load_public_key,
)

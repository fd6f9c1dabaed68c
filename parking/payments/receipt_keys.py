"""The keys that sign receipts: one Ed25519 key signs, retired ones are still published.

A key is named by its thumbprint (RFC 7638), so that a name cannot belong to two keys. The published
form is a JSON Web Key Set (RFC 7517) with the key type of RFC 8037.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from parking.kit.canonical_json import canonical
from parking.kit.errors import InvalidInputError

ALGORITHM: Final = "EdDSA"
KEYS_MAX: Final = 100
_PUBLIC_PEM: Final = re.compile(
    rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL
)

PublicKeys = Mapping[str, Ed25519PublicKey]
"""Keys by their names."""


def read_private_key(pem: bytes, *, field: str) -> Ed25519PrivateKey:
    """Return the key that signs.

    Raises:
        InvalidInputError: it is not an unencrypted Ed25519 key in PEM.
    """
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInputError(field, "an unencrypted private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInputError(field, "an Ed25519 key")
    return key


def read_public_keys(pem: bytes, *, field: str) -> list[Ed25519PublicKey]:
    """Return the public keys of a file, one PEM block after another; none in an empty file.

    Raises:
        InvalidInputError: a block is no Ed25519 key, there is text that is none, or too many.
    """
    blocks = _PUBLIC_PEM.findall(pem)
    if len(blocks) > KEYS_MAX or _PUBLIC_PEM.sub(b"", pem).strip():
        raise InvalidInputError(field, f"at most {KEYS_MAX} public keys in PEM, and nothing else")
    return [_public_key(block, field) for block in blocks]


def key_id(key: Ed25519PublicKey) -> str:
    """Return the key's thumbprint."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": _encoded(key.public_bytes_raw())}
    return _encoded(hashlib.sha256(canonical(members)).digest())


def key_set(keys: Sequence[Ed25519PublicKey]) -> dict[str, Any]:
    """Return the keys as they are published, each once."""
    by_id = {key_id(key): key for key in keys}
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": ALGORITHM,
                "use": "sig",
                "kid": name,
                "x": _encoded(key.public_bytes_raw()),
            }
            for name, key in by_id.items()
        ]
    }


def read_key_set(data: object) -> PublicKeys:
    """Return the Ed25519 keys of a key set; keys of other kinds are left out.

    Raises:
        InvalidInputError: it is no key set, or a key does not have its thumbprint as its name.
    """
    entries = cast("dict[str, object]", data).get("keys") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise InvalidInputError("keys", "a JSON Web Key Set, an object with `keys`")
    listed = cast("list[object]", entries)
    if len(listed) > KEYS_MAX:
        raise InvalidInputError("keys", f"at most {KEYS_MAX} keys")
    keys: dict[str, Ed25519PublicKey] = {}
    for at, entry in enumerate(listed):
        if not isinstance(entry, dict):
            raise InvalidInputError(f"keys.keys[{at}]", "an object")
        members = cast("dict[str, object]", entry)
        if (members.get("kty"), members.get("crv")) != ("OKP", "Ed25519"):
            continue
        name, key = _read_key(members, f"keys.keys[{at}]")
        keys[name] = key
    return keys


def _read_key(members: Mapping[str, object], path: str) -> tuple[str, Ed25519PublicKey]:
    if "d" in members:
        raise InvalidInputError(f"{path}.d", "no private key: whoever has this file can sign")
    try:
        x = str(members.get("x"))
        raw = base64.b64decode(x + "=" * (-len(x) % 4), altchars=b"-_", validate=True)
        key = Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError(f"{path}.x", "32 bytes in base64url") from error
    name = key_id(key)
    if members.get("kid") != name:
        raise InvalidInputError(f"{path}.kid", f"the key's thumbprint, {name}")
    return name, key


def _public_key(block: bytes, field: str) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInputError(field, "public keys in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidInputError(field, "Ed25519 keys")
    return key


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")

"""Reading tokens that this installation signed, as it writes them itself.

The library looks at each character in Python, which costs six times what the signature does.
"""

import base64
import binascii
from typing import Any, Final, cast

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

_NUMBER_BYTES: Final = 32
_PARTS: Final = 3
_ECDSA: Final = ec.ECDSA(hashes.SHA256())


def own_claims(
    token: str, header: str, public_key: ec.EllipticCurvePublicKey
) -> dict[str, Any] | None:
    """Return what a token claims whose signature is right; None wherever there is any doubt.

    Args:
        token: As it came.
        header: The first part of every token that we sign: of any other header nothing is believed.
        public_key: Of the key that we sign with, on P-256.
    """
    parts = token.split(".")
    if len(parts) != _PARTS or parts[0] != header or "=" in token:
        return None
    try:
        signature = _decoded(parts[2])
        if len(signature) != 2 * _NUMBER_BYTES:
            return None
        first, second = signature[:_NUMBER_BYTES], signature[_NUMBER_BYTES:]
        numbers = int.from_bytes(first, "big"), int.from_bytes(second, "big")
        signed = f"{parts[0]}.{parts[1]}".encode("ascii")
        public_key.verify(encode_dss_signature(*numbers), signed, _ECDSA)
        claims = orjson.loads(_decoded(parts[1]))
    except (InvalidSignature, binascii.Error, ValueError):
        return None
    return cast("dict[str, Any]", claims) if isinstance(claims, dict) else None


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)

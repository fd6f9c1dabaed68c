"""A gate's request for a certificate (PKCS#10, RFC 2986): it proves a key, and nothing else.

Whatever it says about names and usage is ignored: who a gate is, the token or its present
certificate says.
"""

import hashlib
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from parking.kit.errors import InvalidInputError

REQUEST_BYTES_MAX: Final = 8192
RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 4096
# A larger one makes each check of a signature slow, and nobody uses one.
RSA_EXPONENT_BITS_MAX: Final = 32
FIELD: Final = "request"

RequestedKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


def read_request(request: bytes) -> RequestedKey:
    """Return the key that a request proves, in PEM or DER.

    Raises:
        InvalidInputError: too long, malformed, not signed by its own key, or a key that is not
            taken.
    """
    if len(request) > REQUEST_BYTES_MAX:
        raise InvalidInputError(FIELD, f"at most {REQUEST_BYTES_MAX} bytes")
    try:
        parsed = _parse(request)
        # Before the signature: checking one with an enormous key takes long.
        key = checked_key(parsed.public_key())
        signed = parsed.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise InvalidInputError(FIELD, "a certificate signing request (PKCS#10)") from error
    if not signed:
        raise InvalidInputError(FIELD, "one that is signed by its own key")
    return key


def checked_key(key: object) -> RequestedKey:
    """Return a key of a kind and size that is taken.

    Raises:
        InvalidInputError: another kind, too short, or too long.
    """
    match key:
        case ed25519.Ed25519PublicKey():
            return key
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
            return key
        case rsa.RSAPublicKey() if _is_taken(key):
            return key
        case _:
            expected = f"a key on P-256 or P-384, Ed25519, or RSA of at least {RSA_BITS_MIN} bits"
            raise InvalidInputError(FIELD, expected)


def key_digest(key: RequestedKey) -> bytes:
    """Return what tells a key from others."""
    raw = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(raw).digest()


def _parse(request: bytes) -> x509.CertificateSigningRequest:
    if request.lstrip().startswith(b"-----BEGIN"):
        return x509.load_pem_x509_csr(request)
    return x509.load_der_x509_csr(request)


def _is_taken(key: rsa.RSAPublicKey) -> bool:
    exponent = key.public_numbers().e
    return (
        RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX
        and exponent.bit_length() <= RSA_EXPONENT_BITS_MAX
    )

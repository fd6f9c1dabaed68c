"""RSA-SHA256 as docs/acquirer-wire.md, part 2, asks for it."""

import hashlib
from functools import partial

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from parking.kit.errors import InvalidInputError
from parking.payments.signed_wire import PrivateKey, PublicKey, SignatureScheme

KEY_BITS_MIN = 2048
_KEY_ID_LENGTH = 16


def load_private_key(pem: str) -> PrivateKey:
    """Return the merchant's key.

    Raises:
        InvalidInputError: it is not an RSA key that is long enough.
    """
    expected = f"an RSA key of {KEY_BITS_MIN} bits or more, in PEM and without a password"
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInputError("merchant_key", expected) from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
        raise InvalidInputError("merchant_key", expected)
    sign = partial(key.sign, padding=padding.PKCS1v15(), algorithm=hashes.SHA256())
    return PrivateKey(_key_id(key.public_key()), sign)


def load_public_key(pem: bytes) -> PublicKey:
    """Return one of the platform's keys.

    Raises:
        InvalidInputError: it is not an RSA key that is long enough.
    """
    expected = f"RSA keys of {KEY_BITS_MIN} bits or more"
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInputError("platform_keys", expected) from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise InvalidInputError("platform_keys", expected)
    verify = partial(key.verify, padding=padding.PKCS1v15(), algorithm=hashes.SHA256())
    return PublicKey(_key_id(key), verify)


def _key_id(key: rsa.RSAPublicKey) -> str:
    encoded = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(encoded).hexdigest()[:_KEY_ID_LENGTH]


SCHEME = SignatureScheme(
    name="SESAME-RSA-SHA256",
    request_header="Authorization",
    header="Sesame-Signature",
    prefix="SESAME-RSA-SHA256 ",
    separator=",",
    quote='"',
    time_field="timestamp",
    length_max=1024,
    names_merchant=False,
    load_private_key=load_private_key,
    load_public_key=load_public_key,
)

"""RSA2: SHA256withRSA (PKCS #1 v1.5) over sorted parameters, or over an answer's raw JSON."""

import base64
import binascii
import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from parking.kit.errors import InvalidInputError

SIGN_TYPE = "RSA2"
KEY_BITS_MIN = 2048
PUBLIC_KEYS_MAX = 2
SIGNATURE_LENGTH_MAX = 1024

_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


class SignatureRefusedError(Exception):
    """Nothing here was signed by Alipay."""


def request_text(parameters: Mapping[str, str]) -> bytes:
    """Return what we sign: all parameters with a value but `sign`, by name, undecorated."""
    return _joined({name: value for name, value in parameters.items() if value and name != "sign"})


def notice_text(parameters: Mapping[str, str]) -> bytes:
    """Return what Alipay signs when it speaks first: all but `sign` and `sign_type`, by name."""
    left_out = {"sign", "sign_type"}
    return _joined({name: value for name, value in parameters.items() if name not in left_out})


class AppKey:
    """The application's private key."""

    def __init__(self, private_key_pem: str) -> None:
        expected = f"an RSA key of {KEY_BITS_MIN} bits or more, PEM"
        try:
            key = serialization.load_pem_private_key(private_key_pem.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise InvalidInputError("app_key", expected) from error
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
            raise InvalidInputError("app_key", expected)
        self._key = key

    def sign(self, text: bytes) -> str:
        """Return the signature in base64."""
        raw = self._key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        return base64.b64encode(raw).decode()


class AlipayKeys:
    """Alipay's public keys; the wire names none, so each is tried."""

    def __init__(self, public_keys_pem: str) -> None:
        blocks = _PEM.findall(public_keys_pem.encode())
        if not 0 < len(blocks) <= PUBLIC_KEYS_MAX:
            raise InvalidInputError("alipay_public_keys", f"1 to {PUBLIC_KEYS_MAX} PEM public keys")
        self._keys = [_public_key(block) for block in blocks]

    def check(self, text: bytes, signature: str) -> None:
        """Return if Alipay signed `text`.

        Raises:
            SignatureRefusedError: it did not.
        """
        if len(signature) > SIGNATURE_LENGTH_MAX:
            raise SignatureRefusedError
        try:
            raw = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SignatureRefusedError from error
        if not any(_verifies(key, raw, text) for key in self._keys):
            raise SignatureRefusedError


def _public_key(block: bytes) -> rsa.RSAPublicKey:
    expected = f"RSA, {KEY_BITS_MIN} bits or more"
    try:
        key = serialization.load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInputError("alipay_public_keys", expected) from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise InvalidInputError("alipay_public_keys", expected)
    return key


def _verifies(key: rsa.RSAPublicKey, raw: bytes, text: bytes) -> bool:
    try:
        key.verify(raw, text, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _joined(parameters: Mapping[str, str]) -> bytes:
    return "&".join(f"{name}={parameters[name]}" for name in sorted(parameters)).encode()

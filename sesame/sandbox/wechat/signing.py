"""WeChat Pay's side of WECHATPAY2-SHA256-RSA2048, and of AEAD_AES_256_GCM.

Written from the documented scheme, apart from the adapter: a shared misreading must not hide.
"""

import base64
import binascii
import re
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SCHEME = "WECHATPAY2-SHA256-RSA2048"
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"
WINDOW_S = 300
KEY_BITS = 2048
_API_KEY_BYTES = 16
_NONCE_BYTES = 6
_FIELD = re.compile(r'(\w+)="([^"]*)"')
_FIELDS = {"mchid", "nonce_str", "timestamp", "serial_no", "signature"}


class CallRefusedError(Exception):
    """The request is not, or not now, the merchant's."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an `Authorization` header claims."""

    merchant: str
    nonce: str
    timestamp: str
    serial: str
    signature: str


def read_credentials(header: str | None) -> Credentials:
    """Return the claim.

    Raises:
        CallRefusedError: it is malformed.
    """
    scheme, _, rest = (header or "").partition(" ")
    fields = dict(_FIELD.findall(rest))
    if scheme != SCHEME or fields.keys() != _FIELDS:
        raise CallRefusedError("Authorization")
    return Credentials(
        merchant=fields["mchid"],
        nonce=fields["nonce_str"],
        timestamp=fields["timestamp"],
        serial=fields["serial_no"],
        signature=fields["signature"],
    )


def check_request(
    claim: Credentials, key: rsa.RSAPublicKey, method: str, target: bytes, body: bytes, now_s: float
) -> None:
    """Return if the merchant's key signed these very bytes within the time window.

    Raises:
        CallRefusedError: it did not.
    """
    lines = (method.encode(), target, claim.timestamp.encode(), claim.nonce.encode(), body)
    text = b"".join(line + b"\n" for line in lines)
    try:
        signature = base64.b64decode(claim.signature, validate=True)
        key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        age_s = abs(now_s - int(claim.timestamp))
    except (binascii.Error, InvalidSignature, ValueError) as error:
        raise CallRefusedError("signature") from error
    if age_s > WINDOW_S:
        raise CallRefusedError("timestamp")


def load_merchant_key(pem: bytes) -> rsa.RSAPublicKey:
    """Return the merchant's public key.

    Raises:
        ValueError: it is not an RSA public key in PEM.
    """
    key = serialization.load_pem_public_key(pem)
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("expected an RSA public key")  # noqa: TRY004 - callers catch one kind
    return key


def new_private_pem() -> bytes:
    """Return a new RSA key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def new_api_key() -> str:
    """Return a new APIv3 key: 32 characters."""
    return secrets.token_hex(_API_KEY_BYTES)


class PlatformKey:
    """One of WeChat Pay's keys, with its name."""

    def __init__(self, serial: str, pem: bytes) -> None:
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("expected an RSA private key")  # noqa: TRY004 - callers catch one kind
        self.serial = serial
        self._key = key

    def public_text(self) -> str:
        """Return the public key after a line with its name, as merchants keep it."""
        pem = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return f"{self.serial}\n{pem.decode()}"

    def headers(self, timestamp_s: int, body: bytes, *, prefix: str = "") -> dict[str, str]:
        """Return the five headers of a signed body; with a prefix the signature is wrong."""
        nonce = secrets.token_hex(16)
        text = f"{timestamp_s}\n{nonce}\n".encode() + body + b"\n"
        raw = self._key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        return {
            "Wechatpay-Serial": self.serial,
            "Wechatpay-Timestamp": str(timestamp_s),
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": prefix + base64.b64encode(raw).decode(),
            "Wechatpay-Signature-Type": SCHEME,
        }


def spoiled(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers with a signature of the right form that is wrong."""
    signature = headers["Wechatpay-Signature"]
    other = "B" if signature[0] == "A" else "A"
    return {**headers, "Wechatpay-Signature": other + signature[1:]}


def sealed(api_key: str, plain: bytes, original_type: str) -> dict[str, str]:
    """Return the `resource` of a notice."""
    nonce = secrets.token_hex(_NONCE_BYTES)
    cipher = AESGCM(api_key.encode())
    text = cipher.encrypt(nonce.encode(), plain, original_type.encode())
    return {
        "original_type": original_type,
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(text).decode(),
        "associated_data": original_type,
        "nonce": nonce,
    }

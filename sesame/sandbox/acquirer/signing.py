"""The platform's half of part 2 of docs/acquirer-wire.md, written from that page alone."""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

TIME_WINDOW_S = 300
NONCE_LENGTHS = range(16, 65)
HEADER_CHARACTERS_MAX = 1024
KEY_BITS = 2048
_PREFIX = "SESAME-RSA-SHA256 "
_FIELDS = ("key", "merchant", "nonce", "signature", "timestamp")


class CallRefusedError(Exception):
    """The caller did not prove who it is, or came too late, or twice.

    Attributes:
        code: The wire's error code.
        nonce: The request's nonce, if it could be read; the answer is signed over it.
    """

    def __init__(self, code: str, nonce: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.nonce = nonce


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a signature header claims."""

    merchant: str
    key: str
    timestamp: str
    nonce: str
    signature: bytes


def fingerprint(key: RSAPublicKey) -> str:
    """Return the key's id on the wire."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()[:16]


def read_credentials(header: str | None) -> Credentials:
    """Return what the header claims.

    Raises:
        CallRefusedError: `signature_refused`: there is no such header, or it is malformed.
    """
    if not header or len(header) > HEADER_CHARACTERS_MAX or not header.startswith(_PREFIX):
        raise CallRefusedError("signature_refused")
    values: dict[str, str] = {}
    for item in header[len(_PREFIX) :].split(","):
        name, equals, quoted = item.partition("=")
        well_formed = len(quoted) > 1 and quoted[0] == quoted[-1] == '"'
        if not equals or not well_formed or name in values:
            raise CallRefusedError("signature_refused")
        values[name] = quoted[1:-1]
    nonce = values.get("nonce", "")
    if tuple(sorted(values)) != _FIELDS or not nonce.isalnum() or not nonce.isascii():
        raise CallRefusedError("signature_refused")
    try:
        signature = base64.b64decode(values["signature"], validate=True)
    except ValueError as error:
        raise CallRefusedError("signature_refused", nonce) from error
    return Credentials(values["merchant"], values["key"], values["timestamp"], nonce, signature)


def check_request(
    claimed: Credentials, key: RSAPublicKey, method: str, target: bytes, body: bytes, now_s: float
) -> None:
    """Return if `key` signed this request just now.

    Args:
        claimed: The request's header.
        key: The merchant's key of the claimed id.
        method: As received.
        target: The request target's bytes as received.
        body: The body's bytes as received.
        now_s: The platform's clock, seconds since 1970.

    Raises:
        CallRefusedError: it did not.
    """
    head = f"{_PREFIX}request\n{method}\n".encode()
    stamp = f"\n{claimed.timestamp}\n{claimed.nonce}\n".encode()
    try:
        key.verify(claimed.signature, head + target + stamp + body, PKCS1v15(), SHA256())
    except InvalidSignature as error:
        raise CallRefusedError("signature_refused", claimed.nonce) from error
    if len(claimed.nonce) not in NONCE_LENGTHS:
        raise CallRefusedError("signature_refused", claimed.nonce)
    digits = claimed.timestamp
    if not digits.isascii() or not digits.isdecimal() or abs(now_s - int(digits)) > TIME_WINDOW_S:
        raise CallRefusedError("timestamp_refused", claimed.nonce)


class PlatformKey:
    """One of the platform's private keys."""

    def __init__(self, pem: bytes) -> None:
        key = load_pem_private_key(pem, None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError("the platform's key is not an RSA key")
        self._key = key
        self.key_id = fingerprint(key.public_key())

    def public_pem(self) -> str:
        """Return what the merchant has to know."""
        return (
            self._key.public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    def answer_header(
        self, merchant: str, status: int, request_nonce: str, stamp: tuple[int, str], body: bytes
    ) -> str:
        """Return `Sesame-Signature` for an answer; `stamp` is the timestamp and a fresh nonce."""
        return self._header(merchant, stamp, f"answer\n{status}\n{request_nonce}", body)

    def notice_header(self, merchant: str, stamp: tuple[int, str], body: bytes) -> str:
        """Return `Sesame-Signature` for a notice."""
        return self._header(merchant, stamp, f"notice\n{merchant}", body)

    def _header(self, merchant: str, stamp: tuple[int, str], subject: str, body: bytes) -> str:
        timestamp, nonce = stamp
        text = f"{_PREFIX}{subject}\n{timestamp}\n{nonce}\n".encode() + body
        signature = base64.b64encode(self._key.sign(text, PKCS1v15(), SHA256())).decode()
        values = {
            "merchant": merchant,
            "key": self.key_id,
            "timestamp": str(timestamp),
            "nonce": nonce,
            "signature": signature,
        }
        return _PREFIX + ",".join(f'{name}="{value}"' for name, value in values.items())


def spoil(header: str) -> str:
    """Return the header with a signature that has the right form and is wrong."""
    start = header.index('signature="') + len('signature="')
    other = "B" if header[start] == "A" else "A"
    return header[:start] + other + header[start + 1 :]


def new_private_pem() -> bytes:
    """Return a fresh RSA private key."""
    key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(private_pem: bytes) -> str:
    """Return the public half of a private key."""
    return PlatformKey(private_pem).public_pem()


def load_merchant_key(pem: bytes) -> RSAPublicKey:
    """Return a merchant's public key.

    Raises:
        ValueError: it is not an RSA public key in PEM.
    """
    key = load_pem_public_key(pem)
    if not isinstance(key, RSAPublicKey):
        raise ValueError("expected an RSA public key in PEM")  # noqa: TRY004 - a file's content
    return key

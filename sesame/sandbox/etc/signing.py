"""The acquirer's half of part 2 of docs/etc-wire.md, written from that page alone."""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

SIGNATURE_HEADER = "Sesame-Etc-Signature"
TIME_WINDOW_S = 300
NONCE_LENGTHS = range(16, 65)
HEADER_CHARACTERS_MAX = 512
_FIELDS = {"merchant", "key", "time", "nonce", "signature"}


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
class Claim:
    """What a signature header claims."""

    merchant: str
    key: str
    time: str
    nonce: str
    signature: bytes


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the key's id on the wire."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def read_claim(header: str | None) -> Claim:
    """Return what the header claims.

    Raises:
        CallRefusedError: `signature_refused`: there is no such header, or it is malformed.
    """
    if not header or len(header) > HEADER_CHARACTERS_MAX:
        raise CallRefusedError("signature_refused")
    pairs = [item.partition("=") for item in header.split(";")]
    values = {name: value for name, _, value in pairs}
    nonce = values.get("nonce", "")
    if len(pairs) != len(_FIELDS) or set(values) != _FIELDS:
        raise CallRefusedError("signature_refused")
    if not nonce.isalnum() or not nonce.isascii() or len(nonce) not in NONCE_LENGTHS:
        raise CallRefusedError("signature_refused")
    try:
        signature = base64.b64decode(values["signature"], validate=True)
    except ValueError as error:
        raise CallRefusedError("signature_refused", nonce) from error
    return Claim(values["merchant"], values["key"], values["time"], nonce, signature)


def check_request(
    claim: Claim,
    key: Ed25519PublicKey,
    method: str,
    target: bytes,
    body: bytes,
    now_s: float,
) -> None:
    """Return if `key` signed this request just now.

    Args:
        claim: The request's header.
        key: The merchant's key of the claimed id.
        method: As received.
        target: The request target's bytes as received.
        body: The body's bytes as received.
        now_s: The acquirer's clock, seconds since 1970.

    Raises:
        CallRefusedError: it did not.
    """
    head = f"SESAME-ETC-ED25519 request\n{method}\n".encode()
    stamp = f"\n{claim.merchant}\n{claim.time}\n{claim.nonce}\n".encode()
    try:
        key.verify(claim.signature, head + target + stamp + body)
    except InvalidSignature as error:
        raise CallRefusedError("signature_refused", claim.nonce) from error
    digits = claim.time
    if not digits.isascii() or not digits.isdecimal() or abs(now_s - int(digits)) > TIME_WINDOW_S:
        raise CallRefusedError("timestamp_refused", claim.nonce)


class EtcKey:
    """One of the acquirer's private keys."""

    def __init__(self, pem: bytes) -> None:
        key = load_pem_private_key(pem, None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("the acquirer's key is not an Ed25519 key")
        self._key = key
        self.key_id = fingerprint(key.public_key())

    def public_pem(self) -> str:
        """Return what the merchant has to know."""
        public = self._key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def answer_header(
        self, merchant: str, status: int, request_nonce: str, stamp: tuple[int, str], body: bytes
    ) -> str:
        """Return the header of an answer; `stamp` is the time and a fresh nonce."""
        return self._header(merchant, stamp, f"answer\n{status}\n{request_nonce}", body)

    def notice_header(self, merchant: str, stamp: tuple[int, str], body: bytes) -> str:
        """Return the header of a notice."""
        return self._header(merchant, stamp, "notice", body)

    def _header(self, merchant: str, stamp: tuple[int, str], subject: str, body: bytes) -> str:
        time, nonce = stamp
        text = f"SESAME-ETC-ED25519 {subject}\n{merchant}\n{time}\n{nonce}\n".encode() + body
        signature = base64.b64encode(self._key.sign(text)).decode()
        return (
            f"merchant={merchant};key={self.key_id};time={time};nonce={nonce};signature={signature}"
        )


def spoil(header: str) -> str:
    """Return the header with a signature that has the right form and is wrong."""
    start = header.index("signature=") + len("signature=")
    other = "B" if header[start] == "A" else "A"
    return header[:start] + other + header[start + 1 :]


def new_etc_private_pem() -> bytes:
    """Return a fresh Ed25519 private key."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def etc_public_pem(private_pem: bytes) -> str:
    """Return the public half of a private key."""
    return EtcKey(private_pem).public_pem()


def load_etc_merchant_key(pem: bytes) -> Ed25519PublicKey:
    """Return a merchant's public key.

    Raises:
        ValueError: it is not an Ed25519 public key in PEM.
    """
    key = load_pem_public_key(pem)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("expected an Ed25519 public key in PEM")  # noqa: TRY004 - a file's content
    return key

"""Who said it: WECHATPAY2-SHA256-RSA2048, over what was sent, byte for byte."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from parking.kit.errors import InvalidInputError

SCHEME = "WECHATPAY2-SHA256-RSA2048"
# What WeChat Pay puts before a signature that is wrong on purpose, to see whether we check.
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"
WINDOW_S = 300
KEY_BITS_MIN = 2048
PLATFORM_KEYS_MAX = 4
HEADER_LENGTH_MAX = 1024

_BLOCK = re.compile(
    r"([^\n]*)\n*(-----BEGIN (PUBLIC KEY|CERTIFICATE)-----.+?-----END \3-----)", re.DOTALL
)
_SERIAL = re.compile(r"[0-9A-Za-z_]{1,128}")
_NONCE = re.compile(r"[\x21-\x7e]{1,128}")


class SignatureRefusedError(Exception):
    """The bytes are not what a known key signed just now.

    Attributes:
        reason: One of `header`, `key`, `timestamp`, `signature`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and with which nonce something was signed."""

    timestamp: str
    nonce: str


def request_text(method: str, target: str, stamp: Stamp, body: bytes) -> bytes:
    """Return what the merchant signs; `target` is percent-encoded, as it goes over the wire."""
    return f"{method}\n{target}\n{stamp.timestamp}\n{stamp.nonce}\n".encode() + body + b"\n"


def said_text(stamp: Stamp, body: bytes) -> bytes:
    """Return what the platform signs, of an answer and of a notice alike."""
    return f"{stamp.timestamp}\n{stamp.nonce}\n".encode() + body + b"\n"


def handover_text(app: str, timestamp: str, nonce: str, package: str) -> bytes:
    """Return what the merchant signs of an order that its page hands over to WeChat."""
    return f"{app}\n{timestamp}\n{nonce}\n{package}\n".encode()


class Signer:
    """The merchant's private key."""

    def __init__(self, merchant: str, private_key_pem: str, serial: str) -> None:
        try:
            key = serialization.load_pem_private_key(private_key_pem.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise InvalidInputError("key", "a private key in PEM, without a password") from error
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
            raise InvalidInputError("key", f"an RSA key of {KEY_BITS_MIN} bits or more")
        self._merchant = merchant
        self._key = key
        self._serial = serial

    def authorization(self, text: bytes, stamp: Stamp) -> str:
        """Return the `Authorization` header for a request text."""
        return (
            f'{SCHEME} mchid="{self._merchant}",nonce_str="{stamp.nonce}",'
            f'signature="{self.sign(text)}",timestamp="{stamp.timestamp}",'
            f'serial_no="{self._serial}"'
        )

    def sign(self, text: bytes) -> str:
        """Return the signature in base64."""
        raw = self._key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        return base64.b64encode(raw).decode()


@dataclass(frozen=True, slots=True)
class SignatureHeader:
    """What the four `Wechatpay-…` headers claim; nothing in it is proven yet."""

    serial: str
    stamp: Stamp
    signature: str

    @classmethod
    def parse(cls, headers: Mapping[str, str]) -> Self:
        """Return the claim.

        Args:
            headers: With names in lower case.

        Raises:
            SignatureRefusedError: one is missing or malformed (`header`).
        """
        fields = {
            name: headers.get(f"wechatpay-{name}", "")
            for name in ("serial", "timestamp", "nonce", "signature")
        }
        scheme = headers.get("wechatpay-signature-type", SCHEME)
        if (
            scheme != SCHEME
            or any(len(value) > HEADER_LENGTH_MAX for value in fields.values())
            or not _SERIAL.fullmatch(fields["serial"])
            or not _NONCE.fullmatch(fields["nonce"])
            or not fields["signature"]
        ):
            raise SignatureRefusedError("header")
        stamp = Stamp(fields["timestamp"], fields["nonce"])
        return cls(fields["serial"], stamp, fields["signature"])


class PlatformKeys:
    """WeChat Pay's public keys; several are valid at once while one replaces another.

    Args:
        text: PEM blocks. A certificate names itself by its serial number. A public key is named
            by the line before it, `PUB_KEY_ID_…`, as the merchant platform shows it.
    """

    def __init__(self, text: str) -> None:
        blocks = _BLOCK.findall(text.replace("\r\n", "\n"))
        if not 0 < len(blocks) <= PLATFORM_KEYS_MAX:
            raise InvalidInputError("platform_keys", f"1 to {PLATFORM_KEYS_MAX} PEM blocks")
        named = [_platform_key(name.strip(), block, kind) for name, block, kind in blocks]
        self._preferred = named[0][0]
        self._keys = {_plain(serial): key for serial, key in named}

    @property
    def preferred(self) -> str:
        """The name of the first key: with it we ask WeChat Pay to sign its answers."""
        return self._preferred

    def check(self, header: SignatureHeader, body: bytes, now: datetime) -> None:
        """Return if a platform key signed the body within the time window.

        Raises:
            SignatureRefusedError: it did not.
        """
        key = self._keys.get(_plain(header.serial))
        if key is None:
            raise SignatureRefusedError("key")
        if header.signature.startswith(PROBE_PREFIX):
            raise SignatureRefusedError("signature")
        try:
            raw = base64.b64decode(header.signature, validate=True)
            key.verify(raw, said_text(header.stamp, body), padding.PKCS1v15(), hashes.SHA256())
        except (binascii.Error, InvalidSignature) as error:
            raise SignatureRefusedError("signature") from error
        # Only now is the timestamp somebody's word.
        timestamp = header.stamp.timestamp
        if not (timestamp.isascii() and timestamp.isdigit()):
            raise SignatureRefusedError("timestamp")
        if abs(now.timestamp() - int(timestamp)) > WINDOW_S:
            raise SignatureRefusedError("timestamp")


def _plain(serial: str) -> str:
    # A certificate's number is the same however many zeros it is written with.
    return serial.lstrip("0")


def _platform_key(name: str, block: str, kind: str) -> tuple[str, rsa.RSAPublicKey]:
    expected = f"RSA keys of {KEY_BITS_MIN} bits or more, public keys each after its name"
    try:
        if kind == "CERTIFICATE":
            certificate = x509.load_pem_x509_certificate(block.encode())
            name, key = f"{certificate.serial_number:040X}", certificate.public_key()
        else:
            key = serialization.load_pem_public_key(block.encode())
    except ValueError as error:
        raise InvalidInputError("platform_keys", expected) from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise InvalidInputError("platform_keys", expected)
    if not _SERIAL.fullmatch(name):
        raise InvalidInputError("platform_keys", expected)
    return name, key

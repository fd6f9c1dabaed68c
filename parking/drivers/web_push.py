"""Where browsers' push services may be, and the keys that a browser gives with its endpoint."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from parking.kit.crypto import Vault
from parking.kit.errors import InvalidInputError
from parking.kit.outbound import LOOPBACK_HOSTS

KNOWN_SERVICES: Final = (
    "fcm.googleapis.com",
    ".push.services.mozilla.com",
    ".notify.windows.com",
    ".push.apple.com",
)
HOSTS_MAX: Final = 50
ENDPOINT_LENGTH_MAX: Final = 1024
_POINT_BYTES: Final = 65
_AUTH_BYTES: Final = 16
_KEY_LENGTH_MAX: Final = 200
_LABEL_LENGTH_MAX: Final = 63
_KEYS_CONTEXT: Final = "push_keys"


@dataclass(frozen=True, slots=True)
class PushServices:
    """The hosts that messages may go to: what a browser names is an address that we call.

    Attributes:
        hosts: Each a host, with its port where it is not 443; one that begins with a dot stands
            for every host below it. Only those on loopback are called without TLS.
    """

    hosts: tuple[str, ...] = KNOWN_SERVICES

    def check(self, endpoint: str) -> None:
        """Refuse an endpoint that is no push service's.

        Raises:
            InvalidInputError: it is of no host in the list, or no https address.
        """
        expected = "an https address of a push service that is known here"
        try:
            parts = urlsplit(endpoint)
            port = parts.port
        except ValueError as error:
            raise InvalidInputError("target", expected) from error
        host = (parts.hostname or "").lower()
        named = host if port in {None, 443} else f"{host}:{port}"
        is_plain = parts.username is None and parts.password is None and not parts.fragment
        is_loopback = parts.scheme == "http" and host in LOOPBACK_HOSTS
        if not (
            len(endpoint) <= ENDPOINT_LENGTH_MAX
            and endpoint.isascii()
            and endpoint.isprintable()
            and is_plain
            and (is_loopback or _is_name(host))
            and (parts.scheme == "https" or is_loopback)
            and any(_is_of(named, each) for each in self.hosts)
        ):
            raise InvalidInputError("target", expected)


@dataclass(frozen=True, slots=True)
class WebPushTerms:
    """What browsers subscribe with.

    Attributes:
        public_key: Of VAPID, base64url.
    """

    public_key: str
    services: PushServices


def read_services(text: str, *, field: str) -> PushServices:
    """Return the services of a list such as `fcm.googleapis.com, .push.apple.com`.

    Raises:
        InvalidInputError: it has too many, or one that is no host.
    """
    hosts = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not hosts:
        return PushServices()
    if len(hosts) > HOSTS_MAX or not all(_is_host(host) for host in hosts):
        raise InvalidInputError(field, f"at most {HOSTS_MAX} hosts with commas between them")
    return PushServices(hosts)


def check_keys(keys: Mapping[str, str]) -> None:
    """Refuse keys that no browser gives.

    Raises:
        InvalidInputError: names the key.
    """
    read_point(keys["p256dh"])
    if len(decode(keys["auth"])) != _AUTH_BYTES:
        raise InvalidInputError("auth", f"{_AUTH_BYTES} bytes in base64url")


def read_point(text: str) -> ec.EllipticCurvePublicKey:
    """Return a browser's public key.

    Raises:
        InvalidInputError: it is no uncompressed point of P-256.
    """
    expected = "an uncompressed point of P-256 in base64url"
    point = decode(text)
    if len(point) != _POINT_BYTES:
        raise InvalidInputError("p256dh", expected)
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise InvalidInputError("p256dh", expected) from error


def read_vapid_key(pem: bytes, *, field: str) -> ec.EllipticCurvePrivateKey:
    """Return the key that signs to push services.

    Raises:
        InvalidInputError: it is no private key on P-256.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInputError(field, "an unencrypted private key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise InvalidInputError(field, "a private key on P-256 in PEM")
    return key


def public_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return the uncompressed point."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encode(value: bytes) -> str:
    """Return bytes in base64url, without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def decode(text: str) -> bytes:
    """Return the bytes of base64url; none where it is something else."""
    if len(text) > _KEY_LENGTH_MAX or not text.isascii():
        return b""
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return b""


def _is_of(named: str, known: str) -> bool:
    return named.endswith(known) if known.startswith(".") else named == known


def _is_name(host: str) -> bool:
    # What no DNS has, such as a label that is too long, would fail in the resolver, each time.
    return all(
        0 < len(label) <= _LABEL_LENGTH_MAX and label.replace("-", "").isalnum()
        for label in host.split(".")
    )


def _is_host(text: str) -> bool:
    host, _, port = text.removeprefix(".").partition(":")
    is_named = bool(host) and all(part.replace("-", "").isalnum() for part in host.split("."))
    return is_named and host.isascii() and (not port or (port.isascii() and port.isdigit()))


def seal_keys(vault: Vault, keys: Mapping[str, str]) -> bytes:
    """Return a browser's keys as they are stored: whoever reads them can write to it."""
    return vault.seal(json.dumps(dict(keys)), context=_KEYS_CONTEXT)


def open_keys(vault: Vault, sealed: bytes | None) -> dict[str, str] | None:
    """Return what `seal_keys` was given; None for a target without keys."""
    return None if sealed is None else json.loads(vault.open(sealed, context=_KEYS_CONTEXT))

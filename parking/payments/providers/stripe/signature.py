"""Who said it: HMAC-SHA256 over the time and the body, byte for byte.

Scheme `v1` of the header `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>…]`: each signature is
over `<seconds>.<body>`, by one of the endpoint's secrets. While a secret is being replaced there is
one signature for each. Other schemes in the header, such as `v0`, are not proof.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

WINDOW_S = 300
HEADER_LENGTH_MAX = 2048
SIGNATURES_MAX = 16
_TIME_DIGITS_MAX = 12


class SignatureRefusedError(Exception):
    """The bytes are not what a holder of our secret signed just now.

    Attributes:
        reason: One of `header`, `key` (no signature of a scheme that we hold a key of),
            `signature`, `timestamp`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check(header: str, body: bytes, secrets: Sequence[str], now: datetime) -> None:
    """Return if the body was signed by one of the secrets within the time window.

    Raises:
        SignatureRefusedError: it was not.
    """
    timestamp, signatures = _parse(header)
    signed = timestamp.encode() + b"." + body
    expected = [
        hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode() for secret in secrets
    ]
    # Every pair is compared, so that time tells nothing.
    matches = [
        hmac.compare_digest(one, signature.encode()) for one in expected for signature in signatures
    ]
    if not any(matches):
        raise SignatureRefusedError("signature")
    # Only now is the timestamp somebody's word.
    if abs(now.timestamp() - int(timestamp)) > WINDOW_S:
        raise SignatureRefusedError("timestamp")


def _parse(header: str) -> tuple[str, list[str]]:
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    signatures = [value for name, _, value in parts if name.strip() == "v1"]
    if (
        len(header) > HEADER_LENGTH_MAX
        or not header.isascii()
        or len(times) != 1
        or not times[0].isdigit()
        or len(times[0]) > _TIME_DIGITS_MAX
        or len(signatures) > SIGNATURES_MAX
    ):
        raise SignatureRefusedError("header")
    if not signatures:
        raise SignatureRefusedError("key")
    return times[0], signatures

"""Who said it: HMAC-SHA-256 over what was sent, byte for byte (docs/fapiao-wire.md, part 2)."""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

ACCOUNT_HEADER: Final = "sesame-account"
TIMESTAMP_HEADER: Final = "sesame-timestamp"
NONCE_HEADER: Final = "sesame-nonce"
SIGNATURE_HEADER: Final = "sesame-signature"
WINDOW: Final = timedelta(minutes=5)
SECRET_LENGTH_MIN: Final = 32
_VERSION: Final = "v1="
_TIMESTAMP_DIGITS_MAX: Final = 12


def sign_request(
    secret: str, *, method: str, target: str, account: str, timestamp: str, nonce: str, body: bytes
) -> str:
    """Return the signature of a call; `target` is path and query as sent."""
    return _sign(secret, "request", method, target, account, timestamp, nonce, _digest(body))


def sign_answer(secret: str, *, nonce: str, status: int, timestamp: str, body: bytes) -> str:
    """Return the signature of an answer to the call with this nonce."""
    return _sign(secret, "answer", nonce, str(status), timestamp, _digest(body))


def is_same(left: str, right: str) -> bool:
    """Compare two signatures without telling by the time taken where they differ."""
    return hmac.compare_digest(left.encode(), right.encode())


def is_fresh(timestamp: str, now: datetime) -> bool:
    """Say whether a timestamp, in seconds since 1970, is near enough to now."""
    if not timestamp.isascii() or not timestamp.isdigit():
        return False
    if len(timestamp) > _TIMESTAMP_DIGITS_MAX:
        return False
    return abs(now.timestamp() - int(timestamp)) <= WINDOW.total_seconds()


def _sign(secret: str, *parts: str) -> str:
    code = hmac.new(secret.encode(), "\n".join(parts).encode(), hashlib.sha256)
    return _VERSION + code.hexdigest()


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()

"""What Twilio says of a message later: its signature, and what it means for the delivery."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from parking.drivers import deliveries
from parking.kit.database import UnitOfWork

SIGNATURE_HEADER: Final = "X-Twilio-Signature"
_ARRIVED: Final = frozenset({"delivered", "read"})
_LOST: Final = frozenset({"failed", "undelivered", "canceled"})
_CODE_LENGTH_MAX: Final = 10


def signature_of(auth_token: str, url: str, fields: Mapping[str, str]) -> str:
    """Return the signature of a callback: over its address, and every field in order of names."""
    signed = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    # The algorithm is Twilio's.
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_signed(auth_token: str, url: str, fields: Mapping[str, str], given: str) -> bool:
    """Say whether Twilio signed it, in constant time."""
    expected = signature_of(auth_token, url, fields)
    return hmac.compare_digest(expected.encode(), given.encode())


async def take_status(
    unit: UnitOfWork, driver_id: UUID, delivery_id: UUID, fields: Mapping[str, str]
) -> None:
    """Note what became of a message. Idempotent; what comes late or is unknown changes nothing."""
    status = fields.get("MessageStatus", "")
    if status in _ARRIVED:
        await deliveries.acknowledge(unit, driver_id, delivery_id)
    elif status in _LOST:
        code = fields.get("ErrorCode", "")
        known = code if code.isascii() and code.isdigit() else "unknown"
        failure = f"twilio_{known[:_CODE_LENGTH_MAX]}"
        await deliveries.mark_lost(unit, driver_id, delivery_id, failure)

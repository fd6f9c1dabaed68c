"""The address of an invoice's file for whoever holds it: it needs no sign-in, and expires.

The token names operator, invoice and end, and carries a keyed code over all three, so that it
needs no table and cannot be guessed, prolonged, or turned into another invoice's.
"""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.invoices.errors import InvoiceUnknownError
from parking.kit.crypto import Vault, same_digest

LINK_PERIOD: Final = timedelta(days=7)
_ID_BYTES: Final = 16
_TIME_BYTES: Final = 8
_CODE_BYTES: Final = 16
_NAMED_BYTES: Final = 2 * _ID_BYTES + _TIME_BYTES
_TOKEN_LENGTH: Final = 76
_KIND: Final = "invoice_link"


def file_url(
    context: ParkingContext, operator_id: UUID, invoice_id: UUID, extension: str, now: datetime
) -> str:
    """Return an address that works for LINK_PERIOD from `now` on."""
    token = link_token(context.vault, operator_id, invoice_id, now + LINK_PERIOD)
    return f"{context.public_url}/invoices/{token}.{extension}"


def link_token(vault: Vault, operator_id: UUID, invoice_id: UUID, ends_at: datetime) -> str:
    """Return the token of a link, safe in a URL."""
    seconds = int(ends_at.timestamp())
    named = operator_id.bytes + invoice_id.bytes + seconds.to_bytes(_TIME_BYTES)
    token = base64.urlsafe_b64encode(named + _code(vault, named)).decode()
    return token.rstrip("=")


def read_link_token(vault: Vault, token: str, now: datetime) -> tuple[UUID, UUID]:
    """Return the operator and the invoice of a token.

    Raises:
        InvoiceUnknownError: the token is not one of ours, or its time is over.
    """
    if len(token) > _TOKEN_LENGTH:
        raise InvoiceUnknownError
    try:
        padded = token + "=" * (-len(token) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvoiceUnknownError from error
    named, code = raw[:_NAMED_BYTES], raw[_NAMED_BYTES:]
    if len(raw) != _NAMED_BYTES + _CODE_BYTES or not same_digest(code, _code(vault, named)):
        raise InvoiceUnknownError
    ends_at = datetime.fromtimestamp(int.from_bytes(named[2 * _ID_BYTES :]), UTC)
    if ends_at <= now:
        raise InvoiceUnknownError
    return UUID(bytes=named[:_ID_BYTES]), UUID(bytes=named[_ID_BYTES : 2 * _ID_BYTES])


def _code(vault: Vault, named: bytes) -> bytes:
    return vault.digest(_KIND, named.hex())[:_CODE_BYTES]

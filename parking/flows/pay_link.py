"""The address of a stay's bill for whoever stands at the gate: it needs no sign-in.

The token names operator and session and carries a keyed code over both, so that it needs no table
and cannot be guessed or turned into another session's.
"""

import base64
import binascii
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.crypto import Vault, same_digest
from parking.payments.errors import BillUnknownError

_ID_BYTES = 16
_CODE_BYTES = 16
_KIND = "pay_link"


def pay_token(vault: Vault, operator_id: UUID, session_id: UUID) -> str:
    """Return the token of a stay's bill: 64 characters, safe in a URL."""
    named = operator_id.bytes + session_id.bytes
    return base64.urlsafe_b64encode(named + _code(vault, named)).decode()


def read_pay_token(vault: Vault, token: str) -> tuple[UUID, UUID]:
    """Return the operator and the session of a token.

    Raises:
        BillUnknownError: the token is not one of ours.
    """
    expected = "token: expected the address on the lane's display"
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BillUnknownError(expected) from error
    if len(raw) != 2 * _ID_BYTES + _CODE_BYTES:
        raise BillUnknownError(expected)
    operator_id, session_id = UUID(bytes=raw[:_ID_BYTES]), UUID(bytes=raw[_ID_BYTES:][:_ID_BYTES])
    # In one spelling only: base64 reads several ones of the same bytes.
    if not same_digest(token.encode(), pay_token(vault, operator_id, session_id).encode()):
        raise BillUnknownError(expected)
    return operator_id, session_id


def _code(vault: Vault, named: bytes) -> bytes:
    return vault.digest(_KIND, named.hex())[:_CODE_BYTES]


def pay_url(context: ParkingContext, operator_id: UUID, session_id: UUID) -> str:
    """Return the address of a stay's bill: what the QR code on the lane's display says."""
    return f"{context.public_url}/pay/{pay_token(context.vault, operator_id, session_id)}"

"""Sign-ins that have begun: the browser keeps what it began with, sealed, and it is taken once.

Nothing is stored for whoever only begins: anybody may, as often as they like.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID

import orjson
from sqlalchemy import delete
from sqlmodel import col

from parking.kit.crypto import SealBrokenError, Vault
from parking.kit.database import Database
from parking.kit.ids import id_time, new_id
from parking.staff.errors import StaffSignInRefusedError
from parking.staff.models import StaffTakenAttempt

ATTEMPT_PERIOD: Final = timedelta(minutes=10)
ATTEMPT_LENGTH_MAX: Final = 2048
_CONTEXT: Final = "staff.attempt"
_ID: Final = "id"


def begin(vault: Vault, kind: str, content: Mapping[str, str], now: datetime) -> str:
    """Return what the browser keeps until it comes back, for ATTEMPT_PERIOD."""
    told = orjson.dumps({**content, _ID: str(new_id(now))}).decode()
    sealed = vault.seal(told, context=f"{_CONTEXT}.{kind}")
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


async def take(database: Database, kind: str, kept: str | None) -> dict[str, str]:
    """Return what an attempt began with, once.

    Raises:
        StaffSignInRefusedError: it is none of ours, too old, or was taken before.
    """
    content = _read(database.vault, kind, kept)
    attempt_id = UUID(content.pop(_ID))
    async with database.begin() as unit:
        began_at = id_time(attempt_id)
        if not began_at <= unit.now() < began_at + ATTEMPT_PERIOD:
            raise StaffSignInRefusedError
        expired = col(StaffTakenAttempt.expires_at) <= unit.now()
        await unit.run(delete(StaffTakenAttempt).where(expired))
        values = {"id": attempt_id, "kind": kind, "expires_at": began_at + ATTEMPT_PERIOD}
        if not await unit.insert_new(StaffTakenAttempt, values):
            raise StaffSignInRefusedError
    return content


def _read(vault: Vault, kind: str, kept: str | None) -> dict[str, str]:
    if not kept or len(kept) > ATTEMPT_LENGTH_MAX:
        raise StaffSignInRefusedError
    try:
        sealed = base64.b64decode(kept + "=" * (-len(kept) % 4), altchars=b"-_", validate=True)
        told = vault.open(sealed, context=f"{_CONTEXT}.{kind}")
    except (binascii.Error, ValueError, SealBrokenError) as error:
        raise StaffSignInRefusedError from error
    return cast("dict[str, str]", orjson.loads(told))

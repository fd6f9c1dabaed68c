"""The account's own row, and what is remembered once it is gone."""

from uuid import UUID

from sqlalchemy import text

from parking.drivers.events import account_deleted
from parking.drivers.models import DeletedAccount, Driver
from parking.events import outbox
from parking.kit.database import UnitOfWork
from parking.kit.locks import lock
from parking.kit.token_errors import TokenRefusedError

# A permission that its provider does not know the end of, and an event that is not told.
_REST = text("""
    SELECT EXISTS (
        SELECT FROM mandates WHERE driver_id = :driver_id AND cancel_due_at IS NOT NULL
    ) OR EXISTS (SELECT FROM outbox WHERE owner_id = :driver_id AND done_at IS NULL)
""")
_SWEPT = text("UPDATE deleted_accounts SET swept_at = :now WHERE id = :driver_id")


async def lock_account(unit: UnitOfWork, driver_id: UUID) -> None:
    """Let no stay begin for the driver until the transaction ends: each names the account's row.

    Raises:
        TokenRefusedError: there is no such account any more.
    """
    if await lock(unit, Driver, id=driver_id) is None:
        raise TokenRefusedError


async def note_deletion(unit: UnitOfWork, driver_id: UUID) -> None:
    """Remember that an account is gone, and tell it to whoever holds its sockets."""
    unit.session.add(DeletedAccount(id=driver_id, deleted_at=unit.now()))
    outbox.append(unit, account_deleted(unit, driver_id))


async def has_rest(unit: UnitOfWork, driver_id: UUID) -> bool:
    """Return whether something of a deleted account could not be erased yet."""
    return bool((await unit.run(_REST, {"driver_id": driver_id})).scalar_one())


async def note_swept(unit: UnitOfWork, driver_id: UUID) -> None:
    """Remember that nothing of a deleted account is left."""
    await unit.run(_SWEPT, {"driver_id": driver_id, "now": unit.now()})

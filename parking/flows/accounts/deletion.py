"""Deleting an account: refused while something is unsettled, then at once and for good."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlmodel import col, select

from parking.drivers import account_rows
from parking.drivers.confirmation import require_confirmed
from parking.drivers.errors import AccountNotDeletableError
from parking.drivers.models import DeletedAccount
from parking.drivers.purposes import CodePurpose
from parking.flows.accounts.erasure import erase
from parking.flows.accounts.obstacles import DeletionObstacle, find_obstacles
from parking.flows.context import ParkingContext
from parking.flows.offers import reserving
from parking.flows.passes import pass_changes
from parking.flows.payments import mandates as mandate_flows
from parking.kit.database import UnitOfWork
from parking.kit.tokens import DriverIdentity
from parking.payments import mandate_rows, mandates
from parking.plates import contests
from parking.plates import service as plates

# By then every request that began before the deletion is over, and what it wrote is erased too.
SWEEP_AFTER: Final = timedelta(minutes=5)
SWEPT_AT_ONCE_MAX: Final = 100
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def obstacles_of(context: ParkingContext, driver_id: UUID) -> list[DeletionObstacle]:
    """Return what the driver must settle before the account can be deleted."""
    async with context.database.begin() as unit:
        return await find_obstacles(unit, driver_id)


async def delete_account(context: ParkingContext, identity: DriverIdentity) -> None:
    """Delete the account of whoever asks.

    A car that comes at this moment either has its stay counted first, which refuses the deletion,
    or is nobody's: both wait for the account's row.

    Raises:
        ReauthenticationRequiredError: they did not prove a short time ago who they are.
        AccountNotDeletableError: something is unsettled; it names what.
    """
    driver_id = identity.driver_id
    async with context.database.begin() as unit:
        await require_confirmed(unit, identity, CodePurpose.DELETE_ACCOUNT)
        await account_rows.lock_account(unit, driver_id)
        obstacles = await find_obstacles(unit, driver_id)
        if obstacles:
            raise AccountNotDeletableError([one.value for one in obstacles])
        for bound in await plates.list_plates(unit, driver_id):
            await plates.unbind_plate(unit, driver_id, bound.binding_id)
            index = plates.plate_index(unit.vault, bound.plate)
            await pass_changes.leave_plate(unit, index, None)
        await contests.withdraw(unit, driver_id)
        ended = await _end_mandates(unit, driver_id)
        await account_rows.note_deletion(unit, driver_id)
        await reserving.end_all(unit, driver_id)
        await erase(unit, driver_id)
    _log.info("account.deleted")
    for mandate_id in ended:
        await mandate_flows.tell_provider(context, driver_id, mandate_id)


async def sweep(context: ParkingContext) -> int:
    """Erase what was written while an account was being deleted; returns how many were looked at.

    Permissions whose provider did not know that they ended are forgotten once it does.
    """
    async with context.database.begin() as unit:
        due = (
            select(DeletedAccount.id)
            .where(col(DeletedAccount.swept_at).is_(None))
            .where(col(DeletedAccount.deleted_at) <= unit.now() - SWEEP_AFTER)
            .order_by(col(DeletedAccount.deleted_at))
            .limit(SWEPT_AT_ONCE_MAX)
        )
        found = (await unit.session.exec(due)).all()
    for driver_id in found:
        async with context.database.begin() as unit:
            await contests.withdraw(unit, driver_id)
            ended = await _end_mandates(unit, driver_id)
            await reserving.end_all(unit, driver_id)
            await erase(unit, driver_id)
            if not ended and not await account_rows.has_rest(unit, driver_id):
                await account_rows.note_swept(unit, driver_id)
        for mandate_id in ended:
            await mandate_flows.tell_provider(context, driver_id, mandate_id)
    return len(found)


async def _end_mandates(unit: UnitOfWork, driver_id: UUID) -> list[UUID]:
    standing = await mandate_rows.find_mandates(unit, driver_id)
    for mandate in standing:
        await mandates.revoke(unit, driver_id, mandate.id)
    return [mandate.id for mandate in standing]

"""What a driver sees of their sign-ins and devices, and how they end them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from parking.drivers import events, repository
from parking.drivers.confirmation import require_confirmed
from parking.drivers.errors import DeviceUnknownError, SignInUnknownError
from parking.drivers.models import Device, SignIn
from parking.drivers.purposes import CodePurpose
from parking.drivers.service import end_one
from parking.events import outbox
from parking.kit.database import UnitOfWork
from parking.kit.tokens import DriverIdentity

# No transaction that ended a sign-in takes longer until its commit.
COMMIT_S_MAX: Final = timedelta(seconds=60)


async def list_sign_ins(unit: UnitOfWork, driver_id: UUID) -> Sequence[SignIn]:
    """Return the sign-ins that stand, the last used first."""
    return await repository.standing_sign_ins(unit, driver_id)


async def list_devices(unit: UnitOfWork, driver_id: UUID) -> Sequence[Device]:
    """Return the devices that take pushes, the newest first."""
    return await repository.active_devices(unit, driver_id)


async def list_ended(unit: UnitOfWork, since: datetime) -> Sequence[UUID]:
    """Return the sign-ins and accounts of all drivers that ended since a time, or just before."""
    before = since - COMMIT_S_MAX
    ended = await repository.ended_sign_ins(unit, before)
    return [*ended, *await repository.deleted_accounts(unit, before)]


async def end_sign_in(unit: UnitOfWork, driver_id: UUID, sign_in_id: UUID) -> None:
    """End one of the driver's sign-ins and the pushes to its device; idempotent.

    It needs no code: whoever has lost a phone must be quick.

    Raises:
        SignInUnknownError: the driver never had it.
    """
    if await repository.find_sign_in(unit, driver_id, sign_in_id) is None:
        raise SignInUnknownError
    await end_one(unit, driver_id, sign_in_id, reason="revoked")


async def end_other_sign_ins(unit: UnitOfWork, identity: DriverIdentity) -> int:
    """End every sign-in but this one; returns how many ended.

    Raises:
        ReauthenticationRequiredError: a thief could lock the owner out.
    """
    await require_confirmed(unit, identity, CodePurpose.END_SIGN_INS)
    ended = await repository.end_all_sign_ins(unit, identity.driver_id, but=identity.sign_in_id)
    for row in ended:
        outbox.append(unit, events.sign_in_ended(unit, row, reason="revoked"))
    return len(ended)


async def remove_device(unit: UnitOfWork, driver_id: UUID, device_id: UUID) -> None:
    """Stop the pushes to one of the driver's devices; idempotent.

    Raises:
        DeviceUnknownError: the driver never had it.
    """
    if not await repository.disable_device(unit, driver_id, device_id):
        raise DeviceUnknownError

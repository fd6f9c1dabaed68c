"""Every query about drivers, codes, sign-ins and devices."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.drivers.models import (
    DeletedAccount,
    Device,
    Driver,
    PhoneNumber,
    SignIn,
    SignInCode,
)
from parking.drivers.rules import DEVICES_PER_DRIVER_MAX, RATE_WINDOW, SIGN_INS_PER_DRIVER_MAX
from parking.kit.database import UnitOfWork
from parking.kit.locks import lock

ENDED_AT_ONCE_MAX = 10_000
NUMBERS_READ_MAX = 100
_LOCK_NAME = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_COUNT = text(
    """
    INSERT INTO request_counts AS counts (key, requests, window_started_at)
    VALUES (:key, 1, :now)
    ON CONFLICT (key) DO UPDATE SET
        requests = CASE WHEN counts.window_started_at <= :before THEN 1
            ELSE counts.requests + 1 END,
        window_started_at = CASE WHEN counts.window_started_at <= :before THEN :now
            ELSE counts.window_started_at END
    RETURNING requests, window_started_at
    """
)


async def count_request(
    unit: UnitOfWork, key: UUID, window: timedelta = RATE_WINDOW
) -> tuple[int, datetime]:
    """Count one request; returns how many the window has seen, and when it ends."""
    now = unit.now()
    result = await unit.run(_COUNT, {"key": key, "now": now, "before": now - window})
    row = result.one()
    return int(row.requests), cast("datetime", row.window_started_at) + window


async def lock_code(unit: UnitOfWork, phone_index: UUID, request_id: UUID) -> SignInCode | None:
    """Lock the code of one request for one number."""
    return await lock(unit, SignInCode, phone_index=phone_index, id=request_id)


async def driver_of_phone(unit: UnitOfWork, phone: PhoneNumber) -> UUID:
    """Return the number's driver; a number that is new becomes that of `phone.driver_id`."""
    statement = (
        insert(PhoneNumber)
        .values(**phone.model_dump())
        .on_conflict_do_update(
            index_elements=["phone_index"], set_={"verified_at": phone.verified_at}
        )
        .returning(col(PhoneNumber.driver_id))
    )
    driver_id = cast("UUID", (await unit.run(statement)).scalar_one())
    return await add_driver(unit, driver_id) if driver_id == phone.driver_id else driver_id


async def add_driver(unit: UnitOfWork, driver_id: UUID) -> UUID:
    """Add an account; returns its id."""
    unit.session.add(Driver(id=driver_id, created_at=unit.now()))
    await unit.session.flush()
    return driver_id


async def numbers_of(unit: UnitOfWork, driver_id: UUID) -> Sequence[PhoneNumber]:
    """Return the numbers that lead to a driver; hardly ever more than one."""
    statement = select(PhoneNumber).where(col(PhoneNumber.driver_id) == driver_id)
    return (await unit.session.exec(statement.limit(NUMBERS_READ_MAX))).all()


async def has_signed_in(unit: UnitOfWork, driver_id: UUID) -> bool:
    """Return whether any sign-in of the driver's is kept, be it ended or not."""
    statement = select(col(SignIn.id)).where(col(SignIn.driver_id) == driver_id).limit(1)
    return (await unit.session.exec(statement)).first() is not None


async def displaced_sign_ins(unit: UnitOfWork, driver_id: UUID) -> Sequence[SignIn]:
    """Return the sign-ins that must end so that the driver may have one more."""
    statement = (
        select(SignIn)
        .where(col(SignIn.driver_id) == driver_id, col(SignIn.revoked_at).is_(None))
        .where(col(SignIn.expires_at) > unit.now())
        .order_by(col(SignIn.refreshed_at).desc())
        .offset(SIGN_INS_PER_DRIVER_MAX - 1)
    )
    return (await unit.session.exec(statement)).all()


async def rotate_refresh(
    unit: UnitOfWork, sign_in: SignIn, *, old_digest: bytes, expires_at: datetime
) -> bool:
    """Replace the refresh token where `old_digest` is the valid one; returns whether it was."""
    statement = (
        update(SignIn)
        .where(col(SignIn.driver_id) == sign_in.driver_id, col(SignIn.id) == sign_in.id)
        .where(col(SignIn.refresh_digest) == old_digest, col(SignIn.revoked_at).is_(None))
        .where(col(SignIn.expires_at) > unit.now())
        .values(
            refresh_digest=sign_in.refresh_digest,
            refreshed_at=unit.now(),
            expires_at=expires_at,
        )
    )
    return (await unit.run(statement)).rowcount == 1


async def lately_refreshed(
    unit: UnitOfWork, sign_in: SignIn, *, since: datetime
) -> datetime | None:
    """Return until when a sign-in lasts whose valid token is that of `sign_in`, made after `since`.

    None for any other, which is no sign that it was made by this exchange.
    """
    statement = (
        select(col(SignIn.expires_at))
        .where(col(SignIn.driver_id) == sign_in.driver_id, col(SignIn.id) == sign_in.id)
        .where(col(SignIn.refresh_digest) == sign_in.refresh_digest)
        .where(col(SignIn.revoked_at).is_(None), col(SignIn.expires_at) > unit.now())
        .where(col(SignIn.refreshed_at) > since)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def end_sign_in(unit: UnitOfWork, driver_id: UUID, sign_in_id: UUID) -> SignIn | None:
    """End a sign-in and disable its devices; returns it where it had not ended before."""
    ended = await _end_sign_ins(unit, driver_id, sign_in_id)
    return ended[0] if ended else None


async def end_all_sign_ins(
    unit: UnitOfWork, driver_id: UUID, *, but: UUID | None = None
) -> Sequence[SignIn]:
    """End every sign-in of the driver, except the one given, and disable their devices."""
    return await _end_sign_ins(unit, driver_id, None, but=but)


async def find_sign_in(unit: UnitOfWork, driver_id: UUID, sign_in_id: UUID) -> SignIn | None:
    """Return one of the driver's sign-ins, an ended one too."""
    return await unit.session.get(SignIn, (driver_id, sign_in_id))


async def standing_sign_ins(unit: UnitOfWork, driver_id: UUID) -> Sequence[SignIn]:
    """Return the sign-ins that have neither ended nor expired, the last used first."""
    statement = (
        select(SignIn)
        .where(col(SignIn.driver_id) == driver_id, col(SignIn.revoked_at).is_(None))
        .where(col(SignIn.expires_at) > unit.now())
        .order_by(col(SignIn.refreshed_at).desc(), col(SignIn.id).desc())
        .limit(SIGN_INS_PER_DRIVER_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def deleted_accounts(unit: UnitOfWork, since: datetime) -> Sequence[UUID]:
    """Return the accounts that were deleted since a time; at most ENDED_AT_ONCE_MAX."""
    statement = (
        select(DeletedAccount.id)
        .where(col(DeletedAccount.deleted_at) >= since)
        .order_by(col(DeletedAccount.deleted_at).desc())
        .limit(ENDED_AT_ONCE_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def ended_sign_ins(unit: UnitOfWork, since: datetime) -> Sequence[UUID]:
    """Return the sign-ins of all drivers that ended since a time; at most ENDED_AT_ONCE_MAX."""
    statement = (
        select(SignIn.id)
        .where(col(SignIn.revoked_at) >= since)
        .order_by(col(SignIn.revoked_at).desc())
        .limit(ENDED_AT_ONCE_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def find_phone(unit: UnitOfWork, driver_id: UUID) -> bytes | None:
    """Return the driver's newest number, sealed."""
    statement = (
        select(PhoneNumber.phone_sealed)
        .where(col(PhoneNumber.driver_id) == driver_id)
        .order_by(col(PhoneNumber.verified_at).desc())
        .limit(1)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def active_devices(unit: UnitOfWork, driver_id: UUID) -> Sequence[Device]:
    """Return the devices that take pushes, the newest first."""
    statement = (
        select(Device)
        .where(col(Device.driver_id) == driver_id, col(Device.disabled_at).is_(None))
        .order_by(col(Device.registered_at).desc(), col(Device.id).desc())
        .limit(DEVICES_PER_DRIVER_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def disable_device(unit: UnitOfWork, driver_id: UUID, device_id: UUID) -> bool:
    """Stop the pushes to a device; returns whether the driver ever had it."""
    disabled_at = func.coalesce(col(Device.disabled_at), unit.now())
    statement = (
        update(Device)
        .where(col(Device.driver_id) == driver_id, col(Device.id) == device_id)
        .values(disabled_at=disabled_at)
    )
    return (await unit.run(statement)).rowcount == 1


async def lock_name(unit: UnitOfWork, name: str) -> None:
    """Let one transaction at a time do what a name stands for, until it ends."""
    await unit.run(_LOCK_NAME, {"name": name})


async def lock_target(unit: UnitOfWork, target_index: UUID) -> None:
    """Let one registration of a push target be made at a time, until the transaction ends."""
    await lock_name(unit, f"devices|{target_index}")


async def disable_target_of_others(unit: UnitOfWork, driver_id: UUID, target_index: UUID) -> None:
    """Stop pushes to a target for every driver but this one: the phone changed hands."""
    await unit.run(
        update(Device)
        .where(col(Device.target_index) == target_index, col(Device.driver_id) != driver_id)
        .where(col(Device.disabled_at).is_(None))
        .values(disabled_at=unit.now())
    )


async def put_device(unit: UnitOfWork, device: Device) -> UUID:
    """Add a device, or refresh the one with its target; returns the row's id."""
    values = device.model_dump()
    changed = (
        "sign_in_id",
        "target_kind",
        "target_sealed",
        "push_keys_sealed",
        "platform",
        "registered_at",
        "disabled_at",
    )
    statement = (
        insert(Device)
        .values(**values)
        .on_conflict_do_update(
            index_elements=["driver_id", "target_index"],
            set_={name: values[name] for name in changed},
        )
        .returning(col(Device.id))
    )
    return cast("UUID", (await unit.run(statement)).scalar_one())


async def disable_surplus_devices(unit: UnitOfWork, driver_id: UUID) -> None:
    """Keep the DEVICES_PER_DRIVER_MAX devices that registered last."""
    surplus = (
        select(Device.id)
        .where(col(Device.driver_id) == driver_id, col(Device.disabled_at).is_(None))
        .order_by(col(Device.registered_at).desc(), col(Device.id).desc())
        .offset(DEVICES_PER_DRIVER_MAX)
    )
    await unit.run(
        update(Device)
        .where(col(Device.driver_id) == driver_id, col(Device.id).in_(surplus))
        .values(disabled_at=unit.now())
    )


async def _end_sign_ins(
    unit: UnitOfWork, driver_id: UUID, sign_in_id: UUID | None, *, but: UUID | None = None
) -> Sequence[SignIn]:
    statement = (
        update(SignIn)
        .where(col(SignIn.driver_id) == driver_id, col(SignIn.revoked_at).is_(None))
        .values(revoked_at=unit.now())
        .returning(SignIn)
    )
    if sign_in_id is not None:
        statement = statement.where(col(SignIn.id) == sign_in_id)
    if but is not None:
        statement = statement.where(col(SignIn.id) != but)
    ended = (await unit.session.exec(statement)).scalars().all()
    await unit.run(
        update(Device)
        .where(col(Device.driver_id) == driver_id, col(Device.disabled_at).is_(None))
        .where(col(Device.sign_in_id).in_([row.id for row in ended]))
        .values(disabled_at=unit.now())
    )
    return ended

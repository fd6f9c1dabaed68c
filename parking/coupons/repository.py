"""Every query about coupons; each limit is held by one statement that decides and takes."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import func, text
from sqlmodel import col, select

from parking.coupons.models import (
    CouponCode,
    CouponDefinition,
    CouponState,
    DefinitionState,
    DriverCoupon,
)
from parking.kit.database import UnitOfWork

HELD_STATES: Final = (CouponState.AVAILABLE, CouponState.RESERVED, CouponState.USED)
DRIVER_COUPONS_MAX: Final = 200
EXPIRED_AT_ONCE_MAX: Final = 200

# Whoever waits for the row sees what the one before left: 500 at once take the last ten once each.
_TAKE_ONE: Final = text(
    """
    UPDATE coupon_definitions SET claims = claims + 1
    WHERE operator_id = :operator_id AND id = :id AND state = :active
        AND valid_from <= :now AND :now < valid_until
        AND (claims_max IS NULL OR claims < claims_max)
    """
)
_GIVE_BACK: Final = text(
    """
    UPDATE coupon_definitions SET claims = claims - :count
    WHERE operator_id = :operator_id AND id = :id
    """
)
_TAKE_CODE: Final = text(
    """
    UPDATE coupon_codes SET claims = claims + 1
    WHERE operator_id = :operator_id AND id = :id AND claims < claims_max
    """
)
_GIVE_CODE_BACK: Final = text(
    """
    UPDATE coupon_codes SET claims = claims - 1
    WHERE operator_id = :operator_id AND id = :id AND claims > 0
    """
)
_COUNT_TRY: Final = text(
    """
    INSERT INTO coupon_tries (driver_id, day, tries) VALUES (:driver_id, :day, 1)
    ON CONFLICT (driver_id, day) DO UPDATE SET tries = coupon_tries.tries + 1
    RETURNING tries
    """
)
_EXPIRE: Final = text(
    """
    UPDATE driver_coupons SET state = 'expired', changed_at = :now
    FROM (
        SELECT operator_id, id FROM driver_coupons
        WHERE state = 'available' AND expires_at <= :now
        ORDER BY expires_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE driver_coupons.operator_id = due.operator_id AND driver_coupons.id = due.id
    RETURNING driver_coupons.operator_id, driver_coupons.definition_id, driver_coupons.code_id
    """
)


async def find_definition(
    unit: UnitOfWork, operator_id: UUID, definition_id: UUID
) -> CouponDefinition | None:
    """Return one of an operator's definitions, as it is stored now."""
    return await unit.session.get(
        CouponDefinition, (operator_id, definition_id), populate_existing=True
    )


async def find_code(unit: UnitOfWork, digest: bytes) -> CouponCode | None:
    """Return the code of a digest."""
    found = await unit.session.exec(select(CouponCode).where(col(CouponCode.digest) == digest))
    return found.one_or_none()


async def find_coupon(unit: UnitOfWork, operator_id: UUID, coupon_id: UUID) -> DriverCoupon | None:
    """Return a driver's coupon."""
    return await unit.session.get(DriverCoupon, (operator_id, coupon_id))


async def of_driver(unit: UnitOfWork, driver_id: UUID) -> Sequence[DriverCoupon]:
    """Return a driver's coupons at any operator, the newest first."""
    statement = (
        select(DriverCoupon)
        .where(col(DriverCoupon.driver_id) == driver_id)
        .order_by(col(DriverCoupon.id).desc())
        .limit(DRIVER_COUPONS_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def held_by(unit: UnitOfWork, definition: CouponDefinition, driver_id: UUID) -> int:
    """Return how many of a definition a driver holds or used."""
    statement = (
        select(func.count())
        .select_from(DriverCoupon)
        .where(col(DriverCoupon.operator_id) == definition.operator_id)
        .where(col(DriverCoupon.definition_id) == definition.id)
        .where(col(DriverCoupon.driver_id) == driver_id)
        .where(col(DriverCoupon.state).in_(HELD_STATES))
    )
    return (await unit.session.exec(statement)).one()


async def take_one(unit: UnitOfWork, operator_id: UUID, definition_id: UUID) -> bool:
    """Take one of a definition that gives any; returns whether there was one."""
    values = {"operator_id": operator_id, "id": definition_id, "now": unit.now()}
    return (
        await unit.run(_TAKE_ONE, {**values, "active": DefinitionState.ACTIVE.value})
    ).rowcount == 1


async def give_back(
    unit: UnitOfWork, operator_id: UUID, definition_id: UUID, *, count: int = 1
) -> None:
    """Give so many of a definition back."""
    await unit.run(_GIVE_BACK, {"operator_id": operator_id, "id": definition_id, "count": count})


async def take_code(unit: UnitOfWork, code: CouponCode) -> bool:
    """Take one use of a code; returns whether there was one."""
    return (
        await unit.run(_TAKE_CODE, {"operator_id": code.operator_id, "id": code.id})
    ).rowcount == 1


async def count_try(unit: UnitOfWork, driver_id: UUID, day: date) -> int:
    """Count a try of a code that does not exist; returns how many there were that day."""
    return int((await unit.run(_COUNT_TRY, {"driver_id": driver_id, "day": day})).scalar_one())


async def tries_of(unit: UnitOfWork, driver_id: UUID, day: date) -> int:
    """Return how many codes that do not exist a driver tried on a day."""
    statement = text("SELECT tries FROM coupon_tries WHERE driver_id = :driver_id AND day = :day")
    found = (await unit.run(statement, {"driver_id": driver_id, "day": day})).scalar_one_or_none()
    return int(found or 0)


async def expire(unit: UnitOfWork) -> int:
    """End coupons whose time is over and that no stay holds; what they held can be had again."""
    ended = (await unit.run(_EXPIRE, {"now": unit.now(), "rows": EXPIRED_AT_ONCE_MAX})).all()
    counts = Counter((row.operator_id, row.definition_id) for row in ended)
    # In one order, and definitions before codes: two sweeps and a claim never wait in a circle.
    for operator_id, definition_id in sorted(counts):
        count = counts[operator_id, definition_id]
        await give_back(unit, operator_id, definition_id, count=count)
    codes = sorted((row.operator_id, row.code_id) for row in ended if row.code_id is not None)
    for operator_id, code_id in codes:
        await unit.run(_GIVE_CODE_BACK, {"operator_id": operator_id, "id": code_id})
    return len(ended)

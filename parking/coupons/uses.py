"""Every query about coupons of stays: which may be used, which are, and what budgets hold of it.

A driver's coupon is locked before its definition, and definitions in the order of their ids.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from parking.coupons.models import (
    CouponDefinition,
    CouponState,
    DefinitionState,
    DriverCoupon,
)
from parking.kit.database import UnitOfWork

# More of them are not looked at for one stay: those that end first come first.
CANDIDATES_MAX: Final = 50

_HOLD: Final = text(
    """
    UPDATE coupon_definitions SET reserved_minor = reserved_minor + :minor
    WHERE operator_id = :operator_id AND id = :id
        AND (budget_minor IS NULL OR reserved_minor + spent_minor + :minor <= budget_minor)
    """
)
_MOVE: Final = text(
    """
    UPDATE coupon_definitions
    SET reserved_minor = reserved_minor + :reserved_minor, spent_minor = spent_minor + :spent_minor
    WHERE operator_id = :operator_id AND id = :id
    """
)
_GIVE_CODE_BACK: Final = text(
    """
    UPDATE coupon_codes SET claims = claims - 1
    WHERE operator_id = :operator_id AND id = :id AND claims > 0
    """
)
_STAYS_BEFORE: Final = text(
    """
    SELECT count(*) FROM driver_stays
    WHERE driver_id = :driver_id AND operator_id = :operator_id AND session_id <= :session_id
    """
)


async def lock_usable(
    unit: UnitOfWork, operator_id: UUID, driver_id: UUID
) -> Sequence[tuple[DriverCoupon, CouponDefinition]]:
    """Lock a driver's coupons that may be used now, those that end first; others' locks pass by."""
    statement = (
        select(DriverCoupon, CouponDefinition)
        .join(
            CouponDefinition,
            (col(CouponDefinition.operator_id) == col(DriverCoupon.operator_id))
            & (col(CouponDefinition.id) == col(DriverCoupon.definition_id)),
        )
        .where(col(DriverCoupon.driver_id) == driver_id)
        .where(col(DriverCoupon.operator_id) == operator_id)
        .where(col(DriverCoupon.state) == CouponState.AVAILABLE)
        .where(col(DriverCoupon.expires_at) > unit.now())
        .where(col(CouponDefinition.state).in_((DefinitionState.ACTIVE, DefinitionState.ENDED)))
        .order_by(col(DriverCoupon.expires_at), col(DriverCoupon.id))
        .limit(CANDIDATES_MAX)
        .with_for_update(of=DriverCoupon, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).all()


async def lock_of_stay(
    unit: UnitOfWork, operator_id: UUID, session_id: UUID
) -> Sequence[DriverCoupon]:
    """Lock the coupons that are reserved for a stay or were used for it."""
    statement = (
        select(DriverCoupon)
        .where(col(DriverCoupon.operator_id) == operator_id)
        .where(col(DriverCoupon.session_id) == session_id)
        # Definitions follow in this order.
        .order_by(col(DriverCoupon.definition_id), col(DriverCoupon.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).all()


async def lock_coupon(unit: UnitOfWork, operator_id: UUID, coupon_id: UUID) -> DriverCoupon | None:
    """Lock one coupon."""
    statement = (
        select(DriverCoupon)
        .where(col(DriverCoupon.operator_id) == operator_id)
        .where(col(DriverCoupon.id) == coupon_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def stay_number(
    unit: UnitOfWork, operator_id: UUID, driver_id: UUID, session_id: UUID
) -> int:
    """Return the driver's how-many-th stay at the operator a stay is."""
    values = {"operator_id": operator_id, "driver_id": driver_id, "session_id": session_id}
    return int((await unit.run(_STAYS_BEFORE, values)).scalar_one())


async def hold(unit: UnitOfWork, coupon: DriverCoupon, minor: int) -> bool:
    """Promise so much of a definition's budget to a stay; returns whether it was there."""
    values = {"operator_id": coupon.operator_id, "id": coupon.definition_id, "minor": minor}
    return not minor or (await unit.run(_HOLD, values)).rowcount == 1


async def account(
    unit: UnitOfWork, coupon: DriverCoupon, *, held_minor: int, discount_minor: int
) -> None:
    """Write down what a locked coupon holds and takes off, and the same of its definition."""
    reserved_minor = held_minor - coupon.held_minor
    spent_minor = discount_minor - coupon.discount_minor
    coupon.held_minor, coupon.discount_minor = held_minor, discount_minor
    if reserved_minor or spent_minor:
        values = {
            "operator_id": coupon.operator_id,
            "id": coupon.definition_id,
            "reserved_minor": reserved_minor,
            "spent_minor": spent_minor,
        }
        await unit.run(_MOVE, values)


async def give_code_back(unit: UnitOfWork, coupon: DriverCoupon) -> None:
    """Let the code of a coupon that is over serve one more."""
    if coupon.code_id is not None:
        await unit.run(_GIVE_CODE_BACK, {"operator_id": coupon.operator_id, "id": coupon.code_id})


async def lock_of_driver(unit: UnitOfWork, driver_id: UUID) -> Sequence[DriverCoupon]:
    """Lock all coupons of a driver."""
    statement = (
        select(DriverCoupon)
        .where(col(DriverCoupon.driver_id) == driver_id)
        .order_by(col(DriverCoupon.operator_id), col(DriverCoupon.definition_id))
        .order_by(col(DriverCoupon.code_id), col(DriverCoupon.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).all()

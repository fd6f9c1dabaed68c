"""Drivers get coupons: given by staff and campaigns, claimed by code; and lose them in time."""

from uuid import UUID

from parking.coupons import repository, service, uses
from parking.coupons.errors import (
    CouponCodeUnknownError,
    CouponExhaustedError,
    CouponLimitReachedError,
    CouponNotUsableError,
    CouponUnknownError,
)
from parking.coupons.models import CouponState
from parking.flows.context import ParkingContext
from parking.flows.coupons import attaching
from parking.kit.database import UnitOfWork


async def grant_coupon(
    unit: UnitOfWork,
    operator_id: UUID,
    definition_id: UUID,
    driver_id: UUID,
    *,
    source: str,
    source_id: UUID,
) -> UUID | None:
    """Give a driver a coupon, in the caller's transaction; returns its id.

    The same source gives a driver one of a definition once, however often it asks. None where the
    definition gives none now, or the driver has had as many as one may have.
    """
    try:
        coupon, _ = await service.grant(
            unit, operator_id, definition_id, driver_id, source=source, source_id=source_id
        )
    except (CouponExhaustedError, CouponLimitReachedError):
        return None
    return coupon.id


async def claim_coupon(context: ParkingContext, driver_id: UUID, code: str) -> tuple[UUID, UUID]:
    """Give a driver the coupon of a code; again gives the same one.

    Returns:
        Its operator's id and its own.

    Raises:
        CouponTriesExceededError: the driver guesses.
        CouponCodeUnknownError: no such code; the try is counted.
        CouponExhaustedError: the definition gives none now.
        CouponLimitReachedError: the driver has had as many as one may have.
    """
    async with context.database.begin() as unit:
        await service.require_tries_left(unit, driver_id)
    try:
        async with context.database.begin() as unit:
            coupon = await service.claim(unit, driver_id, code)
    except CouponCodeUnknownError:
        # In a transaction of its own: the refusal undid the other one.
        async with context.database.begin() as unit:
            await repository.count_try(unit, driver_id, unit.now().date())
        raise
    await attaching.attach_for(context, coupon.operator_id, driver_id)
    return coupon.operator_id, coupon.id


async def revoke_coupon(context: ParkingContext, operator_id: UUID, coupon_id: UUID) -> None:
    """Take a coupon back that no stay holds; again changes nothing.

    Raises:
        CouponUnknownError: the operator gave no such coupon.
        CouponNotUsableError: a stay holds it or used it, or its time is over.
    """
    async with context.database.begin() as unit:
        coupon = await uses.lock_coupon(unit, operator_id, coupon_id)
        if coupon is None:
            raise CouponUnknownError("couponId: expected one of yours")
        if coupon.state is CouponState.REVOKED:
            return
        if coupon.state is not CouponState.AVAILABLE:
            raise CouponNotUsableError("couponId: expected one that no stay holds or used")
        coupon.state, coupon.changed_at = CouponState.REVOKED, unit.now()
        await repository.give_back(unit, operator_id, coupon.definition_id)
        await uses.give_code_back(unit, coupon)


async def sweep(context: ParkingContext) -> int:
    """End coupons whose time is over; returns how many."""
    async with context.database.begin() as unit:
        return await repository.expire(unit)

"""Coupons that drivers get: granted or claimed by code, within every limit."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from parking.coupons import repository
from parking.coupons.errors import (
    CouponCodeUnknownError,
    CouponExhaustedError,
    CouponLimitReachedError,
    CouponTriesExceededError,
)
from parking.coupons.models import CouponDefinition, CouponState, DriverCoupon
from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id

CODE_LENGTH_MAX: Final = 40
TRIES_PER_DAY_MAX: Final = 10
_CODE: Final = "coupon_code"
_FROM_CODE: Final = "code"


def digest_of(unit: UnitOfWork, code: str) -> bytes:
    """Return what is kept of a code: letters of either case and marks between them do not count."""
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return unit.vault.digest(_CODE, plain)


async def grant(
    unit: UnitOfWork,
    operator_id: UUID,
    definition_id: UUID,
    driver_id: UUID,
    *,
    source: str,
    source_id: UUID,
    code_id: UUID | None = None,
) -> tuple[DriverCoupon, bool]:
    """Give a driver a coupon; the same source gives one of a definition once.

    Returns:
        The coupon, and whether the driver did not have it before.

    Raises:
        CouponExhaustedError: the definition gives none now.
        CouponLimitReachedError: the driver has had as many as one may have.
    """
    coupon_id = derive_id(source_id, f"coupon:{source}:{definition_id}:{driver_id}")
    known = await repository.find_coupon(unit, operator_id, coupon_id)
    if known is not None:
        return known, False
    if not await repository.take_one(unit, operator_id, definition_id):
        raise CouponExhaustedError("coupon: expected a definition that gives some now")
    definition = await repository.find_definition(unit, operator_id, definition_id)
    if definition is None:
        raise CouponExhaustedError("coupon: expected a definition that gives some now")
    # Its row is held until the commit: rivals for the same definition look after this one.
    rival = await repository.find_coupon(unit, operator_id, coupon_id)
    if rival is not None:
        await repository.give_back(unit, operator_id, definition_id)
        return rival, False
    if await repository.held_by(unit, definition, driver_id) >= definition.driver_max:
        await repository.give_back(unit, operator_id, definition_id)
        raise CouponLimitReachedError("coupon: expected fewer of them with one driver")
    coupon = _new(unit, definition, coupon_id, driver_id)
    coupon.source, coupon.source_id, coupon.code_id = source, source_id, code_id
    unit.session.add(coupon)
    return coupon, True


async def claim(unit: UnitOfWork, driver_id: UUID, code: str) -> DriverCoupon:
    """Give a driver the coupon of a code; the same code again gives the same one.

    Raises:
        CouponCodeUnknownError: there is no such code, or it gives nothing any more.
        CouponExhaustedError: as `grant`.
        CouponLimitReachedError: as `grant`.
    """
    found = None
    if 0 < len(code) <= CODE_LENGTH_MAX:
        found = await repository.find_code(unit, digest_of(unit, code))
    if found is None:
        raise CouponCodeUnknownError("code: expected one that gives a coupon")
    coupon_id = derive_id(found.id, f"coupon:{_FROM_CODE}:{found.definition_id}:{driver_id}")
    known = await repository.find_coupon(unit, found.operator_id, coupon_id)
    if known is not None:
        return known
    coupon, is_new = await grant(
        unit,
        found.operator_id,
        found.definition_id,
        driver_id,
        source=_FROM_CODE,
        source_id=found.id,
        code_id=found.id,
    )
    # After the definition's: in one order everywhere. A refusal undoes the whole claim.
    if is_new and not await repository.take_code(unit, found):
        raise CouponCodeUnknownError("code: expected one that gives a coupon")
    return coupon


async def require_tries_left(unit: UnitOfWork, driver_id: UUID) -> None:
    """Refuse whoever tried too many codes today (UTC).

    Raises:
        CouponTriesExceededError: tomorrow there are new tries.
    """
    tries = await repository.tries_of(unit, driver_id, unit.now().date())
    if tries >= TRIES_PER_DAY_MAX:
        raise CouponTriesExceededError(f"code: expected at most {TRIES_PER_DAY_MAX} wrong ones")


def _new(
    unit: UnitOfWork, definition: CouponDefinition, coupon_id: UUID, driver_id: UUID
) -> DriverCoupon:
    now, expires_at = unit.now(), definition.valid_until
    if definition.valid_days is not None:
        expires_at = min(expires_at, now + timedelta(days=definition.valid_days))
    return DriverCoupon(
        operator_id=definition.operator_id,
        id=coupon_id,
        definition_id=definition.id,
        driver_id=driver_id,
        source="",
        source_id=coupon_id,
        state=CouponState.AVAILABLE,
        claimed_at=now,
        expires_at=expires_at,
        changed_at=now,
    )

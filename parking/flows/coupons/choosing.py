"""What a driver sees of coupons, and wants of one for a stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.sql.expression import Select

from parking.coupons import uses
from parking.coupons.errors import CouponNotUsableError, CouponUnknownError
from parking.coupons.models import CouponDefinition, CouponState, DriverCoupon
from parking.flows.bills import live_bill
from parking.flows.context import ParkingContext
from parking.flows.coupons import attaching
from parking.kit.database import UnitOfWork
from parking.payments import repository as payments
from parking.payments.errors import PaymentInProgressError
from parking.sessions import service as sessions
from parking.sessions.models import Session
from parking.tariffs.coupon_terms import CouponChoice


@dataclass(frozen=True, slots=True)
class CouponView:
    """A driver's coupon with what it takes off."""

    row: DriverCoupon
    definition: CouponDefinition


async def find_coupon(
    context: ParkingContext, driver_id: UUID, operator_id: UUID, coupon_id: UUID
) -> CouponView:
    """Return one of a driver's coupons.

    Raises:
        CouponUnknownError: the driver has no such coupon.
    """
    statement = _of_driver(driver_id).where(
        col(DriverCoupon.operator_id) == operator_id, col(DriverCoupon.id) == coupon_id
    )
    async with context.database.begin() as unit:
        found = (await unit.session.exec(statement)).one_or_none()
    if found is None:
        raise CouponUnknownError("couponId: expected one of yours")
    return CouponView(*found)


async def page_of_coupons(
    context: ParkingContext, driver_id: UUID, *, first: int, before: UUID | None
) -> Sequence[CouponView]:
    """Return a driver's coupons at all operators, by id downwards."""
    statement = _of_driver(driver_id).order_by(col(DriverCoupon.id).desc()).limit(first)
    if before is not None:
        statement = statement.where(col(DriverCoupon.id) < before)
    async with context.database.begin() as unit:
        return [CouponView(*row) for row in (await unit.session.exec(statement)).all()]


async def choose_coupon(
    context: ParkingContext,
    driver_id: UUID,
    operator_id: UUID,
    coupon_id: UUID,
    choice: CouponChoice,
) -> CouponView:
    """Let a coupon count for its running stay by itself, wherever it may, or not; at once.

    Raises:
        CouponUnknownError: the driver has no such coupon.
        CouponNotUsableError: no stay under way holds it, or that stay is over.
        PaymentInProgressError: the driver is paying right now.
    """
    view = await find_coupon(context, driver_id, operator_id, coupon_id)
    if view.row.session_id is None:
        raise CouponNotUsableError("couponId: expected one that a running stay holds")
    async with context.database.begin() as unit:
        session = await sessions.lock_session(unit, operator_id, view.row.session_id)
        coupon = await uses.lock_coupon(unit, operator_id, coupon_id)
        if session is None or coupon is None or not _holds(session, coupon):
            raise CouponNotUsableError("couponId: expected one that a running stay holds")
        await _require_nobody_pays(unit, session)
        if coupon.choice != choice:
            coupon.choice, coupon.changed_at = choice, unit.now()
            await _write(unit, session, coupon.id, choice)
    return await find_coupon(context, driver_id, operator_id, coupon_id)


def _holds(session: Session, coupon: DriverCoupon) -> bool:
    is_reserved = coupon.state is CouponState.RESERVED and coupon.session_id == session.id
    return is_reserved and session.left_at is None


async def _require_nobody_pays(unit: UnitOfWork, session: Session) -> None:
    bills = await payments.find_bills(unit, session.operator_id, session.id)
    if any(bill.live_attempt_id is not None or bill.claim_id is not None for bill in bills):
        raise PaymentInProgressError("couponId: the stay is being paid right now")


async def _write(unit: UnitOfWork, session: Session, coupon_id: UUID, choice: CouponChoice) -> None:
    before = live_bill.circumstances_of(session)
    coupons = tuple(
        each.model_copy(update={"choice": choice}) if each.id == coupon_id else each
        for each in before.coupons
    )
    session.circumstances = before.model_copy(update={"coupons": coupons}).to_json()
    await attaching.tell_changed(unit, session)


def _of_driver(driver_id: UUID) -> Select[DriverCoupon, CouponDefinition]:
    return (
        select(DriverCoupon, CouponDefinition)
        .join(
            CouponDefinition,
            (col(CouponDefinition.operator_id) == col(DriverCoupon.operator_id))
            & (col(CouponDefinition.id) == col(DriverCoupon.definition_id)),
        )
        .where(col(DriverCoupon.driver_id) == driver_id)
    )

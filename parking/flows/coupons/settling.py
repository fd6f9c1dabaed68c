"""What becomes of a stay's coupons: its bills say what each took off, and the books follow them.

While a stay is under way its coupons stay reserved, and what the bills that count take off is spent
from the first payment on. When it is over they are used, or free for another stay.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import text

from parking.coupons import repository, uses
from parking.coupons.models import CouponState, DriverCoupon
from parking.flows.bills import live_bill
from parking.flows.bills.coupon_lines import counted_of, taken_minor
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id
from parking.kit.money import Money
from parking.payments import ledger
from parking.payments import repository as payments
from parking.payments.models import Bill, BillState
from parking.sessions import repository as session_rows
from parking.sessions import service as sessions
from parking.sessions.models import Session

STAYS_AT_ONCE_MAX: Final = 100

_log = structlog.get_logger()

# Those whose newest bill that counts is not the one that was looked at last, or whose stay is over.
_DUE: Final = text(
    """
    SELECT DISTINCT coupon.operator_id, coupon.session_id
    FROM driver_coupons AS coupon
    JOIN sessions AS stay ON stay.operator_id = coupon.operator_id AND stay.id = coupon.session_id
    LEFT JOIN LATERAL (
        SELECT bool_or(bill.state = 'issued') AS is_open,
            max(CAST(bill.id AS text)) FILTER (WHERE bill.state <> 'issued') AS newest_id
        FROM bills AS bill
        WHERE bill.operator_id = coupon.operator_id AND bill.session_id = coupon.session_id
            AND bill.state IN ('issued', 'paid', 'owed', 'written_off')
    ) AS billed ON true
    WHERE coupon.state = 'reserved' AND (
        (stay.left_at IS NOT NULL AND NOT coalesce(billed.is_open, false))
        OR (billed.newest_id IS NOT NULL
            AND billed.newest_id IS DISTINCT FROM CAST(coupon.bill_id AS text))
    )
    LIMIT :rows
    """
)


async def sweep(context: ParkingContext) -> int:
    """Settle the coupons of stays that were paid for or ended; returns how many stays."""
    async with context.database.begin() as unit:
        due = [tuple(row) for row in await unit.run(_DUE, {"rows": STAYS_AT_ONCE_MAX})]
    for operator_id, session_id in due:
        try:
            async with context.database.begin() as unit:
                session = await sessions.lock_session(unit, operator_id, session_id)
                if session is not None:
                    await settle(unit, session)
        except Exception as error:  # noqa: BLE001 - one stay must not keep the others waiting
            _log.warning("coupons.unsettled", session=str(session_id), error=repr(error))
    return len(due)


async def settle_bill(unit: UnitOfWork, bill: Bill) -> None:
    """Let the coupons of a bill's stay follow from a new version of it; most bills have none."""
    circumstances: Mapping[str, object] = bill.basis.get("circumstances") or {}
    if bill.session_id is None or not circumstances.get("coupons"):
        return
    # Its bills are locked already, and stays come before them: nothing of the stay is changed here.
    session = await session_rows.find_session(unit, bill.operator_id, bill.session_id)
    if session is not None:
        await settle(unit, session, is_locked=False)


async def settle(unit: UnitOfWork, session: Session, *, is_locked: bool = True) -> None:
    """Let a stay's coupons follow from its bills; again changes nothing."""
    coupons = await uses.lock_of_stay(unit, session.operator_id, session.id)
    if not coupons:
        return
    bills = await payments.find_bills(unit, session.operator_id, session.id)
    taken = taken_minor(bills)
    is_over = session.left_at is not None and all(bill.state != BillState.ISSUED for bill in bills)
    counted = counted_of(bills)
    for coupon in coupons:
        await _follow(unit, coupon, taken.get(coupon.id, 0), counted, is_over=is_over)
    if is_over and is_locked:
        _forget_unused(session, {each.id for each in coupons if each.session_id is None}, counted)


async def release(unit: UnitOfWork, coupon: DriverCoupon) -> None:
    """Let a locked coupon count for another stay; one whose time is over goes back."""
    coupon.session_id, coupon.bill_id, coupon.choice = None, None, "auto"
    coupon.state = CouponState.AVAILABLE
    if coupon.expires_at <= unit.now():
        coupon.state = CouponState.EXPIRED
        await repository.give_back(unit, coupon.operator_id, coupon.definition_id)
        await uses.give_code_back(unit, coupon)


async def _follow(
    unit: UnitOfWork,
    coupon: DriverCoupon,
    discount_minor: int,
    counted: Sequence[Bill],
    *,
    is_over: bool,
) -> None:
    # Together they stay what was promised: a later bill takes at most the rest.
    held_minor = max(coupon.held_minor + coupon.discount_minor - discount_minor, 0)
    if coupon.state == CouponState.USED or is_over:
        held_minor = 0
    change_minor = discount_minor - coupon.discount_minor
    if change_minor and counted:
        await _post(unit, coupon, counted[-1], change_minor)
    elif change_minor:
        await _post_from_any(unit, coupon, change_minor)
    await uses.account(unit, coupon, held_minor=held_minor, discount_minor=discount_minor)
    coupon.changed_at = unit.now()
    if is_over and not discount_minor:
        await release(unit, coupon)
        return
    coupon.state = CouponState.USED if is_over else CouponState.RESERVED
    coupon.bill_id = max((bill.id for bill in counted), key=str, default=None)


async def _post(unit: UnitOfWork, coupon: DriverCoupon, bill: Bill, change_minor: int) -> None:
    coupon.revision += 1
    source = derive_id(coupon.id, f"coupon:{coupon.revision}")
    amount = Money(abs(change_minor), bill.currency)
    post = ledger.post_coupon if change_minor > 0 else ledger.post_coupon_returned
    await post(unit, bill, amount, definition=str(coupon.definition_id), source=source)


async def _post_from_any(unit: UnitOfWork, coupon: DriverCoupon, change_minor: int) -> None:
    """Post for the bill that the coupon was posted for before: none of the stay's counts now."""
    if coupon.bill_id is None:
        raise AssertionError("coupon: expected a bill that it was used on")
    bill = await payments.find_bill(unit, coupon.operator_id, coupon.bill_id)
    if bill is None:
        raise AssertionError("coupon: expected the bill that it was used on")
    await _post(unit, coupon, bill, change_minor)


def _forget_unused(session: Session, released: set[UUID], counted: Sequence[Bill]) -> None:
    """Let a correction of an ended stay take off no coupon that counts for another by now.

    One that stands on a bill stays: what is given back there cannot be billed again.
    """
    billed = {line.get("coupon_id") for bill in counted for line in bill.lines}
    before = live_bill.circumstances_of(session)
    kept = tuple(
        each for each in before.coupons if each.id not in released or str(each.id) in billed
    )
    if kept != before.coupons:
        session.circumstances = before.model_copy(update={"coupons": kept}).to_json()


async def give_up_all(unit: UnitOfWork, driver_id: UUID) -> None:
    """Give back what the coupons of a driver who goes hold; what bills took off stays counted."""
    given: list[DriverCoupon] = []
    for coupon in await uses.lock_of_driver(unit, driver_id):
        discount_minor = coupon.discount_minor
        await uses.account(unit, coupon, held_minor=0, discount_minor=discount_minor)
        is_held = coupon.state in {CouponState.AVAILABLE, CouponState.RESERVED}
        if is_held and not discount_minor:
            await repository.give_back(unit, coupon.operator_id, coupon.definition_id)
            coupon.state = CouponState.REVOKED
            given.append(coupon)
    # Definitions before codes, as everywhere.
    for coupon in sorted(given, key=lambda each: str(each.code_id)):
        await uses.give_code_back(unit, coupon)

"""A driver's coupons become part of what a running stay costs: reserved for it, and for no other.

It happens beside the lanes, a few seconds after the entry or the claim. What the price needs stands
in the stay's circumstances from then on, so that no lane asks for it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.coupons import uses
from parking.coupons.models import CouponDefinition, CouponState, DriverCoupon
from parking.events.pokes import lane_channel
from parking.events.types import EventType
from parking.flows.bills import live_bill
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.ids import floor_id
from parking.lanes import repository as lanes
from parking.payments import repository as payments
from parking.payments.models import BillState
from parking.places import service as places
from parking.sessions import service as sessions
from parking.sessions.events import tell
from parking.sessions.models import Session
from parking.tariffs.coupon_terms import COUPONS_MAX, CouponTerms

LOOKED_BACK: Final = timedelta(minutes=10)
# An event may be committed later than another whose id is newer.
OVERLAP: Final = timedelta(seconds=30)
STAYS_AT_ONCE_MAX: Final = 200

_OPERATORS: Final = text("SELECT DISTINCT operator_id FROM coupon_definitions ORDER BY operator_id")
_DUE: Final = text(
    """
    SELECT outbox.subject_id AS session_id
    FROM outbox
    WHERE outbox.owner_id = :operator_id AND outbox.id >= CAST(:since_id AS uuid)
        AND outbox.type = :entered
        AND EXISTS (
            SELECT FROM driver_coupons AS coupon
            WHERE coupon.driver_id = CAST(outbox.payload->>'driver_id' AS uuid)
                AND coupon.operator_id = :operator_id AND coupon.state = 'available'
        )
    UNION
    SELECT stay.session_id
    FROM driver_coupons AS coupon
    JOIN driver_stays AS stay ON stay.driver_id = coupon.driver_id
        AND stay.operator_id = coupon.operator_id AND stay.left_at IS NULL
    WHERE coupon.operator_id = :operator_id AND coupon.state = 'available'
        AND coupon.claimed_at >= :since
    LIMIT :rows
    """
)
_RUNNING: Final = text(
    """
    SELECT session_id FROM driver_stays
    WHERE driver_id = :driver_id AND operator_id = :operator_id AND left_at IS NULL
    ORDER BY session_id LIMIT :rows
    """
)


@dataclass
class AttachWatch:
    """Remembers up to when a process has looked for entries and new coupons.

    Attributes:
        seen_until: None before the first look.
    """

    context: ParkingContext
    seen_until: datetime | None = None

    async def sweep(self) -> int:
        """Attach to stays that began, or whose drivers got coupons, since the last look."""
        now = self.context.clock.now()
        since = max(now - LOOKED_BACK, (self.seen_until or now - LOOKED_BACK) - OVERLAP)
        async with self.context.database.begin() as unit:
            operators = [row.operator_id for row in await unit.run(_OPERATORS)]
        attached = 0
        for operator_id in operators:
            values = {
                "operator_id": operator_id,
                "since": since,
                "since_id": floor_id(since),
                "entered": str(EventType.SESSION_ENTERED),
                "rows": STAYS_AT_ONCE_MAX,
            }
            async with self.context.database.begin() as unit:
                due = [row.session_id for row in await unit.run(_DUE, values)]
            for session_id in due:
                attached += await attach_to(self.context, operator_id, session_id)
        self.seen_until = now
        return attached


async def attach_for(context: ParkingContext, operator_id: UUID, driver_id: UUID) -> int:
    """Attach a driver's coupons to the stays that they have under way; returns how many."""
    values = {"operator_id": operator_id, "driver_id": driver_id, "rows": STAYS_AT_ONCE_MAX}
    async with context.database.begin() as unit:
        running = [row.session_id for row in await unit.run(_RUNNING, values)]
    return sum([await attach_to(context, operator_id, one) for one in running])


async def attach_to(context: ParkingContext, operator_id: UUID, session_id: UUID) -> int:
    """Attach the driver's coupons to one stay; returns how many."""
    async with context.database.begin() as unit:
        session = await sessions.lock_session(unit, operator_id, session_id)
        return 0 if session is None else await attach(unit, session)


async def attach(unit: UnitOfWork, session: Session) -> int:
    """Reserve the driver's usable coupons for a locked stay; returns how many.

    None for a stay that was paid for, is being paid, or has ended; nor for one that continues
    others which were billed: what coupons took off those is counted already.
    """
    before = live_bill.circumstances_of(session)
    if session.driver_id is None or session.left_at is not None or before.billed_before_minor:
        return 0
    room = COUPONS_MAX - len(before.coupons)
    if room <= 0 or not await _is_unpaid(unit, session):
        return 0
    place = await places.require_place(unit, session.operator_id, session.place_id)
    found = await uses.lock_usable(unit, session.operator_id, session.driver_id)
    number = None
    if any(definition.stay_number is not None for _, definition in found):
        number = await uses.stay_number(unit, session.operator_id, session.driver_id, session.id)
    usable = [
        (coupon, definition)
        for coupon, definition in found
        if _counts(definition, session, place.currency, number)
    ]
    usable.sort(key=lambda pair: -pair[1].priority)
    taken = [
        terms_of(coupon, definition)
        for coupon, definition in sorted(usable[:room], key=lambda pair: pair[1].id)
        if await _reserve(unit, session, coupon, definition)
    ]
    if taken:
        after = before.model_copy(update={"coupons": (*before.coupons, *taken)})
        session.circumstances = after.to_json()
        await tell_changed(unit, session)
    return len(taken)


def terms_of(coupon: DriverCoupon, definition: CouponDefinition) -> CouponTerms:
    """Return a driver's coupon as the price sees it."""
    return CouponTerms.model_validate(
        {
            "id": coupon.id,
            "name": definition.name,
            "kind": definition.kind,
            "value": definition.value,
            "amount_minor_max": definition.amount_minor_max,
            "group": definition.group_name,
            "is_exclusive": definition.is_exclusive,
            "priority": definition.priority,
            "choice": coupon.choice,
        }
    )


async def tell_changed(unit: UnitOfWork, session: Session) -> None:
    """Tell that a locked stay costs something else; a car that waits at the exit is shown it."""
    place = await places.require_place(unit, session.operator_id, session.place_id)
    lane = None
    if session.exit_presentation_id is not None:
        lane = await lanes.find_presentation(
            unit, session.operator_id, session.exit_presentation_id
        )
    channels = () if lane is None or lane.cleared_at is not None else (lane_channel(lane.lane_id),)
    payload = {"place_name": place.name, "timezone": place.timezone}
    tell(unit, session, EventType.SESSION_BILL_CHANGED, payload, channels=channels)


async def _is_unpaid(unit: UnitOfWork, session: Session) -> bool:
    bills = await payments.find_bills(unit, session.operator_id, session.id)
    return all(
        bill.state == BillState.ISSUED and bill.live_attempt_id is None and bill.claim_id is None
        for bill in bills
    )


def _counts(
    definition: CouponDefinition, session: Session, currency: str, number: int | None
) -> bool:
    if definition.currency != currency:
        return False
    if definition.place_ids is not None and str(session.place_id) not in definition.place_ids:
        return False
    if definition.stay_number is not None and definition.stay_number != number:
        return False
    # Without a most nobody knows what a budget must hold for it.
    return definition.budget_minor is None or definition.amount_minor_max is not None


async def _reserve(
    unit: UnitOfWork, session: Session, coupon: DriverCoupon, definition: CouponDefinition
) -> bool:
    held_minor = 0
    if definition.budget_minor is not None:
        held_minor = definition.amount_minor_max or 0
    if not await uses.hold(unit, coupon, held_minor):
        return False
    coupon.state, coupon.session_id = CouponState.RESERVED, session.id
    coupon.held_minor, coupon.changed_at = held_minor, unit.now()
    return True

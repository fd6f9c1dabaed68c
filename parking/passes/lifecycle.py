"""What becomes of a held pass: paid, renewed, refused, ended. The pass must be locked."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from parking.events.types import EventType
from parking.kit.database import UnitOfWork
from parking.passes import events, repository, rules
from parking.passes.local_time import local_day
from parking.passes.models import AssignedRight, PassState, RightSpecification
from parking.passes.periods import boundary, unused_price

REASON_LENGTH_MAX = 200
# How long an outcome that is not known yet is waited for before the pass is looked at again.
LOOK_AGAIN_AFTER = timedelta(minutes=1)

_ENDINGS = {
    PassState.CANCELLED: EventType.PASS_CANCELLED,
    PassState.REVOKED: EventType.PASS_CANCELLED,
    PassState.FAILED: EventType.PASS_PURCHASE_FAILED,
    PassState.ENDED: EventType.PASS_LAPSED,
    PassState.LAPSED: EventType.PASS_LAPSED,
}


def schedule(unit: UnitOfWork, right: AssignedRight, product: RightSpecification) -> None:
    """Write down when the periodic work has to look at the pass next."""
    step = rules.next_step(right, product)
    due_at = None if step is None else step.due_at
    right.next_step_at = unit.now() if right.stays_stale else due_at
    unit.session.add(right)


def look_again(unit: UnitOfWork, right: AssignedRight) -> None:
    """Look at the pass again soon: a payment of it is under way."""
    right.next_step_at = unit.now() + LOOK_AGAIN_AFTER
    unit.session.add(right)


def activate(
    unit: UnitOfWork,
    right: AssignedRight,
    product: RightSpecification,
    paid_minor: int,
    deduction: Mapping[str, Any] | None = None,
) -> None:
    """Let a paid or granted pass open gates; `deduction` tells how the money was taken."""
    right.state = PassState.ACTIVE
    right.periods = 1
    right.paid_minor = paid_minor
    schedule(unit, right, product)
    payload = {"amount_minor": paid_minor, **(deduction or {})}
    events.tell(unit, right, product, EventType.PASS_PURCHASED, payload)


def renew(
    unit: UnitOfWork,
    right: AssignedRight,
    product: RightSpecification,
    paid_minor: int,
    deduction: Mapping[str, Any] | None = None,
) -> None:
    """Add exactly one period, counted from the first day; stays under way hear of it."""
    right.state = PassState.ACTIVE
    right.periods += 1
    right.paid_until = rules.period_end(product, right.first_day, right.periods)
    right.paid_minor = paid_minor
    right.price_minor = paid_minor
    right.tries = 0
    right.tried_at = None
    right.stays_stale = True
    schedule(unit, right, product)
    payload = {"amount_minor": paid_minor, **(deduction or {})}
    events.tell(unit, right, product, EventType.PASS_RENEWED, payload)


def refuse_renewal(
    unit: UnitOfWork, right: AssignedRight, product: RightSpecification, *, amount_minor: int
) -> None:
    """Count a refused try; the pass stays valid until it lapses."""
    right.state = PassState.GRACE
    right.tries += 1
    right.tried_at = unit.now()
    schedule(unit, right, product)
    payload = {
        "amount_minor": amount_minor,
        "valid_until": rules.grace_end(right, product).isoformat(),
        "tries": right.tries,
    }
    events.tell(unit, right, product, EventType.PASS_RENEWAL_FAILED, payload)


def announce(unit: UnitOfWork, right: AssignedRight, product: RightSpecification) -> None:
    """Tell the holder when the pass renews, and at which price; once a period.

    The price that is told is the one that is charged: a later change waits for the next period.
    """
    right.announced_until = right.paid_until
    right.announced_minor = product.price_minor
    schedule(unit, right, product)
    payload = {"amount_minor": product.price_minor, "before_minor": right.price_minor}
    events.tell(unit, right, product, EventType.PASS_RENEWAL_UPCOMING, payload)


async def end(
    unit: UnitOfWork,
    right: AssignedRight,
    product: RightSpecification,
    state: PassState,
    *,
    at: datetime,
    reason: str,
    refund_minor: int = 0,
) -> None:
    """End a pass; what its cars have parked until `at` stays covered."""
    right.state = state
    right.ended_at = at
    right.reason = reason[:REASON_LENGTH_MAX]
    right.stays_stale = state != PassState.FAILED
    schedule(unit, right, product)
    await repository.give_back_one(unit, right)
    payload = {"reason": right.reason, "ended_at": at.isoformat(), "refund_minor": refund_minor}
    events.tell(unit, right, product, _ENDINGS[state], payload)


def unused_minor(right: AssignedRight, product: RightSpecification, now: datetime) -> int:
    """Return what of the paid period is for the days after today, by the local calendar."""
    terms = rules.terms_of(product)
    return unused_price(
        boundary(terms, right.first_day, right.periods - 1),
        boundary(terms, right.first_day, right.periods),
        local_day(ZoneInfo(product.timezone), now),
        right.paid_minor,
    )

"""What a pass comes to next, and until when it opens gates: pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from parking.passes.local_time import instant_of, local_day, midnight
from parking.passes.models import AssignedRight, PassState, RightSpecification
from parking.passes.periods import PeriodKind, PeriodTerms, boundary
from parking.passes.windows import Hours

# Nobody wants to hear of a payment at midnight.
TELLING_MINUTE: Final = 9 * 60
PLATE_CHANGES_PER_MONTH_MAX: Final = 3
LATENESS_MAX: Final = timedelta(days=1)
HELD_PER_DRIVER_MAX: Final = 20
# Longer than all of a driver's mandates take to answer, one after the other.
PURCHASE_PERIOD: Final = timedelta(minutes=2)

OPENING_STATES: Final = frozenset({PassState.ACTIVE, PassState.GRACE})
"""States in which a pass opens gates."""

HELD_STATES: Final = OPENING_STATES | {PassState.PENDING}
"""States that count against the quantity on sale."""


class StepKind(StrEnum):
    """What happens to a pass without anybody asking for it."""

    GIVE_UP = "give_up"
    """End a purchase that nobody pays any more."""

    NOTICE = "notice"
    """Tell its holder when it renews, and at what price."""

    RENEW = "renew"
    """Charge the next period."""

    LAPSE = "lapse"
    """Give up after the last refused renewal."""

    END = "end"
    """End it where nobody wants it to renew."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done, from when on."""

    kind: StepKind
    due_at: datetime


def terms_of(product: RightSpecification) -> PeriodTerms:
    """Return what one price of the product pays for."""
    return PeriodTerms(PeriodKind(product.period), product.period_days, product.is_prorated)


def hours_of(product: RightSpecification) -> Hours:
    """Return the local hours in which passes of the product are valid."""
    return Hours(frozenset(product.weekdays), product.from_minute, product.to_minute)


def may_begin(product: RightSpecification, day: date) -> bool:
    """Return whether a period of the product may begin on a local day."""
    return (product.valid_from is None or product.valid_from <= day) and (
        product.valid_until is None or day < product.valid_until
    )


def covered_until(right: AssignedRight, product: RightSpecification) -> datetime | None:
    """Return until when stays under way are covered; None if the pass covers none.

    What was covered before a pass ended stays covered.
    """
    return right.ended_at if right.periods and right.ended_at else valid_until(right, product)


def period_end(product: RightSpecification, first_day: date, periods: int) -> datetime:
    """Return when the last of `periods` paid periods ends, in UTC."""
    return midnight(ZoneInfo(product.timezone), boundary(terms_of(product), first_day, periods))


def renews(right: AssignedRight, product: RightSpecification) -> bool:
    """Return whether another period is to follow the one that is paid."""
    is_bought = right.renews and right.driver_id is not None
    return is_bought and may_begin(product, _end_day(right, product))


def valid_until(right: AssignedRight, product: RightSpecification) -> datetime | None:
    """Return until when the pass opens gates as far as is known now; None if it does not.

    A pass that renews is valid through the grace time, whether or not its renewal is refused:
    no car pays as a stranger because a provider answers a minute after midnight.
    """
    if right.state not in OPENING_STATES:
        return None
    if not renews(right, product):
        return right.paid_until
    if right.state == PassState.GRACE:
        return grace_end(right, product)
    return _outcome_until(right, product)


def grace_end(right: AssignedRight, product: RightSpecification) -> datetime:
    """Return when a pass whose renewal is refused lapses."""
    day = _end_day(right, product) + timedelta(days=product.grace_days)
    return midnight(ZoneInfo(product.timezone), day)


def is_too_late(right: AssignedRight, product: RightSpecification, now: datetime) -> bool:
    """Return whether a renewal may not be charged any more: the pass has opened no gate since.

    It was not tried in time, for want of a worker.
    """
    return now > _outcome_until(right, product)


def next_step(right: AssignedRight, product: RightSpecification) -> Step | None:
    """Return what the pass comes to next; None for one that has ended."""
    if right.state == PassState.PENDING:
        return Step(StepKind.GIVE_UP, right.created_at + PURCHASE_PERIOD)
    if right.state not in OPENING_STATES:
        return None
    if not renews(right, product):
        return Step(StepKind.END, right.paid_until)
    if right.state == PassState.ACTIVE and right.announced_until != right.paid_until:
        day = _end_day(right, product) - timedelta(days=product.notice_days)
        return Step(StepKind.NOTICE, _told_at(product, day))
    return _renewal(right, product)


def next_price(right: AssignedRight) -> int:
    """Return what the next period costs: what its holder was told, else what the last one did."""
    is_announced = right.announced_until == right.paid_until
    if is_announced and right.announced_minor is not None:
        return right.announced_minor
    return right.price_minor


def expected_price(right: AssignedRight, product: RightSpecification) -> int:
    """Return what the next period will cost as things are: the notice may still tell another."""
    is_announced = right.announced_until == right.paid_until
    return next_price(right) if is_announced else product.price_minor


def _outcome_until(right: AssignedRight, product: RightSpecification) -> datetime:
    """Return by when a renewal is charged or refused; a product without grace gives it a day."""
    return max(grace_end(right, product), right.paid_until + LATENESS_MAX)


def _renewal(right: AssignedRight, product: RightSpecification) -> Step:
    lapses_at = grace_end(right, product)
    if right.tries == 0:
        return Step(StepKind.RENEW, right.paid_until)
    if right.tries > len(product.retry_days):
        return Step(StepKind.LAPSE, lapses_at)
    day = _end_day(right, product) + timedelta(days=product.retry_days[right.tries - 1])
    return Step(StepKind.RENEW, _told_at(product, day))


def _told_at(product: RightSpecification, day: date) -> datetime:
    return instant_of(ZoneInfo(product.timezone), day, TELLING_MINUTE)


def _end_day(right: AssignedRight, product: RightSpecification) -> date:
    return local_day(ZoneInfo(product.timezone), right.paid_until)

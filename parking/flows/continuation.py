"""A stay that continues an earlier one: counted from the original entry, less what was billed.

Pure. The rate table is the original entry's too. What the earlier stays were billed is owed by
their own bills and taken off here, so that no minute is paid twice and none is free twice.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from parking.flows.bills.coupon_lines import taken_minor
from parking.flows.bills.live_bill import circumstances_of
from parking.payments.models import Bill
from parking.sessions.models import Session
from parking.tariffs.circumstances import (
    EXEMPTIONS_MAX,
    GRANTS_MAX,
    Circumstances,
    Exemption,
)

# A chain of re-entries must not outgrow the longest stay that can be priced.
CHAIN_AGE_MAX: Final = timedelta(days=200)
_MOMENT: Final = timedelta(seconds=1)


def origin_of(session: Session) -> datetime:
    """Return when the first stay began of those that this one continues."""
    return circumstances_of(session).continues_from or session.entered_at


def may_continue(earlier: Session, entered_at: datetime) -> bool:
    """Return whether a stay that begins now may still be counted from the original entry."""
    return entered_at - origin_of(earlier) <= CHAIN_AGE_MAX


def billed_in(bills: Iterable[Bill]) -> int:
    """Return what bills come to, in minor units."""
    return sum(bill.total_minor for bill in bills)


def settled_in(bills: Sequence[Bill]) -> int:
    """Return what bills come to with what coupons took off: a stay that continues pays neither."""
    return billed_in(bills) + sum(taken_minor(bills).values())


def continue_stay(
    earlier: Session, new: Circumstances, entered_at: datetime, *, billed_minor: int
) -> Circumstances:
    """Return the circumstances of a stay that continues `earlier`, which has ended.

    The vehicle and the allowances are those of the original entry: the price counts from there.

    Args:
        earlier: Its own circumstances may continue others.
        new: Of the stay that begins, with what its passes cover.
        entered_at: When that began.
        billed_minor: What the earlier stay's own bills take, and coupons took off them.
    """
    before = circumstances_of(earlier)
    left_at = min(earlier.left_at or entered_at, entered_at)
    exemptions = (
        *_until(before.exemptions, left_at),
        *_outside(before, new, left_at, entered_at),
        *new.exemptions,
    )
    return before.model_copy(
        update={
            "has_pass": before.has_pass or new.has_pass,
            "merchants": _union(before.merchants, new.merchants),
            "validations": _union(before.validations, new.validations),
            "exemptions": exemptions[-EXEMPTIONS_MAX:],
            # What they took off is counted as billed: they stay with the earlier stay's bills.
            "coupons": (),
            "continues_from": origin_of(earlier),
            "billed_before_minor": before.billed_before_minor + billed_minor,
        }
    )


def _until(exemptions: Iterable[Exemption], left_at: datetime) -> list[Exemption]:
    """Return what was exempt before the vehicle left: a pass with an open end ended there."""
    return [
        item.model_copy(update={"ends_at": min(item.ends_at or left_at, left_at)})
        for item in exemptions
        if item.starts_at <= left_at
    ]


def _outside(
    before: Circumstances, new: Circumstances, left_at: datetime, entered_at: datetime
) -> list[Exemption]:
    """Return the time outside as exempt, where a pass covered the vehicle before it or after it."""
    if entered_at <= left_at:
        return []
    covering = [
        *(item for item in before.exemptions if _covers(item, left_at - _MOMENT)),
        *(item for item in new.exemptions if _covers(item, entered_at)),
    ]
    return [
        Exemption(starts_at=left_at, ends_at=entered_at, reason=item.reason, note=item.note)
        for item in covering[:1]
    ]


def _covers(item: Exemption, at: datetime) -> bool:
    return item.starts_at <= at and (item.ends_at is None or at < item.ends_at)


def _union(left: Sequence[str], right: Sequence[str]) -> tuple[str, ...]:
    # More of them could not be read again, and the car would never get out.
    return tuple(dict.fromkeys((*left, *right)))[:GRANTS_MAX]

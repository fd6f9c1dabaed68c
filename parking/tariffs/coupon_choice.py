"""Which of a driver's coupons count, what each takes off, and why the others do not. Pure.

Of all lawful combinations the one counts with which the stay costs least. No combination costs less
for a longer stay, so the least of them does not either.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import combinations
from typing import Final

from parking.tariffs.coupon_terms import COMBINED_MAX, PERCENT_MAX, CouponTerms

# Minutes are of the ladder, so first; of the rest, a share is best taken before an amount.
_ORDER: Final = ("minutes", "percent", "amount", "free")

Combination = tuple[CouponTerms, ...]
MinutesPrice = Callable[[int], int]
"""What the stay costs with so many more of its first minutes free, before any coupon."""


class Decision(StrEnum):
    """What became of a coupon on a bill."""

    APPLIED = "applied"
    HELD_BACK = "held_back"
    SAME_GROUP = "same_group"
    EXCLUSIVE = "exclusive"
    SAME_KIND = "same_kind"
    TOO_MANY = "too_many"
    SAVES_NOTHING = "saves_nothing"


@dataclass(frozen=True, slots=True)
class Reduction:
    """What one coupon takes off."""

    coupon: CouponTerms
    amount_minor: int


@dataclass(frozen=True, slots=True)
class CouponDecision:
    """What became of a coupon, and why.

    Attributes:
        amount_minor: What it takes off; 0 for one that does not count.
        because_of: Names the coupon that counts in its place; empty where none does.
    """

    coupon: CouponTerms
    decision: Decision
    amount_minor: int = 0
    because_of: str = ""


@lru_cache(maxsize=256)
def lawful_combinations(coupons: Combination) -> tuple[Combination, ...]:
    """Return the combinations that may count: always at least that of none.

    Those with the most coupons that the driver pinned come alone: a pin counts where it may.
    """
    offered = sorted(
        (each for each in coupons if each.choice != "held"),
        key=lambda each: (_ORDER.index(each.kind), -each.priority, each.id),
    )
    lawful = [
        some
        for count in range(COMBINED_MAX + 1)
        for some in combinations(offered, count)
        if _is_lawful(some)
    ]
    pins_max = max(map(_pins, lawful))
    return tuple(some for some in lawful if _pins(some) == pins_max)


def reductions(
    combination: Combination, minor: int, minutes_price: MinutesPrice
) -> Iterator[Reduction]:
    """Yield what each coupon of a combination takes off a price, in their order.

    Never more than is left: no price becomes negative.
    """
    left_minor = minor
    for coupon in combination:
        amount_minor = _wanted_minor(coupon, minor, left_minor, minutes_price)
        if coupon.amount_minor_max is not None:
            amount_minor = min(amount_minor, coupon.amount_minor_max)
        amount_minor = max(min(amount_minor, left_minor), 0)
        left_minor -= amount_minor
        yield Reduction(coupon, amount_minor)


def due_minor(combination: Combination, minor: int, minutes_price: MinutesPrice) -> int:
    """Return what is left of a price with a combination."""
    return minor - sum(each.amount_minor for each in reductions(combination, minor, minutes_price))


def best(coupons: Combination, minor: int, minutes_price: MinutesPrice) -> tuple[Reduction, ...]:
    """Return what the best combination takes off; coupons that take nothing are left out.

    The least is due; among equals fewer coupons are used, then those of the higher priority.
    """

    def rank(combination: Combination) -> tuple[int, int, int, list[str]]:
        taken = [
            each for each in reductions(combination, minor, minutes_price) if each.amount_minor
        ]
        return (
            minor - sum(each.amount_minor for each in taken),
            len(taken),
            -sum(each.coupon.priority for each in taken),
            [str(each.coupon.id) for each in taken],
        )

    chosen = min(lawful_combinations(coupons), key=rank)
    return tuple(each for each in reductions(chosen, minor, minutes_price) if each.amount_minor)


def explain(coupons: Sequence[CouponTerms], taken: Sequence[Reduction]) -> list[CouponDecision]:
    """Return what became of every coupon, in the order in which they were given."""
    amounts = {each.coupon.id: each.amount_minor for each in taken}
    chosen = tuple(each.coupon for each in taken)
    return [
        CouponDecision(coupon, Decision.APPLIED, amounts[coupon.id])
        if coupon.id in amounts
        else _refused(coupon, chosen)
        for coupon in coupons
    ]


def _refused(coupon: CouponTerms, chosen: Combination) -> CouponDecision:
    if coupon.choice == "held":
        return CouponDecision(coupon, Decision.HELD_BACK)
    for other in chosen:
        decision = _conflict(coupon, other)
        if decision is not None:
            return CouponDecision(coupon, decision, because_of=other.name)
    if len(chosen) >= COMBINED_MAX:
        return CouponDecision(coupon, Decision.TOO_MANY)
    return CouponDecision(coupon, Decision.SAVES_NOTHING)


def _conflict(left: CouponTerms, right: CouponTerms) -> Decision | None:
    """Return why two coupons do not count together; None where they do."""
    if left.is_exclusive or right.is_exclusive:
        return Decision.EXCLUSIVE
    if left.group and left.group == right.group:
        return Decision.SAME_GROUP
    # Two would have to say which minutes come first.
    if left.kind == right.kind == "minutes":
        return Decision.SAME_KIND
    return None


def _is_lawful(some: Combination) -> bool:
    return all(_conflict(left, right) is None for left, right in combinations(some, 2))


def _pins(some: Combination) -> int:
    return sum(each.choice == "pinned" for each in some)


def _wanted_minor(
    coupon: CouponTerms, minor: int, left_minor: int, minutes_price: MinutesPrice
) -> int:
    value = coupon.value or 0
    if coupon.kind == "minutes":
        return minor - minutes_price(value)
    if coupon.kind == "percent":
        # Rounded up: the fraction of a minor unit is the driver's.
        return -(-left_minor * value // PERCENT_MAX)
    return value if coupon.kind == "amount" else left_minor

"""How many reservations may be taken for so many spaces, at a stated risk.

Of w cars that are expected, each comes with probability p, independently; c spaces are there. Then
X, the number that come, is binomial, and somebody finds no space with probability
P(X > c) = sum of C(w, k) p^k (1 - p)^(w - k) over k from c + 1 to w. As many are expected at once
as keep it at or below the risk that the operator accepts. What p is nobody knows: it is taken at
the upper end of what past reservations allow (Wilson's one-sided 95 % limit), so that a pool
without history is never overbooked.
"""

from functools import lru_cache
from math import ceil, exp, lgamma, log, sqrt
from typing import Final

BASIS_POINTS: Final = 10_000
# Of the standard normal distribution, for 95 % on one side.
_Z: Final = 1.6448536269514722
# Rounded up to so fine a step, so that what was computed is found again.
_STEPS: Final = 1000
# However seldom drivers come.
EXPECTED_PER_SPACE_MAX: Final = 2


def show_up_limit(shown: int, missed: int) -> float:
    """Return the probability that drivers come with, at most; 1.0 without history."""
    count = shown + missed
    if count == 0:
        return 1.0
    rate, square = shown / count, _Z * _Z
    spread = _Z * sqrt(rate * (1 - rate) / count + square / (4 * count * count))
    limit = (rate + square / (2 * count) + spread) / (1 + square / count)
    return min(ceil(limit * _STEPS) / _STEPS, 1.0)


def tail(expected: int, probability: float, spaces: int) -> float:
    """Return the probability that more than `spaces` of `expected` cars come."""
    if expected <= spaces or probability <= 0:
        return 0.0
    if probability >= 1:
        return 1.0
    come, stay_away = log(probability), log(1 - probability)
    return sum(
        exp(
            lgamma(expected + 1)
            - lgamma(some + 1)
            - lgamma(expected - some + 1)
            + some * come
            + (expected - some) * stay_away
        )
        for some in range(spaces + 1, expected + 1)
    )


@lru_cache(4096)
def expected_max(spaces: int, probability: float, risk_basis_points: int) -> int:
    """Return how many cars may be expected at once for free spaces."""
    if spaces <= 0:
        return 0
    expected = spaces
    while expected < spaces * EXPECTED_PER_SPACE_MAX:
        if tail(expected + 1, probability, spaces) * BASIS_POINTS > risk_basis_points:
            break
        expected += 1
    return expected

"""What a campaign changed: two shares compared, with an interval that says how sure that is.

Newcombe's interval for the difference of two independent proportions from the Wilson score
intervals of each (R. G. Newcombe, Interval estimation for the difference between independent
proportions, Statistics in Medicine 17 (1998) 873-890, method 10, without continuity correction);
Wilson's interval from E. B. Wilson, JASA 22 (1927) 209-212. The size of samples is that of
the normal approximation with unpooled variances (S.-C. Chow, J. Shao, H. Wang, Sample Size
Calculations in Clinical Research, 2nd edition, 4.2.1).
"""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, isfinite, sqrt
from statistics import NormalDist
from typing import Final

from parking.kit.errors import InvalidInputError

CONFIDENCE: Final = 0.95
POWER: Final = 0.8
SAMPLE_MAX: Final = 1_000_000_000


class Finding(StrEnum):
    """What the interval says of the effect.

    Attributes:
        INCONCLUSIVE: It may be either, or nothing: zero is in the interval.
    """

    MORE = "more"
    LESS = "less"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Share:
    """How many of some drivers did what is measured."""

    hits: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.total:
            raise InvalidInputError("hits", "0 to the total")

    @property
    def value(self) -> float:
        """The share, from 0 to 1; 0 of nobody."""
        return self.hits / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Uplift:
    """The difference of two shares, and between what it lies.

    Attributes:
        difference: Of those assigned less of those held out, as shares from 0 to 1.
    """

    difference: float
    low: float
    high: float

    @property
    def finding(self) -> Finding:
        """What can be said."""
        if self.low > 0:
            return Finding.MORE
        return Finding.LESS if self.high < 0 else Finding.INCONCLUSIVE


def wilson(share: Share, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return Wilson's score interval of a share; everything is possible of nobody."""
    if share.total == 0:
        return 0.0, 1.0
    z, n, p = _z(confidence), share.total, share.value
    middle = p + z * z / (2 * n)
    reach = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def uplift(assigned: Share, held_out: Share, *, confidence: float = CONFIDENCE) -> Uplift:
    """Return what the campaign changed, by everybody who was assigned, told or not."""
    low_1, high_1 = wilson(assigned, confidence=confidence)
    low_2, high_2 = wilson(held_out, confidence=confidence)
    difference = assigned.value - held_out.value
    low = difference - sqrt((assigned.value - low_1) ** 2 + (high_2 - held_out.value) ** 2)
    high = difference + sqrt((high_1 - assigned.value) ** 2 + (held_out.value - low_2) ** 2)
    return Uplift(difference, max(-1.0, low), min(1.0, high))


def sample_needed(
    base: float, *, effect: float, held_out_share: float, power: float = POWER
) -> int | None:
    """Return how many drivers tell an effect of this size, assigned and held out together.

    Args:
        base: The share without the campaign, from 0 to 1.
        effect: What it would add, in shares; not 0.
        held_out_share: Of all drivers, from 0 to 1, neither end.
        power: How often such an effect is then found.

    Returns:
        None where the shares leave 0 to 1, or more than SAMPLE_MAX would be needed.
    """
    after = base + effect
    if not (0 <= base <= 1 and 0 <= after <= 1 and 0 < held_out_share < 1) or effect == 0:
        return None
    ratio = (1 - held_out_share) / held_out_share
    variance = base * (1 - base) + after * (1 - after) / ratio
    held_out = variance * ((_z(CONFIDENCE) + NormalDist().inv_cdf(power)) / effect) ** 2
    if not isfinite(held_out) or held_out * (1 + ratio) > SAMPLE_MAX:
        return None
    return ceil(held_out * (1 + ratio))


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)

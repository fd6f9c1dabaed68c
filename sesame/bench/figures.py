"""What many measurements come to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

DIGITS = 2


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles by the nearest-rank method, so that each is a value that was measured.

    With fewer than 100 values p99 is the largest one.
    """

    p50: float
    p99: float
    max: float
    mean: float

    def to_json(self) -> dict[str, float]:
        """Return the figures, rounded for reading."""
        return {name: round(getattr(self, name), DIGITS) for name in self.__slots__}


def spread(values: Iterable[float]) -> Spread | None:
    """Return the figures of some values; None for none."""
    ranked = sorted(values)
    if not ranked:
        return None
    return Spread(
        p50=percentile(ranked, 0.5),
        p99=percentile(ranked, 0.99),
        max=ranked[-1],
        mean=sum(ranked) / len(ranked),
    )


def percentile(ranked: Sequence[float], share: float) -> float:
    """Return the smallest of the ascending values that at least `share` of them do not exceed."""
    return ranked[max(0, ceil(share * len(ranked)) - 1)]


def spreads(rows: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Return the figures of each name; a row without it counts as 0."""
    names = dict.fromkeys(name for row in rows for name in row)
    found = {name: spread(row.get(name, 0.0) for row in rows) for name in names}
    return {name: figures for name, figures in found.items() if figures is not None}

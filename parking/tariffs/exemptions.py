"""Ranges of a stay that cost nothing by a right of the driver's, such as a pass."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from parking.tariffs.circumstances import Circumstances
from parking.tariffs.run import PriceReason
from parking.tariffs.wall_clock import whole_seconds


class Exempt(NamedTuple):
    """A range `[starts_s, ends_s)`, in seconds since 1970, that costs nothing."""

    starts_s: int
    ends_s: int
    reason: PriceReason
    note: str


def exempt_ranges(circumstances: Circumstances, from_s: int, until_s: int) -> tuple[Exempt, ...]:
    """Return the exemptions within `[from_s, until_s)` in order; of two at once, the earlier."""
    ranges = sorted(
        Exempt(
            whole_seconds(each.starts_at),
            until_s if each.ends_at is None else whole_seconds(each.ends_at),
            each.reason,
            each.note,
        )
        for each in circumstances.exemptions
    )
    disjoint: list[Exempt] = []
    covered_s = from_s
    for each in ranges:
        starts_s, ends_s = max(each.starts_s, covered_s), min(each.ends_s, until_s)
        if starts_s < ends_s:
            disjoint.append(each._replace(starts_s=starts_s, ends_s=ends_s))
            covered_s = ends_s
    return tuple(disjoint)


def pieces(
    ranges: Sequence[Exempt], starts_s: int, ends_s: int
) -> Iterator[tuple[int, int, Exempt | None]]:
    """Yield start and end of what of `[starts_s, ends_s)` is exempt, and by what, or is not."""
    for each in ranges:
        if each.ends_s <= starts_s:
            continue
        if each.starts_s >= ends_s:
            break
        if starts_s < each.starts_s:
            yield starts_s, each.starts_s, None
            starts_s = each.starts_s
        yield starts_s, min(ends_s, each.ends_s), each
        starts_s = min(ends_s, each.ends_s)
    if starts_s < ends_s:
        yield starts_s, ends_s, None

"""The lines of a bill: what was charged for which stretch of a stay, and why."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from parking.tariffs.caps import Charge
from parking.tariffs.coupon_terms import CouponTerms
from parking.tariffs.meter import StayMeter
from parking.tariffs.rate_table import RateTable
from parking.tariffs.run import PriceReason
from parking.tariffs.wall_clock import instant_of


class PriceLine(NamedTuple):
    """One stretch `[starts_at, ends_at)` of a stay and what it costs.

    Attributes:
        reason: What is charged, or why nothing is.
        starts_at: In UTC.
        ends_at: In UTC; the next line starts here.
        block_minutes: Length of the blocks; None where nothing is charged by blocks.
        block_count: Blocks that have started; None where the line does not count them.
        block_amount_minor: What one block costs before any cap; None as `block_minutes`.
        amount_minor: What the line adds to the total.
        capped_from_minor: What it would add without cap or package; None if they take nothing.
        running_total_minor: The total up to and with this line.
        collection: Name of the rate line collection; empty without one.
        note: The cap or package that set the amount, or the right that made it free; empty
            without one.
        window: Local hours in which the collection counts, such as `08:00-20:00`; empty for all.
        coupon_id: The driver's coupon that the line takes off; empty for any other line.
    """

    reason: PriceReason
    starts_at: datetime
    ends_at: datetime
    block_minutes: int | None
    block_count: int | None
    block_amount_minor: int | None
    amount_minor: int
    capped_from_minor: int | None
    running_total_minor: int
    collection: str
    note: str
    window: str = ""
    coupon_id: str = ""


class LinesOver:
    """The lines of one stay that no later moment changes: the next stretch has begun.

    Attributes:
        stretches: How many stretches they tell of; lines may tell of several.
        total_minor: What they add up to.
    """

    def __init__(self) -> None:
        self.stretches = 0
        self.lines: tuple[PriceLine, ...] = ()
        self.total_minor = 0

    def keep(self, stretches: int, lines: Sequence[PriceLine], total_minor: int) -> None:
        """Keep the lines of the first stretches."""
        self.stretches, self.lines, self.total_minor = stretches, tuple(lines), total_minor


def price_lines(
    meter: StayMeter, at_s: int, over: LinesOver | None = None
) -> tuple[PriceLine, ...]:
    """Return the lines of a stay that ends at `at_s`.

    Args:
        meter: The stay's.
        at_s: The moment, on the meter's tick.
        over: Those of this meter that were over at another moment; more are added.
    """
    table = meter.table
    lines: list[PriceLine] = []
    if at_s == meter.entered_s:
        return ()
    package = meter.package(at_s)
    if meter.is_in_grace(at_s):
        before = [each for each in meter.charges(at_s) if each.run.starts_s < meter.counts_from_s]
        lines = _ladder_lines(table, before, min(at_s, meter.counts_from_s))
        if at_s > meter.counts_from_s:
            lines.append(_plain(PriceReason.GRACE, meter.counts_from_s, at_s))
    elif package is not None:
        line = _plain(PriceReason.PACKAGE, meter.entered_s, at_s)
        amount_minor = package.amount_minor
        line = line._replace(amount_minor=amount_minor, running_total_minor=amount_minor)
        ladder_minor = meter.ladder_minor(at_s)
        lines = [line._replace(capped_from_minor=ladder_minor, note=package.name)]
    else:
        lines = _ladder_lines(table, meter.charges(at_s), at_s, over)
    if not meter.coupons:
        return tuple(lines)
    total_minor = meter.price_minor(at_s)
    for name, reduction_minor in meter.coupons.reductions(total_minor):
        total_minor -= reduction_minor
        line = _plain(PriceReason.VALIDATION, at_s, at_s)._replace(note=name)
        line = line._replace(amount_minor=-reduction_minor, running_total_minor=total_minor)
        lines.append(line)
    return tuple(lines)


def coupon_line(at_s: int, coupon: CouponTerms, amount_minor: int, left_minor: int) -> PriceLine:
    """Return the line of a coupon that takes an amount off and leaves so much."""
    line = _plain(PriceReason.COUPON, at_s, at_s)
    return line._replace(
        amount_minor=-amount_minor,
        running_total_minor=left_minor,
        note=coupon.name,
        coupon_id=str(coupon.id),
    )


def _plain(reason: PriceReason, starts_s: int, ends_s: int) -> PriceLine:
    starts_at, ends_at = instant_of(starts_s), instant_of(ends_s)
    return PriceLine(reason, starts_at, ends_at, None, None, None, 0, None, 0, "", "")


def _ladder_lines(
    table: RateTable, started: Sequence[Charge], at_s: int, over: LinesOver | None = None
) -> list[PriceLine]:
    over = over or LinesOver()
    # Of an earlier moment less is over than is kept.
    known = over if over.stretches < len(started) else LinesOver()
    lines, total_minor = list(known.lines), known.total_minor
    starts_at = [instant_of(charge.run.starts_s) for charge in started[known.stretches :]]
    # A line ends where the next one starts: a block may be cut short by the next window.
    ends_at = [*starts_at, instant_of(at_s)][1:]
    for number, start, end in zip(
        range(known.stretches, len(started)), starts_at, ends_at, strict=True
    ):
        if number == len(started) - 1 > over.stretches:
            over.keep(number, lines, total_minor)
        line = _line(table, started[number], start, end, at_s, total_minor)
        total_minor = line.running_total_minor
        if lines and _goes_on(lines[-1], line):
            lines[-1] = lines[-1]._replace(ends_at=end)
        else:
            lines.append(line)
    return lines


def _goes_on(before: PriceLine, line: PriceLine) -> bool:
    """Whether two stretches that cost nothing read as one."""
    is_plain = line.block_minutes is None and not line.amount_minor
    is_plain = is_plain and line.capped_from_minor is None
    return is_plain and (before.reason, before.collection, before.window, before.note) == (
        line.reason,
        line.collection,
        line.window,
        line.note,
    )


def _line(
    table: RateTable,
    charge: Charge,
    starts_at: datetime,
    ends_at: datetime,
    at_s: int,
    total_minor: int,
) -> PriceLine:
    run = charge.run
    collection = None if run.collection is None else table.collections[run.collection]
    amount_minor, gross_minor = charge.net_minor(at_s), run.gross_minor(at_s)
    is_capped = amount_minor < gross_minor
    return PriceLine(
        reason=run.reason,
        starts_at=starts_at,
        ends_at=ends_at,
        block_minutes=run.block_s // 60 or None,
        block_count=run.started_count(at_s),
        block_amount_minor=run.amount_minor if run.block_s else None,
        amount_minor=amount_minor,
        capped_from_minor=gross_minor if is_capped else None,
        running_total_minor=total_minor + amount_minor,
        collection="" if collection is None else collection.name,
        note=charge.cap_note if is_capped else run.note,
        window="" if collection is None else collection.window_words,
    )

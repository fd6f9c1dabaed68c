"""Lists that run out, and fractions that are rounded."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Final

from parking.tariffs.lint.findings import Finding, Severity, worked_stay
from parking.tariffs.lint.week import TriedDay
from parking.tariffs.rate_table import RateTable
from parking.tariffs.wall_clock import local_day, seconds_of

HOLIDAYS_AHEAD_DAYS: Final = 90
_HOLIDAY_KINDS: Final = frozenset({"holiday", "noholiday", "workday", "nonworkday"})
_ROUNDED_MINUTES: Final = 1


def holiday_findings(table: RateTable, at: datetime) -> Iterator[Finding]:
    """Yield whether the holidays are missing, or end soon after `at`."""
    parts = [
        (f"collections.{index}.days", each.days) for index, each in enumerate(table.collections)
    ]
    parts += [(f"packages.{index}.days", each.days) for index, each in enumerate(table.packages)]
    asking = [path for path, days in parts if days and not _HOLIDAY_KINDS.isdisjoint(days)]
    if not asking:
        return
    if not table.holidays:
        yield Finding(
            Severity.NOTE,
            "holidays_missing",
            "holidays",
            f"{', '.join(asking)} tell holidays from other days, and none is listed: every "
            "holiday from Monday to Friday counts as a working day",
        )
        return
    last = max(table.holiday_ordinals)
    ahead = last - local_day(table.zone, seconds_of(at, "at"))
    if ahead < HOLIDAYS_AHEAD_DAYS:
        yield Finding(
            Severity.WARNING,
            "holidays_end",
            "holidays",
            f"the last one listed is {date.fromordinal(last).isoformat()}: later ones count as "
            f"plain days in {', '.join(asking)}",
        )


def rounding_findings(table: RateTable, days: Sequence[TriedDay]) -> Iterator[Finding]:
    """Yield the lines by the second whose seconds cost a fraction of the smallest unit."""
    tick_s = 60 if table.tick == "minute" else 1
    for index, collection in enumerate(table.collections):
        starts = (
            day.wall_s(table, span.starts)
            for day in days
            for span in day.spans
            if span.collections[:1] == (index,)
        )
        entered_s = next(starts, days[0].wall_s(table, 0))
        for position, line in enumerate(collection.lines):
            block_s = (line.block_minutes or 0) * 60
            if line.kind == "per_second" and line.amount_minor * tick_s % block_s:
                shown_s = entered_s + (line.from_minutes + _ROUNDED_MINUTES) * 60
                yield Finding(
                    Severity.NOTE,
                    "rounding",
                    f"collections.{index}.lines.{position}",
                    f"{line.amount_minor} for {line.block_minutes} minutes is no whole number "
                    f"for {'a minute' if tick_s > 1 else 'a second'}: each stretch is rounded up",
                    (worked_stay(table, entered_s, shown_s),),
                )

"""Allowances: what a stay may still take of free time, and takes."""

from collections.abc import Iterable
from datetime import date
from typing import Final

from parking.tariffs.circumstances import Circumstances
from parking.tariffs.rate_rights import RateAllowance
from parking.tariffs.rate_table import RateTable
from parking.tariffs.run import PriceReason, Run
from parking.tariffs.schedule import next_midnight
from parking.tariffs.wall_clock import local_day

_NEVER_S: Final = 1 << 62


class AllowanceBalance:
    """What is left of the allowances that the stay is eligible for."""

    def __init__(self, table: RateTable, circumstances: Circumstances) -> None:
        self._table = table
        self._used_s = {
            name: dict(periods) for name, periods in circumstances.allowances_used_s.items()
        }
        self._allowances = [
            each for each in table.allowances if each.eligibility.fits(circumstances)
        ]

    def __bool__(self) -> bool:
        return bool(self._allowances)

    def renewed_s(self, at_s: int) -> int:
        """Return when an allowance begins again after `at_s`."""
        if any(each.per == "calendar_day" for each in self._allowances):
            return next_midnight(self._table, at_s)
        return _NEVER_S

    def take(self, from_s: int, until_s: int) -> Run | None:
        """Take free time from `from_s` on, at most until `until_s`; None if nothing is left."""
        for allowance in self._allowances:
            key = period_key(self._table, allowance, from_s)
            used_s = self._used_s.setdefault(allowance.name, {})
            ends_s = min(until_s, from_s + allowance.minutes * 60 - used_s.get(key, 0))
            if allowance.per == "calendar_day":
                ends_s = min(ends_s, next_midnight(self._table, from_s))
            if ends_s > from_s:
                used_s[key] = used_s.get(key, 0) + ends_s - from_s
                return Run(PriceReason.ALLOWANCE, None, from_s, from_s, ends_s, note=allowance.name)
        return None


def taken_s(table: RateTable, runs: Iterable[Run], until_s: int) -> dict[str, dict[str, int]]:
    """Return the seconds that runs before `until_s` took, by allowance and period."""
    allowances = {each.name: each for each in table.allowances}
    taken: dict[str, dict[str, int]] = {}
    for run in runs:
        if run.reason is PriceReason.ALLOWANCE:
            periods = taken.setdefault(run.note, {})
            key = period_key(table, allowances[run.note], run.starts_s)
            periods[key] = periods.get(key, 0) + min(run.ends_s, until_s) - run.starts_s
    return taken


def period_key(table: RateTable, allowance: RateAllowance, at_s: int) -> str:
    """Return what names the allowance's period at an instant, as `RateAllowance` says."""
    if allowance.per == "session":
        return ""
    return date.fromordinal(local_day(table.zone, at_s)).isoformat()

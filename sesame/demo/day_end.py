"""The day's end: every provider's settlement file compared with the ledger and the gates."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from parking.flows.context import ParkingContext
from parking.flows.reconciliation.comparing import DayReport, compare
from parking.kit.clock import SystemClock
from parking.kit.ids import id_time
from parking.reconciliation.facts import Finding
from sesame.demo.installation import DemoInstallation
from sesame.sandbox.platform.ahead import AheadClock
from sesame.wiring import open_context

# By then every provider has closed the day, and the ones after it.
AHEAD: Final = timedelta(days=3)
CONNECTIONS_MAX: Final = 2


@dataclass(frozen=True, slots=True)
class ComparedDay:
    """What `sesame reconcile` says of one provider's day.

    Attributes:
        movements: Rows of the provider's file.
        differences: What somebody has to look at, as its code and how often.
        earlier: How much more there is from before, such as of a round that was broken off.
    """

    provider: str
    day: str
    movements: int
    differences: dict[str, int]
    earlier: int


async def compare_days(town: DemoInstallation, began_at: datetime) -> list[ComparedDay]:
    """Compare the days since a moment at every provider, as one would three days later.

    Nobody waits for the days: the stand-ins' clocks and that of the comparison are set ahead.
    """
    desks = town.desks.values()
    await asyncio.gather(*(desk.play(ahead_s=int(AHEAD.total_seconds())) for desk in desks))
    try:
        clock = AheadClock(SystemClock(), AHEAD)
        async with open_context(
            town.settings, connections_max=CONNECTIONS_MAX, clock=clock
        ) as later:
            return [
                _compared(await compare(later, name, day), began_at)
                for name in town.desks
                for day in _days(later, name, began_at, town.context.clock.now())
            ]
    finally:
        await asyncio.gather(*(desk.play(ahead_s=0) for desk in desks))


def _days(
    context: ParkingContext, provider: str, began_at: datetime, ended_at: datetime
) -> list[date]:
    zone = ZoneInfo(context.provider(provider).traits.timezone)
    return sorted({at.astimezone(zone).date() for at in (began_at, ended_at)})


def _compared(report: DayReport, began_at: datetime) -> ComparedDay:
    differing = [finding for finding in report.findings if finding.code.is_difference]
    new = Counter(finding.code.value for finding in differing if _is_since(finding, began_at))
    return ComparedDay(
        provider=report.provider,
        day=report.day.day.isoformat(),
        movements=sum(sums.theirs for sums in report.totals.sums.values()),
        differences=dict(new),
        earlier=report.differences - new.total(),
    )


def _is_since(finding: Finding, began_at: datetime) -> bool:
    # A paid car that did not leave is found at the end of its time, long after it was billed.
    at = finding.at if finding.bill_id is None else id_time(finding.bill_id)
    return at >= began_at

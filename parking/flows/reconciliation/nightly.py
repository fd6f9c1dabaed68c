"""Comparing every provider's day by itself, as soon as its settlement file is there.

What is still to do is in PostgreSQL: a worker that dies, or a queue that forgets, loses no day.
"""

from datetime import timedelta
from typing import Final

import structlog

from parking.flows.context import ParkingContext
from parking.flows.reconciliation.comparing import DayReport, compare
from parking.flows.reconciliation.recording import record
from parking.kit.errors import ParkingError, UnavailableError
from parking.reconciliation import repository
from parking.reconciliation.facts import BusinessDay
from parking.reconciliation.models import DayState
from parking.reconciliation.repository import DueDay

# Days that a worker which was away still catches up with.
LOOKBACK_DAYS: Final = 3
LEASE: Final = timedelta(minutes=30)
RETRY_AFTER: Final = timedelta(minutes=15)
# By then late captures, and whoever paid and did not leave, can be told from a difference.
SECOND_LOOK_AFTER: Final = timedelta(days=2)
GIVEN_UP_AFTER: Final = timedelta(days=14)
DAYS_AT_ONCE_MAX: Final = 10

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def reconcile_due(context: ParkingContext) -> int:
    """Compare the days whose turn has come; returns how many it took.

    Every process may call it at any time: a day is taken by one of them.
    """
    await _add_days(context)
    for taken in range(DAYS_AT_ONCE_MAX):
        async with context.database.begin() as unit:
            due = await repository.take_due_day(unit, set(context.providers), LEASE)
        if due is None:
            return taken
        await _reconcile(context, due)
    return DAYS_AT_ONCE_MAX


async def count_open(context: ParkingContext) -> dict[tuple[str, str], int]:
    """Return how many differences of the installation are open, by (provider, code)."""
    async with context.database.begin() as unit:
        return await repository.count_open(unit)


async def _add_days(context: ParkingContext) -> None:
    async with context.database.begin() as unit:
        now = unit.now()
        for provider in context.providers.values():
            today = BusinessDay(now.date(), provider.traits.timezone).day_of(now)
            for back in range(1, LOOKBACK_DAYS + 1):
                await repository.add_day(unit, provider.name, today - timedelta(days=back), now)


async def _reconcile(context: ParkingContext, due: DueDay) -> None:
    try:
        report = await compare(context, due.provider, due.day)
        await record(context, report)
    except ParkingError as error:
        # Not ready yet, or out of reach: later. Anything else is a person's to look at, and stays.
        await _note_failure(context, due, error)
        return
    _tell(report)
    async with context.database.begin() as unit:
        is_last = due.state == DayState.PROVISIONAL
        await repository.note_day(
            unit,
            due,
            DayState.FINAL if is_last else DayState.PROVISIONAL,
            next_try_at=None if is_last else unit.now() + SECOND_LOOK_AFTER,
            error=None,
        )


async def _note_failure(context: ParkingContext, due: DueDay, error: ParkingError) -> None:
    timezone = context.provider(due.provider).traits.timezone
    async with context.database.begin() as unit:
        age = unit.now() - BusinessDay(due.day, timezone).ends_at
        is_given_up = age > GIVEN_UP_AFTER
        await repository.note_day(
            unit,
            due,
            DayState.GIVEN_UP if is_given_up else due.state,
            next_try_at=None if is_given_up else unit.now() + RETRY_AFTER,
            error=error.code,
        )
    expected = isinstance(error, UnavailableError) and not is_given_up
    write = _log.info if expected else _log.error
    write("reconciliation.not_done", provider=due.provider, day=str(due.day), code=error.code)


def _tell(report: DayReport) -> None:
    counts = {code.value: 0 for _, code in report.counts if code.is_difference}
    for (_, code), count in report.counts.items():
        if code.is_difference:
            counts[code.value] += count
    write = _log.warning if counts else _log.info
    write(
        "reconciliation.done",
        provider=report.provider,
        day=str(report.day.day),
        differences=report.differences,
        codes=counts,
    )

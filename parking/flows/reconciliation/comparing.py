"""Comparing one provider's day three ways: its settlement file, our books, and the gates."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeVar
from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.reconciliation.books import DayBooks
from parking.flows.reconciliation.passages import GateBooks
from parking.kit.errors import ParkingError
from parking.payments import day_books
from parking.payments import service as payments
from parking.payments.port import OrderStatus, SettlementNotReadyError, SettlementRow
from parking.places import repository as places
from parking.reconciliation import rules
from parking.reconciliation.codes import Code
from parking.reconciliation.facts import (
    BookEntry,
    BusinessDay,
    FiledRow,
    Finding,
    Movement,
    Opening,
    Outcome,
)
from parking.reconciliation.matching import Matching
from parking.reconciliation.totals import Totals

# A report of more is not read line by line; the counts stay right, and the CSV has them all.
LISTED_MAX: Final = 10_000
ASKED_MAX: Final = 50
ASKED_AT_ONCE_MAX: Final = 5
_OUTCOMES: Final = {
    OrderStatus.SUCCEEDED: Outcome.SUCCEEDED,
    OrderStatus.FAILED: Outcome.FAILED,
}

_Item = TypeVar("_Item")

Progress = Callable[[str, int], None]
"""Told of a step and of how many rows it has gone through so far."""

Sink = Callable[[Finding], None]
"""Given every finding as it is found."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(slots=True)
class DayReport:
    """What comparing a day found.

    Attributes:
        counts: By operator and code; operator None for money that no operator's books know.
        findings: The first LISTED_MAX, notes too.
        openings: How many cars were let out, by operator and reason.
        operators: Their names.
    """

    provider: str
    day: BusinessDay
    totals: Totals
    operators: dict[UUID, str]
    counts: Counter[tuple[UUID | None, Code]] = field(
        default_factory=Counter[tuple[UUID | None, Code]]
    )
    openings: Counter[tuple[UUID, Opening]] = field(default_factory=Counter[tuple[UUID, Opening]])
    findings: list[Finding] = field(default_factory=list[Finding])

    @property
    def differences(self) -> int:
        """How many rows somebody has to look at."""
        return sum(count for (_, code), count in self.counts.items() if code.is_difference)

    @property
    def notes(self) -> int:
        """How many rows only look different."""
        return sum(count for (_, code), count in self.counts.items() if not code.is_difference)

    @property
    def left_out(self) -> int:
        """How many findings are counted and not listed."""
        return self.counts.total() - len(self.findings)

    @property
    def is_provisional(self) -> bool:
        """Whether some rows wait for the next day's file."""
        return any(code is Code.AWAITS_NEXT_DAY for _, code in self.counts)


async def compare(
    context: ParkingContext,
    provider_name: str,
    day: date,
    *,
    progress: Progress = lambda _step, _done: None,
    sink: Sink = lambda _finding: None,
) -> DayReport:
    """Compare a day of a provider; nothing is stored.

    Args:
        context: The domain's surroundings.
        provider_name: Of one that is set up.
        day: In the provider's time zone.
        progress: Told how far it is.
        sink: Given every finding, also those that the report only counts.

    Raises:
        SettlementNotReadyError: the day is not over, or the provider has not closed its books.
        ProviderUnavailableError: no trustworthy answer came.
        ProviderMissingError: no such provider is set up.
    """
    provider = context.provider(provider_name)
    business_day = BusinessDay(day, provider.traits.timezone)
    require_over(context, business_day)
    progress("settlement file", 0)
    filed = await _fetch(context, provider_name, day)
    async with context.database.begin() as unit:
        operators = {one.id: one.name for one in await places.list_operators(unit)}
    matching = Matching(provider_name, business_day, filed)
    progress("settlement file", len(filed))
    # The rows live on in `matching` until an entry claims them.
    del filed
    report = DayReport(provider_name, business_day, matching.totals, operators)
    await _Comparison(context, report, matching, progress, sink).run()
    return report


def require_over(context: ParkingContext, day: BusinessDay) -> None:
    """Raise SettlementNotReadyError while the provider's day lasts."""
    if context.clock.now() < day.ends_at:
        raise SettlementNotReadyError(
            f"date: {day.day} ends at {day.ends_at:%Y-%m-%d %H:%M} UTC in the provider's time zone "
            f"({day.timezone}); its settlement file comes after that"
        )


class _Comparison:
    def __init__(
        self,
        context: ParkingContext,
        report: DayReport,
        matching: Matching,
        progress: Progress,
        sink: Sink,
    ) -> None:
        self._context = context
        self._report = report
        self._matching = matching
        self._progress = progress
        self._sink = sink
        traits = context.provider(report.provider).traits
        self._books = DayBooks(context.database, report.provider, traits, report.day)
        others = frozenset(context.providers) - {report.provider}
        self._gates = GateBooks(context.database, report.provider, others, report.day)

    async def run(self) -> None:
        for operator_id in self._report.operators:
            await self._match_books(operator_id)
        await self._match_unclaimed()
        has_next_day = await self._match_neighbours()
        missing = list(self._matching.missing())
        self._take(
            self._matching.finish(
                await self._ask_again(_charges(missing)[:ASKED_MAX]),
                opened=await self._opened_for(missing),
                has_next_day=has_next_day,
            )
        )
        for operator_id in self._report.operators:
            await self._match_gates(operator_id)

    async def _match_books(self, operator_id: UUID) -> None:
        now, done = self._context.clock.now(), 0
        async for page in self._books.pages(operator_id):
            for entry in page:
                self._take(self._matching.take(entry))
            charged = [one for one in page if one.outcome is Outcome.SUCCEEDED]
            for stay in await self._gates.paid_stays(_charges(charged)):
                code = rules.judge_stay(stay, now)
                if code is not None:
                    self._take([rules.finding_of_stay(stay, code, now)])
            done += len(page)
            self._progress("payments and refunds", done)

    async def _match_unclaimed(self) -> None:
        done = 0
        for rows in _batches(list(self._matching.unclaimed()), day_books.ROWS_MAX):
            for row, known in zip(rows, await self._books.known(rows), strict=True):
                self._take(self._matching.take_unclaimed(row, known.entry, charge=known.charge))
            done += len(rows)
            self._progress("rows of other days", done)

    async def _match_neighbours(self) -> bool:
        """Look into other days' files; returns False where the next day's is not there yet."""
        has_next_day = True
        for day in self._matching.days_wanted():
            self._progress("files of other days", 0)
            try:
                require_over(self._context, day)
                rows = await _fetch(self._context, self._report.provider, day.day)
            except SettlementNotReadyError:
                has_next_day = has_next_day and day.day < self._report.day.day
                continue
            self._take(self._matching.take_neighbour(rows))
            self._progress("files of other days", len(rows))
        return has_next_day

    async def _ask_again(self, missing: Sequence[BookEntry]) -> dict[UUID, Outcome]:
        """Return what the provider says of charges that its files lack, where it decides."""
        keys = [(entry.operator_id, entry.subject_id) for entry in missing]
        async with self._context.database.begin() as unit:
            attempts = await day_books.find_charges(unit, keys)
        provider = self._context.provider(self._report.provider)
        said: dict[UUID, Outcome] = {}
        for some in _batches(attempts, ASKED_AT_ONCE_MAX):
            answers = await asyncio.gather(
                *(provider.query(payments.sent_order(attempt)) for attempt in some),
                return_exceptions=True,
            )
            for attempt, answer in zip(some, answers, strict=True):
                if isinstance(answer, ParkingError):
                    _log.info("reconciliation.not_asked", attempt=str(attempt.id))
                elif isinstance(answer, BaseException):
                    raise answer
                elif answer.status in _OUTCOMES:
                    said[attempt.id] = _OUTCOMES[answer.status]
        return said

    async def _opened_for(self, missing: Sequence[BookEntry]) -> set[UUID]:
        opened: set[UUID] = set()
        for operator_id in self._report.operators:
            own = [one for one in _charges(missing) if one.operator_id == operator_id]
            for some in _batches(own, day_books.ROWS_MAX):
                opened |= await self._gates.opened_for(some)
        return opened

    async def _match_gates(self, operator_id: UUID) -> None:
        unknown = await self._gates.unknown(operator_id)
        if unknown:
            self._report.openings[operator_id, Opening.MANUAL] += len(unknown)
        self._take(unknown)
        done = 0
        async for page in self._gates.pages(operator_id):
            for passage in page:
                self._report.openings[operator_id, passage.opening] += 1
                code = rules.judge_passage(passage)
                if code is not None:
                    self._take([rules.finding_of_passage(passage, code)])
            done += len(page)
            self._progress("cars let out", done)

    def _take(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self._report.counts[finding.operator_id, finding.code] += 1
            if len(self._report.findings) < LISTED_MAX:
                self._report.findings.append(finding)
            self._sink(finding)


async def _fetch(context: ParkingContext, provider_name: str, day: date) -> list[FiledRow]:
    rows = await context.provider(provider_name).fetch_settlement(day)
    return [_filed(row) for row in rows]


def _filed(row: SettlementRow) -> FiledRow:
    return FiledRow(
        movement=Movement(row.kind.value),
        number=row.number,
        reference=row.reference,
        amount=row.amount,
        fee_minor=row.fee_minor,
        occurred_at=row.occurred_at,
    )


def _charges(entries: Iterable[BookEntry]) -> list[BookEntry]:
    return [entry for entry in entries if entry.movement is Movement.CHARGE]


def _batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]

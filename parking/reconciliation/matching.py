"""The settlement file of a day against our books, one entry at a time: pure, and in bounded memory.

Feed it in this order: `take` every entry of the day; `take_unclaimed` what the books know about the
rows that remained; `take_neighbour` the files of `days_wanted`; `finish` with what the provider
said when it was asked about `missing`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from parking.kit.money import Money
from parking.reconciliation import rules
from parking.reconciliation.codes import Code
from parking.reconciliation.facts import (
    BookEntry,
    BusinessDay,
    FiledRow,
    Finding,
    Movement,
    Outcome,
)
from parking.reconciliation.totals import Totals

# Of other days: a charge that was answered later than this many days after it was sent is rare.
NEIGHBOUR_DAYS_MAX: Final = 7


class Matching:
    """One day of one provider.

    Args:
        provider: Its name.
        day: In its time zone.
        rows: Its file of that day.
    """

    def __init__(self, provider: str, day: BusinessDay, rows: Iterable[FiledRow]) -> None:
        self._provider = provider
        self._day = day
        self._rows: dict[Movement, dict[str, FiledRow]] = {kind: {} for kind in Movement}
        self._more: dict[tuple[Movement, str], list[FiledRow]] = defaultdict(list)
        self._nameless: list[FiledRow] = []
        self._missing: dict[tuple[Movement, str], BookEntry] = {}
        self._elsewhere: dict[tuple[Movement, str], tuple[BookEntry, FiledRow]] = {}
        self.totals = Totals()
        for row in rows:
            self._sort_in(row)

    def take(self, entry: BookEntry) -> Iterator[Finding]:
        """Compare an entry of this day; those that the file lacks wait for `finish`."""
        self.totals.count_entry(entry)
        yield from self._of_books(entry)
        row = self._rows[entry.movement].pop(entry.key, None)
        if row is None:
            self._missing[entry.movement, entry.key] = entry
            return
        yield from self._of_pair(entry, row)

    def unclaimed(self) -> Iterator[FiledRow]:
        """Return the rows that no entry of this day stands for; take each of them once."""
        for rows in self._rows.values():
            yield from rows.values()
        yield from self._nameless

    def take_unclaimed(
        self, row: FiledRow, entry: BookEntry | None, *, charge: BookEntry | None = None
    ) -> Iterator[Finding]:
        """Judge a row that no entry of this day stood for.

        Args:
            row: One of `unclaimed`.
            entry: What the books have under its number, of whatever day; None for nothing.
            charge: What a chargeback or a returned refund took back, where its number is ours.
        """
        if entry is None:
            self.totals.count_row(None if charge is None else charge.operator_id, row)
            yield self._of_row(rules.judge_unknown(row), row, charge)
            yield from self._repetitions(charge, row)
            return
        ended_at = entry.finished_at
        if entry.movement.is_undone or (ended_at is not None and self._day.has(ended_at)):
            # Chargebacks and refunds that came back are found by the provider's rows only.
            self.totals.count_entry(entry)
        yield from self._of_pair(entry, row)
        if entry.finished_at is not None and not self._day.has(entry.finished_at):
            self._elsewhere[entry.movement, entry.key] = (entry, row)

    def days_wanted(self) -> Sequence[BusinessDay]:
        """Return the other days whose files may have what is missing, the nearest first."""
        wanted: set[date] = set()
        for entry in self._missing.values():
            if entry.outcome is Outcome.SUCCEEDED and entry.finished_at is not None:
                wanted |= set(self._days_of(entry))
        for entry, _ in self._elsewhere.values():
            if entry.finished_at is not None:
                wanted.add(self._day.day_of(entry.finished_at))
        wanted.discard(self._day.day)
        nearest = sorted(wanted, key=lambda day: (abs(day - self._day.day), day))
        return [BusinessDay(day, self._day.timezone) for day in nearest[:NEIGHBOUR_DAYS_MAX]]

    def take_neighbour(self, rows: Iterable[FiledRow]) -> Iterator[Finding]:
        """Look for what is missing in another day's file."""
        for row in rows:
            name = (row.movement, row.key)
            if name in self._missing:
                entry = self._missing.pop(name)
                code = rules.judge_pair(entry, row) or Code.CAPTURED_ANOTHER_DAY
                yield self._of_entry(code, entry, row)
            elif name in self._elsewhere:
                entry, extra = self._elsewhere.pop(name)
                yield self._repeated(entry.operator_id, extra, entry, 1)

    def missing(self) -> Iterator[BookEntry]:
        """Return what succeeded here and stands in no file; ask the provider about it."""
        return (entry for entry in self._missing.values() if entry.outcome is Outcome.SUCCEEDED)

    def finish(
        self,
        asked_again: Mapping[UUID, Outcome],
        *,
        opened: Collection[UUID] = frozenset(),
        has_next_day: bool,
    ) -> Iterator[Finding]:
        """Judge what no file has.

        Args:
            asked_again: What the provider said, by the entry's subject.
            opened: Subjects because of which a gate opened, as paid or guaranteed.
            has_next_day: Whether the next day's file was there to look into.
        """
        for entry in self._missing.values():
            ended_at = entry.finished_at or entry.started_at
            code = rules.judge_absent(
                entry,
                awaits_next_day=not has_next_day and self._day.ends_at - ended_at < rules.EDGE,
                asked_again=asked_again.get(entry.subject_id),
                opened_gate=entry.subject_id in opened,
            )
            if code is not None:
                yield self._of_entry(code, entry, None)

    def _sort_in(self, row: FiledRow) -> None:
        known = self._rows[row.movement]
        if not row.key:
            self._nameless.append(row)
        elif row.key in known:
            self._more[row.movement, row.key].append(row)
        else:
            known[row.key] = row

    def _of_pair(self, entry: BookEntry, row: FiledRow) -> Iterator[Finding]:
        row = self._best_of(entry, row)
        self.totals.count_row(entry.operator_id, row)
        code = rules.judge_pair(entry, row)
        if code is not None:
            yield self._of_entry(code, entry, row)
        elif entry.finished_at is not None and not self._day.has(entry.finished_at):
            yield self._of_entry(Code.CAPTURED_ANOTHER_DAY, entry, row)
        yield from self._repetitions(entry, row)

    def _best_of(self, entry: BookEntry, row: FiledRow) -> FiledRow:
        """Return the row that agrees with the entry, where the file has several of its number."""
        others = self._more.get((row.movement, row.key), [])
        for index, other in enumerate(others):
            if row.amount != entry.amount and other.amount == entry.amount:
                others[index] = row
                return other
        return row

    def _repetitions(self, entry: BookEntry | None, row: FiledRow) -> Iterator[Finding]:
        owner = None if entry is None else entry.operator_id
        for index, extra in enumerate(self._more.pop((row.movement, row.key), []), start=1):
            self.totals.count_row(owner, extra)
            yield self._repeated(owner, extra, entry, index)

    def _repeated(
        self, owner: UUID | None, extra: FiledRow, entry: BookEntry | None, index: int
    ) -> Finding:
        return Finding(
            code=Code.DUPLICATE_AT_PROVIDER,
            operator_id=owner,
            subject_id=extra.subject_id(self._provider, index),
            at=extra.occurred_at,
            movement=extra.movement,
            number=extra.number,
            reference=extra.reference,
            theirs=extra.amount,
            bill_id=None if entry is None else entry.bill_id,
            session_id=None if entry is None else entry.session_id,
        )

    def _of_row(self, code: Code, row: FiledRow, charge: BookEntry | None) -> Finding:
        return Finding(
            code=code,
            operator_id=None if charge is None else charge.operator_id,
            subject_id=row.subject_id(self._provider),
            at=row.occurred_at,
            movement=row.movement,
            number=row.number,
            reference=row.reference,
            theirs=row.amount,
            bill_id=None if charge is None else charge.bill_id,
            session_id=None if charge is None else charge.session_id,
        )

    def _of_entry(
        self, code: Code, entry: BookEntry, row: FiledRow | None, *, instead: Money | None = None
    ) -> Finding:
        return Finding(
            code=code,
            operator_id=entry.operator_id,
            subject_id=entry.subject_id,
            at=row.occurred_at if row is not None else entry.finished_at or entry.started_at,
            movement=entry.movement,
            number=entry.key if not entry.movement.is_chargeback else row.number if row else "",
            reference=row.reference if row is not None else entry.reference,
            ours=entry.amount,
            theirs=row.amount if row is not None else instead,
            bill_id=entry.bill_id,
            session_id=entry.session_id,
        )

    def _of_books(self, entry: BookEntry) -> Iterator[Finding]:
        for code, instead in rules.judge_books(entry):
            yield self._of_entry(code, entry, None, instead=instead)

    def _days_of(self, entry: BookEntry) -> Iterator[date]:
        """Yield the provider's days on which it may have moved the money."""
        last = BusinessDay(self._day.day_of(entry.finished_at or entry.started_at), "UTC").shifted(
            1
        )
        first = BusinessDay(self._day.day_of(entry.started_at), "UTC").shifted(-1)
        span = (last.day - first.day).days
        for back in range(min(span, NEIGHBOUR_DAYS_MAX) + 1):
            yield last.shifted(-back).day

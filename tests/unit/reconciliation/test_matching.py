"""Random books, and a file made from them with injected differences: exactly these are found."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from parking.kit.ids import derive_id, new_id
from parking.kit.money import Money
from parking.reconciliation.codes import Code
from parking.reconciliation.facts import (
    BillSide,
    BookEntry,
    BusinessDay,
    FiledRow,
    Finding,
    Movement,
    Outcome,
    Standing,
)
from parking.reconciliation.matching import Matching

DAY: Final = BusinessDay(date(2026, 11, 22), "Asia/Shanghai")
NOON: Final = DAY.starts_at + timedelta(hours=12)
OPERATORS: Final = tuple(new_id(NOON - timedelta(days=days)) for days in (1, 2))
FEE_MINOR: Final = 3

Found = Counter[tuple[Code, str]]


@dataclass
class Scene:
    """A provider's files, our books, and what must be found for `DAY`."""

    entries: list[BookEntry] = field(default_factory=list[BookEntry])
    files: dict[date, list[FiledRow]] = field(default_factory=dict[date, list[FiledRow]])
    asked: dict[UUID, Outcome] = field(default_factory=dict[UUID, Outcome])
    opened: set[UUID] = field(default_factory=set[UUID])
    expected: Found = field(default_factory=Counter[tuple[Code, str]])

    def file(self, row: FiledRow) -> None:
        self.files.setdefault(DAY.day_of(row.occurred_at), []).append(row)

    def expect(self, code: Code, key: str) -> None:
        self.expected[code, key] += 1


def entry_at(number: int, at: datetime, amount_minor: int, movement: Movement) -> BookEntry:
    subject_id = derive_id(OPERATORS[0], f"entry:{number}")
    amount = Money(amount_minor, "CNY")
    bill = BillSide(
        id=subject_id, standing=Standing.PAID, total=amount, paid_by=subject_id, was_captured=True
    )
    return BookEntry(
        movement=movement,
        key=f"n{number}",
        operator_id=OPERATORS[number % 2],
        subject_id=subject_id,
        amount=amount,
        outcome=Outcome.SUCCEEDED,
        started_at=at - timedelta(seconds=3),
        finished_at=at,
        posted=amount,
        bill=bill if movement is Movement.CHARGE else None,
    )


def row_for(entry: BookEntry, *, at: datetime | None = None) -> FiledRow:
    return FiledRow(
        movement=entry.movement,
        number=entry.key,
        reference=f"p-{entry.key}",
        amount=entry.amount,
        fee_minor=FEE_MINOR,
        occurred_at=at or entry.finished_at or entry.started_at,
    )


def reconcile(scene: Scene) -> tuple[list[Finding], Matching]:
    """Do what the flow does, in memory."""
    matching = Matching("fake", DAY, scene.files.get(DAY.day, []))
    found: list[Finding] = []
    for entry in scene.entries:
        own = entry.finished_at or entry.started_at
        if DAY.has(own) and entry.outcome is not Outcome.FAILED:
            found += matching.take(entry)
    books = {(entry.movement, entry.key): entry for entry in scene.entries}
    for row in list(matching.unclaimed()):
        found += matching.take_unclaimed(row, books.get((row.movement, row.key)))
    for day in matching.days_wanted():
        found += matching.take_neighbour(scene.files.get(day.day, []))
    return found + list(
        matching.finish(scene.asked, opened=scene.opened, has_next_day=True)
    ), matching


Injection = Callable[[Scene, BookEntry], None]


def _kept(scene: Scene, entry: BookEntry) -> None:
    scene.entries.append(entry)
    scene.file(row_for(entry))


def _missing(scene: Scene, entry: BookEntry) -> None:
    scene.entries.append(entry)
    is_charge = entry.movement is Movement.CHARGE
    code = Code.MISSING_AT_PROVIDER if is_charge else Code.REFUND_MISSING_AT_PROVIDER
    scene.expect(code, entry.key)


def _failed_there(scene: Scene, entry: BookEntry) -> None:
    entry = replace(entry, movement=Movement.CHARGE)
    scene.entries.append(entry)
    scene.asked[entry.subject_id] = Outcome.FAILED
    scene.expect(Code.FAILED_AT_PROVIDER, entry.key)


def _gate_opened(scene: Scene, entry: BookEntry) -> None:
    entry = replace(entry, movement=Movement.CHARGE)
    scene.entries.append(entry)
    scene.opened.add(entry.subject_id)
    scene.expect(Code.OPENED_MONEY_MISSING, entry.key)


def _unknown(scene: Scene, entry: BookEntry) -> None:
    scene.file(row_for(entry))
    is_charge = entry.movement is Movement.CHARGE
    code = Code.MISSING_IN_BOOKS if is_charge else Code.REFUND_MISSING_IN_BOOKS
    scene.expect(code, entry.key)


def _other_amount(scene: Scene, entry: BookEntry) -> None:
    scene.entries.append(entry)
    more = Money(entry.amount.amount_minor + 1, entry.amount.currency)
    scene.file(replace(row_for(entry), amount=more))
    is_charge = entry.movement is Movement.CHARGE
    scene.expect(Code.AMOUNT_DIFFERS if is_charge else Code.REFUND_AMOUNT_DIFFERS, entry.key)


def _other_currency(scene: Scene, entry: BookEntry) -> None:
    scene.entries.append(entry)
    scene.file(replace(row_for(entry), amount=Money(entry.amount.amount_minor, "EUR")))
    scene.expect(Code.CURRENCY_DIFFERS, entry.key)


def _twice(scene: Scene, entry: BookEntry) -> None:
    _kept(scene, entry)
    scene.file(replace(row_for(entry), reference=f"q-{entry.key}"))
    scene.expect(Code.DUPLICATE_AT_PROVIDER, entry.key)


def _twice_first_wrong(scene: Scene, entry: BookEntry) -> None:
    wrong = Money(entry.amount.amount_minor + 5, "CNY")
    scene.file(replace(row_for(entry), amount=wrong))
    _kept(scene, entry)
    scene.expect(Code.DUPLICATE_AT_PROVIDER, entry.key)


def _twice_on_two_days(scene: Scene, entry: BookEntry) -> None:
    before = DAY.starts_at - timedelta(minutes=1)
    entry = replace(entry, started_at=before, finished_at=before)
    _kept(scene, entry)
    scene.file(row_for(entry, at=NOON))
    scene.expect(Code.CAPTURED_ANOTHER_DAY, entry.key)
    scene.expect(Code.DUPLICATE_AT_PROVIDER, entry.key)


def _unsettled(scene: Scene, entry: BookEntry) -> None:
    scene.entries.append(
        replace(entry, outcome=Outcome.UNSETTLED, finished_at=None, posted=None, bill=None)
    )
    scene.file(row_for(entry))
    is_charge = entry.movement is Movement.CHARGE
    scene.expect(Code.ATTEMPT_UNSETTLED if is_charge else Code.REFUND_UNSETTLED, entry.key)


def _failed_here(scene: Scene, entry: BookEntry) -> None:
    scene.entries.append(replace(entry, outcome=Outcome.FAILED, posted=None))
    scene.file(row_for(entry))
    is_charge = entry.movement is Movement.CHARGE
    scene.expect(Code.TAKEN_AFTER_FAILURE if is_charge else Code.REFUND_AFTER_FAILURE, entry.key)


def _failed_both(scene: Scene, entry: BookEntry) -> None:
    scene.entries.append(replace(entry, outcome=Outcome.FAILED, posted=None))


def _learnt_late(scene: Scene, entry: BookEntry) -> None:
    after = DAY.ends_at + timedelta(days=1, hours=2)
    scene.entries.append(replace(entry, finished_at=after))
    scene.file(row_for(entry))
    scene.expect(Code.CAPTURED_ANOTHER_DAY, entry.key)


def _captured_next_day(scene: Scene, entry: BookEntry) -> None:
    scene.entries.append(entry)
    scene.file(row_for(entry, at=DAY.ends_at + timedelta(seconds=2)))
    scene.expect(Code.CAPTURED_ANOTHER_DAY, entry.key)


def _captured_days_before(scene: Scene, entry: BookEntry) -> None:
    sent = NOON - timedelta(days=3)
    scene.entries.append(replace(entry, started_at=sent))
    scene.file(row_for(entry, at=sent))
    scene.expect(Code.CAPTURED_ANOTHER_DAY, entry.key)


def _their_clock_is_behind(scene: Scene, entry: BookEntry) -> None:
    scene.entries.append(
        replace(
            entry,
            started_at=DAY.starts_at + timedelta(seconds=1),
            finished_at=DAY.starts_at + timedelta(seconds=2),
        )
    )
    scene.file(row_for(entry, at=DAY.starts_at - timedelta(seconds=1)))
    scene.expect(Code.CAPTURED_ANOTHER_DAY, entry.key)


def _not_posted(scene: Scene, entry: BookEntry) -> None:
    _kept(scene, replace(entry, posted=None))
    scene.expect(Code.LEDGER_MISSING, entry.key)


def _chargeback(scene: Scene, entry: BookEntry) -> None:
    row = replace(row_for(entry), movement=Movement.CHARGEBACK)
    scene.file(row)
    scene.expect(Code.CHARGEBACK_NOT_BOOKED, entry.key)


INJECTIONS: Final[tuple[Injection, ...]] = (
    _kept,
    _missing,
    _failed_there,
    _gate_opened,
    _unknown,
    _other_amount,
    _other_currency,
    _twice,
    _twice_first_wrong,
    _twice_on_two_days,
    _unsettled,
    _failed_here,
    _failed_both,
    _learnt_late,
    _captured_next_day,
    _captured_days_before,
    _their_clock_is_behind,
    _not_posted,
    _chargeback,
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(INJECTIONS),
            st.integers(min_value=0, max_value=24 * 3600 - 1),
            st.integers(min_value=1, max_value=10**7),
            st.sampled_from((Movement.CHARGE, Movement.REFUND)),
        ),
        max_size=30,
    )
)
def test_exactly_the_injected_differences_are_found_each_once(
    parts: list[tuple[Injection, int, int, Movement]],
) -> None:
    scene = Scene()
    for number, (inject, second, amount_minor, movement) in enumerate(parts):
        at = DAY.starts_at + timedelta(seconds=second)
        inject(scene, entry_at(number, at, amount_minor, movement))
    found, matching = reconcile(scene)
    assert Counter((finding.code, finding.number) for finding in found) == scene.expected
    # Two differences never share the id under which they are stored.
    assert len({(finding.subject_id, finding.code) for finding in found}) == len(found)
    filed = scene.files.get(DAY.day, [])
    together = matching.totals.together().values()
    assert sum(sums.theirs for sums in together) == len(filed)
    assert sum(sums.fee_minor for sums in together) == FEE_MINOR * len(filed)
    amounts = sum(row.amount.amount_minor for row in filed)
    assert sum(sums.theirs_minor for sums in together) == amounts


def test_what_ended_near_midnight_waits_for_the_next_file() -> None:
    late = entry_at(1, DAY.ends_at - timedelta(minutes=1), 500, Movement.CHARGE)
    early = entry_at(2, DAY.starts_at, 500, Movement.CHARGE)
    assert _finished((late, early), has_next_day=False) == {
        "n1": Code.AWAITS_NEXT_DAY,
        "n2": Code.MISSING_AT_PROVIDER,
    }
    assert _finished((late,), has_next_day=True) == {"n1": Code.MISSING_AT_PROVIDER}


def _finished(entries: Iterable[BookEntry], *, has_next_day: bool) -> dict[str, Code]:
    matching = Matching("fake", DAY, ())
    for entry in entries:
        assert not list(matching.take(entry))
    found = matching.finish({}, has_next_day=has_next_day)
    return {finding.number: finding.code for finding in found}


def test_rows_without_a_number_are_found_by_their_reference() -> None:
    row = FiledRow(
        movement=Movement.CHARGE,
        number="",
        reference="p-1",
        amount=Money(500, "CNY"),
        fee_minor=0,
        occurred_at=datetime(2026, 11, 22, 1, tzinfo=UTC),
    )
    other = replace(row, reference="p-2")
    matching = Matching("fake", DAY, (row, other))
    found = [one for row in matching.unclaimed() for one in matching.take_unclaimed(row, None)]
    assert [(one.code, one.reference) for one in found] == [
        (Code.MISSING_IN_BOOKS, "p-1"),
        (Code.MISSING_IN_BOOKS, "p-2"),
    ]
    assert found[0].subject_id != found[1].subject_id

"""Our books' side of a comparison: payments and refunds with their bills and postings, in pages."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from parking.kit.database import Database, UnitOfWork
from parking.kit.money import Money
from parking.payments import day_books
from parking.payments.day_books import BillFacts
from parking.payments.models import (
    AttemptState,
    BillState,
    PaymentAttempt,
    Refund,
    RefundState,
)
from parking.payments.port import ProviderTraits
from parking.payments.refunds import REFUND_ORDER
from parking.payments.service import CHARGE_ORDER
from parking.reconciliation.facts import (
    BillSide,
    BookEntry,
    BusinessDay,
    FiledRow,
    Movement,
    Outcome,
    Standing,
)

_CAUSES: Final = {
    Movement.CHARGEBACK: day_books.CHARGED_BACK,
    Movement.CHARGEBACK_REVERSED: day_books.CHARGEBACK_WON,
}
_OUTCOMES: Final = {"succeeded": Outcome.SUCCEEDED, "failed": Outcome.FAILED}
_STANDINGS: Final = {BillState.ISSUED: Standing.DUE, BillState.PAID: Standing.PAID}


@dataclass(frozen=True, slots=True)
class Known:
    """What our books have for a row of the provider: the entry, or what it takes back."""

    entry: BookEntry | None = None
    charge: BookEntry | None = None


@dataclass(frozen=True, slots=True)
class DayBooks:
    """The books of one provider's day."""

    database: Database
    provider: str
    traits: ProviderTraits
    day: BusinessDay

    async def pages(self, operator_id: UUID) -> AsyncGenerator[list[BookEntry]]:
        """Yield an operator's entries of the day, a page at a time, one transaction each."""
        for read in day_books.PAGES:
            async for page in self._read(read, operator_id):
                yield page

    async def known(self, rows: Sequence[FiledRow]) -> list[Known]:
        """Return what the books have for up to `day_books.ROWS_MAX` rows, in their order."""
        async with self.database.begin() as unit:
            orders = await day_books.find_orders(unit, {row.number for row in rows if row.number})
            charges = [(one.owner_id, one.subject_id) for one in orders if one.kind == CHARGE_ORDER]
            refunds = [(one.owner_id, one.subject_id) for one in orders if one.kind == REFUND_ORDER]
            found: list[PaymentAttempt | Refund] = [
                *await day_books.find_charges(unit, charges),
                *await day_books.find_refunds(unit, refunds),
            ]
            entries = await self._entries(
                unit, [one for one in found if one.provider == self.provider]
            )
            by_key = {(entry.movement, entry.key): entry for entry in entries}
            return [await self._known(unit, row, by_key) for row in rows]

    async def _read(
        self, read: day_books.ReadPage, operator_id: UUID
    ) -> AsyncGenerator[list[BookEntry]]:
        period = (self.day.starts_at, self.day.ends_at)
        after: day_books.Place | None = None
        while True:
            async with self.database.begin() as unit:
                page = await read(unit, operator_id, self.provider, period, after)
                entries = await self._entries(unit, page)
            if entries:
                yield entries
            if len(page) < day_books.ROWS_MAX:
                return
            last = page[-1]
            after = (last.finished_at or _sent_at(last), last.id)

    async def _entries(
        self, unit: UnitOfWork, rows: Sequence[PaymentAttempt | Refund]
    ) -> list[BookEntry]:
        entries: list[BookEntry] = []
        for owner in {row.operator_id for row in rows}:
            charges = [
                row for row in rows if isinstance(row, PaymentAttempt) and row.operator_id == owner
            ]
            refunds = [row for row in rows if isinstance(row, Refund) and row.operator_id == owner]
            captured = await day_books.find_posted(unit, owner, _ids(charges), cause="captured")
            refunded = await day_books.find_posted(unit, owner, _ids(refunds), cause="refunded")
            bills = await day_books.find_bills(unit, owner, {row.bill_id for row in charges})
            entries += [self._of_charge(row, captured, bills) for row in charges]
            entries += [_of_refund(row, refunded) for row in refunds]
        return entries

    def _of_charge(
        self, row: PaymentAttempt, posted: Mapping[UUID, Money], bills: Mapping[UUID, BillFacts]
    ) -> BookEntry:
        bill = bills.get(row.bill_id)
        return BookEntry(
            movement=Movement.CHARGE,
            key=row.number,
            operator_id=row.operator_id,
            subject_id=row.id,
            amount=Money(row.amount_minor, row.currency),
            outcome=_OUTCOMES.get(row.state, Outcome.UNSETTLED),
            started_at=row.sent_at,
            finished_at=row.finished_at,
            posted=posted.get(row.id),
            bill_id=row.bill_id,
            session_id=row.session_id,
            bill=None if bill is None else bill_side(bill),
            reference=row.provider_reference or "",
            is_slow=not self.traits.settles_at_gate and row.state == AttemptState.ACCEPTED,
        )

    async def _known(
        self, unit: UnitOfWork, row: FiledRow, by_key: Mapping[tuple[Movement, str], BookEntry]
    ) -> Known:
        if row.movement is Movement.REFUND_RETURNED:
            return await self._known_return(unit, row, by_key.get((Movement.REFUND, row.number)))
        if not row.movement.is_chargeback:
            return Known(by_key.get((row.movement, row.number)))
        charge = by_key.get((Movement.CHARGE, row.number))
        if charge is None or charge.bill_id is None:
            return Known()
        booked = await day_books.find_chargebacks(
            unit, charge.operator_id, charge.bill_id, cause=_CAUSES[row.movement]
        )
        if not booked:
            return Known(charge=charge)
        # Several chargebacks of one payment are each for another amount.
        posted = next((one for one in booked if one.amount == row.amount), booked[0])
        return Known(self._undone(row, charge, posted.amount, posted.posted_at), charge)

    async def _known_return(
        self, unit: UnitOfWork, row: FiledRow, refund: BookEntry | None
    ) -> Known:
        if refund is None or refund.bill_id is None:
            return Known()
        posted = await day_books.find_posted(
            unit, refund.operator_id, [refund.subject_id], cause="refund_returned"
        )
        if not posted:
            return Known(charge=refund)
        amount = posted[refund.subject_id]
        return Known(self._undone(row, refund, amount, row.occurred_at), refund)

    def _undone(
        self, row: FiledRow, earlier: BookEntry, amount: Money, posted_at: datetime
    ) -> BookEntry:
        return BookEntry(
            movement=row.movement,
            key=row.key,
            operator_id=earlier.operator_id,
            subject_id=row.subject_id(self.provider),
            amount=amount,
            outcome=Outcome.SUCCEEDED,
            started_at=posted_at,
            finished_at=posted_at,
            posted=amount,
            bill_id=earlier.bill_id,
            session_id=earlier.session_id,
            reference=row.reference,
        )


def bill_side(bill: BillFacts, tried: Collection[tuple[str, AttemptState]] = ()) -> BillSide:
    """Return a bill as the rules look at it.

    Args:
        bill: The bill.
        tried: The (provider, state) of what was tried for it, where that is known.
    """
    captured = bill.paid_attempt_id is not None or any(
        state == AttemptState.SUCCEEDED for _, state in tried
    )
    return BillSide(
        id=bill.id,
        standing=_STANDINGS.get(bill.state, Standing.OWED),
        total=bill.total,
        paid_by=bill.paid_attempt_id,
        has_live_attempt=bill.has_live_attempt,
        was_captured=captured,
    )


def _of_refund(row: Refund, posted: Mapping[UUID, Money]) -> BookEntry:
    return BookEntry(
        movement=Movement.REFUND,
        key=row.number,
        operator_id=row.operator_id,
        subject_id=row.id,
        amount=Money(row.amount_minor, row.currency),
        # One that came back later went out all the same: its return is a movement of its own.
        outcome=_OUTCOMES.get("succeeded" if row.id in posted else row.state, Outcome.UNSETTLED),
        started_at=row.requested_at,
        finished_at=row.finished_at,
        posted=posted.get(row.id),
        bill_id=row.bill_id,
        session_id=row.session_id,
        reference=row.provider_reference or "",
        is_slow=row.state == RefundState.ACCEPTED,
    )


def _ids(rows: Sequence[PaymentAttempt] | Sequence[Refund]) -> list[UUID]:
    return [row.id for row in rows]


def _sent_at(row: PaymentAttempt | Refund) -> datetime:
    return row.sent_at if isinstance(row, PaymentAttempt) else row.requested_at

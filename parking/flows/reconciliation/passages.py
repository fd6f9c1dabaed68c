"""The gate's side of a comparison: cars that exits let out, with the bills that bear it out."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from parking.flows.reconciliation.books import bill_side
from parking.kit.database import Database, UnitOfWork
from parking.lanes import departures
from parking.lanes.departures import Arrival, Order
from parking.payments import day_books
from parking.payments.day_books import BillFacts
from parking.payments.models import AttemptState, BillState
from parking.reconciliation.codes import Code
from parking.reconciliation.facts import (
    BillSide,
    BookEntry,
    BusinessDay,
    Finding,
    Opening,
    PaidStay,
    Passage,
)
from parking.sessions import past_stays
from parking.sessions.models import SessionState
from parking.sessions.past_stays import StayFacts

_OVERRIDE: Final = "override"
_OPENINGS: Final = {
    "paid": Opening.PAID,
    "guaranteed": Opening.GUARANTEED,
    "credit": Opening.CREDIT,
    "zero_due": Opening.ZERO_DUE,
    _OVERRIDE: Opening.MANUAL,
}
_ON_MONEY: Final = frozenset({"paid", "guaranteed"})

Tried = Sequence[tuple[str, AttemptState]]


@dataclass(frozen=True, slots=True)
class GateBooks:
    """The cars of one provider's day.

    A car that another provider's payments let out is that provider's to compare; one that no
    provider has to do with is looked at with each.

    Attributes:
        others: The names of the other providers that are set up.
    """

    database: Database
    provider: str
    others: frozenset[str]
    day: BusinessDay

    async def pages(self, operator_id: UUID) -> AsyncGenerator[list[Passage]]:
        """Yield an operator's cars that were let out, a page at a time, one transaction each.

        A car belongs to the day on which it came to the exit.
        """
        period = (self.day.starts_at, self.day.ends_at)
        after: UUID | None = None
        while True:
            async with self.database.begin() as unit:
                page = await departures.page_arrivals(unit, operator_id, period, after)
                yield await self._passages(unit, operator_id, page)
            if len(page) < departures.ROWS_MAX:
                return
            after = page[-1].id

    async def unknown(self, operator_id: UUID) -> list[Finding]:
        """Return an operator's cars that a person let out though no stay of theirs was found."""
        period = (self.day.starts_at, self.day.ends_at)
        async with self.database.begin() as unit:
            found = await departures.list_let_out_unknown(unit, operator_id, period)
        return [
            Finding(
                code=Code.OPENED_UNBILLED,
                operator_id=operator_id,
                subject_id=car.id,
                at=car.let_out_at,
            )
            for car in found
        ]

    async def paid_stays(self, entries: Sequence[BookEntry]) -> list[PaidStay]:
        """Return the stays that a page of one operator's charges paid."""
        paid = {entry.session_id: entry for entry in entries if entry.session_id and entry.bill_id}
        if not paid:
            return []
        owner = entries[0].operator_id
        async with self.database.begin() as unit:
            stays = await past_stays.find_some(unit, owner, [key for key in paid if key])
        return [
            PaidStay(
                operator_id=owner,
                session_id=stay.id,
                bill_id=entry.bill_id,
                amount=entry.amount,
                has_left=stay.state == SessionState.LEFT,
                prepaid_until=stay.prepaid_until,
            )
            for stay in stays.values()
            if (entry := paid[stay.id]).bill_id is not None
        ]

    async def opened_for(self, entries: Sequence[BookEntry]) -> set[UUID]:
        """Return because of which of one operator's charges a gate opened, by their subjects."""
        owner = entries[0].operator_id
        async with self.database.begin() as unit:
            bills = await day_books.find_bills(
                unit, owner, {entry.bill_id for entry in entries if entry.bill_id is not None}
            )
            cars = {bill.presentation_id for bill in bills.values() if bill.presentation_id}
            orders = await departures.find_orders(unit, owner, cars)
        opened = {
            car
            for car, given in orders.items()
            if any(one.reason in _ON_MONEY and not one.was_refused for one in given)
        }
        paid_by = {
            bill.paid_attempt_id for bill in bills.values() if bill.presentation_id in opened
        }
        return {entry.subject_id for entry in entries if entry.subject_id in paid_by}

    async def _passages(
        self, unit: UnitOfWork, operator_id: UUID, page: Sequence[Arrival]
    ) -> list[Passage]:
        stays = await past_stays.find_some(unit, operator_id, {car.session_id for car in page})
        leaving = [car for car in page if _is_exit(car, stays.get(car.session_id))]
        orders = await departures.find_orders(unit, operator_id, [car.id for car in leaving])
        gone = [car for car in leaving if _was_let_out(stays[car.session_id], orders.get(car.id))]
        unordered = [car.id for car in gone if not _standing(orders.get(car.id))]
        by_hand = await departures.find_opened_by_hand(unit, operator_id, unordered)
        let_out = await departures.find_let_out(unit, operator_id, [car.id for car in gone])
        bills = await day_books.find_bills_of_stays(
            unit, operator_id, [car.session_id for car in gone]
        )
        tried = await day_books.find_charges_of_bills(
            unit, operator_id, [bill.id for some in bills.values() for bill in some]
        )
        return [
            Passage(
                operator_id=operator_id,
                presentation_id=car.id,
                session_id=car.session_id,
                came_at=car.occupied_at,
                opening=_opening(
                    orders.get(car.id),
                    was_by_hand=car.id in by_hand,
                    was_let_out=car.id in let_out,
                ),
                bills=_sides(bills[car.session_id], tried),
            )
            for car in gone
            if self._concerns([tried[bill.id] for bill in bills[car.session_id]])
        ]

    def _concerns(self, tried: Sequence[Tried]) -> bool:
        providers = {provider for some in tried for provider, _ in some}
        return self.provider in providers or not providers & self.others


def _sides(bills: Sequence[BillFacts], tried: Mapping[UUID, Tried]) -> tuple[BillSide, ...]:
    """Return the bills that count; money of an earlier version was taken for the newest one."""
    replaced = [bill for bill in bills if bill.state == BillState.CORRECTED]
    was_paid = any(bill_side(bill, tried[bill.id]).was_captured for bill in replaced)
    sides = (bill_side(bill, tried[bill.id]) for bill in bills if bill not in replaced)
    return tuple(replace(side, was_captured=side.was_captured or was_paid) for side in sides)


def _is_exit(car: Arrival, stay: StayFacts | None) -> bool:
    return stay is not None and stay.exit_presentation_id == car.id


def _was_let_out(stay: StayFacts, orders: Sequence[Order] | None) -> bool:
    return stay.state == SessionState.LEFT or any(one.was_accepted for one in orders or ())


def _standing(orders: Sequence[Order] | None) -> list[Order]:
    return [one for one in orders or () if not one.was_refused]


def _opening(orders: Sequence[Order] | None, *, was_by_hand: bool, was_let_out: bool) -> Opening:
    standing = _standing(orders)
    if not standing:
        return Opening.MANUAL if was_by_hand else Opening.NO_ORDER
    accepted = [one for one in standing if one.was_accepted] or standing
    reason = accepted[-1].reason
    if reason == _OVERRIDE and not was_let_out:
        # Nobody has put a name to it.
        return Opening.OTHER
    return _OPENINGS.get(reason, Opening.OTHER)

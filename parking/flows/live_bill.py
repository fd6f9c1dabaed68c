"""What a stay costs now, what of it is paid, and when that changes next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from parking.flows import bill_lines
from parking.flows.bill_lines import BillLine, StayFacts, lines_of
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.payments import repository as payments
from parking.payments.models import Bill, BillState
from parking.sessions.models import Session
from parking.tariffs import service as tariffs
from parking.tariffs.rules import STAY_DAYS_MAX, RateTable


@dataclass(frozen=True, slots=True)
class LiveBill:
    """A stay's bill at an instant.

    Attributes:
        total: What the stay costs so far.
        paid: What was paid of it.
        due: What leaving now would cost.
        next_change_at: When `due` may change next; None if it does not.
        facts: What all of it follows from, with the rate table.
    """

    lines: tuple[BillLine, ...]
    total: Money
    paid: Money
    due: Money
    as_of: datetime
    next_change_at: datetime | None
    facts: StayFacts


async def compute(unit: UnitOfWork, session: Session, at: datetime) -> LiveBill:
    """Return the bill of a stay at `at`; of an ended stay, as it was when it ended."""
    bills = await payments.find_bills(unit, session.operator_id, session.id)
    table = await tariffs.load(unit, session.operator_id, session.rate_table_id)
    return bill_of(session, table, bills, at)


def bill_of(session: Session, table: RateTable, bills: Sequence[Bill], at: datetime) -> LiveBill:
    """Return the bill of a stay at `at`, from its rate table and its bills, oldest first."""
    as_of = _priced_until(session, bills[-1] if bills else None, at)
    zero = Money.zero(table.currency)
    paid = sum((_amount(bill) for bill in bills if bill.state == BillState.PAID), zero)
    owed = sum((_amount(bill) for bill in bills if bill.state != BillState.PAID), zero)
    grace_ends_at = session.prepaid_until
    has_left = session.left_at is not None
    is_grace = not has_left and grace_ends_at is not None and as_of <= grace_ends_at
    facts = StayFacts(
        priced_from=session.entered_at,
        priced_until=as_of,
        paid_minor=paid.amount_minor,
        is_grace=is_grace,
    )
    stay = lines_of(table, facts)
    if has_left:
        return LiveBill(stay.lines, stay.total, paid, owed, as_of, None, facts)
    change_at = stay.next_change_at if as_of < _longest(session) else None
    if is_grace and grace_ends_at is not None:
        change_at = min(stay.next_change_at or grace_ends_at, grace_ends_at)
    return LiveBill(stay.lines, stay.total, paid, stay.due, as_of, change_at, facts)


def stored_lines(bill: LiveBill) -> list[dict[str, Any]]:
    """Return the lines as a bill stores them."""
    return bill_lines.stored_lines(bill.lines)


def _priced_until(session: Session, last: Bill | None, at: datetime) -> datetime:
    until = at
    if session.left_at is not None:
        until = session.left_at if last is None else last.priced_until
    return min(max(until, session.entered_at), _longest(session))


def _longest(session: Session) -> datetime:
    """A car that was forgotten for longer than rate tables reach costs what that long costs."""
    return session.entered_at + timedelta(days=STAY_DAYS_MAX)


def _amount(bill: Bill) -> Money:
    return Money(bill.total_minor, bill.currency)

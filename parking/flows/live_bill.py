"""What a stay costs now, what of it is paid, and when that changes next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.payments import repository as payments
from parking.payments.models import Bill, BillState
from parking.sessions.models import Session
from parking.tariffs import service as tariffs
from parking.tariffs.rules import STAY_DAYS_MAX, PriceLine, RateTable, price

PAID_BEFORE = "paid_before"
GRACE_AFTER_PAYMENT = "grace_after_payment"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill; the amounts of all lines add up to what is due.

    Attributes:
        reason: A stable word, such as `increment`, `grace`, `paid_before`.
        starts_at: In UTC; None for a line that is no stretch of time.
        note: The cap or package that set the amount; empty without one.
    """

    reason: str
    amount_minor: int
    running_total_minor: int
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    block_minutes: int | None = None
    block_count: int | None = None
    capped_from_minor: int | None = None
    collection: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class LiveBill:
    """A stay's bill at an instant.

    Attributes:
        total: What the stay costs so far.
        paid: What was paid of it.
        due: What leaving now would cost.
        next_change_at: When `due` may change next; None if it does not.
    """

    lines: tuple[BillLine, ...]
    total: Money
    paid: Money
    due: Money
    as_of: datetime
    next_change_at: datetime | None


async def compute(unit: UnitOfWork, session: Session, at: datetime) -> LiveBill:
    """Return the bill of a stay at `at`; of an ended stay, as it was when it ended."""
    bills = await payments.find_bills(unit, session.operator_id, session.id)
    table = await tariffs.load(unit, session.operator_id, session.rate_table_id)
    return bill_of(session, table, bills, at)


def bill_of(session: Session, table: RateTable, bills: Sequence[Bill], at: datetime) -> LiveBill:
    """Return the bill of a stay at `at`, from its rate table and its bills, oldest first."""
    as_of = _priced_until(session, bills[-1] if bills else None, at)
    stay = price(table, session.entered_at, as_of)
    zero = Money.zero(table.currency)
    paid = sum((_amount(bill) for bill in bills if bill.state == BillState.PAID), zero)
    owed = sum((_amount(bill) for bill in bills if bill.state != BillState.PAID), zero)
    lines = [_line(line) for line in stay.lines]
    if paid:
        lines.append(_credit(PAID_BEFORE, -paid.amount_minor, lines))
    due = max(stay.total - paid, zero)
    if session.left_at is not None:
        return LiveBill(tuple(lines), stay.total, paid, owed, as_of, None)
    grace_ends_at = session.prepaid_until
    if grace_ends_at is None or as_of > grace_ends_at:
        change_at = stay.next_change_at if as_of < _longest(session) else None
        return LiveBill(tuple(lines), stay.total, paid, due, as_of, change_at)
    if due:
        lines.append(_credit(GRACE_AFTER_PAYMENT, -due.amount_minor, lines))
    change_at = min(stay.next_change_at or grace_ends_at, grace_ends_at)
    return LiveBill(tuple(lines), stay.total, paid, zero, as_of, change_at)


def stored_lines(bill: LiveBill) -> list[dict[str, Any]]:
    """Return the lines as a bill stores them."""
    return [
        {
            "reason": line.reason,
            "starts_at": None if line.starts_at is None else line.starts_at.isoformat(),
            "ends_at": None if line.ends_at is None else line.ends_at.isoformat(),
            "block_minutes": line.block_minutes,
            "block_count": line.block_count,
            "amount_minor": line.amount_minor,
            "capped_from_minor": line.capped_from_minor,
            "running_total_minor": line.running_total_minor,
            "collection": line.collection,
            "note": line.note,
        }
        for line in bill.lines
    ]


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


def _line(line: PriceLine) -> BillLine:
    return BillLine(
        reason=line.reason,
        amount_minor=line.amount_minor,
        running_total_minor=line.running_total_minor,
        starts_at=line.starts_at,
        ends_at=line.ends_at,
        block_minutes=line.block_minutes,
        block_count=line.block_count,
        capped_from_minor=line.capped_from_minor,
        collection=line.collection,
        note=line.note,
    )


def _credit(reason: str, amount_minor: int, lines: list[BillLine]) -> BillLine:
    before = lines[-1].running_total_minor if lines else 0
    return BillLine(
        reason=reason, amount_minor=amount_minor, running_total_minor=before + amount_minor
    )

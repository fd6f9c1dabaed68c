"""What a stay costs now, what of it is paid, and when that changes next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar

from parking.flows.bills import bill_lines
from parking.flows.bills.bill_lines import (
    NOT_BILLED,
    BillLine,
    Credit,
    StayFacts,
    StayLines,
    lines_of,
)
from parking.flows.bills.priced_stay import CountedBill, PricedStay
from parking.flows.bills.waivers import credits_of, waived_minor
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments import repository as payments
from parking.payments.models import BillState
from parking.sessions.models import Session
from parking.tariffs import service as tariffs
from parking.tariffs.rules import (
    NO_CIRCUMSTANCES,
    STAY_DAYS_MAX,
    Circumstances,
    Pricing,
    RateTable,
    price,
    steps_after,
)

# A closed bill is closed at this very instant too; the next one that times can tell apart is not.
_RESOLUTION: Final = timedelta(microseconds=1)
# What is credited may hide that many steps of the price before anything is due again.
_STEPS_AHEAD_MAX: Final = 5_000

CURVE_DAYS_MAX: Final = 31
CURVE_STEPS_MAX: Final = 100
_Counted = TypeVar("_Counted", bound=CountedBill)


@dataclass(frozen=True, slots=True)
class LiveBill:
    """A stay's bill at an instant.

    Attributes:
        total: What the stay costs so far, less what was given up of it.
        paid: What was paid of it.
        due: What leaving now would cost.
        circumstances: What the price depends on besides the clock.
        priced_from: The entry that is priced: an earlier one where the stay continues others.
        variant: The rate table's variant that counts; empty for the table itself.
        closed_until: Until when leaving is free after a payment; None where it is not.
        reopened_due: What leaving right after `closed_until` would cost; None without it.
        later: Returns the bill at a later instant, if nothing but time happens until then.
        find_change: Looks ahead for `next_change_at`: that takes longer than the bill itself.
    """

    lines: tuple[BillLine, ...]
    total: Money
    paid: Money
    due: Money
    as_of: datetime
    circumstances: Circumstances
    priced_from: datetime
    variant: str
    later: "Callable[[datetime], LiveBill]" = field(repr=False, compare=False)
    closed_until: datetime | None = None
    reopened_due: Money | None = None
    find_change: Callable[[], datetime | None] | None = field(
        default=None, repr=False, compare=False
    )

    @property
    def next_change_at(self) -> datetime | None:
        """First instant after `as_of` at which `due` differs by time alone; None for never."""
        return None if self.find_change is None else self.find_change()


async def compute(unit: UnitOfWork, session: Session, at: datetime) -> LiveBill:
    """Return the bill of a stay at `at`; of an ended stay, as it was when it ended."""
    bills = await payments.find_bills(unit, session.operator_id, session.id)
    table = await tariffs.load(unit, session.operator_id, session.rate_table_id)
    return bill_of(session, table, bills, at)


def bill_of(
    session: PricedStay,
    table: RateTable,
    bills: Sequence[CountedBill],
    at: datetime,
    pricing: Pricing = price,
) -> LiveBill:
    """Return the bill of a stay at `at`, from its rate table and its bills, oldest first.

    Args:
        session: The stay.
        table: That of its entry.
        bills: Those that count.
        at: The moment.
        pricing: `price`, or one that remembers this stay.
    """
    circumstances = circumstances_of(session)
    priced_from = circumstances.continues_from or session.entered_at
    longest_at = priced_from + timedelta(days=STAY_DAYS_MAX)
    as_of = _priced_until(session, bills[-1] if bills else None, at, longest_at)
    zero = Money.zero(table.currency)
    paid = _sum(settled_of(session, bills), zero) if bills else zero
    closed_until = _closed_until(session, as_of)
    facts = StayFacts(
        priced_from=priced_from,
        priced_until=as_of,
        circumstances=circumstances,
        paid_minor=paid.amount_minor,
        is_grace=closed_until is not None,
        credits=credits_of(bills) if bills else (),
    )
    stay = lines_of(table, facts, pricing)
    if session.left_at is not None and not bills and stay.due:
        taken_off = Credit(NOT_BILLED, -stay.due.amount_minor)
        stay = lines_of(table, replace(facts, credits=(*facts.credits, taken_off)))
    variant = table.variant_for(circumstances)
    total = stay.total
    if facts.credits:
        total = Money(max(total.amount_minor - waived_minor(facts.credits), 0), table.currency)
    live = partial(
        LiveBill,
        lines=stay.lines,
        total=total,
        paid=paid,
        as_of=as_of,
        circumstances=circumstances,
        priced_from=priced_from,
        variant="" if variant is None else variant.name,
        later=partial(bill_of, session, table, bills, pricing=pricing),
    )
    if session.left_at is not None:
        return live(due=_sum([bill for bill in bills if bill.state != BillState.PAID], zero))
    if closed_until is None:
        return _open(live, table, facts, stay, longest_at)
    return _closed(partial(live, due=stay.due), table, facts, closed_until, longest_at)


def _open(
    live: Callable[..., LiveBill],
    table: RateTable,
    facts: StayFacts,
    stay: StayLines,
    longest_at: datetime,
) -> LiveBill:
    """Return the bill of a stay under way that costs what it costs."""

    def find_change() -> datetime | None:
        change_at = _next_change(table, facts, stay.due) if _credits(facts) else stay.next_change_at
        return _within(change_at, longest_at)

    return live(due=stay.due, find_change=find_change)


def _closed(
    live: Callable[..., LiveBill],
    table: RateTable,
    facts: StayFacts,
    closed_until: datetime,
    longest_at: datetime,
) -> LiveBill:
    """Return the bill of a stay that may leave without paying again until `closed_until`."""
    reopens_at = min(closed_until + _RESOLUTION, longest_at)
    open_facts = replace(facts, is_grace=False, priced_until=reopens_at)
    reopened = lines_of(table, open_facts).due

    def find_change() -> datetime | None:
        change_at = reopens_at if reopened else _next_change(table, open_facts, reopened)
        return _within(change_at, longest_at)

    return live(closed_until=closed_until, reopened_due=reopened, find_change=find_change)


def settled_of(session: PricedStay, bills: Sequence[_Counted]) -> list[_Counted]:
    """Return the bills of a stay that its next bill need not ask for again.

    Of a stay under way a bill is only owed where the payer's bank took its money back: it stays
    owed by itself, and nobody is charged by himself for what they disputed.
    """
    states = {BillState.PAID}
    if session.left_at is None:
        states |= {BillState.OWED, BillState.WRITTEN_OFF}
    return [bill for bill in bills if bill.state in states]


def due_curve(bill: LiveBill, until: datetime) -> list[LiveBill]:
    """Return the bill now and wherever `due` differs until `until`, if nothing but time happens.

    Raises:
        InvalidInputError: `until` is before the bill, or more than CURVE_DAYS_MAX after it.
    """
    if not timedelta(0) <= until - bill.as_of <= timedelta(days=CURVE_DAYS_MAX):
        raise InvalidInputError("until", f"at most {CURVE_DAYS_MAX} days after the bill's time")
    curve = [bill]
    for _ in range(CURVE_STEPS_MAX - 1):
        change_at = curve[-1].next_change_at
        if change_at is None or change_at > until:
            break
        curve.append(bill.later(change_at))
    return curve


def circumstances_of(session: PricedStay) -> Circumstances:
    """Return what a stay's price depends on besides the clock."""
    stored = session.circumstances
    return Circumstances.from_json(stored) if stored else NO_CIRCUMSTANCES


def stored_lines(bill: LiveBill) -> list[dict[str, Any]]:
    """Return the lines as a bill stores them."""
    return bill_lines.stored_lines(bill.lines)


def _next_change(table: RateTable, facts: StayFacts, due: Money) -> datetime | None:
    """Return the first instant after that of the facts at which something else is due than `due`.

    The price may change below what is credited, and then nothing else is due.
    """
    steps = steps_after(table, facts.priced_from, facts.priced_until, facts.circumstances)
    credit_minors = _credits(facts)
    for step in islice(steps, _STEPS_AHEAD_MAX):
        due_minor = step.total_minor
        for credit_minor in credit_minors:
            due_minor = max(due_minor + credit_minor, 0)
        if due_minor != due.amount_minor:
            return step.at
    return None


def _credits(facts: StayFacts) -> list[int]:
    """Return what is added to the price, in the order of the bill's lines."""
    before = (-facts.circumstances.billed_before_minor, -facts.paid_minor)
    return [*filter(None, before), *(credit.amount_minor for credit in facts.credits)]


def _within(change_at: datetime | None, longest_at: datetime) -> datetime | None:
    return None if change_at is None or change_at >= longest_at else change_at


def _closed_until(session: PricedStay, as_of: datetime) -> datetime | None:
    until = session.prepaid_until
    return None if session.left_at is not None or until is None or as_of > until else until


def _priced_until(
    session: PricedStay, last: CountedBill | None, at: datetime, longest_at: datetime
) -> datetime:
    """Return until when to price; a car that was forgotten costs what the longest stay costs."""
    until = at
    if session.left_at is not None:
        until = session.left_at if last is None else last.priced_until
    return min(max(until, session.entered_at), longest_at)


def _sum(bills: Sequence[CountedBill], zero: Money) -> Money:
    return sum((Money(bill.total_minor, bill.currency) for bill in bills), zero)

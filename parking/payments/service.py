"""Use cases about money that are one transaction; the provider is called between them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.errors import ParkingError
from parking.kit.ids import derive_id, new_id
from parking.kit.money import Money
from parking.payments import ledger, mandate_rows, owing, repository
from parking.payments.errors import PaymentInProgressError
from parking.payments.models import (
    AttemptKind,
    AttemptProblem,
    AttemptState,
    Bill,
    BillState,
    Mandate,
    PaymentAttempt,
)
from parking.payments.port import (
    AccountKind,
    ChargeResult,
    OrderStatus,
    SentOrder,
    order_number,
)
from parking.payments.rules import (
    LIVE_STATES,
    QUERY_SELDOM,
    UNPAID_STATES,
    next_advance,
    next_state,
    problem_after,
    query_delay,
)

ATTEMPTS_PER_BILL_MAX = 100
# So many were given up: whoever opens more only wants to use the bill's attempts up.
PAGES_PER_BILL_MAX = 20
# While a call is under way the janitor leaves its attempt alone.
FIRST_QUERY_AFTER = timedelta(seconds=8)
CHARGE_ORDER = "charge"


class AmountMismatchError(ParkingError):
    """A provider says that it took another amount than we asked for: staff must look."""

    code = "AMOUNT_MISMATCH"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBill:
    """What a bill is issued for; its lines add up to `total`.

    Attributes:
        session_id: The stay; None for a pass, which then has `pass_id`, and for what is collected
            for a partner, which has `collection_id`.
        place_id: Known for a stay, as is `rate_table_id`.
        basis: All that computing the lines again needs, as JSON. A pass's bill names itself by
            `description`: what the payer reads on the statement.
        earned_by: Whose the money is by the ledger: ours, or the partner's.
    """

    operator_id: UUID
    driver_id: UUID | None
    total: Money
    lines: list[dict[str, Any]]
    priced_until: datetime
    session_id: UUID | None = None
    pass_id: UUID | None = None
    place_id: UUID | None = None
    presentation_id: UUID | None = None
    rate_table_id: UUID | None = None
    basis: dict[str, Any] = field(default_factory=dict[str, Any])
    collection_id: UUID | None = None
    earned_by: str = ledger.REVENUE


async def issue_bill(unit: UnitOfWork, new: NewBill) -> Bill:
    """Issue a bill; one over nothing is paid at once. The session or the pass must be locked."""
    now = unit.now()
    is_due = bool(new.total)
    bill = Bill(
        operator_id=new.operator_id,
        id=new_id(now),
        session_id=new.session_id,
        pass_id=new.pass_id,
        collection_id=new.collection_id,
        place_id=new.place_id,
        driver_id=new.driver_id,
        presentation_id=new.presentation_id,
        rate_table_id=new.rate_table_id,
        state=BillState.ISSUED if is_due else BillState.PAID,
        total_minor=new.total.amount_minor,
        currency=new.total.currency,
        lines=new.lines,
        basis=new.basis,
        priced_until=new.priced_until,
        issued_at=now,
        paid_at=None if is_due else now,
    )
    unit.session.add(bill)
    await ledger.post_issued(unit, bill, earned_by=new.earned_by)
    return bill


async def void_bill(unit: UnitOfWork, bill: Bill, *, earned_by: str = ledger.REVENUE) -> None:
    """Take back an unpaid bill, because a newer one is due.

    Raises:
        PaymentInProgressError: an attempt of it is not settled, or a partner collects it.
    """
    require_free(bill)
    await owing.close(unit, bill)
    bill.state = BillState.VOID
    await ledger.post_voided(unit, bill, earned_by=earned_by)


def require_free(bill: Bill) -> None:
    """Refuse a bill that somebody is paying just now.

    Raises:
        PaymentInProgressError: an attempt of it is not settled, or a partner collects it.
    """
    if bill.live_attempt_id is not None:
        raise PaymentInProgressError("bill: expected one without a payment under way")
    if bill.claim_id is not None:
        raise PaymentInProgressError("bill: expected one that no partner is collecting")


async def begin_attempt(
    unit: UnitOfWork, bill: Bill, *, provider: str, mandate: Mandate | None = None
) -> PaymentAttempt | None:
    """Store a new attempt before the provider hears of it; None where there were too many.

    The bill must be locked. A mandate is charged through `mandate_charges`.

    Raises:
        PaymentInProgressError: an earlier attempt is not settled.
    """
    require_free(bill)
    if bill.attempts >= ATTEMPTS_PER_BILL_MAX:
        return None
    if mandate is None and await _pages(unit, bill) >= PAGES_PER_BILL_MAX:
        return None
    bill.attempts += 1
    attempt_id = derive_id(bill.id, f"attempt:{bill.attempts}")
    number = order_number(attempt_id)
    attempt = PaymentAttempt(
        operator_id=bill.operator_id,
        id=attempt_id,
        bill_id=bill.id,
        session_id=bill.session_id,
        pass_id=bill.pass_id,
        collection_id=bill.collection_id,
        driver_id=bill.driver_id,
        mandate_id=None if mandate is None else mandate.id,
        kind=AttemptKind.CHECKOUT if mandate is None else AttemptKind.MANDATE,
        provider=provider,
        number=number,
        agreement_reference=None if mandate is None else mandate.agreement_reference,
        instrument=None if mandate is None else mandate.instrument,
        amount_minor=bill.total_minor,
        currency=bill.currency,
        state=AttemptState.SENT,
        sent_at=unit.now(),
        next_query_at=unit.now() + FIRST_QUERY_AFTER,
    )
    unit.session.add(attempt)
    bill.live_attempt_id = attempt_id
    await repository.remember_order(
        unit,
        number=number,
        owner_id=bill.operator_id,
        subject_id=attempt_id,
        kind=CHARGE_ORDER,
    )
    return attempt


async def _pages(unit: UnitOfWork, bill: Bill) -> int:
    tried = await repository.find_attempts(unit, bill.operator_id, bill.id)
    return sum(attempt.kind == AttemptKind.CHECKOUT for attempt in tried)


def sent_order(attempt: PaymentAttempt) -> SentOrder:
    """Return what the provider finds an attempt's order by."""
    return SentOrder(
        number=attempt.number,
        amount=Money(attempt.amount_minor, attempt.currency),
        is_checkout=attempt.kind == AttemptKind.CHECKOUT,
        sent_at=attempt.sent_at,
        reference=attempt.provider_reference,
        instrument=attempt.instrument,
    )


async def apply_result(
    unit: UnitOfWork,
    bill: Bill,
    attempt: PaymentAttempt,
    result: ChargeResult,
    *,
    account: AccountKind | None = None,
) -> bool:
    """Write down what the provider said; returns whether the attempt's state changed.

    Bill and attempt must be locked. Saying the same twice changes nothing.

    Args:
        unit: The transaction.
        bill: What is paid for.
        attempt: The order.
        result: The answer.
        account: What the provider takes the money from, where it is known: banks take their time.

    Raises:
        AmountMismatchError: the provider took another amount; nothing was written.
    """
    asked = Money(attempt.amount_minor, attempt.currency)
    if result.amount is not None and result.amount != asked:
        raise AmountMismatchError(f"amount: expected {asked.format()}")
    attempt.advance = next_advance(attempt.advance, result.advance)
    if attempt.state == AttemptState.FAILED and result.status == OrderStatus.SUCCEEDED:
        return await _take_late(unit, bill, attempt, result)
    if attempt.state not in LIVE_STATES:
        return False
    before = attempt.state
    attempt.state = next_state(before, result)
    attempt.failure_code = result.failure_code
    attempt.provider_reference = result.provider_reference or attempt.provider_reference
    age = unit.now() - attempt.sent_at
    attempt.problem = problem_after(attempt, result, age=age, account=account)
    if attempt.state in LIVE_STATES:
        is_page = attempt.kind == AttemptKind.CHECKOUT
        attempt.next_query_at = unit.now() + query_delay(
            attempt.queries, is_page=is_page, account=account, state=AttemptState(attempt.state)
        )
        attempt.queries += 1
        return attempt.state != before
    await _finish(unit, bill, attempt)
    return True


async def _take_late(
    unit: UnitOfWork, bill: Bill, attempt: PaymentAttempt, result: ChargeResult
) -> bool:
    """Let money that came after its order had failed pay the bill, if nothing else does.

    Such as of an order that was closed before the provider saw it. Else staff are told: it is the
    payer's.
    """
    is_free = bill.live_attempt_id is None and bill.claim_id is None
    if bill.state not in UNPAID_STATES or not is_free or attempt.ended_by is not None:
        attempt.problem = AttemptProblem.TAKEN_AFTER_END
        return False
    attempt.state, attempt.failure_code, attempt.problem = AttemptState.SUCCEEDED, None, None
    attempt.provider_reference = result.provider_reference or attempt.provider_reference
    mandate_rows.add_use(unit, attempt)
    await _finish(unit, bill, attempt)
    return True


async def _finish(unit: UnitOfWork, bill: Bill, attempt: PaymentAttempt) -> None:
    attempt.finished_at = unit.now()
    if bill.live_attempt_id == attempt.id:
        bill.live_attempt_id = None
    if attempt.state == AttemptState.SUCCEEDED:
        await _mark_paid(unit, bill, attempt)
    elif attempt.mandate_id is not None and attempt.driver_id is not None:
        await mandate_rows.take_out_use(unit, attempt.driver_id, attempt.id)


async def _mark_paid(unit: UnitOfWork, bill: Bill, attempt: PaymentAttempt) -> None:
    await owing.close(unit, bill)
    bill.state = BillState.PAID
    bill.paid_at = unit.now()
    bill.paid_attempt_id = attempt.id
    bill.claim_id = None
    await ledger.post_paid(unit, bill, attempt)


async def take_in_hand(
    unit: UnitOfWork,
    bill: Bill,
    *,
    kind: AttemptKind,
    account: str,
    number: str,
    by: str | None = None,
) -> PaymentAttempt:
    """Write down that a locked bill was paid without a provider: at the desk, or to a partner.

    Args:
        unit: The transaction.
        bill: It is free, or claimed by the partner's collection that is its payment.
        kind: CASH or PARTNER.
        account: Where the money is by the ledger.
        number: What the receipt names the payment by.
        by: Who took the money, where a person did.
    """
    bill.attempts += 1
    attempt = PaymentAttempt(
        operator_id=bill.operator_id,
        id=derive_id(bill.id, f"attempt:{bill.attempts}"),
        bill_id=bill.id,
        session_id=bill.session_id,
        pass_id=bill.pass_id,
        collection_id=bill.collection_id,
        driver_id=bill.driver_id,
        kind=kind,
        provider=account,
        number=number,
        amount_minor=bill.total_minor,
        currency=bill.currency,
        state=AttemptState.SUCCEEDED,
        ended_by=by,
        sent_at=unit.now(),
        next_query_at=unit.now(),
        finished_at=unit.now(),
    )
    unit.session.add(attempt)
    await _mark_paid(unit, bill, attempt)
    return attempt


async def report(
    unit: UnitOfWork, operator_id: UUID, attempt_id: UUID, problem: AttemptProblem
) -> None:
    """Put an attempt on the staff's list; it is asked about seldom from now on."""
    attempt = await repository.lock_attempt(unit, operator_id, attempt_id)
    if attempt is None:
        return
    # Also of one that has ended: money that was taken besides is somebody's.
    attempt.problem = problem
    if attempt.state in LIVE_STATES:
        # Asking again soon changes nothing.
        attempt.next_query_at = unit.now() + QUERY_SELDOM
        attempt.queries += 1


async def ask_soon(unit: UnitOfWork, operator_id: UUID, attempt_id: UUID) -> None:
    """Let the next sweep ask about an attempt that is not settled."""
    attempt = await repository.lock_attempt(unit, operator_id, attempt_id)
    if attempt is not None and attempt.state in LIVE_STATES:
        attempt.next_query_at = unit.now()

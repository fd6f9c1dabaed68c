"""Use cases about money that are one transaction; the provider is called between them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.errors import ParkingError
from parking.kit.ids import derive_id, new_id
from parking.kit.money import Money
from parking.payments import ledger, repository
from parking.payments.errors import MandateUnknownError, PaymentInProgressError
from parking.payments.models import (
    AttemptKind,
    AttemptState,
    Bill,
    BillState,
    Mandate,
    MandateState,
    PaymentAttempt,
)
from parking.payments.port import AgreementState, ChargeResult, SentOrder, order_number
from parking.payments.rules import LIVE_STATES, next_state, query_delay, usable_mandates

ATTEMPTS_PER_BILL_MAX = 20
# While a call is under way the janitor leaves its attempt alone.
FIRST_QUERY_AFTER = timedelta(seconds=8)
MANDATE_ORDER = "agreement"
CHARGE_ORDER = "charge"


class AmountMismatchError(ParkingError):
    """A provider says that it took another amount than we asked for: staff must look."""

    code = "AMOUNT_MISMATCH"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBill:
    """What a bill is issued for; its lines add up to `total`.

    Attributes:
        session_id: The stay; None for a pass, which then has `pass_id`.
        place_id: Known for a stay, as is `rate_table_id`.
        basis: All that computing the lines again needs, as JSON. A pass's bill names itself by
            `description`: what the payer reads on the statement.
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


async def issue_bill(unit: UnitOfWork, new: NewBill) -> Bill:
    """Issue a bill; one over nothing is paid at once. The session or the pass must be locked."""
    now = unit.now()
    is_due = bool(new.total)
    bill = Bill(
        operator_id=new.operator_id,
        id=new_id(now),
        session_id=new.session_id,
        pass_id=new.pass_id,
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
    await ledger.post_issued(unit, bill)
    return bill


async def void_bill(unit: UnitOfWork, bill: Bill) -> None:
    """Take back an unpaid bill, because a newer one is due.

    Raises:
        PaymentInProgressError: an attempt of it is not settled.
    """
    if bill.live_attempt_id is not None:
        raise PaymentInProgressError("bill: expected one without a payment under way")
    bill.state = BillState.VOID
    await ledger.post_voided(unit, bill)


async def choose_mandates(
    unit: UnitOfWork, bill: Bill, *, since: datetime | None = None
) -> list[Mandate]:
    """Return the driver's mandates that may pay this bill and were not tried for it.

    Args:
        unit: The transaction.
        bill: What is to be paid.
        since: Tries before this moment do not count; None counts them all.
    """
    if bill.driver_id is None:
        return []
    due = Money(bill.total_minor, bill.currency)
    attempts = (
        await repository.find_attempts(unit, bill.operator_id, bill.id) if bill.attempts else ()
    )
    tried = {
        attempt.mandate_id for attempt in attempts if since is None or attempt.sent_at >= since
    }
    mandates = usable_mandates(await repository.find_mandates(unit, bill.driver_id), due)
    return [mandate for mandate in mandates if mandate.id not in tried]


async def begin_attempt(
    unit: UnitOfWork, bill: Bill, *, provider: str, mandate: Mandate | None = None
) -> PaymentAttempt | None:
    """Store a new attempt before the provider hears of it.

    None: there were too many, or the mandate was revoked at this very moment. The bill must be
    locked; the mandate is, so that revoking it comes wholly before the attempt or after it.

    Raises:
        PaymentInProgressError: an earlier attempt is not settled.
    """
    if bill.live_attempt_id is not None:
        raise PaymentInProgressError("bill: expected one without a payment under way")
    if bill.attempts >= ATTEMPTS_PER_BILL_MAX:
        return None
    if mandate is not None:
        held = await repository.hold_mandate(unit, mandate.driver_id, mandate.id)
        if held is None or held.state != MandateState.ACTIVE:
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
    unit: UnitOfWork, bill: Bill, attempt: PaymentAttempt, result: ChargeResult
) -> bool:
    """Write down what the provider said; returns whether the attempt's state changed.

    Bill and attempt must be locked. Saying the same twice changes nothing.

    Raises:
        AmountMismatchError: the provider took another amount; nothing was written.
    """
    asked = Money(attempt.amount_minor, attempt.currency)
    if result.amount is not None and result.amount != asked:
        raise AmountMismatchError(f"amount: expected {asked.format()}")
    if attempt.state not in LIVE_STATES:
        return False
    before = attempt.state
    attempt.state = next_state(before, result)
    attempt.failure_code = result.failure_code
    attempt.provider_reference = result.provider_reference or attempt.provider_reference
    attempt.advance = result.advance or attempt.advance
    if attempt.state in LIVE_STATES:
        is_page = attempt.kind == AttemptKind.CHECKOUT
        attempt.next_query_at = unit.now() + query_delay(attempt.queries, is_page=is_page)
        attempt.queries += 1
        return attempt.state != before
    attempt.finished_at = unit.now()
    if bill.live_attempt_id == attempt.id:
        bill.live_attempt_id = None
    if attempt.state == AttemptState.SUCCEEDED:
        bill.state = BillState.PAID
        bill.paid_at = unit.now()
        bill.paid_attempt_id = attempt.id
        await ledger.post_paid(unit, bill, attempt)
    return True


async def postpone(unit: UnitOfWork, operator_id: UUID, attempt_id: UUID) -> None:
    """Ask about an attempt later, and later each time: its answers cannot be believed."""
    attempt = await repository.lock_attempt(unit, operator_id, attempt_id)
    if attempt is not None and attempt.state in LIVE_STATES:
        attempt.next_query_at = unit.now() + query_delay(attempt.queries)
        attempt.queries += 1


def start_mandate(
    unit: UnitOfWork,
    driver_id: UUID,
    *,
    provider: str,
    amount_minor_max: int | None = None,
    currency: str | None = None,
) -> Mandate:
    """Store a mandate that waits for the provider's confirmation page."""
    mandate = Mandate(
        driver_id=driver_id,
        id=new_id(unit.now()),
        provider=provider,
        state=MandateState.PENDING,
        amount_minor_max=amount_minor_max,
        currency=currency,
        created_at=unit.now(),
    )
    unit.session.add(mandate)
    return mandate


async def remember_agreement(
    unit: UnitOfWork, mandate: Mandate, *, reference: str, confirmation_url: str
) -> None:
    """Write down under which reference the provider knows the mandate."""
    mandate.agreement_reference = reference
    mandate.confirmation_url = confirmation_url
    unit.session.add(mandate)
    await repository.remember_order(
        unit,
        number=reference,
        owner_id=mandate.driver_id,
        subject_id=mandate.id,
        kind=MANDATE_ORDER,
    )


async def activate_mandate(
    unit: UnitOfWork, driver_id: UUID, mandate_id: UUID, agreement: AgreementState
) -> bool:
    """Let the mandate be charged; a revoked one stays revoked. Returns whether it changed."""
    mandate = await repository.lock_mandate(unit, driver_id, mandate_id)
    if mandate is None or mandate.state != MandateState.PENDING:
        return False
    mandate.instrument = agreement.instrument
    mandate.payer_hint = agreement.payer_hint
    mandate.state = MandateState.ACTIVE
    mandate.activated_at = unit.now()
    return True


async def revoke_mandate(unit: UnitOfWork, driver_id: UUID, mandate_id: UUID) -> Mandate:
    """End the driver's permission at once; again changes nothing.

    Raises:
        MandateUnknownError: the driver has no such mandate.
    """
    mandate = await repository.lock_mandate(unit, driver_id, mandate_id)
    if mandate is None:
        raise MandateUnknownError("mandate: expected one of yours")
    if mandate.state != MandateState.REVOKED:
        mandate.state = MandateState.REVOKED
        mandate.revoked_at = unit.now()
    return mandate

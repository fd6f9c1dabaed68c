"""Correcting a stay: priced again with the right facts, its bills replaced, the difference repaid.

One transaction does all of it but the sending of the refunds. What was paid never becomes more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from parking.events.pokes import lane_channel
from parking.events.types import EventType
from parking.flows.bills.bill_basis import BillBasis, Evidence, StoredCredit
from parking.flows.bills.bill_lines import StayFacts, stored_lines
from parking.flows.bills.waivers import credits_of, require_room
from parking.flows.context import ParkingContext
from parking.flows.coupons import settling
from parking.flows.invoices.invoicing import credit_for_refund
from parking.flows.payments import refunds, settlement
from parking.flows.payments.corrected_facts import (
    Correction,
    corrected_facts,
    find_waiver,
    write_facts,
)
from parking.flows.payments.repricing import CorrectedBill, price_minor, reprice
from parking.kit.database import ConflictError, UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id
from parking.kit.money import Money
from parking.lanes import repository as lanes
from parking.payments import refunds as payment_refunds
from parking.payments import repository, versions
from parking.payments.errors import BillUnknownError, PaymentInProgressError
from parking.payments.models import AttemptKind, Bill, BillCorrection, BillState, Refund
from parking.payments.versions import NewVersion
from parking.places import service as places
from parking.sessions import service as sessions
from parking.sessions.errors import SessionUnknownError
from parking.sessions.events import tell
from parking.sessions.models import Session
from parking.tariffs import fingerprints
from parking.tariffs import service as tariffs
from parking.tariffs.rules import RateTable

TRIES_MAX: Final = 3
CORRECTION_ID_LENGTH_MAX: Final = 100
REASON_LENGTH_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class CorrectionOutcome:
    """What a correction did.

    Attributes:
        bills: The new versions; empty where the stay costs no less.
        refunds: What goes back; a failed one has not.
        before: What the stay's bills said in sum.
        after: What they say now.
    """

    bills: tuple[Bill, ...]
    refunds: tuple[Refund, ...]
    before: Money
    after: Money


async def correct_stay(
    context: ParkingContext,
    operator_id: UUID,
    session_id: UUID,
    correction: Correction,
    *,
    correction_id: str,
    by: str,
    reason: str,
) -> CorrectionOutcome:
    """Correct a stay and send what goes back; the same `correction_id` again changes nothing.

    Args:
        context: The domain's surroundings.
        operator_id: The stay's owner.
        session_id: The stay.
        correction: What was wrong.
        correction_id: Names the correction among those of the stay.
        by: Who corrects.
        reason: Why, in words that the driver may read.

    Raises:
        SessionUnknownError: the operator has no such stay.
        InvalidInputError: the correction contradicts what is recorded.
        PaymentInProgressError: a payment of a bill that would change is under way.
        ConflictError: rivals were first, TRIES_MAX times.
    """
    is_page_closed = False
    for turn in range(1, TRIES_MAX + 1):
        try:
            async with context.database.begin() as unit:
                outcome = await correct_in(
                    unit,
                    operator_id,
                    session_id,
                    correction,
                    correction_id=correction_id,
                    by=by,
                    reason=reason,
                )
            break
        except PaymentInProgressError:
            # A page that somebody left open would hold the correction up for as long as it lives.
            if is_page_closed or not await _close_page(context, operator_id, session_id):
                raise
            is_page_closed = True
        except ConflictError:
            if turn == TRIES_MAX:
                raise
    else:
        raise ConflictError("session: it changed under every try")
    if not outcome.refunds:
        return outcome
    await refunds.send_all(context, operator_id, [refund.id for refund in outcome.refunds])
    async with context.database.begin() as unit:
        sent = await _find_refunds(unit, operator_id, [one.id for one in outcome.refunds])
    return replace(outcome, refunds=sent)


async def session_of_bill(context: ParkingContext, operator_id: UUID, bill_id: UUID) -> UUID:
    """Return the stay that a bill is of.

    Raises:
        BillUnknownError: the operator has no such bill.
        InvalidInputError: it is a pass's.
    """
    async with context.database.begin() as unit:
        bill = await repository.find_bill(unit, operator_id, bill_id)
    if bill is None:
        raise BillUnknownError("billId: expected one of yours")
    if bill.session_id is None:
        raise InvalidInputError("billId", "a stay's; a pass's bill is only refunded")
    return bill.session_id


async def correct_in(
    unit: UnitOfWork,
    operator_id: UUID,
    session_id: UUID,
    correction: Correction,
    *,
    correction_id: str,
    by: str,
    reason: str,
) -> CorrectionOutcome:
    """Do what `correct_stay` does within a transaction; `refunds.send_all` it after the commit."""
    _check_names(correction_id, reason)
    session = await sessions.lock_session(unit, operator_id, session_id)
    if session is None:
        raise SessionUnknownError("sessionId: expected one of yours")
    row_id = derive_id(session.id, f"correction:{correction_id}")
    known = await repository.find_correction(unit, operator_id, row_id)
    if known is not None:
        _check_same(known, correction)
        return await _outcome_of(unit, known)
    bills = await _lock_bills(unit, session)
    if correction.bill_id is None and correction.waived_lines and bills:
        correction = replace(correction, bill_id=bills[-1].id)
    waiver = await find_waiver(unit, session, correction, reason)
    facts = corrected_facts(session, correction, unit.now())
    table = await tariffs.load(unit, operator_id, session.rate_table_id)
    changed: list[CorrectedBill] = []
    is_dearer = False
    if bills:
        facts = _whole(facts, bills, correction.left_at)
        if waiver is not None:
            require_room(facts.credits)
        totals_minor = [bill.total_minor for bill in bills]
        grace_until = _grace_until(table, bills)
        changed = reprice(table, facts, totals_minor, waiver, grace_until=grace_until)
        is_dearer = price_minor(table, facts) > sum(totals_minor)
    if session.left_at is None or not is_dearer:
        # A stay that ended keeps facts that agree with its bills: those never become more.
        await write_facts(unit, session, correction, facts)
    made = await _replace(unit, session, table, bills, changed)
    await settling.settle(unit, session)
    sent = await _repay(unit, made, cause=f"correction:{row_id}", reason=reason, by=by)
    zero = Money.zero(table.currency)
    before = sum((_amount(bill) for bill in bills), zero)
    less = sum((_amount(old) - _amount(new) for old, new in made), zero)
    outcome = CorrectionOutcome(tuple(new for _, new in made), tuple(sent), before, before - less)
    _remember(unit, session, row_id, correction, outcome, by=by, reason=reason)
    await _tell(unit, session, outcome)
    return outcome


def _check_names(correction_id: str, reason: str) -> None:
    if not 0 < len(correction_id) <= CORRECTION_ID_LENGTH_MAX:
        raise InvalidInputError("correctionId", f"1 to {CORRECTION_ID_LENGTH_MAX} characters")
    if not 0 < len(reason.strip()) <= REASON_LENGTH_MAX:
        raise InvalidInputError("reason", f"1 to {REASON_LENGTH_MAX} characters")


def _check_same(known: BillCorrection, correction: Correction) -> None:
    changes = correction.to_json()
    if "waived_lines" in changes and correction.bill_id is None:
        # What was the newest bill then may not be it any more.
        changes["bill_id"] = known.changes.get("bill_id")
    if changes != known.changes:
        raise InvalidInputError("correctionId", "a new one: it named another correction before")


async def _lock_bills(unit: UnitOfWork, session: Session) -> Sequence[Bill]:
    bills = await repository.find_bills(unit, session.operator_id, session.id)
    for bill in bills:
        locked = await repository.lock_bill(unit, bill.operator_id, bill.id)
        if locked is None or locked.state in repository.REPLACED:
            # A refund replaced it between the two reads.
            raise ConflictError("bill: a newer version counts")
    return bills


def _whole(facts: StayFacts, bills: Sequence[Bill], left_at: datetime | None) -> StayFacts:
    """Return the facts until the end of what is billed, with what its bills gave up."""
    # The price of the exit lane, not of the arm: what the newest bill was priced until counts.
    billed_until = bills[-1].priced_until
    priced_until = billed_until if left_at is None else min(left_at, billed_until)
    return replace(
        facts, priced_until=max(priced_until, facts.priced_from), credits=credits_of(bills)
    )


def _grace_until(table: RateTable, bills: Sequence[Bill]) -> datetime | None:
    """Return until when the payment before the newest bill allowed leaving."""
    paid = [bill.priced_until for bill in bills[:-1] if bill.state == BillState.PAID]
    return max(paid) + timedelta(minutes=table.grace_after_payment_minutes) if paid else None


async def _replace(
    unit: UnitOfWork,
    session: Session,
    table: RateTable,
    bills: Sequence[Bill],
    changed: Sequence[CorrectedBill],
) -> list[tuple[Bill, Bill]]:
    """Return the bills that change, each with its new version."""
    made: list[tuple[Bill, Bill]] = []
    newest = list(bills)
    # Taken now: the bills are replaced below.
    grace_until = _grace_until(table, bills)
    for item in changed:
        old = bills[item.index]
        earlier = [bill.id for bill in newest[: item.index] if bill.state == BillState.PAID]
        basis = await _basis(unit, session, old, item, earlier)
        if item.facts.is_grace:
            basis = basis.model_copy(update={"grace_until": grace_until})
        new = NewVersion(
            total=item.stay.due,
            lines=stored_lines(item.stay.lines),
            basis=basis.to_json(),
            priced_until=item.facts.priced_until,
        )
        newest[item.index] = await versions.replace(unit, old, new)
        made.append((old, newest[item.index]))
    return made


async def _basis(
    unit: UnitOfWork, session: Session, old: Bill, item: CorrectedBill, earlier: Sequence[UUID]
) -> BillBasis:
    """Return what the corrected bill follows from."""
    facts = item.facts
    return BillBasis(
        entered_at=session.entered_at,
        priced_from=facts.priced_from,
        priced_until=facts.priced_until,
        rate_table_id=session.rate_table_id,
        rate_table_sha256=await fingerprints.load_fingerprint(
            unit, session.operator_id, session.rate_table_id
        ),
        circumstances=facts.circumstances,
        paid_minor=facts.paid_minor,
        paid_bill_ids=tuple(earlier),
        credits=tuple(
            StoredCredit(reason=one.reason, amount_minor=one.amount_minor, note=one.note)
            for one in facts.credits
        ),
        entry=Evidence.of(session.entry_presentation_id),
        exit=None if old.presentation_id is None else Evidence.of(old.presentation_id),
    )


async def _repay(
    unit: UnitOfWork, made: Sequence[tuple[Bill, Bill]], *, cause: str, reason: str, by: str
) -> list[Refund]:
    sent: list[Refund] = []
    for old, new in made:
        # One that is still to be paid, or was over nothing, has nothing to give back.
        if old.paid_attempt_id is None:
            continue
        attempt = await refunds.lock_paying_attempt(unit, new)
        less = _amount(old) - _amount(new)
        refund = await payment_refunds.store(
            unit, new, attempt, less, cause=cause, reason=reason, by=by
        )
        await credit_for_refund(unit, refund)
        sent.append(refund)
    return sent


def _remember(
    unit: UnitOfWork,
    session: Session,
    row_id: UUID,
    correction: Correction,
    outcome: CorrectionOutcome,
    *,
    by: str,
    reason: str,
) -> None:
    unit.session.add(
        BillCorrection(
            operator_id=session.operator_id,
            id=row_id,
            session_id=session.id,
            before_minor=outcome.before.amount_minor,
            after_minor=outcome.after.amount_minor,
            currency=outcome.before.currency,
            changes=correction.to_json(),
            bill_ids=[str(bill.id) for bill in outcome.bills],
            refund_ids=[str(refund.id) for refund in outcome.refunds],
            reason=reason,
            corrected_by=by,
            corrected_at=unit.now(),
        )
    )


async def _outcome_of(unit: UnitOfWork, known: BillCorrection) -> CorrectionOutcome:
    bills = [
        await repository.find_bill(unit, known.operator_id, UUID(bill_id))
        for bill_id in known.bill_ids
    ]
    refund_ids = [UUID(refund_id) for refund_id in known.refund_ids]
    return CorrectionOutcome(
        tuple(bill for bill in bills if bill is not None),
        await _find_refunds(unit, known.operator_id, refund_ids),
        Money(known.before_minor, known.currency),
        Money(known.after_minor, known.currency),
    )


async def _find_refunds(
    unit: UnitOfWork, operator_id: UUID, refund_ids: Sequence[UUID]
) -> tuple[Refund, ...]:
    found = [await repository.find_refund(unit, operator_id, one) for one in refund_ids]
    return tuple(refund for refund in found if refund is not None)


async def _tell(unit: UnitOfWork, session: Session, outcome: CorrectionOutcome) -> None:
    lane = None
    if session.exit_presentation_id is not None:
        # A car that waits at the exit may have nothing to pay any more.
        lane = await lanes.find_presentation(
            unit, session.operator_id, session.exit_presentation_id
        )
    channels = () if lane is None else (lane_channel(lane.lane_id),)
    if not outcome.bills:
        tell(unit, session, EventType.SESSION_BILL_CHANGED, channels=channels)
        return
    place = await places.require_place(unit, session.operator_id, session.place_id)
    payload: dict[str, Any] = {
        "amount_minor": outcome.after.amount_minor,
        "before_minor": outcome.before.amount_minor,
        "currency": outcome.after.currency,
        "place_name": place.name,
        "timezone": place.timezone,
    }
    payer_id = outcome.bills[-1].driver_id
    if payer_id is not None:
        payload["driver_id"] = str(payer_id)
    tell(unit, session, EventType.BILL_CORRECTED, payload, channels=channels)


async def _close_page(context: ParkingContext, operator_id: UUID, session_id: UUID) -> bool:
    """Close the stay's open payment pages; returns whether there were any."""
    async with context.database.begin() as unit:
        bills = await repository.find_bills(unit, operator_id, session_id)
        live_ids = [bill.live_attempt_id for bill in bills if bill.live_attempt_id is not None]
        attempts = [await repository.find_attempt(unit, operator_id, one) for one in live_ids]
    pages = [one for one in attempts if one is not None and one.kind == AttemptKind.CHECKOUT]
    for page in pages:
        await settlement.close(context, operator_id, page.id)
    return bool(pages)


def _amount(bill: Bill) -> Money:
    return Money(bill.total_minor, bill.currency)

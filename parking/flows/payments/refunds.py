"""Giving money back: asked for in a transaction, sent after its commit, asked about until certain.

A refund always comes with a new version of its bill, so that what a bill says, what was taken for
it and what went back agree. One that fails for good stays in the books as owed to the driver, and
on the staff's list.
"""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from parking.events import outbox
from parking.events.envelope import Event
from parking.events.types import EventType
from parking.flows.bills.bill_lines import BillLine, stored_lines
from parking.flows.bills.waivers import WAIVED, credits_of, require_room, words_of_refund
from parking.flows.context import ParkingContext
from parking.flows.coupons import settling
from parking.flows.invoices.invoicing import credit_for_refund
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.payments import refunds, repository, versions
from parking.payments.errors import (
    NothingToRefundError,
    RefundTooLargeError,
    RefundUnknownError,
)
from parking.payments.models import Bill, BillState, PaymentAttempt, Refund, RefundState
from parking.payments.port import OrderStatus, RefundResult
from parking.payments.rules import LIVE_REFUND_STATES
from parking.payments.service import AmountMismatchError
from parking.payments.versions import NewVersion
from parking.places import service as places
from parking.sessions import repository as sessions
from parking.sessions.events import tell

NOTE_LENGTH_MAX = 100
SWEEP_LEASE = timedelta(seconds=20)
SWEEP_AT_ONCE_MAX = 5

_log = structlog.get_logger()


async def request_refund(
    unit: UnitOfWork, bill: Bill, amount: Money, *, cause: str, reason: str, by: str
) -> Refund:
    """Give a part of a paid bill back, or all of it: a lower version of it, and a refund.

    The refund is sent by `send` after the commit, or by the sweep. A stay or a pass that the
    caller locks is locked before.

    Args:
        unit: The transaction.
        bill: Any version of it; the one that counts now is lowered.
        amount: At most what the bill still says.
        cause: The same cause refunds a payment once; again returns the same refund.
        reason: What the payer reads, and what the bill's new line notes.
        by: Who asked for it.

    Raises:
        NothingToRefundError: the bill was not paid, or took no money.
        RefundTooLargeError: the bill holds less.
        RefundConflictError: the cause was refunded with another amount.
        InvalidInputError: the amount is nothing, or so much was given up that a bill cannot say it.
    """
    if amount.amount_minor <= 0:
        raise InvalidInputError("amount", "more than nothing")
    newest = await versions.lock_newest(unit, bill.operator_id, bill.id)
    attempt = await lock_paying_attempt(unit, newest)
    known = await refunds.find_known(unit, attempt, amount, cause=cause)
    if known is not None:
        return known
    total = Money(newest.total_minor, newest.currency)
    if amount.currency != total.currency or amount.amount_minor > total.amount_minor:
        raise RefundTooLargeError(f"amount: expected at most {total.format()}")
    lowered = await versions.replace(unit, newest, await _lowered(unit, newest, amount, reason))
    refund = await refunds.store(unit, lowered, attempt, amount, cause=cause, reason=reason, by=by)
    await credit_for_refund(unit, refund)
    await settling.settle_bill(unit, lowered)
    return refund


async def lock_paying_attempt(unit: UnitOfWork, bill: Bill) -> PaymentAttempt:
    """Lock the attempt that paid a locked bill.

    Raises:
        NothingToRefundError: none did.
    """
    if bill.state != BillState.PAID or bill.paid_attempt_id is None:
        raise NothingToRefundError("bill: expected one that took money")
    if bill.collection_id is not None:
        raise NothingToRefundError("bill: the partner gives back what was collected for it")
    attempt = await repository.lock_attempt(unit, bill.operator_id, bill.paid_attempt_id)
    if attempt is None:
        raise NothingToRefundError("bill: expected one that took money")
    return attempt


async def retry_refund(unit: UnitOfWork, operator_id: UUID, refund_id: UUID, *, by: str) -> Refund:
    """Send the money of a failed refund again, under a new number; again returns the same refund.

    Raises:
        RefundUnknownError: the operator has no such refund.
        NothingToRefundError: it did not fail.
        RefundTooLargeError: the payment's money went back in another way meanwhile.
    """
    failed = await repository.find_refund(unit, operator_id, refund_id)
    if failed is None:
        raise RefundUnknownError("refundId: expected one of yours")
    if failed.state != RefundState.FAILED:
        raise NothingToRefundError("refundId: expected one that failed")
    bill = await versions.lock_newest(unit, operator_id, failed.bill_id)
    attempt = await repository.lock_attempt(unit, operator_id, failed.attempt_id)
    if attempt is None:
        raise RefundUnknownError("refundId: expected one of yours")
    amount = Money(failed.amount_minor, failed.currency)
    cause = f"{refunds.RETRY_CAUSE}{failed.id}"
    known = await refunds.find_known(unit, attempt, amount, cause=cause)
    return known or await refunds.store(
        unit, bill, attempt, amount, cause=cause, reason=failed.reason, by=by
    )


async def send(context: ParkingContext, operator_id: UUID, refund_id: UUID) -> RefundState:
    """Send a stored refund, or ask about it, and write down what came of it.

    The number is always the same, so that sending twice gives back once. One that succeeded is
    asked about as well: it may have come back.
    """
    async with context.database.begin() as unit:
        refund = await repository.find_refund(unit, operator_id, refund_id)
        attempt = (
            None
            if refund is None
            else await repository.find_attempt(unit, operator_id, refund.attempt_id)
        )
    if refund is None or attempt is None:
        raise RefundUnknownError("refund: expected a stored one")
    is_live = refund.state in LIVE_REFUND_STATES
    if refund.state == RefundState.FAILED:
        return RefundState.FAILED
    if refunds.is_by_hand(refund):
        return await settle(context, operator_id, refund_id, refunds.by_hand(refund))
    provider = context.provider(refund.provider)
    order = refunds.order_of(refund, attempt)
    result = None
    if refund.queries or not is_live:
        result = await provider.query_refund(order)
    if result is None or (is_live and result.status == OrderStatus.NOT_FOUND):
        result = await provider.refund(order)
    return await settle(context, operator_id, refund_id, result)


async def settle(
    context: ParkingContext, operator_id: UUID, refund_id: UUID, result: RefundResult
) -> RefundState:
    """Write down an answer or a notice about a refund, and tell the driver, once.

    Raises:
        AmountMismatchError: the provider gave another amount back; nothing was written.
    """
    async with context.database.begin() as unit:
        seen = await repository.find_refund(unit, operator_id, refund_id)
        if seen is None:
            raise RefundUnknownError("refund: expected a stored one")
        session = None
        if seen.session_id is not None:
            session = await sessions.lock_session(unit, operator_id, seen.session_id)
        refund = await repository.lock_refund(unit, operator_id, refund_id)
        if refund is None:
            raise RefundUnknownError("refund: expected a stored one")
        if not await refunds.apply_result(unit, refund, result):
            return RefundState(refund.state)
        _log.info("refund.settled", refund=str(refund.id), state=refund.state)
        if refund.state == RefundState.SUCCEEDED and session is not None:
            place = await places.require_place(unit, operator_id, session.place_id)
            names = {"place_name": place.name, "timezone": place.timezone}
            tell(unit, session, EventType.PAYMENT_REFUNDED, _payload(refund) | names)
        elif refund.state == RefundState.SUCCEEDED and refund.pass_id is not None:
            _tell_pass(unit, refund, refund.pass_id)
        elif refund.state == RefundState.FAILED:
            _log.error("refund.failed", refund=str(refund.id), failure_code=refund.failure_code)
        return RefundState(refund.state)


async def send_all(context: ParkingContext, operator_id: UUID, sent: list[UUID]) -> None:
    """Send what a transaction has just stored; what fails here is the sweep's."""
    await _send_batch(context, [(operator_id, refund_id) for refund_id in sent])


async def sweep(context: ParkingContext) -> int:
    """Send or ask about every unsettled refund whose time has come; returns how many."""
    async with context.database.begin() as unit:
        due = await repository.take_due_refunds(unit, SWEEP_LEASE)
    await _send_batch(context, due)
    return len(due)


async def _send_batch(context: ParkingContext, batch: list[tuple[UUID, UUID]]) -> None:
    for start in range(0, len(batch), SWEEP_AT_ONCE_MAX):
        some = batch[start : start + SWEEP_AT_ONCE_MAX]
        answers = await asyncio.gather(
            *(send(context, *refund) for refund in some), return_exceptions=True
        )
        for (operator_id, refund_id), answer in zip(some, answers, strict=True):
            # One refund that needs staff must not keep the others waiting.
            if isinstance(answer, Exception):
                _log.warning("refund.unsettled", refund=str(refund_id), error=repr(answer))
            if isinstance(answer, AmountMismatchError):
                async with context.database.begin() as unit:
                    await refunds.postpone(unit, operator_id, refund_id)


async def _lowered(unit: UnitOfWork, bill: Bill, amount: Money, reason: str) -> NewVersion:
    stay = [bill]
    if bill.session_id is not None:
        stay = await repository.find_bills(unit, bill.operator_id, bill.session_id)
    require_room(credits_of(stay))
    others = [other for other in stay if other.id != bill.id]
    note = words_of_refund(reason.strip()[:NOTE_LENGTH_MAX], amount.amount_minor, others)
    credit: dict[str, Any] = {"reason": WAIVED, "amount_minor": -amount.amount_minor, "note": note}
    total = Money(bill.total_minor, bill.currency) - amount
    line = BillLine(WAIVED, -amount.amount_minor, total.amount_minor, note=note)
    credits_before: list[Any] = bill.basis.get("credits", [])
    return NewVersion(
        total=total,
        lines=[*bill.lines, *stored_lines([line])],
        basis={**bill.basis, "credits": [*credits_before, credit]},
        priced_until=bill.priced_until,
    )


def _payload(refund: Refund) -> dict[str, Any]:
    return {
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "refund_id": str(refund.id),
        # Whoever paid gets it back, whoever holds the plate now.
        "driver_id": None if refund.driver_id is None else str(refund.driver_id),
    }


def _tell_pass(unit: UnitOfWork, refund: Refund, pass_id: UUID) -> None:
    outbox.append(
        unit,
        Event(
            id=new_id(unit.now()),
            type=EventType.PASS_REFUNDED,
            owner_id=refund.operator_id,
            subject_id=pass_id,
            occurred_at=unit.now(),
            payload=_payload(refund),
        ),
    )

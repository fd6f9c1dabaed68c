"""What happens to passes by itself: notices, renewals, retries, lapses.

Any number of workers may do it at once. A worker that dies in the middle leaves a pass from which
the next one goes on: its bill is stored before its provider hears of it, and asked about by its
number until the outcome is certain.
"""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Final
from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.passes import pass_billing, pass_coverage, pass_purchase
from parking.flows.payments import charging, pass_settlement, refunds
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.passes import lifecycle, products, repository, rules
from parking.passes.models import AssignedRight, PassState, RightSpecification
from parking.passes.rules import OPENING_STATES, StepKind
from parking.payments import repository as payment_rows
from parking.payments.models import Bill, BillState

LEASE: Final = lifecycle.LOOK_AGAIN_AFTER
SWEEP_AT_ONCE_MAX: Final = 5
# Well within the time that the periodic work has for one call, also with a slow provider.
SWEEP_S_MAX: Final = 20.0
NOT_RENEWED: Final = "renewal is off"
PRODUCT_ENDED: Final = "the product has ended"
NOT_PAID: Final = "the renewal was not paid"
PAID_TOO_LATE: Final = "the pass had ended before the payment was known"
BY: Final = "passes"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def sweep(context: ParkingContext) -> int:
    """Do the next step of every pass whose time has come; returns how many were looked at.

    On the first of a month all calendar months end at once: as long as there are more, and
    SWEEP_S_MAX is not over, the next ones follow without a pause.
    """
    started, looked_at = perf_counter(), 0
    while True:
        async with context.database.begin() as unit:
            due = await repository.take_due(unit, LEASE)
        await _advance_all(context, due)
        looked_at += len(due)
        is_all = len(due) < repository.DUE_PASSES_MAX
        if is_all or perf_counter() - started > SWEEP_S_MAX:
            return looked_at


async def _advance_all(context: ParkingContext, due: Sequence[tuple[UUID, UUID]]) -> None:
    for start in range(0, len(due), SWEEP_AT_ONCE_MAX):
        batch = due[start : start + SWEEP_AT_ONCE_MAX]
        answers = await asyncio.gather(
            *(advance(context, *right) for right in batch), return_exceptions=True
        )
        for (_, right_id), answer in zip(batch, answers, strict=True):
            # One pass that needs staff must not keep the others waiting.
            if isinstance(answer, Exception):
                _log.warning("pass.step_failed", right=str(right_id), error=repr(answer))


async def advance(context: ParkingContext, operator_id: UUID, right_id: UUID) -> None:
    """Do what the pass comes to now; nothing where its time has not come."""
    async with context.database.begin() as unit:
        right = await repository.lock_right(unit, operator_id, right_id)
        if right is None:
            return
        is_stale, tries = right.stays_stale, right.tries
        product = await products.require(unit, operator_id, right.specification_id)
        step = rules.next_step(right, product)
        is_due = step is not None and step.due_at <= unit.now()
        bill_id, refund_id = None, None
        if step is None:
            refund_id = await _return_late_payment(unit, right)
        if step is None or not is_due:
            lifecycle.schedule(unit, right, product)
        elif step.kind != StepKind.GIVE_UP:
            bill_id = await _step(unit, right, product, step.kind)
    if refund_id is not None:
        await refunds.send_all(context, operator_id, [refund_id])
    if is_stale:
        await pass_coverage.refresh(context, operator_id, right_id)
    if is_due and step is not None and step.kind == StepKind.GIVE_UP:
        await pass_purchase.conclude(context, operator_id, right_id)
    if bill_id is not None:
        await charging.charge_bill(context, operator_id, bill_id)
        await _conclude(context, operator_id, right_id, bill_id, tries)


async def _step(
    unit: UnitOfWork, right: AssignedRight, product: RightSpecification, kind: StepKind
) -> UUID | None:
    """Do one step of a locked pass; returns the bill to charge after the commit, if any."""
    if kind == StepKind.NOTICE and unit.now() < right.paid_until:
        lifecycle.announce(unit, right, product)
        return None
    if kind == StepKind.END:
        reason = PRODUCT_ENDED if right.renews else NOT_RENEWED
        await _end(unit, right, product, PassState.ENDED, reason)
        return None
    if kind == StepKind.LAPSE or rules.is_too_late(right, product, unit.now()):
        await _end(unit, right, product, PassState.LAPSED, NOT_PAID)
        return None
    lifecycle.look_again(unit, right)
    bill = await _renewal_bill(unit, right, product)
    if bill.state != BillState.PAID:
        return bill.id
    await pass_settlement.paid(unit, right, product, bill)
    return None


async def _return_late_payment(unit: UnitOfWork, right: AssignedRight) -> UUID | None:
    """Give back what was taken for a period after the pass's end; returns the refund, if any."""
    if right.bill_id is None:
        return None
    bill = await payment_rows.find_bill(unit, right.operator_id, right.bill_id)
    if bill is None or bill.state != BillState.PAID or not bill.total_minor:
        return None
    if pass_billing.period_of(bill) <= right.periods:
        return None
    refund = await refunds.request_refund(
        unit,
        bill,
        Money(bill.total_minor, bill.currency),
        cause=f"pass:{right.id}:late",
        reason=PAID_TOO_LATE,
        by=BY,
    )
    return refund.id


async def _renewal_bill(
    unit: UnitOfWork, right: AssignedRight, product: RightSpecification
) -> Bill:
    standing = await pass_billing.standing(unit, right)
    if standing is not None:
        return standing
    return await pass_billing.issue(unit, right, product, price_minor=rules.next_price(right))


async def _end(
    unit: UnitOfWork,
    right: AssignedRight,
    product: RightSpecification,
    state: PassState,
    reason: str,
) -> None:
    if not await pass_billing.give_up(unit, right):
        # The money may still come: then the pass goes on as if it had come in time.
        lifecycle.look_again(unit, right)
        return
    ended_at = rules.valid_until(right, product) or right.paid_until
    await lifecycle.end(unit, right, product, state, at=ended_at, reason=reason)


async def _conclude(
    context: ParkingContext, operator_id: UUID, right_id: UUID, bill_id: UUID, tries: int
) -> None:
    """Count a try that was refused, unless it was paid, is under way, or was counted before."""
    async with context.database.begin() as unit:
        right = await repository.lock_right(unit, operator_id, right_id)
        if right is None or right.state not in OPENING_STATES or right.tries != tries:
            return
        bill = await pass_billing.standing(unit, right)
        if bill is None or bill.id != bill_id:
            return
        product = await products.require(unit, operator_id, right.specification_id)
        if bill.live_attempt_id is not None:
            lifecycle.look_again(unit, right)
        else:
            lifecycle.refuse_renewal(unit, right, product, amount_minor=bill.total_minor)

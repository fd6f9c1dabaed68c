"""What a settled payment means for the pass that it was for."""

from uuid import UUID

import structlog

from parking.events.types import EventType
from parking.flows.payments import deductions
from parking.kit.database import UnitOfWork
from parking.passes import events, lifecycle, repository
from parking.passes.models import AssignedRight, PassState, RightSpecification
from parking.passes.rules import HELD_STATES, OPENING_STATES
from parking.payments import service as payments
from parking.payments.models import AttemptState, Bill, PaymentAttempt

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def lock(unit: UnitOfWork, operator_id: UUID, pass_id: UUID) -> None:
    """Lock the pass before its bill, as a stay is locked before its bills."""
    await repository.lock_right(unit, operator_id, pass_id)


async def settled(unit: UnitOfWork, bill: Bill, attempt: PaymentAttempt) -> None:
    """Follow an attempt whose state changed; both rows and their pass are locked."""
    if bill.pass_id is None:
        return
    right = await repository.find_right(unit, bill.operator_id, bill.pass_id)
    if right is None:
        return
    product = await repository.find_product(unit, right.operator_id, right.specification_id)
    if product is None:
        return
    if attempt.state == AttemptState.SUCCEEDED:
        await paid(unit, right, product, bill, attempt)
    elif attempt.state == AttemptState.FAILED and right.state in HELD_STATES:
        # Whoever charges tries the next mandate at once; this is for when nobody does any more.
        lifecycle.look_again(unit, right)
    elif attempt.state == AttemptState.FAILED:
        await payments.void_bill(unit, bill)


async def paid(
    unit: UnitOfWork,
    right: AssignedRight,
    product: RightSpecification,
    bill: Bill,
    attempt: PaymentAttempt | None = None,
) -> None:
    """Give a locked pass the period that its bill paid for; money for none goes back.

    Args:
        unit: The transaction.
        right: The pass.
        product: What it is a pass of.
        bill: Of a period of it, paid.
        attempt: What took the money, so that the driver is told of it; None where nothing was due.
    """
    deduction = None if attempt is None else deductions.told_of(unit, attempt)
    if right.bill_id == bill.id and right.state == PassState.PENDING:
        lifecycle.activate(unit, right, product, bill.total_minor, deduction)
    elif right.bill_id == bill.id and right.state in OPENING_STATES:
        lifecycle.renew(unit, right, product, bill.total_minor, deduction)
    else:
        if deduction is not None:
            events.tell(unit, right, product, EventType.PASS_CHARGED, deduction)
        # The pass ended before the payment was known: the periodic work gives the money back.
        _log.warning("pass.paid_too_late", right=str(right.id), bill=str(bill.id))
        lifecycle.look_again(unit, right)

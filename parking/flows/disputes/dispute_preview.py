"""What a decision would cost, by making the correction and taking it back before it counts."""

from dataclasses import dataclass
from uuid import UUID

from parking.disputes import repository
from parking.disputes.errors import DisputeDecidedError, DisputeUnknownError
from parking.disputes.models import Dispute, DisputeState
from parking.flows.context import ParkingContext
from parking.flows.disputes.dispute_decision import (
    REFUND_REASON,
    REJECT,
    Remedy,
    correction_of,
    decision_of,
)
from parking.flows.payments.correction import CorrectionOutcome, correct_in
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.payments import repository as payments


@dataclass(frozen=True, slots=True)
class Preview:
    """What the stay's bills say in sum, what they would say, and what would go back."""

    before: Money
    after: Money
    refund: Money


async def preview(
    context: ParkingContext,
    operator_id: UUID,
    dispute_id: UUID,
    *,
    kind: str,
    remedy: Remedy | None,
) -> Preview:
    """Return what a decision would cost; nothing is written, sent or told.

    The very code that corrects does it, and is rolled back: what it says is what the decision
    does.

    Raises:
        DisputeUnknownError: the operator has no such dispute.
        DisputeDecidedError: it is decided.
        PaymentInProgressError: a payment is under way; its outcome comes first.
        InvalidInputError: the correction contradicts what is recorded.
    """
    async with context.database.begin() as unit:
        savepoint = await unit.session.begin_nested()
        try:
            return await _try_out(unit, operator_id, dispute_id, kind, remedy)
        finally:
            await savepoint.rollback()
            # The events went with the rows.
            unit.has_events = False


async def _try_out(
    unit: UnitOfWork, operator_id: UUID, dispute_id: UUID, kind: str, remedy: Remedy | None
) -> Preview:
    dispute = await repository.find_dispute(unit, operator_id, dispute_id)
    if dispute is None:
        raise DisputeUnknownError
    if dispute.state != DisputeState.OPEN or dispute.decision is not None:
        raise DisputeDecidedError
    if kind == REJECT:
        return await _unchanged(unit, dispute)
    outcome = await correct_in(
        unit,
        operator_id,
        dispute.session_id,
        correction_of(dispute, decision_of(kind, remedy)),
        correction_id=f"preview:{dispute.id}",
        by="preview",
        reason=REFUND_REASON,
    )
    return _preview(outcome, dispute.currency)


async def _unchanged(unit: UnitOfWork, dispute: Dispute) -> Preview:
    zero = Money.zero(dispute.currency)
    bills = await payments.find_bills(unit, dispute.operator_id, dispute.session_id)
    total = sum((Money(bill.total_minor, bill.currency) for bill in bills), zero)
    return Preview(total, total, zero)


def _preview(outcome: CorrectionOutcome, currency: str) -> Preview:
    amounts = (Money(refund.amount_minor, refund.currency) for refund in outcome.refunds)
    return Preview(outcome.before, outcome.after, sum(amounts, Money.zero(currency)))

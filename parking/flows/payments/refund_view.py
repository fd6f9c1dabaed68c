"""Refunds as drivers and staff see them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.money import Money
from parking.payments import repository
from parking.payments.models import Refund, RefundState
from parking.payments.refunds import RETRY_CAUSE


@dataclass(frozen=True, slots=True)
class RefundView:
    """Money on its way back.

    Attributes:
        bill_id: The version of the bill that says the lower price.
        reason: What the payer reads.
        requested_by: Who asked for it; for staff only.
    """

    operator_id: UUID
    id: UUID
    bill_id: UUID
    amount: Money
    state: RefundState
    reason: str
    provider: str
    failure_code: str | None
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None


def view_of(refund: Refund) -> RefundView:
    """Return what is shown of a refund."""
    return RefundView(
        operator_id=refund.operator_id,
        id=refund.id,
        bill_id=refund.bill_id,
        amount=Money(refund.amount_minor, refund.currency),
        state=RefundState(refund.state),
        reason=refund.reason,
        provider=refund.provider,
        failure_code=refund.failure_code,
        requested_by=refund.requested_by,
        requested_at=refund.requested_at,
        finished_at=refund.finished_at,
    )


def views_for(driver_id: UUID, refunds: Sequence[Refund]) -> tuple[RefundView, ...]:
    """Return the refunds that are a driver's own, without failed ones that were sent again."""
    retried = {
        refund.cause.removeprefix(RETRY_CAUSE)
        for refund in refunds
        if refund.cause.startswith(RETRY_CAUSE)
    }
    return tuple(
        view_of(refund)
        for refund in refunds
        if refund.driver_id == driver_id and str(refund.id) not in retried
    )


async def page_of_operator(
    context: ParkingContext,
    operator_id: UUID,
    *,
    states: Sequence[RefundState],
    first: int,
    before: UUID | None,
    places: Collection[UUID] | None = None,
) -> list[RefundView]:
    """Return an operator's refunds in these states, those of the newest payments first.

    With `places`, those of bills of these places only.
    """
    async with context.database.begin() as unit:
        rows = await repository.page_refunds(
            unit, operator_id, states, first=first, before=before, places=places
        )
    return [view_of(row) for row in rows]

"""Money that goes back."""

from datetime import datetime
from enum import Enum

import strawberry

from api.global_ids import encode_id
from api.types.money import Money
from parking.flows.payments.refund_view import RefundView
from parking.payments.models import RefundState

REFUND_KIND = "Refund"


@strawberry.enum(
    description="IN_PROGRESS: on its way. SUCCEEDED: given back; how fast the account shows it is "
    "the bank's matter. FAILED: the operator's staff see to it. More values may come."
)
class RefundProgress(Enum):
    """Where a refund stands, for its driver."""

    IN_PROGRESS = "in_progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_PROGRESS = {
    RefundState.SUCCEEDED: RefundProgress.SUCCEEDED,
    RefundState.FAILED: RefundProgress.FAILED,
}


@strawberry.type(description="Money that goes back to how it was paid.")
class Refund:
    """Money that goes back."""

    id: strawberry.ID
    bill_id: strawberry.ID = strawberry.field(
        description="The version of the bill that says the lower price."
    )
    amount: Money
    state: RefundProgress
    reason: str
    requested_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, view: RefundView) -> "Refund":
        """Return the refund for its driver."""
        return cls(
            id=encode_id(REFUND_KIND, view.operator_id, view.id),
            bill_id=encode_id("Bill", view.operator_id, view.bill_id),
            amount=Money.of(view.amount),
            state=_PROGRESS.get(view.state, RefundProgress.IN_PROGRESS),
            reason=view.reason,
            requested_at=view.requested_at,
            finished_at=view.finished_at,
        )

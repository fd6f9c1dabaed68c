"""Disputes as their driver sees them."""

from datetime import datetime

import strawberry

from api.global_ids import BILL_KIND, Node, encode_id
from api.types.money import Money
from api.types.page import PageInfo
from parking.disputes import models
from parking.flows.disputes.dispute_view import DisputeView

DISPUTE_KIND = "Dispute"

strawberry.enum(
    models.DisputeState,
    name="DisputeState",
    description="Where a dispute stands: OPEN until it is decided; AUTO_REFUNDED at once, because "
    "the pictures do not prove whose car it was; ACCEPTED or REJECTED by a person; WITHDRAWN by "
    "its driver. More values may come: show an unknown one by its `words`.",
)
strawberry.enum(
    models.DisputeReason,
    name="DisputeReason",
    description="What is wrong with a bill. WRONG_VEHICLE: not my car.",
)


@strawberry.type(description="A driver's objection to a bill, or to one line of it.")
class Dispute(Node):
    """A driver's objection."""

    bill_id: strawberry.ID
    session_id: strawberry.ID
    place_name: str | None
    line_index: int | None = strawberry.field(
        description="The contested line, from 0; null for the whole bill."
    )
    reason: models.DisputeReason
    comment: str
    state: models.DisputeState
    is_being_decided: bool = strawberry.field(
        description="Decided, but a payment under way must end first."
    )
    words: str | None = strawberry.field(description="Why it was decided so; null before.")
    refunded: Money | None = strawberry.field(
        description="What goes back to how it was paid; null before the decision."
    )
    opened_by_system: bool = strawberry.field(
        description="True where the operator found the mistake itself."
    )
    opened_at: datetime
    decided_at: datetime | None

    @classmethod
    def of(cls, view: DisputeView) -> "Dispute":
        """Return the dispute for its driver."""
        row = view.row
        return cls(
            id=encode_id(DISPUTE_KIND, row.id),
            bill_id=encode_id(BILL_KIND, row.operator_id, row.bill_id),
            session_id=encode_id("Session", row.session_id),
            place_name=view.place_name,
            line_index=row.line_index,
            reason=row.reason,
            comment=view.comment,
            state=models.DisputeState(row.state),
            is_being_decided=view.is_being_decided,
            words=view.words,
            refunded=None if view.refunded is None else Money.of(view.refunded),
            opened_by_system=row.opened_by == models.Opener.SYSTEM,
            opened_at=row.opened_at,
            decided_at=row.decided_at,
        )


@strawberry.type(description="A dispute in a list, with its place in it.")
class DisputeEdge:
    """A dispute in a list."""

    cursor: str = strawberry.field(description="Give it as `after` to go on behind this one.")
    node: Dispute


@strawberry.type(description="A page of the driver's disputes, newest first.")
class DisputeConnection:
    """A page of disputes."""

    edges: list[DisputeEdge]
    page_info: PageInfo

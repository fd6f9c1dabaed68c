"""What a driver owes, and the credit that they use."""

from datetime import datetime

import strawberry

from api.global_ids import BILL_KIND, encode_id
from api.types.money import Money
from api.types.place import Place
from parking.flows.payments.credit_terms import DriverCredit
from parking.flows.payments.owed_view import OwedView


@strawberry.type(description="A bill whose car left unpaid. Pay it with `payOwed`.")
class OwedAmount:
    """A bill whose car left unpaid."""

    bill_id: strawberry.ID
    session_id: strawberry.ID
    operator_name: str
    place: Place | None
    amount: Money
    owed_at: datetime
    next_try_at: datetime | None = strawberry.field(
        description="When it is charged by itself; null for never, or while a charge is under way."
    )
    is_being_paid: bool = strawberry.field(description="Whether a payment of it is under way.")

    @classmethod
    def of(cls, view: OwedView) -> "OwedAmount":
        """Return the amount for its driver."""
        return cls(
            bill_id=encode_id(BILL_KIND, view.operator_id, view.bill_id),
            session_id=encode_id("Session", view.session_id),
            operator_name=view.operator_name,
            place=None if view.place is None else Place.of(view.place),
            amount=Money.of(view.amount),
            owed_at=view.owed_at,
            next_try_at=view.next_try_at,
            is_being_paid=view.is_being_paid,
        )


@strawberry.type(description="What you may pay after departure at one operator's places.")
class Credit:
    """A driver's credit at one operator."""

    operator_name: str
    used: Money
    limit: Money = strawberry.field(description="As it was when you last used it; it may grow.")
    is_frozen: bool = strawberry.field(
        description="No more of it is given. What you owe for too long keeps it shut as well."
    )

    @classmethod
    def of(cls, view: DriverCredit) -> "Credit":
        """Return the credit for its driver."""
        return cls(
            operator_name=view.operator_name,
            used=Money.of(view.used),
            limit=Money.of(view.limit),
            is_frozen=view.is_frozen,
        )

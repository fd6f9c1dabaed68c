"""What payers' banks took back, for staff."""

from datetime import datetime

import strawberry

from api.config import PAGE_SIZE
from api.global_ids import BILL_KIND, decode_id, encode_id
from api.request import Info
from api.types.money import Money
from api.types.page import PageInfo, require_page_size
from parking.flows.payments import chargeback_view
from parking.flows.payments.chargeback_view import ChargebackView
from parking.payments.chargeback_models import ChargebackStatus

_KIND = "Chargeback"
_CURSOR = "ChargebackCursor"

strawberry.enum(
    ChargebackStatus,
    name="StaffChargebackStatus",
    description="OPENED: the money is gone; answer it in the provider's own pages before its "
    "deadline. LOST: it stays gone. WON: it is back.",
)


@strawberry.type(description="What a payer's bank took back out of one payment.")
class StaffChargeback:
    """What a payer's bank took back."""

    id: strawberry.ID
    bill_id: strawberry.ID = strawberry.field(description="The version that the payment was for.")
    owed_bill_id: strawberry.ID | None = strawberry.field(
        description="The version that the driver owes again; null where it was only a part of the "
        "bill, which is the operator's loss."
    )
    amount: Money
    status: ChargebackStatus
    reason: str = strawberry.field(description="The provider's word for why.")
    provider: str
    reference: str = strawberry.field(description="The provider's id of it.")
    opened_at: datetime = strawberry.field(description="When we heard of it first.")
    decided_at: datetime | None

    @classmethod
    def of(cls, view: ChargebackView) -> "StaffChargeback":
        """Return the chargeback for staff; it does not say whose it is."""
        owed = view.owed_bill_id
        return cls(
            id=encode_id(_KIND, view.operator_id, view.id),
            bill_id=encode_id(BILL_KIND, view.operator_id, view.bill_id),
            owed_bill_id=None if owed is None else encode_id(BILL_KIND, view.operator_id, owed),
            amount=Money.of(view.amount),
            status=view.status,
            reason=view.reason,
            provider=view.provider,
            reference=view.reference,
            opened_at=view.opened_at,
            decided_at=view.decided_at,
        )


@strawberry.type(description="A page of chargebacks, those of the newest payments first.")
class StaffChargebackPage:
    """A page of chargebacks."""

    nodes: list[StaffChargeback]
    page_info: PageInfo


@strawberry.type
class ChargebackQueries:
    """The reads about money that banks took back."""

    @strawberry.field(
        description="What payers' banks took back from your operator, in a state; without one, "
        "what is to be answered."
    )
    async def chargebacks(
        self,
        info: Info,
        status: ChargebackStatus = ChargebackStatus.OPENED,
        first: int = PAGE_SIZE,
        after: str | None = None,
    ) -> StaffChargebackPage:
        """Return a page of chargebacks."""
        staff = info.context.staff()
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=_CURSOR, field="after")
        views = await chargeback_view.page_of_operator(
            info.context.parking,
            staff.operator_id,
            statuses=[status],
            # One more than asked for tells whether there is a next page.
            first=first + 1,
            before=before,
            places=staff.places,
        )
        shown = views[:first]
        return StaffChargebackPage(
            nodes=[StaffChargeback.of(view) for view in shown],
            page_info=PageInfo.of(
                [encode_id(_CURSOR, view.id) for view in shown],
                has_more=len(views) > first,
                after=after,
            ),
        )

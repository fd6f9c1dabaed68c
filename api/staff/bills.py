"""What staff see of issued bills: their own operator's only."""

from typing import Annotated

import strawberry

from api.global_ids import BILL_KIND, decode_id, decode_keys
from api.request import Info
from api.types.issued_bill import BillReceipt, BillVerification, IssuedBillFacts
from parking.flows.proof import bill_view

BillId = Annotated[strawberry.ID, strawberry.argument(description="Of your operator.")]


@strawberry.type(description="A bill that was issued by your operator.")
class StaffBill(IssuedBillFacts):
    """An operator's bill."""

    @strawberry.field(description="Null while it is not paid. The plate is masked.")
    async def receipt(self, info: Info) -> BillReceipt | None:
        """Return the signed receipt."""
        if self.paid_at is None:
            return None
        info.context.count_receipt()
        issued = await bill_view.receipt_of_operator(
            info.context.parking, info.context.staff().operator_id, self.key
        )
        return None if issued is None else BillReceipt.of(issued)


@strawberry.type
class BillQueries:
    """The reads about bills."""

    @strawberry.field(description="One of your operator's bills; null for another's, as for none.")
    async def bill(self, info: Info, id: BillId) -> StaffBill | None:  # noqa: A002 - Relay's name
        """Return a bill."""
        staff = info.context.staff()
        operator_id, bill_id = decode_keys(id, kind=BILL_KIND, count=2, field="id")
        if operator_id != staff.operator_id:
            return None
        view = await bill_view.find_of_operator(info.context.parking, operator_id, bill_id)
        return None if view is None else StaffBill.of(view)

    @strawberry.field(
        description="The bills of one of your operator's stays, newest first, corrected ones too; "
        "empty for another's, as for none."
    )
    async def bills(self, info: Info, session_id: strawberry.ID) -> list[StaffBill]:
        """Return the bills of a stay."""
        staff = info.context.staff()
        key = decode_id(session_id, kind="Session", field="sessionId")
        views = await bill_view.list_of_stay(info.context.parking, staff.operator_id, key)
        return [StaffBill.of(view) for view in views]

    @strawberry.field(
        description="Recompute one of your operator's bills and compare it with what is stored; "
        "null for another's, as for none."
    )
    async def verify_bill(self, info: Info, bill_id: BillId) -> BillVerification | None:
        """Check a bill."""
        staff = info.context.staff()
        keys = decode_keys(bill_id, kind=BILL_KIND, count=2, field="billId")
        if keys[0] != staff.operator_id:
            return None
        found = await bill_view.verify_of_operator(info.context.parking, keys[0], keys[1])
        return None if found is None else BillVerification.of(bill_id, found)

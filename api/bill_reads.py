"""The driver's reads of issued bills; all are scoped to one driver."""

from typing import Final
from uuid import UUID

import strawberry

from api.global_ids import BILL_KIND, decode_keys, encode_id
from api.request import Info, RequestContext
from api.types.issued_bill import BillVerification, IssuedBill, IssuedBillEdge
from api.types.page import PageInfo, require_page_size
from parking.flows.proof import bill_view

_CURSOR: Final = "BillCursor"


@strawberry.type(description="A page of the driver's bills, those of the newest stay first.")
class IssuedBillConnection:
    """A page of bills."""

    edges: list[IssuedBillEdge]
    page_info: PageInfo


async def page_of_bills(
    context: RequestContext, driver_id: UUID, *, first: int, after: str | None
) -> IssuedBillConnection:
    """Return one page of every bill.

    Raises:
        InvalidInputError: the page's size or the cursor is unusable.
    """
    require_page_size(first)
    cursor = None
    if after is not None:
        session_id, bill_id = decode_keys(after, kind=_CURSOR, count=2, field="after")
        cursor = session_id, bill_id
    # One more than asked for tells whether there is a next page.
    views = await bill_view.page_bills(context.parking, driver_id, first=first + 1, after=cursor)
    edges = [
        IssuedBillEdge(
            cursor=encode_id(_CURSOR, view.session_id or view.id, view.id),
            node=IssuedBill.of(view),
        )
        for view in views[:first]
    ]
    return IssuedBillConnection(
        edges=edges,
        page_info=PageInfo.of(
            [edge.cursor for edge in edges], has_more=len(views) > first, after=after
        ),
    )


async def find_bill(
    context: RequestContext, driver_id: UUID, operator_id: UUID, bill_id: UUID
) -> IssuedBill | None:
    """Return one of the driver's bills; None for anybody else's, as for none."""
    view = await bill_view.find_own(context.parking, driver_id, operator_id, bill_id)
    return None if view is None else IssuedBill.of(view)


@strawberry.type
class BillQueries:
    """The reads of this module."""

    @strawberry.field(
        description="Recompute one of your bills and compare it with what is stored, from the "
        "reads at the lanes to the ledger; null for anybody else's, as for none."
    )
    async def verify_bill(self, info: Info, bill_id: strawberry.ID) -> BillVerification | None:
        """Check one of the driver's bills."""
        driver_id = await info.context.driver_id()
        keys = decode_keys(bill_id, kind=BILL_KIND, count=2, field="billId")
        found = await bill_view.verify_own(info.context.parking, driver_id, keys[0], keys[1])
        return None if found is None else BillVerification.of(bill_id, found)

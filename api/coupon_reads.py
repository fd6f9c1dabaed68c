"""What a driver reads of coupons."""

from typing import Annotated, Final
from uuid import UUID

import strawberry

from api.config import PAGE_SIZE
from api.global_ids import Node, decode_id, encode_id
from api.request import Info, RequestContext
from api.types.coupon import CouponConnection, CouponEdge, CouponNode
from api.types.page import PageInfo, require_page_size
from parking.coupons.errors import CouponUnknownError
from parking.flows.coupons import choosing

_CURSOR: Final = "CouponCursor"
After = Annotated[str | None, strawberry.argument(description="The last cursor that you know.")]


@strawberry.type
class CouponFields:
    """The coupons that a driver has and had."""

    driver_id: strawberry.Private[UUID]

    @strawberry.field(description="Your coupons, used ones too, a page at a time.")
    async def coupons(
        self, info: Info, first: int = PAGE_SIZE, after: After = None
    ) -> CouponConnection:
        """Return a page of coupons."""
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=_CURSOR, field="after")
        views = await choosing.page_of_coupons(
            info.context.parking, self.driver_id, first=first + 1, before=before
        )
        edges = [
            CouponEdge(cursor=encode_id(_CURSOR, view.row.id), node=CouponNode.of(view))
            for view in views[:first]
        ]
        cursors = [edge.cursor for edge in edges]
        page = PageInfo.of(cursors, has_more=len(views) > first, after=after)
        return CouponConnection(edges=edges, page_info=page)


async def find_coupon(
    context: RequestContext, driver_id: UUID, operator_id: UUID, key: UUID
) -> Node | None:
    """Return a coupon of the driver's, for `node`."""
    try:
        return CouponNode.of(
            await choosing.find_coupon(context.parking, driver_id, operator_id, key)
        )
    except CouponUnknownError:
        return None

"""What a driver reads of offers and reservations."""

from typing import Annotated, Final
from uuid import UUID

import strawberry

from api.config import PAGE_SIZE
from api.global_ids import Node, decode_id, decode_keys, encode_id
from api.request import Info, RequestContext
from api.types.page import PageInfo, require_page_size
from api.types.reservation import (
    ReservablePool,
    ReservationConnection,
    ReservationEdge,
    ReservationNode,
    SpaceOfferConnection,
    SpaceOfferEdge,
    SpaceOfferNode,
)
from parking.flows.offers import offer_view, pools

_OFFER_CURSOR: Final = "SpaceOfferCursor"
_RESERVATION_CURSOR: Final = "ReservationCursor"
After = Annotated[str | None, strawberry.argument(description="The last cursor that you know.")]


@strawberry.type
class ReservationFields:
    """What a driver was offered, and has reserved."""

    driver_id: strawberry.Private[UUID]

    @strawberry.field(description="Spaces that you were offered, newest first, a page at a time.")
    async def offers(
        self, info: Info, first: int = PAGE_SIZE, after: After = None
    ) -> SpaceOfferConnection:
        """Return a page of offers."""
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=_OFFER_CURSOR, field="after")
        views = await offer_view.page_of_offers(
            info.context.parking, self.driver_id, first=first + 1, before=before
        )
        edges = [
            SpaceOfferEdge(
                cursor=encode_id(_OFFER_CURSOR, view.row.id), node=SpaceOfferNode.of(view)
            )
            for view in views[:first]
        ]
        cursors = [edge.cursor for edge in edges]
        page = PageInfo.of(cursors, has_more=len(views) > first, after=after)
        return SpaceOfferConnection(edges=edges, page_info=page)

    @strawberry.field(description="Spaces that you reserved, newest first, a page at a time.")
    async def reservations(
        self, info: Info, first: int = PAGE_SIZE, after: After = None
    ) -> ReservationConnection:
        """Return a page of reservations."""
        require_page_size(first)
        kind = _RESERVATION_CURSOR
        before = None if after is None else decode_id(after, kind=kind, field="after")
        views = await offer_view.page_of_reservations(
            info.context.parking, self.driver_id, first=first + 1, before=before
        )
        edges = [
            ReservationEdge(cursor=encode_id(kind, view.row.id), node=ReservationNode.of(view))
            for view in views[:first]
        ]
        cursors = [edge.cursor for edge in edges]
        page = PageInfo.of(cursors, has_more=len(views) > first, after=after)
        return ReservationConnection(edges=edges, page_info=page)


@strawberry.type
class ReservationQueries:
    """What may be reserved."""

    @strawberry.field(description="Spaces of a place that you may reserve.")
    async def reservable_pools(self, info: Info, place_id: strawberry.ID) -> list[ReservablePool]:
        """Return the pools of a place that are on sale."""
        await info.context.driver_id()
        operator_id, key = decode_keys(place_id, kind="Place", count=2, field="placeId")
        found = await pools.list_on_sale(info.context.parking, operator_id, key)
        return [ReservablePool.of(row, area_name) for row, area_name in found]


async def find_offer(
    context: RequestContext, driver_id: UUID, operator_id: UUID, key: UUID
) -> Node | None:
    """Return an offer of the driver's, for `node`."""
    view = await offer_view.find_offer(context.parking, driver_id, operator_id, key)
    return None if view is None else SpaceOfferNode.of(view)


async def find_reservation(
    context: RequestContext, driver_id: UUID, operator_id: UUID, key: UUID
) -> Node | None:
    """Return a reservation of the driver's, for `node`."""
    view = await offer_view.find_reservation(context.parking, driver_id, operator_id, key)
    return None if view is None else ReservationNode.of(view)

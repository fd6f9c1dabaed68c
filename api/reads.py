"""Every read of the driver's schema, in one place; all are scoped to one driver."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from api import bill_reads, coupon_reads, reservation_reads
from api.global_ids import BILL_KIND, Node, decode_id, decode_keys, encode_id, read_id
from api.notification_reads import find_notification
from api.request import RequestContext
from api.types.availability import AreaAvailability
from api.types.coupon import COUPON_KIND
from api.types.dispute import DISPUTE_KIND, Dispute, DisputeConnection, DisputeEdge
from api.types.invoice import INVOICE_KIND, Invoice
from api.types.mandate import Mandate
from api.types.notification import NOTIFICATION_KIND
from api.types.page import PageInfo, require_page_size
from api.types.passes import PRODUCT_ID, RIGHT_ID, Pass, PassProduct
from api.types.place import Place
from api.types.plate import Plate, PlateClaim
from api.types.reservation import OFFER_KIND, RESERVATION_KIND
from api.types.session import Session, SessionConnection, SessionEdge
from api.types.sign_in import DeviceInfo, SignInInfo
from parking.drivers import signed_in_devices
from parking.flows import driver_view, occupancy_desk, place_view
from parking.flows.disputes import dispute_view
from parking.flows.invoices import invoice_view
from parking.flows.passes import pass_products as pass_product_flows
from parking.flows.passes import pass_view
from parking.flows.payments import mandates as mandate_flows
from parking.plates import service as plate_service

_CURSOR = "SessionCursor"
_DISPUTE_CURSOR = "DisputeCursor"


async def plates(context: RequestContext, driver_id: UUID) -> list[Plate]:
    """Return the bound plates."""
    async with context.parking.database.begin() as unit:
        return [Plate.of(bound) for bound in await plate_service.list_plates(unit, driver_id)]


async def plate_claims(context: RequestContext, driver_id: UUID) -> list[PlateClaim]:
    """Return the open claims."""
    async with context.parking.database.begin() as unit:
        return [PlateClaim.of(claim) for claim in await plate_service.list_claims(unit, driver_id)]


async def sign_ins(context: RequestContext) -> list[SignInInfo]:
    """Return the sign-ins of the driver who asks."""
    identity = await context.driver()
    async with context.parking.database.begin() as unit:
        rows = await signed_in_devices.list_sign_ins(unit, identity.driver_id)
    return [SignInInfo.of(row, identity.sign_in_id) for row in rows]


async def devices(context: RequestContext, driver_id: UUID) -> list[DeviceInfo]:
    """Return the devices that take the driver's pushes."""
    async with context.parking.database.begin() as unit:
        rows = await signed_in_devices.list_devices(unit, driver_id)
    return [DeviceInfo.of(row) for row in rows]


async def mandates(context: RequestContext, driver_id: UUID) -> list[Mandate]:
    """Return the standing permissions."""
    views = await mandate_flows.list_mandates(context.parking, driver_id)
    return [Mandate.of(view) for view in views]


async def passes(context: RequestContext, driver_id: UUID) -> list[Pass]:
    """Return the passes that the driver bought."""
    views = await pass_view.list_of_driver(context.parking, driver_id)
    return [Pass.of(view) for view in views]


async def pass_products(context: RequestContext, place_id: str) -> list[PassProduct]:
    """Return what can be bought for a place: the same for every driver."""
    operator_id, key = decode_keys(place_id, kind="Place", count=2, field="placeId")
    rows = await pass_product_flows.list_on_sale(context.parking, operator_id, key)
    return [PassProduct.of(row) for row in rows]


async def availability(context: RequestContext, place_id: str) -> list[AreaAvailability]:
    """Return how much room a place has, area by area."""
    operator_id, place = decode_keys(place_id, kind="Place", count=2, field="placeId")
    views = await occupancy_desk.show(context.parking, operator_id, place, with_stays=False)
    return [AreaAvailability.of(view) for view in views]


async def active_sessions(context: RequestContext, driver_id: UUID) -> list[Session]:
    """Return the running stays."""
    views = await driver_view.active_sessions(context.parking, driver_id)
    return [Session.of(view) for view in views]


async def page_of_sessions(
    context: RequestContext, driver_id: UUID, *, first: int, after: str | None
) -> SessionConnection:
    """Return one page of every stay, newest first.

    Raises:
        InvalidInputError: the page's size or the cursor is unusable.
    """
    require_page_size(first)
    before = None if after is None else decode_id(after, kind=_CURSOR, field="after")
    # One more than asked for tells whether there is a next page.
    views = await driver_view.page_sessions(
        context.parking, driver_id, first=first + 1, before=before
    )
    edges = [
        SessionEdge(cursor=encode_id(_CURSOR, view.id), node=Session.of(view))
        for view in views[:first]
    ]
    return SessionConnection(
        edges=edges,
        page_info=PageInfo.of(
            [edge.cursor for edge in edges], has_more=len(views) > first, after=after
        ),
    )


async def page_of_disputes(
    context: RequestContext, driver_id: UUID, *, first: int, after: str | None
) -> DisputeConnection:
    """Return one page of the driver's disputes, newest first; raises as `page_of_sessions`."""
    require_page_size(first)
    before = None if after is None else decode_id(after, kind=_DISPUTE_CURSOR, field="after")
    views = await dispute_view.page_of_driver(
        context.parking, driver_id, first=first + 1, before=before
    )
    edges = [
        DisputeEdge(cursor=encode_id(_DISPUTE_CURSOR, view.row.id), node=Dispute.of(view))
        for view in views[:first]
    ]
    return DisputeConnection(
        edges=edges,
        page_info=PageInfo.of(
            [edge.cursor for edge in edges], has_more=len(views) > first, after=after
        ),
    )


async def node(context: RequestContext, driver_id: UUID, global_id: str) -> Node | None:
    """Return one of the driver's things; None for anybody else's, as for none."""
    try:
        kind, keys = read_id(global_id)
        find_at = _FINDERS_AT_OPERATOR.get(kind)
        if find_at is not None:
            operator_id, key = keys
            return await find_at(context, driver_id, operator_id, key)
        (key,) = keys
    except ValueError:
        return None
    find = _FINDERS.get(kind)
    return None if find is None else await find(context, driver_id, key)


def node_kinds() -> frozenset[str]:
    """Return the kinds of ids that `node` finds something for."""
    return frozenset({*_FINDERS, *_FINDERS_AT_OPERATOR})


async def _session(context: RequestContext, driver_id: UUID, key: UUID) -> Node | None:
    view = await driver_view.find_session(context.parking, driver_id, key)
    return None if view is None else Session.of(view)


async def _dispute(context: RequestContext, driver_id: UUID, key: UUID) -> Node | None:
    view = await dispute_view.find_of_driver(context.parking, driver_id, key)
    return None if view is None else Dispute.of(view)


async def _invoice(context: RequestContext, driver_id: UUID, key: UUID) -> Node | None:
    view = await invoice_view.find_of_driver(context.parking, driver_id, key)
    return None if view is None else Invoice.of(view)


async def _mandate(context: RequestContext, driver_id: UUID, key: UUID) -> Node | None:
    view = await mandate_flows.find_mandate(context.parking, driver_id, key)
    return None if view is None else Mandate.of(view)


async def _pass(context: RequestContext, driver_id: UUID, key: UUID) -> Node | None:
    view = await pass_view.find_of_driver(context.parking, driver_id, key)
    return None if view is None else Pass.of(view)


async def _plate(context: RequestContext, driver_id: UUID, key: UUID) -> Node | None:
    async with context.parking.database.begin() as unit:
        bound = await plate_service.find_plate(unit, driver_id, key)
    return None if bound is None else Plate.of(bound)


async def _plate_claim(context: RequestContext, driver_id: UUID, key: UUID) -> Node | None:
    claims = await plate_claims(context, driver_id)
    return next((claim for claim in claims if claim.id == encode_id("PlateClaim", key)), None)


async def _place(
    context: RequestContext, driver_id: UUID, operator_id: UUID, key: UUID
) -> Node | None:
    _ = driver_id
    view = await place_view.find_place(context.parking, operator_id, key)
    return None if view is None else Place.of(view)


async def _pass_product(
    context: RequestContext, driver_id: UUID, operator_id: UUID, key: UUID
) -> Node | None:
    row = await pass_product_flows.find_offered(context.parking, driver_id, operator_id, key)
    return None if row is None else PassProduct.of(row)


_FINDERS: Final[dict[str, Callable[[RequestContext, UUID, UUID], Awaitable[Node | None]]]] = {
    DISPUTE_KIND: _dispute,
    INVOICE_KIND: _invoice,
    "Mandate": _mandate,
    NOTIFICATION_KIND: find_notification,
    RIGHT_ID: _pass,
    "Plate": _plate,
    "PlateClaim": _plate_claim,
    "Session": _session,
}

# What is found by its operator and its own id.
_FINDERS_AT_OPERATOR: Final[
    dict[str, Callable[[RequestContext, UUID, UUID, UUID], Awaitable[Node | None]]]
] = {
    BILL_KIND: bill_reads.find_bill,
    COUPON_KIND: coupon_reads.find_coupon,
    "Place": _place,
    PRODUCT_ID: _pass_product,
    OFFER_KIND: reservation_reads.find_offer,
    RESERVATION_KIND: reservation_reads.find_reservation,
}

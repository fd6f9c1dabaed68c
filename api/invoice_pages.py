"""Lists of invoices, a page at a time: the driver's own and the operator's."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from api.global_ids import decode_id, encode_id
from api.request import RequestContext
from api.types.invoice import (
    Invoice,
    InvoiceableBill,
    InvoiceBuyer,
    InvoiceConnection,
    InvoiceEdge,
)
from api.types.page import PageInfo, require_page_size
from parking.flows.invoices import invoice_view
from parking.flows.invoices.invoice_view import InvoiceView
from parking.invoices import service

_CURSOR: Final = "InvoiceCursor"


async def page_of_driver(
    context: RequestContext, driver_id: UUID, *, first: int, after: str | None
) -> InvoiceConnection:
    """Return one page of a driver's documents.

    Raises:
        InvalidInputError: the page's size or the cursor is unusable.
    """
    before = _before(first, after)
    views = await invoice_view.page_of_driver(
        context.parking, driver_id, first=first + 1, before=before
    )
    return _page(views, first=first, after=after)


async def page_of_operator(
    context: RequestContext, operator_id: UUID, *, first: int, after: str | None
) -> InvoiceConnection:
    """Return one page of an operator's documents; raises as `page_of_driver`."""
    before = _before(first, after)
    views = await invoice_view.page_of_operator(
        context.parking, operator_id, first=first + 1, before=before
    )
    return _page(views, first=first, after=after)


async def invoiceable_bills(context: RequestContext, driver_id: UUID) -> list[InvoiceableBill]:
    """Return the driver's paid bills that stand on no invoice."""
    bills = await invoice_view.list_invoiceable(context.parking, driver_id)
    return [InvoiceableBill.of(bill) for bill in bills]


async def buyer(context: RequestContext, driver_id: UUID) -> InvoiceBuyer | None:
    """Return whom the driver's invoices are usually made out to."""
    async with context.parking.database.begin() as unit:
        saved = await service.find_buyer(unit, driver_id)
    return None if saved is None else InvoiceBuyer.of(saved)


def _before(first: int, after: str | None) -> UUID | None:
    require_page_size(first)
    return None if after is None else decode_id(after, kind=_CURSOR, field="after")


def _page(views: Sequence[InvoiceView], *, first: int, after: str | None) -> InvoiceConnection:
    edges = [
        InvoiceEdge(cursor=encode_id(_CURSOR, view.id), node=Invoice.of(view))
        for view in views[:first]
    ]
    return InvoiceConnection(
        edges=edges,
        page_info=PageInfo.of(
            [edge.cursor for edge in edges], has_more=len(views) > first, after=after
        ),
    )

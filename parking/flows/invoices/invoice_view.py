"""Invoices as drivers and staff see them; a list costs the same few statements however long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from parking.drivers import stays
from parking.flows.context import ParkingContext
from parking.flows.invoices.invoice_link import file_url
from parking.invoices import repository, service
from parking.invoices.models import FapiaoOrder, FapiaoState, Invoice, InvoiceKind
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.passes import repository as passes
from parking.payments import bill_history
from parking.payments import repository as payments
from parking.payments.models import Bill, BillState
from parking.places import repository as places

STAYS_LOOKED_AT_MAX: Final = 100


class InvoiceState(StrEnum):
    """Where a document stands; APPLIED and FAILED are only a fapiao's."""

    APPLIED = "applied"
    ISSUED = "issued"
    PARTLY_CREDITED = "partly_credited"
    CREDITED = "credited"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """One document.

    Attributes:
        number: Ours, or the tax office's; None before it has one.
        bill_ids: The first versions of the bills on it.
        left: What credit notes have not taken from it; nothing for a credit note.
        pdf_url: Works for a while without signing in; None before there is a document.
        xml_url: None for a fapiao.
    """

    operator_id: UUID
    id: UUID
    kind: InvoiceKind
    state: InvoiceState
    number: str | None
    corrects_id: UUID | None
    seller_name: str
    buyer_name: str
    issued_at: datetime
    net: Money
    vat: Money
    gross: Money
    left: Money
    bill_ids: tuple[UUID, ...]
    failure_code: str | None
    pdf_url: str | None
    xml_url: str | None


@dataclass(frozen=True, slots=True)
class InvoiceableBill:
    """A paid bill that stands on no invoice yet.

    Attributes:
        place_name: Empty for a pass's.
    """

    operator_id: UUID
    id: UUID
    session_id: UUID | None
    pass_id: UUID | None
    place_name: str
    total: Money
    paid_at: datetime


async def page_of_driver(
    context: ParkingContext, driver_id: UUID, *, first: int, before: UUID | None
) -> list[InvoiceView]:
    """Return up to `first` of a driver's documents, newest first, older than `before`."""
    async with context.database.begin() as unit:
        listed = await repository.list_of_driver(unit, driver_id, first=first, before=before)
        keys = [(one.operator_id, one.invoice_id) for one in listed]
        rows = await repository.find_invoices(unit, keys)
        return await _views(context, unit, [rows[key] for key in keys if key in rows])


async def page_of_operator(
    context: ParkingContext, operator_id: UUID, *, first: int, before: UUID | None
) -> list[InvoiceView]:
    """Return up to `first` of an operator's documents, newest first, older than `before`."""
    async with context.database.begin() as unit:
        rows = await repository.list_of_operator(unit, operator_id, first=first, before=before)
        return await _views(context, unit, rows)


async def find_of_driver(
    context: ParkingContext, driver_id: UUID, invoice_id: UUID
) -> InvoiceView | None:
    """Return one of the driver's documents; None for another driver's and for none."""
    async with context.database.begin() as unit:
        listed = await repository.find_of_driver(unit, driver_id, invoice_id)
        if listed is None:
            return None
        row = await repository.find_invoice(unit, listed.operator_id, invoice_id)
        views = await _views(context, unit, [] if row is None else [row])
    return views[0] if views else None


async def find_of_operator(
    context: ParkingContext, operator_id: UUID, invoice_id: UUID
) -> InvoiceView | None:
    """Return one of the operator's documents."""
    async with context.database.begin() as unit:
        row = await repository.find_invoice(unit, operator_id, invoice_id)
        views = await _views(context, unit, [] if row is None else [row])
    return views[0] if views else None


async def list_invoiceable(context: ParkingContext, driver_id: UUID) -> list[InvoiceableBill]:
    """Return the paid bills of a driver's newest stays and passes that stand on no invoice."""
    async with context.database.begin() as unit:
        found = await _bills_of(unit, driver_id)
        bills = [
            bill
            for bill in found
            if bill.state == BillState.PAID and bill.total_minor and bill.driver_id == driver_id
        ]
        free = await _free(unit, bills)
        grounds = await places.find_places(
            unit, {(bill.operator_id, bill.place_id) for bill in free if bill.place_id is not None}
        )
    return [
        InvoiceableBill(
            operator_id=bill.operator_id,
            id=bill.id,
            session_id=bill.session_id,
            pass_id=bill.pass_id,
            place_name=grounds[bill.operator_id, bill.place_id].name if bill.place_id else "",
            total=Money(bill.total_minor, bill.currency),
            paid_at=bill.paid_at or bill.issued_at,
        )
        for bill in free
    ]


async def _bills_of(unit: UnitOfWork, driver_id: UUID) -> list[Bill]:
    listed = await stays.list_page(unit, driver_id, first=STAYS_LOOKED_AT_MAX, after=None)
    keys = [(stay.operator_id, stay.session_id) for stay in listed]
    of_stays = await payments.find_bills_of(unit, keys) if keys else {}
    rights = await passes.list_rights_of_driver(unit, driver_id)
    held = [(right.operator_id, right.id) for right in rights]
    of_passes = await payments.find_bills_of_passes(unit, held) if held else ()
    return [*(bill for bills in of_stays.values() for bill in bills), *of_passes]


async def _free(unit: UnitOfWork, bills: Sequence[Bill]) -> list[Bill]:
    if not bills:
        return []
    roots = await bill_history.find_first_ids(unit, bills)
    held = await repository.find_held(unit, [(bill.operator_id, roots[bill.id]) for bill in bills])
    return [bill for bill in bills if roots[bill.id] not in held]


async def _views(
    context: ParkingContext, unit: UnitOfWork, rows: Sequence[Invoice]
) -> list[InvoiceView]:
    if not rows:
        return []
    operator_ids = {row.operator_id for row in rows}
    notes = await repository.find_credits(unit, operator_ids, {row.id for row in rows})
    credited: dict[UUID, int] = {}
    for note in notes:
        if note.corrects_id is not None:
            credited[note.corrects_id] = credited.get(note.corrects_id, 0) + note.gross_minor
    orders = await repository.find_orders(unit, [(row.operator_id, row.id) for row in rows])
    return [
        _view(context, unit, row, credited.get(row.id, 0), orders.get((row.operator_id, row.id)))
        for row in rows
    ]


def _view(
    context: ParkingContext,
    unit: UnitOfWork,
    row: Invoice,
    credited_minor: int,
    order: FapiaoOrder | None,
) -> InvoiceView:
    document = service.open_document(unit, row)
    left_minor = 0 if row.corrects_id is not None else row.gross_minor - credited_minor
    pdf_url = xml_url = None
    if row.xml_sha256 is not None:
        now = unit.now()
        pdf_url = file_url(context, row.operator_id, row.id, "pdf", now)
        xml_url = file_url(context, row.operator_id, row.id, "xml", now)
    elif order is not None:
        pdf_url = order.pdf_url
    return InvoiceView(
        operator_id=row.operator_id,
        id=row.id,
        kind=InvoiceKind(row.kind),
        state=_state(row, credited_minor, order),
        number=row.number if order is None else order.fapiao_number,
        corrects_id=row.corrects_id,
        seller_name=document.seller.legal_name,
        buyer_name=document.buyer.name,
        issued_at=row.issued_at,
        net=Money(row.net_minor, row.currency),
        vat=Money(row.vat_minor, row.currency),
        gross=Money(row.gross_minor, row.currency),
        left=Money(left_minor, row.currency),
        bill_ids=tuple(dict.fromkeys(UUID(item["bill_id"]) for item in row.items)),
        failure_code=None if order is None else order.failure_code,
        pdf_url=pdf_url,
        xml_url=xml_url,
    )


def _state(row: Invoice, credited_minor: int, order: FapiaoOrder | None) -> InvoiceState:
    if order is not None and order.state == FapiaoState.FAILED:
        return InvoiceState.FAILED
    if order is not None and order.state != FapiaoState.ISSUED:
        return InvoiceState.APPLIED
    if not credited_minor:
        return InvoiceState.ISSUED
    is_whole = credited_minor == row.gross_minor
    return InvoiceState.CREDITED if is_whole else InvoiceState.PARTLY_CREDITED

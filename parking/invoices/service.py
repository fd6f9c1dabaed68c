"""Use cases about invoices that are one transaction."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from parking.invoices import repository
from parking.invoices.cii import write_xml
from parking.invoices.document import DOCUMENT, Document, DocumentLine, Preceding, sum_taxes
from parking.invoices.errors import SellerMissingError
from parking.invoices.models import (
    BuyerProfile,
    DriverInvoice,
    FapiaoOrder,
    FapiaoState,
    Invoice,
    InvoicedBill,
    InvoiceKind,
    InvoiceSeller,
)
from parking.invoices.parties import BUYER, SELLER, Buyer, Seller, checked_buyer, checked_seller
from parking.invoices.rules import Taxed, format_number, local_year, tax_credit
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id

REQUESTED: Final = "requested"
CANCELLATION: Final = "cancellation"
# While the first call is under way the sweep leaves its order alone.
FIRST_QUERY_AFTER: Final = timedelta(seconds=15)
SEAL_CONTEXT: Final = "invoice"
_CREDIT_SERIES: Final = "C"


async def set_seller(unit: UnitOfWork, operator_id: UUID, given: Seller, by: str) -> Seller:
    """Store what an operator's invoices say about it from now on.

    Raises:
        InvalidInputError: a part of it cannot stand on an invoice.
    """
    seller = checked_seller(given)
    await repository.save_seller(
        unit,
        InvoiceSeller(
            operator_id=operator_id,
            seller=SELLER.dump_python(seller, mode="json"),
            updated_at=unit.now(),
            updated_by=by,
        ),
    )
    return seller


async def find_seller(unit: UnitOfWork, operator_id: UUID) -> Seller | None:
    """Return what an operator's invoices say about it."""
    row = await repository.find_seller(unit, operator_id)
    return None if row is None else SELLER.validate_python(row.seller)


async def require_seller(unit: UnitOfWork, operator_id: UUID) -> Seller:
    """Return what an operator's invoices say about it.

    Raises:
        SellerMissingError: its staff has not said it yet.
    """
    seller = await find_seller(unit, operator_id)
    if seller is None:
        raise SellerMissingError
    return seller


async def save_buyer(unit: UnitOfWork, driver_id: UUID, given: Buyer) -> Buyer:
    """Store whom a driver's invoices are usually made out to; raises as `checked_buyer`."""
    buyer = checked_buyer(given)
    sealed = unit.vault.seal(BUYER.dump_json(buyer).decode(), context=SEAL_CONTEXT)
    row = BuyerProfile(driver_id=driver_id, buyer_sealed=sealed, updated_at=unit.now())
    await repository.save_profile(unit, row)
    return buyer


async def find_buyer(unit: UnitOfWork, driver_id: UUID) -> Buyer | None:
    """Return whom a driver's invoices are usually made out to."""
    row = await repository.find_profile(unit, driver_id)
    if row is None:
        return None
    return BUYER.validate_json(unit.vault.open(row.buyer_sealed, context=SEAL_CONTEXT))


async def issue(
    unit: UnitOfWork,
    operator_id: UUID,
    driver_id: UUID,
    *,
    seller: Seller,
    buyer: Buyer,
    currency: str,
    lines: Sequence[DocumentLine],
) -> Invoice:
    """Issue an invoice, or apply for a fapiao where the seller's country has those.

    The bills must be locked, and on no other valid invoice.
    """
    kind = InvoiceKind.FAPIAO if seller.uses_fapiao else InvoiceKind.INVOICE
    document = Document(
        kind=kind,
        number="",
        issued_at=unit.now(),
        seller=seller,
        buyer=buyer,
        currency=currency,
        lines=tuple(lines),
        taxes=sum_taxes(tuple(lines)),
    )
    row = await _store(unit, operator_id, driver_id, document, cause=REQUESTED, corrects_id=None)
    unit.session.add_all(
        InvoicedBill(operator_id=operator_id, bill_id=line.bill_id, invoice_id=row.id)
        for line in lines
    )
    return row


async def credit(
    unit: UnitOfWork, invoice: Invoice, amounts: dict[UUID, int], *, cause: str, reason: str
) -> Invoice | None:
    """Issue a credit note, or a red fapiao; the invoice must be locked.

    The same cause credits once. None: nothing is left of these bills.

    Args:
        unit: The transaction.
        invoice: What is taken from.
        amounts: Gross, by the bill's first version; cut to what is left of each.
        cause: What asked for it.
        reason: What the buyer reads.
    """
    earlier = await repository.find_credits(unit, [invoice.operator_id], [invoice.id])
    for note in earlier:
        if note.cause == cause:
            return note
    original = open_document(unit, invoice)
    lines = _credit_lines(original, earlier, amounts)
    if not lines:
        return None
    is_ours = invoice.kind == InvoiceKind.INVOICE
    document = replace(
        original,
        kind=InvoiceKind.CREDIT_NOTE if is_ours else InvoiceKind.RED_FAPIAO,
        number="",
        issued_at=unit.now(),
        lines=lines,
        taxes=sum_taxes(lines),
        preceding=Preceding(original.number, original.issued_on) if is_ours else None,
        reason=reason,
    )
    return await _store(
        unit,
        invoice.operator_id,
        invoice.driver_id,
        document,
        cause=cause,
        corrects_id=invoice.id,
    )


def left_of(invoice: Invoice, credits_of_it: Sequence[Invoice]) -> dict[UUID, int]:
    """Return what is left of an invoice, gross, by the bill's first version."""
    left = {UUID(item["bill_id"]): int(item["gross_minor"]) for item in invoice.items}
    for note in credits_of_it:
        for item in note.items:
            left[UUID(item["bill_id"])] -= int(item["gross_minor"])
    return left


def open_document(unit: UnitOfWork, row: Invoice) -> Document:
    """Return everything that an invoice says."""
    return DOCUMENT.validate_json(unit.vault.open(row.document_sealed, context=SEAL_CONTEXT))


def open_xml(unit: UnitOfWork, row: Invoice) -> bytes | None:
    """Return an invoice's XML; None for a fapiao."""
    if row.xml_sealed is None:
        return None
    return unit.vault.open(row.xml_sealed, context=SEAL_CONTEXT).encode()


def _credit_lines(
    original: Document, earlier: Sequence[Invoice], amounts: dict[UUID, int]
) -> tuple[DocumentLine, ...]:
    left = {line.bill_id: line.taxed.gross_minor for line in original.lines}
    invoiced = {one.vat_basis_points: one.gross_minor for one in original.taxes}
    credited = dict.fromkeys(invoiced, 0)
    for note in earlier:
        for item in note.items:
            left[UUID(item["bill_id"])] -= int(item["gross_minor"])
            credited[int(item["vat_basis_points"])] += int(item["gross_minor"])
    lines: list[DocumentLine] = []
    for line in original.lines:
        gross_minor = min(amounts.get(line.bill_id, 0), left[line.bill_id])
        if gross_minor > 0:
            rate = line.taxed.vat_basis_points
            taxed = tax_credit(invoiced[rate], credited[rate], gross_minor, rate)
            credited[rate] += gross_minor
            lines.append(replace(line, taxed=taxed, details=()))
    return tuple(lines)


async def _store(
    unit: UnitOfWork,
    operator_id: UUID,
    driver_id: UUID,
    document: Document,
    *,
    cause: str,
    corrects_id: UUID | None,
) -> Invoice:
    xml: bytes | None = None
    if document.kind in {InvoiceKind.INVOICE, InvoiceKind.CREDIT_NOTE}:
        document = replace(document, number=await _next_number(unit, operator_id, document))
        xml = write_xml(document)
    row = Invoice(
        operator_id=operator_id,
        id=new_id(document.issued_at),
        kind=document.kind,
        driver_id=driver_id,
        number=document.number or None,
        corrects_id=corrects_id,
        cause=cause,
        currency=document.currency,
        net_minor=document.net_minor,
        vat_minor=document.vat_minor,
        gross_minor=document.gross_minor,
        items=[_item(line.bill_id, line.taxed) for line in document.lines],
        document_sealed=unit.vault.seal(
            DOCUMENT.dump_json(document).decode(), context=SEAL_CONTEXT
        ),
        xml_sealed=None if xml is None else unit.vault.seal(xml.decode(), context=SEAL_CONTEXT),
        xml_sha256=None if xml is None else hashlib.sha256(xml).hexdigest(),
        issued_at=document.issued_at,
    )
    unit.session.add(row)
    unit.session.add(DriverInvoice(driver_id=driver_id, invoice_id=row.id, operator_id=operator_id))
    if xml is None:
        is_red = document.kind == InvoiceKind.RED_FAPIAO
        unit.session.add(
            FapiaoOrder(
                operator_id=operator_id,
                invoice_id=row.id,
                state=FapiaoState.WAITING if is_red else FapiaoState.SENT,
                next_query_at=unit.now() + (timedelta() if is_red else FIRST_QUERY_AFTER),
                applied_at=unit.now(),
            )
        )
    await unit.session.flush()
    return row


async def _next_number(unit: UnitOfWork, operator_id: UUID, document: Document) -> str:
    seller = document.seller
    is_credit = document.kind == InvoiceKind.CREDIT_NOTE
    series = f"{seller.prefix}-{_CREDIT_SERIES}" if is_credit else seller.prefix
    year = local_year(document.issued_at, seller.timezone)
    sequence = await repository.count_up(unit, operator_id, series, year)
    return format_number(series, year, sequence)


def _item(bill_id: UUID, taxed: Taxed) -> dict[str, object]:
    return {
        "bill_id": str(bill_id),
        "vat_basis_points": taxed.vat_basis_points,
        "gross_minor": taxed.gross_minor,
        "net_minor": taxed.net_minor,
        "vat_minor": taxed.vat_minor,
    }

"""The files of an invoice, for whoever may have them."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.invoices import repository, service
from parking.invoices.document import Document
from parking.invoices.errors import DocumentNotReadyError, InvoiceUnknownError


class FileKind(StrEnum):
    """What is asked for, by its extension."""

    PDF = "pdf"
    XML = "xml"


@dataclass(frozen=True, slots=True)
class InvoiceFile:
    """A file, or where the tax office's service keeps it.

    Attributes:
        name: For saving it, such as `RP-2026-000001.pdf`.
        content: None where `url` leads to it.
    """

    name: str
    content: bytes | None
    url: str | None = None


async def open_of_driver(
    context: ParkingContext, driver_id: UUID, invoice_id: UUID, kind: FileKind
) -> InvoiceFile:
    """Return a file of one of the driver's invoices.

    Raises:
        InvoiceUnknownError: another driver's, or none.
        DocumentNotReadyError: a fapiao that is not issued yet.
    """
    async with context.database.begin() as unit:
        listed = await repository.find_of_driver(unit, driver_id, invoice_id)
    if listed is None:
        raise InvoiceUnknownError
    return await open_file(context, listed.operator_id, invoice_id, kind)


async def open_file(
    context: ParkingContext, operator_id: UUID, invoice_id: UUID, kind: FileKind
) -> InvoiceFile:
    """Return a file of one of the operator's invoices; whoever asks was let in before.

    Raises:
        InvoiceUnknownError: the operator has no such invoice, or it has no XML.
        DocumentNotReadyError: a fapiao that is not issued yet.
    """
    async with context.database.begin() as unit:
        row = await repository.find_invoice(unit, operator_id, invoice_id)
        if row is None:
            raise InvoiceUnknownError
        xml = service.open_xml(unit, row)
        document = service.open_document(unit, row)
        key = (operator_id, invoice_id)
        order = (await repository.find_orders(unit, [key])).get(key)
    name = f"{row.number}.{kind}"
    if xml is None:
        if kind is FileKind.XML:
            raise InvoiceUnknownError
        if order is None or order.pdf_url is None:
            raise DocumentNotReadyError("invoice: the tax office has not issued it yet")
        return InvoiceFile(f"{order.fapiao_number}.{kind}", None, order.pdf_url)
    if kind is FileKind.XML:
        return InvoiceFile(name, xml)
    # A tenth of a second of one processor: others are answered meanwhile.
    return InvoiceFile(name, await asyncio.to_thread(_render, document, xml))


def _render(document: Document, xml: bytes) -> bytes:
    # fpdf2 takes a second to load, and only a process that writes an invoice needs it.
    from parking.invoices.pdf import write_pdf  # noqa: PLC0415

    return write_pdf(document, xml)

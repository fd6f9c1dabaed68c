"""Fapiao applications: sent after their commit, asked about until the answer is definitive."""

import asyncio
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.invoices.invoice_events import tell_issued
from parking.invoices import repository, service
from parking.invoices.document import Document
from parking.invoices.errors import FapiaoUnavailableError, InvoiceUnknownError
from parking.invoices.fapiao.port import (
    FapiaoApplication,
    FapiaoLine,
    FapiaoResult,
    FapiaoStatus,
)
from parking.invoices.models import FapiaoOrder, FapiaoState, Invoice, InvoiceKind
from parking.kit.database import UnitOfWork

SWEEP_LEASE: Final = timedelta(seconds=30)
SWEEP_AT_ONCE_MAX: Final = 5
# Mostly issued within seconds; the tax office's service may be away for a day.
QUERY_DELAY_MIN: Final = timedelta(seconds=5)
QUERY_DELAY_MAX: Final = timedelta(hours=1)
_DOUBLINGS_MAX: Final = 12
ORIGINAL_FAILED: Final = "original_failed"
LIVE: Final = frozenset({FapiaoState.WAITING, FapiaoState.SENT, FapiaoState.APPLIED})

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def send(
    context: ParkingContext, operator_id: UUID, invoice_id: UUID, *, only_new: bool = False
) -> FapiaoState:
    """Send an application, or ask about it, and write down what came of it.

    The number is always the same, so that sending twice issues once.

    Args:
        context: The domain's surroundings.
        operator_id: The application's owner.
        invoice_id: The application.
        only_new: Leave one that was sent before to the sweep: a client may ask as often as it
            likes, the service is asked when it is due.

    Raises:
        FapiaoUnavailableError: no service is set up here.
        InvoiceUnknownError: there is no such application.
    """
    if context.fapiao is None:
        raise FapiaoUnavailableError("fapiao: no service is set up here")
    async with context.database.begin() as unit:
        order = await repository.lock_order(unit, operator_id, invoice_id)
        if order is None:
            raise InvoiceUnknownError
        if order.state == FapiaoState.WAITING and not await _is_ready(unit, order):
            return FapiaoState(order.state)
        if order.state not in LIVE or (only_new and order.queries):
            return FapiaoState(order.state)
        is_known = order.queries > 0
        order.queries += 1
        order.next_query_at = unit.now() + query_delay(order.queries)
        application = await _application(unit, operator_id, invoice_id)
    result = None
    if is_known:
        result = await context.fapiao.query(application.number)
    if result is None or result.status == FapiaoStatus.NOT_FOUND:
        result = await context.fapiao.apply(application)
    return await settle(context, operator_id, invoice_id, result)


async def settle(
    context: ParkingContext, operator_id: UUID, invoice_id: UUID, result: FapiaoResult
) -> FapiaoState:
    """Write down an answer about an application, and let everything follow from it, once."""
    async with context.database.begin() as unit:
        invoice = await repository.lock_invoice(unit, operator_id, invoice_id)
        order = await repository.lock_order(unit, operator_id, invoice_id)
        if invoice is None or order is None:
            raise InvoiceUnknownError
        if order.state not in LIVE:
            return FapiaoState(order.state)
        order.failure_code = result.failure_code
        if result.status == FapiaoStatus.ISSUED:
            await _issued(unit, invoice, order, result)
        elif result.status == FapiaoStatus.FAILED:
            await _failed(unit, invoice, order)
        elif result.status == FapiaoStatus.APPLIED:
            order.state = FapiaoState.APPLIED
        return FapiaoState(order.state)


async def sweep(context: ParkingContext) -> int:
    """Send or ask about every application whose time has come; returns how many there were."""
    if context.fapiao is None:
        return 0
    async with context.database.begin() as unit:
        due = await repository.take_due_orders(unit, SWEEP_LEASE)
    for start in range(0, len(due), SWEEP_AT_ONCE_MAX):
        batch = due[start : start + SWEEP_AT_ONCE_MAX]
        answers = await asyncio.gather(
            *(send(context, *order) for order in batch), return_exceptions=True
        )
        for (_, invoice_id), answer in zip(batch, answers, strict=True):
            # One application that needs staff must not keep the others waiting.
            if isinstance(answer, Exception):
                _log.warning("fapiao.unsettled", invoice=str(invoice_id), error=repr(answer))
    return len(due)


async def _is_ready(unit: UnitOfWork, order: FapiaoOrder) -> bool:
    """Say whether a red one may be sent: its blue one must be issued first."""
    invoice = await repository.find_invoice(unit, order.operator_id, order.invoice_id)
    if invoice is None or invoice.corrects_id is None:
        raise InvoiceUnknownError
    blue_key = (order.operator_id, invoice.corrects_id)
    blue = (await repository.find_orders(unit, [blue_key])).get(blue_key)
    state = FapiaoState.FAILED if blue is None else blue.state
    if state == FapiaoState.ISSUED:
        order.state = FapiaoState.SENT
        return True
    if state == FapiaoState.FAILED:
        order.state, order.failure_code = FapiaoState.FAILED, ORIGINAL_FAILED
        order.finished_at = unit.now()
        return False
    order.next_query_at = unit.now() + QUERY_DELAY_MIN
    return False


async def _issued(
    unit: UnitOfWork, invoice: Invoice, order: FapiaoOrder, result: FapiaoResult
) -> None:
    order.state = FapiaoState.ISSUED
    order.fapiao_number, order.pdf_url = result.fapiao_number, result.pdf_url
    order.finished_at = unit.now()
    if invoice.corrects_id is not None and invoice.cause == service.CANCELLATION:
        await repository.release_bills(unit, invoice.operator_id, invoice.corrects_id)
    seller = service.open_document(unit, invoice).seller
    number = result.fapiao_number or ""
    tell_issued(unit, invoice, number=number, seller_name=seller.legal_name)


async def _failed(unit: UnitOfWork, invoice: Invoice, order: FapiaoOrder) -> None:
    order.state = FapiaoState.FAILED
    order.finished_at = unit.now()
    _log.error("fapiao.failed", invoice=str(invoice.id), failure_code=order.failure_code)
    if invoice.kind == InvoiceKind.FAPIAO:
        # Nothing was issued: the driver may apply again, with another title.
        await repository.release_bills(unit, invoice.operator_id, invoice.id)


async def _application(unit: UnitOfWork, operator_id: UUID, invoice_id: UUID) -> FapiaoApplication:
    invoice = await repository.find_invoice(unit, operator_id, invoice_id)
    if invoice is None:
        raise InvoiceUnknownError
    document = service.open_document(unit, invoice)
    return FapiaoApplication(
        number=invoice.id.hex,
        seller_name=document.seller.legal_name,
        seller_tax_number=document.seller.tax_number or "",
        title=document.buyer.name,
        title_tax_number=document.buyer.vat_id,
        email=document.buyer.email,
        currency=document.currency,
        lines=_lines(document),
        red_of=None if invoice.corrects_id is None else invoice.corrects_id.hex,
        reason=document.reason,
    )


def _lines(document: Document) -> tuple[FapiaoLine, ...]:
    return tuple(
        FapiaoLine(
            name=line.name,
            vat_basis_points=line.taxed.vat_basis_points,
            net_minor=line.taxed.net_minor,
            vat_minor=line.taxed.vat_minor,
            gross_minor=line.taxed.gross_minor,
        )
        for line in document.lines
    )


def query_delay(queries: int) -> timedelta:
    """Return how long to wait after so many questions about an application."""
    return min(QUERY_DELAY_MIN * 2 ** min(queries - 1, _DOUBLINGS_MAX), QUERY_DELAY_MAX)

"""What a driver is told of an invoice."""

from typing import Final
from uuid import UUID

from parking.events import outbox
from parking.events.envelope import Event
from parking.events.types import EventType
from parking.invoices.models import Invoice
from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id

_ISSUED: Final = "invoice_issued"


def tell_issued(unit: UnitOfWork, invoice: Invoice, *, number: str, seller_name: str) -> None:
    """Tell the driver that a document is there; the same document is told of once."""
    outbox.append(
        unit,
        Event(
            id=_event_id(invoice.id),
            type=EventType.INVOICE_ISSUED,
            owner_id=invoice.operator_id,
            subject_id=invoice.id,
            occurred_at=unit.now(),
            payload={
                "driver_id": str(invoice.driver_id),
                "kind": invoice.kind,
                "number": number,
                "amount_minor": invoice.gross_minor,
                "currency": invoice.currency,
                # Shown where other messages name the place.
                "place_name": seller_name,
            },
        ),
    )


def _event_id(invoice_id: UUID) -> UUID:
    return derive_id(invoice_id, _ISSUED)

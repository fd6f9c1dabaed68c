"""Every query about invoices."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.invoices.models import (
    BuyerProfile,
    DriverInvoice,
    FapiaoOrder,
    FapiaoState,
    Invoice,
    InvoicedBill,
    InvoiceSeller,
)
from parking.kit.database import UnitOfWork
from parking.kit.locks import lock

# A page that clients may ask for, and one more to tell whether there is a next.
PAGE_MAX: Final = 101
CREDITS_MAX: Final = 10_000
DUE_ORDERS_MAX: Final = 20

# The row stays locked until the issuing transaction ends: a rollback gives the number back.
_COUNT: Final = text(
    """
    INSERT INTO invoice_counters AS counter (operator_id, series, year, last_number)
    VALUES (:operator_id, :series, :year, 1)
    ON CONFLICT (operator_id, series, year)
    DO UPDATE SET last_number = counter.last_number + 1
    RETURNING last_number
    """
)
_TAKE_DUE: Final = text(
    """
    UPDATE fapiao_orders SET next_query_at = :now + :lease
    FROM (
        SELECT operator_id, invoice_id FROM fapiao_orders
        WHERE state IN ('waiting', 'sent', 'applied') AND next_query_at <= :now
        ORDER BY next_query_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE fapiao_orders.operator_id = due.operator_id
        AND fapiao_orders.invoice_id = due.invoice_id
    RETURNING fapiao_orders.operator_id, fapiao_orders.invoice_id
    """
)


async def count_up(unit: UnitOfWork, operator_id: UUID, series: str, year: int) -> int:
    """Return the next number of a series; whoever counts too waits for this transaction's end."""
    values = {"operator_id": operator_id, "series": series, "year": year}
    return int((await unit.run(_COUNT, values)).scalar_one())


async def find_seller(unit: UnitOfWork, operator_id: UUID) -> InvoiceSeller | None:
    """Return what an operator's invoices say about it."""
    return await unit.session.get(InvoiceSeller, operator_id)


async def find_profile(unit: UnitOfWork, driver_id: UUID) -> BuyerProfile | None:
    """Return whom a driver's invoices are usually made out to."""
    return await unit.session.get(BuyerProfile, driver_id)


async def find_invoice(unit: UnitOfWork, operator_id: UUID, invoice_id: UUID) -> Invoice | None:
    """Return an invoice or credit note."""
    return await unit.session.get(Invoice, (operator_id, invoice_id))


async def lock_invoice(unit: UnitOfWork, operator_id: UUID, invoice_id: UUID) -> Invoice | None:
    """Lock an invoice, so that its credit notes come one after the other."""
    return await lock(unit, Invoice, operator_id=operator_id, id=invoice_id)


async def find_invoices(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], Invoice]:
    """Return many invoices by (operator, invoice); one statement however many."""
    statement = (
        select(Invoice)
        .where(col(Invoice.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(Invoice.id).in_({invoice_id for _, invoice_id in keys}))
    )
    return {(row.operator_id, row.id): row for row in await unit.session.exec(statement)}


async def find_credits(
    unit: UnitOfWork, operator_ids: Collection[UUID], invoice_ids: Collection[UUID]
) -> Sequence[Invoice]:
    """Return what was credited of invoices, oldest first, without red fapiao that failed."""
    failed = (
        select(FapiaoOrder.invoice_id)
        .where(col(FapiaoOrder.operator_id) == col(Invoice.operator_id))
        .where(col(FapiaoOrder.invoice_id) == col(Invoice.id))
        .where(col(FapiaoOrder.state) == FapiaoState.FAILED)
    )
    statement = (
        select(Invoice)
        .where(col(Invoice.operator_id).in_(set(operator_ids)))
        .where(col(Invoice.corrects_id).in_(set(invoice_ids)))
        .where(~failed.exists())
        .order_by(col(Invoice.id))
        .limit(CREDITS_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def find_holders(
    unit: UnitOfWork, operator_id: UUID, bill_ids: Collection[UUID]
) -> dict[UUID, UUID]:
    """Return on which valid invoice bills stand, by the bill's first version."""
    statement = (
        select(InvoicedBill)
        .where(col(InvoicedBill.operator_id) == operator_id)
        .where(col(InvoicedBill.bill_id).in_(set(bill_ids)))
    )
    return {row.bill_id: row.invoice_id for row in await unit.session.exec(statement)}


async def find_held(unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]) -> set[UUID]:
    """Return which bills of (operator, bill) stand on a valid invoice."""
    statement = (
        select(InvoicedBill)
        .where(col(InvoicedBill.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(InvoicedBill.bill_id).in_({bill_id for _, bill_id in keys}))
    )
    return {row.bill_id for row in await unit.session.exec(statement)}


async def release_bills(unit: UnitOfWork, operator_id: UUID, invoice_id: UUID) -> None:
    """Let an invoice's bills stand on another one: this one is worth nothing any more."""
    statement = delete(InvoicedBill).where(
        col(InvoicedBill.operator_id) == operator_id, col(InvoicedBill.invoice_id) == invoice_id
    )
    await unit.run(statement)


async def list_of_driver(
    unit: UnitOfWork, driver_id: UUID, *, first: int, before: UUID | None
) -> Sequence[DriverInvoice]:
    """Return up to `first` of a driver's invoices, newest first, older than `before`."""
    statement = select(DriverInvoice).where(col(DriverInvoice.driver_id) == driver_id)
    if before is not None:
        statement = statement.where(col(DriverInvoice.invoice_id) < before)
    newest = statement.order_by(col(DriverInvoice.invoice_id).desc()).limit(min(first, PAGE_MAX))
    return (await unit.session.exec(newest)).all()


async def find_of_driver(
    unit: UnitOfWork, driver_id: UUID, invoice_id: UUID
) -> DriverInvoice | None:
    """Return whose operator's an invoice of the driver is; None where it is not theirs."""
    return await unit.session.get(DriverInvoice, (driver_id, invoice_id))


async def list_of_operator(
    unit: UnitOfWork, operator_id: UUID, *, first: int, before: UUID | None
) -> Sequence[Invoice]:
    """Return up to `first` of an operator's invoices, newest first, older than `before`."""
    statement = select(Invoice).where(col(Invoice.operator_id) == operator_id)
    if before is not None:
        statement = statement.where(col(Invoice.id) < before)
    newest = statement.order_by(col(Invoice.id).desc()).limit(min(first, PAGE_MAX))
    return (await unit.session.exec(newest)).all()


async def save_seller(unit: UnitOfWork, row: InvoiceSeller) -> None:
    """Store what an operator's invoices say about it from now on."""
    values = row.model_dump()
    statement = insert(InvoiceSeller).values(values)
    changed = {name: value for name, value in values.items() if name != "operator_id"}
    await unit.run(statement.on_conflict_do_update(index_elements=["operator_id"], set_=changed))


async def save_profile(unit: UnitOfWork, row: BuyerProfile) -> None:
    """Store whom a driver's invoices are usually made out to."""
    values = row.model_dump()
    statement = insert(BuyerProfile).values(values)
    changed = {name: value for name, value in values.items() if name != "driver_id"}
    await unit.run(statement.on_conflict_do_update(index_elements=["driver_id"], set_=changed))


async def find_orders(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], FapiaoOrder]:
    """Return fapiao applications by (operator, invoice); one statement however many."""
    statement = (
        select(FapiaoOrder)
        .where(col(FapiaoOrder.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(FapiaoOrder.invoice_id).in_({invoice_id for _, invoice_id in keys}))
        .execution_options(populate_existing=True)
    )
    return {(row.operator_id, row.invoice_id): row for row in await unit.session.exec(statement)}


async def lock_order(unit: UnitOfWork, operator_id: UUID, invoice_id: UUID) -> FapiaoOrder | None:
    """Lock a fapiao application."""
    return await lock(unit, FapiaoOrder, operator_id=operator_id, invoice_id=invoice_id)


async def take_due_orders(unit: UnitOfWork, lease: timedelta) -> list[tuple[UUID, UUID]]:
    """Take fapiao applications whose query is due, for `lease`; returns (operator, invoice)."""
    values = {"now": unit.now(), "lease": lease, "rows": DUE_ORDERS_MAX}
    return [(row.operator_id, row.invoice_id) for row in await unit.run(_TAKE_DUE, values)]

"""Invoices over what really happened at a lane: paid, corrected, refunded, all at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest

from parking.flows.invoices import invoicing
from parking.flows.payments.corrected_facts import Correction
from parking.flows.payments.correction import correct_stay
from parking.invoices.errors import BillNotPaidError
from parking.kit.database import ConflictError
from parking.kit.errors import InvalidInputError
from tests.factories.invoices import BUYER
from tests.factories.invoicing import InvoiceWorld, open_invoice_world


@pytest.fixture
async def world(database_url: str, valkey_url: str) -> AsyncGenerator[InvoiceWorld]:
    async with open_invoice_world(database_url, valkey_url) as opened:
        yield opened


async def park(world: InvoiceWorld) -> tuple[UUID, tuple[UUID, UUID]]:
    """Let the driver stay for 70 minutes and pay 15.00; returns the stay and its bill."""
    await world.lanes.permit(world.driver_id)
    session_id = await world.lanes.drive_in()
    world.lanes.wait(minutes=70)
    assert (await world.lanes.drive_out()).action == "open"
    bills = await world.lanes.rows("SELECT id, state, total_minor FROM bills")
    assert [(bill["state"], bill["total_minor"]) for bill in bills] == [("paid", 1500)]
    return session_id, (world.operator_id, bills[0]["id"])


async def correct(world: InvoiceWorld, session_id: UUID, correction: Correction) -> None:
    world.lanes.wait(seconds=1)
    await correct_stay(
        world.context,
        world.operator_id,
        session_id,
        correction,
        correction_id="first",
        by="Lin",
        reason="The car was gone already",
    )


async def test_a_corrected_stay_credits_its_invoice(world: InvoiceWorld) -> None:
    session_id, bill = await park(world)
    key = await invoicing.request(world.context, world.driver_id, [bill], BUYER)
    document = await world.document(key)
    (line,) = document.lines
    assert line.ends_at - line.starts_at == timedelta(minutes=70)
    assert sum(detail.amount_minor for detail in line.details) == 1500
    await correct(world, session_id, Correction(waive=True))
    await correct(world, session_id, Correction(waive=True))
    rows = await world.lanes.rows("SELECT * FROM invoices ORDER BY id")
    assert [(row["kind"], row["gross_minor"]) for row in rows] == [
        ("invoice", 1500),
        ("credit_note", 1500),
    ]
    assert (await world.document((world.operator_id, rows[1]["id"]))).reason == (
        "The car was gone already"
    )


async def test_a_bill_that_was_corrected_to_nothing_is_not_invoiced(world: InvoiceWorld) -> None:
    session_id, bill = await park(world)
    await correct(world, session_id, Correction(waive=True))
    with pytest.raises(InvalidInputError, match="more than nothing"):
        await invoicing.request(world.context, world.driver_id, [bill], BUYER)
    assert await world.numbers() == []


async def test_an_unpaid_stay_is_not_invoiced(world: InvoiceWorld) -> None:
    await world.lanes.drive_in()
    world.lanes.wait(minutes=70)
    await world.lanes.drive_out()
    bills = await world.lanes.rows("SELECT id FROM bills")
    assert len(bills) == 1
    with pytest.raises(BillNotPaidError):
        await invoicing.request(
            world.context, world.driver_id, [(world.operator_id, bills[0]["id"])], BUYER
        )


async def test_an_invoice_and_a_refund_at_once_agree(world: InvoiceWorld) -> None:
    bills = [await world.paid_bill() for _ in range(8)]

    async def invoice(bill: tuple[UUID, UUID]) -> None:
        # Whoever loses a race tries again, as a client does.
        for _ in range(5):
            with suppress(ConflictError):
                await invoicing.request(world.context, world.driver_id, [bill], BUYER)
                return

    await asyncio.gather(
        *(invoice(bill) for bill in bills), *(world.refund(bill, 300, "x") for bill in bills)
    )
    rows = await world.lanes.rows("SELECT * FROM invoices")
    left: dict[str, int] = {}
    for row in rows:
        for item in row["items"]:
            sign = -1 if row["kind"] == "credit_note" else 1
            left[item["bill_id"]] = left.get(item["bill_id"], 0) + sign * item["gross_minor"]
    assert left == {str(bill_id): 700 for _, bill_id in bills}

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from parking.flows.invoices import invoicing
from parking.flows.payments.refunds import request_refund
from parking.invoices import repository, service
from parking.invoices.errors import (
    BillNotPaidError,
    InvoiceCancelledError,
    InvoiceExistsError,
    InvoiceUnknownError,
    SellerMissingError,
)
from parking.invoices.models import InvoiceKind
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments import service as payments
from parking.payments.models import Bill, BillState
from tests.factories.invoices import BUYER, SELLER
from tests.factories.invoicing import TEN, THREE_FEN, THREE_FIFTY, InvoiceWorld, open_invoice_world


@pytest.fixture
async def world(database_url: str, valkey_url: str) -> AsyncGenerator[InvoiceWorld]:
    async with open_invoice_world(database_url, valkey_url) as opened:
        yield opened


async def ask(world: InvoiceWorld, *bills: tuple[UUID, UUID], **changes: str) -> tuple[UUID, UUID]:
    buyer = replace(BUYER, **changes)
    return await invoicing.request(world.context, world.driver_id, bills, buyer)


async def test_one_click_over_many_bills(world: InvoiceWorld) -> None:
    year = world.lanes.clock.now().year
    bills = [await world.paid_bill(total) for total in (TEN, THREE_FIFTY, THREE_FEN)]
    key = await ask(world, *bills)
    row = await world.invoice(key)
    assert (row.number, row.kind) == (f"PM-{year}-000001", InvoiceKind.INVOICE)
    assert (row.net_minor, row.vat_minor, row.gross_minor) == (1137, 216, 1353)
    assert {UUID(item["bill_id"]) for item in row.items} == {bill_id for _, bill_id in bills}
    document = await world.document(key)
    assert document.buyer == BUYER
    assert [line.name for line in document.lines] == ["Parken, Riverside"] * 3
    assert document.lines[0].timezone == "Asia/Shanghai"
    events = await world.lanes.rows("SELECT payload FROM outbox WHERE type = 'InvoiceIssued'")
    assert [event["payload"]["number"] for event in events] == [row.number]


async def test_asking_again_returns_the_same_invoice(world: InvoiceWorld) -> None:
    bills = [await world.paid_bill(), await world.paid_bill()]
    first = await ask(world, *bills)
    assert await ask(world, *reversed(bills), bills[0]) == first
    assert await world.lanes.count("invoices") == 1


async def test_a_bill_stands_on_one_invoice(world: InvoiceWorld) -> None:
    bills = [await world.paid_bill(), await world.paid_bill()]
    await ask(world, *bills)
    third = await world.paid_bill()
    for asked in (bills[:1], [*bills, third], [bills[1], third]):
        with pytest.raises(InvoiceExistsError, match="000001"):
            await ask(world, *asked)
    with pytest.raises(InvoiceExistsError, match="000001"):
        await ask(world, *bills, name="Somebody else")
    assert await world.lanes.count("invoices") == 1
    assert await world.lanes.count("invoiced_bills") == 2


async def test_refuses_bills_of_others_and_of_nobody(world: InvoiceWorld) -> None:
    mine = await world.paid_bill()
    theirs = await world.paid_bill(driver_id=uuid4())
    foreign = (uuid4(), mine[1])
    for bills in ([theirs], [mine, theirs], [(mine[0], uuid4())], [mine, foreign], []):
        with pytest.raises(InvalidInputError) as caught:
            await ask(world, *bills)
        assert caught.value.field == "billIds"
    with pytest.raises(SellerMissingError):
        await ask(world, foreign)
    assert await world.lanes.count("invoices") == 0
    assert await world.lanes.count("invoice_counters") == 0


async def test_refuses_bills_without_money(world: InvoiceWorld) -> None:
    for state in (BillState.ISSUED, BillState.OWED, BillState.VOID):
        with pytest.raises(BillNotPaidError):
            await ask(world, await world.paid_bill(state=state))
    with pytest.raises(InvalidInputError, match="more than nothing"):
        await ask(world, await world.paid_bill(0))
    assert await world.lanes.count("invoices") == 0


async def test_a_profile_is_used_where_no_buyer_is_named(world: InvoiceWorld) -> None:
    bill = await world.paid_bill()
    with pytest.raises(InvalidInputError, match="buyer"):
        await invoicing.request(world.context, world.driver_id, [bill], None)
    async with world.context.database.begin() as unit:
        await service.save_buyer(unit, world.driver_id, BUYER)
    key = await invoicing.request(world.context, world.driver_id, [bill], None)
    assert (await world.document(key)).buyer == BUYER
    stored = await world.lanes.rows("SELECT buyer_sealed FROM buyer_profiles")
    assert BUYER.name.encode() not in stored[0]["buyer_sealed"]


async def test_many_writers_leave_no_gap(world: InvoiceWorld) -> None:
    bills = [await world.paid_bill() for _ in range(24)]
    bad = replace(BUYER, city="")

    async def one(index: int) -> None:
        if index % 4 == 3:
            with pytest.raises(InvalidInputError):
                await invoicing.request(world.context, world.driver_id, [bills[index]], bad)
        else:
            await ask(world, bills[index])

    await asyncio.gather(*(one(index) for index in range(24)))
    year = world.lanes.clock.now().year
    assert sorted(await world.numbers(), key=str) == [
        f"PM-{year}-{number:06d}" for number in range(1, 19)
    ]


async def test_the_same_request_at_once_makes_one_invoice(world: InvoiceWorld) -> None:
    bills = [await world.paid_bill() for _ in range(3)]
    keys = await asyncio.gather(*(ask(world, *bills) for _ in range(8)))
    assert len(set(keys)) == 1
    assert len(await world.numbers()) == 1


async def test_a_rollback_gives_the_number_back(world: InvoiceWorld) -> None:
    async def interrupted() -> None:
        async with world.context.database.begin() as unit:
            assert await repository.count_up(unit, world.operator_id, "PM", 2026) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await interrupted()
    async with world.context.database.begin() as unit:
        assert await repository.count_up(unit, world.operator_id, "PM", 2026) == 1
        assert await repository.count_up(unit, world.operator_id, "PM", 2027) == 1
        assert await repository.count_up(unit, uuid4(), "PM", 2026) == 1


async def test_numbers_begin_anew_each_local_year(world: InvoiceWorld) -> None:
    await ask(world, await world.paid_bill())
    clock = world.lanes.clock
    year = clock.now().year
    new_year_in_berlin = datetime(year, 12, 31, 23, 0, 1, tzinfo=UTC)
    clock.advance(new_year_in_berlin - clock.now() - timedelta(seconds=2))
    await ask(world, await world.paid_bill())
    clock.advance(timedelta(seconds=2))
    await ask(world, await world.paid_bill())
    assert await world.numbers() == [
        f"PM-{year}-000001",
        f"PM-{year}-000002",
        f"PM-{year + 1}-000001",
    ]


async def test_an_invoice_cannot_be_changed(world: InvoiceWorld) -> None:
    key = await ask(world, await world.paid_bill())
    before = await world.invoice(key)
    for sql in (
        "UPDATE invoices SET gross_minor = 1, net_minor = 1, vat_minor = 0",
        "UPDATE invoices SET number = 'PM-2026-000099'",
        "DELETE FROM invoices",
    ):
        with pytest.raises(DBAPIError, match="never changed or deleted"):
            await world.lanes.rows_changed(sql)
    assert await world.invoice(key) == before


async def test_the_stored_xml_is_the_one_that_was_hashed(world: InvoiceWorld) -> None:
    key = await ask(world, await world.paid_bill())
    row = await world.invoice(key)
    async with world.context.database.begin() as unit:
        xml = service.open_xml(unit, row)
    assert xml is not None
    assert hashlib.sha256(xml).hexdigest() == row.xml_sha256
    assert b"Gda\xc5\x84sk" in xml
    assert row.xml_sealed is not None
    assert b"Gda\xc5\x84sk" not in row.xml_sealed + row.document_sealed


async def test_a_refund_is_credited_in_its_own_transaction(world: InvoiceWorld) -> None:
    bills = [await world.paid_bill(), await world.paid_bill(THREE_FIFTY)]
    key = await ask(world, *bills)
    await world.refund(bills[0], 400, "first")
    await world.refund(bills[0], 400, "first")
    await world.refund(bills[0], 600, "second")
    notes = await world.lanes.rows("SELECT * FROM invoices WHERE kind = 'credit_note' ORDER BY id")
    year = world.lanes.clock.now().year
    assert [note["number"] for note in notes] == [f"PM-C-{year}-000001", f"PM-C-{year}-000002"]
    assert [note["gross_minor"] for note in notes] == [400, 600]
    assert {note["corrects_id"] for note in notes} == {key[1]}
    invoice = await world.invoice(key)
    # 13.50 with 2.16 VAT was invoiced; what is left says 3.50 with 0.56.
    assert (invoice.gross_minor, invoice.vat_minor) == (1350, 216)
    assert sum(note["vat_minor"] for note in notes) == 216 - 56
    document = await world.document((world.operator_id, notes[0]["id"]))
    assert document.preceding is not None
    assert document.preceding.number == invoice.number
    assert document.reason == "Barrier opened late"


async def test_a_refund_that_rolls_back_leaves_no_number(world: InvoiceWorld) -> None:
    bill = await world.paid_bill()
    await ask(world, bill)

    async def interrupted() -> None:
        async with world.context.database.begin() as unit:
            row = await unit.session.get(Bill, bill)
            assert row is not None
            await request_refund(
                unit, row, Money(100, "CNY"), cause="x", reason="x", by="staff:Lin"
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await interrupted()
    assert len(await world.numbers()) == 1
    await world.refund(bill, 100, "x")
    year = world.lanes.clock.now().year
    assert (await world.numbers())[-1] == f"PM-C-{year}-000001"


async def test_a_bill_refunded_before_is_invoiced_over_the_rest(world: InvoiceWorld) -> None:
    bill = await world.paid_bill()
    await world.refund(bill, 650, "first")
    row = await world.invoice(await ask(world, bill))
    assert (row.net_minor, row.vat_minor, row.gross_minor) == (294, 56, 350)
    assert [item["bill_id"] for item in row.items] == [str(bill[1])]
    await world.refund(bill, 350, "second")
    assert [
        note["gross_minor"]
        for note in await world.lanes.rows(
            "SELECT gross_minor FROM invoices WHERE kind = 'credit_note'"
        )
    ] == [350]


async def test_refunds_at_once_never_credit_more_than_the_invoice(world: InvoiceWorld) -> None:
    bill = await world.paid_bill()
    await ask(world, bill)
    await asyncio.gather(
        *(world.refund(bill, 200, str(number)) for number in range(8)), return_exceptions=True
    )
    notes = await world.lanes.rows("SELECT * FROM invoices WHERE kind = 'credit_note'")
    refunded = await world.lanes.rows("SELECT sum(amount_minor) AS sum FROM refunds")
    assert sum(note["gross_minor"] for note in notes) == refunded[0]["sum"] <= TEN


async def test_staff_cancels_and_the_driver_asks_anew(world: InvoiceWorld) -> None:
    bill = await world.paid_bill()
    first = await ask(world, bill)
    await world.refund(bill, 100, "first")
    note = await invoicing.cancel(world.context, *first, reason="Wrong company")
    assert await invoicing.cancel(world.context, *first, reason="Wrong company") == note
    assert (await world.invoice(note)).gross_minor == 900
    second = await ask(world, bill, name="The right company")
    assert (await world.invoice(second)).gross_minor == 900
    assert (await world.document(second)).buyer.name == "The right company"
    await world.refund(bill, 900, "second")
    last = (await world.lanes.rows("SELECT * FROM invoices ORDER BY id DESC LIMIT 1"))[0]
    assert (last["corrects_id"], last["gross_minor"]) == (second[1], 900)
    with pytest.raises(InvoiceCancelledError):
        await invoicing.cancel(world.context, *second, reason="again")


async def test_staff_cancels_nothing_of_others(world: InvoiceWorld) -> None:
    operator_id, invoice_id = await ask(world, await world.paid_bill())
    with pytest.raises(InvoiceUnknownError):
        await invoicing.cancel(world.context, uuid4(), invoice_id, reason="mine")
    note = await invoicing.cancel(world.context, operator_id, invoice_id, reason="ours")
    with pytest.raises(InvoiceUnknownError):
        await invoicing.cancel(world.context, *note, reason="a credit note")


async def test_rates_are_those_of_the_place(world: InvoiceWorld) -> None:
    place_id = str(world.lanes.entry.place_id)
    await world.sell(replace(SELLER, place_vat={place_id: 700}))
    row = await world.invoice(await ask(world, await world.paid_bill()))
    assert (row.net_minor, row.vat_minor) == (935, 65)


async def test_a_place_whose_name_cannot_be_drawn_is_told_by_its_id(world: InvoiceWorld) -> None:
    await world.lanes.rows_changed("UPDATE places SET name = '河畔'")
    document = await world.document(await ask(world, await world.paid_bill()))
    assert document.lines[0].name == f"Parken, {world.lanes.entry.place_id.hex[-12:]}"


async def test_a_pass_s_bill_is_invoiced_for_its_period(world: InvoiceWorld) -> None:
    starts_at = world.lanes.clock.now()
    ends_at = starts_at + timedelta(days=30)
    async with world.context.database.begin() as unit:
        bill = await payments.issue_bill(
            unit,
            payments.NewBill(
                operator_id=world.operator_id,
                pass_id=uuid4(),
                driver_id=world.driver_id,
                total=Money(0, "CNY"),
                lines=[
                    {
                        "reason": "pass_period",
                        "starts_at": starts_at.isoformat(),
                        "ends_at": ends_at.isoformat(),
                        "amount_minor": 11_900,
                        "note": "Monthly",
                    }
                ],
                priced_until=ends_at,
                basis={"description": "Monthly"},
            ),
        )
        bill.total_minor = 11_900
    key = await ask(world, (world.operator_id, bill.id))
    document = await world.document(key)
    (line,) = document.lines
    assert (line.name, line.timezone) == ("Dauerparken, Monthly", "Europe/Berlin")
    assert (line.starts_at, line.ends_at) == (starts_at, ends_at)
    assert (document.net_minor, document.vat_minor) == (10_000, 1_900)

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from parking.flows.invoices import invoice_fapiao, invoice_view, invoicing
from parking.flows.invoices.invoice_files import FileKind, open_file
from parking.flows.invoices.invoice_view import InvoiceState
from parking.invoices.errors import (
    DocumentNotReadyError,
    FapiaoUnavailableError,
    InvoiceExistsError,
    InvoiceUnknownError,
)
from parking.invoices.models import FapiaoState, InvoiceKind
from parking.invoices.parties import Buyer
from parking.kit.errors import InvalidInputError
from tests.factories.invoices import BUYER, CHINESE_SELLER
from tests.factories.invoicing import TEN, InvoiceWorld, open_invoice_world

TITLE = Buyer(name="某某科技有限公司", country="CN", vat_id="91110000600037341L")
PERSON = Buyer(name="王小明", country="CN")


@pytest.fixture
async def world(database_url: str, valkey_url: str) -> AsyncGenerator[InvoiceWorld]:
    async with open_invoice_world(database_url, valkey_url) as opened:
        await opened.sell(CHINESE_SELLER)
        yield opened


async def ask(
    world: InvoiceWorld, *bills: tuple[UUID, UUID], buyer: Buyer = TITLE
) -> tuple[UUID, UUID]:
    return await invoicing.request(world.context, world.driver_id, bills, buyer)


async def state_of(world: InvoiceWorld, key: tuple[UUID, UUID]) -> InvoiceState:
    view = await invoice_view.find_of_driver(world.context, world.driver_id, key[1])
    assert view is not None
    return view.state


async def sweep_later(world: InvoiceWorld) -> int:
    world.lanes.wait(hours=2)
    return await invoice_fapiao.sweep(world.context)


async def test_an_application_is_sent_and_asked_about_until_issued(world: InvoiceWorld) -> None:
    key = await ask(world, await world.paid_bill(), await world.paid_bill(350))
    row = await world.invoice(key)
    assert (row.kind, row.number, row.xml_sha256) == (InvoiceKind.FAPIAO, None, None)
    # 9 % of 13.50.
    assert (row.net_minor, row.vat_minor) == (1239, 111)
    assert await invoice_fapiao.send(world.context, *key) == FapiaoState.APPLIED
    sent = world.fapiao.books[key[1].hex].application
    assert (sent.title, sent.title_tax_number) == (TITLE.name, TITLE.vat_id)
    assert (sent.seller_tax_number, sent.gross_minor) == ("91110000600037341L", 1350)
    assert [line.name for line in sent.lines] == ["车辆停放服务, Riverside"] * 2
    assert await state_of(world, key) == InvoiceState.APPLIED
    with pytest.raises(DocumentNotReadyError):
        await open_file(world.context, *key, FileKind.PDF)
    world.fapiao.issue(key[1].hex)
    assert await sweep_later(world) == 1
    view = await invoice_view.find_of_driver(world.context, world.driver_id, key[1])
    assert view is not None
    assert (view.state, view.number) == (InvoiceState.ISSUED, "26000000000000000001")
    assert (view.pdf_url, view.xml_url) == (f"https://fapiao.example/pdf/{key[1].hex}.pdf", None)
    assert (await open_file(world.context, *key, FileKind.PDF)).url == view.pdf_url
    with pytest.raises(InvoiceUnknownError):
        await open_file(world.context, *key, FileKind.XML)
    assert await sweep_later(world) == 0
    events = await world.lanes.rows("SELECT payload FROM outbox WHERE type = 'InvoiceIssued'")
    assert [event["payload"]["number"] for event in events] == ["26000000000000000001"]


async def test_our_own_numbers_stay_without_gaps_beside_fapiao(world: InvoiceWorld) -> None:
    await ask(world, await world.paid_bill())
    assert await world.lanes.count("invoice_counters") == 0


async def test_a_lost_answer_is_asked_about_not_guessed(world: InvoiceWorld) -> None:
    key = await ask(world, await world.paid_bill())
    world.fapiao.loses_answers = True
    assert await invoice_fapiao.send(world.context, *key) == FapiaoState.SENT
    world.fapiao.loses_answers = False
    world.fapiao.issues_on_query = True
    assert await sweep_later(world) == 1
    assert await state_of(world, key) == InvoiceState.ISSUED
    assert len(world.fapiao.books) == 1


async def test_a_client_that_asks_often_does_not_ask_the_service(world: InvoiceWorld) -> None:
    key = await ask(world, await world.paid_bill())
    world.fapiao.issues_on_query = True
    for _ in range(3):
        state = await invoice_fapiao.send(world.context, *key, only_new=True)
        assert state == FapiaoState.APPLIED
    assert await sweep_later(world) == 1
    assert await state_of(world, key) == InvoiceState.ISSUED


async def test_what_never_arrived_is_sent_again(world: InvoiceWorld) -> None:
    key = await ask(world, await world.paid_bill())
    world.fapiao.is_down = True
    await invoice_fapiao.send(world.context, *key)
    await sweep_later(world)
    assert world.fapiao.books == {}
    world.fapiao.is_down = False
    await sweep_later(world)
    assert list(world.fapiao.books) == [key[1].hex]


async def test_a_refused_title_frees_the_bills(world: InvoiceWorld) -> None:
    bill = await world.paid_bill()
    first = await ask(world, bill)
    await invoice_fapiao.send(world.context, *first)
    with pytest.raises(InvoiceExistsError):
        await ask(world, bill, buyer=PERSON)
    world.fapiao.fail(first[1].hex, "title_refused")
    await sweep_later(world)
    view = await invoice_view.find_of_driver(world.context, world.driver_id, first[1])
    assert view is not None
    assert (view.state, view.failure_code) == (InvoiceState.FAILED, "title_refused")
    second = await ask(world, bill, buyer=PERSON)
    assert second != first
    await invoice_fapiao.send(world.context, *second)
    assert world.fapiao.books[second[1].hex].application.title_tax_number is None


async def test_a_refund_waits_for_the_blue_one_and_then_turns_red(world: InvoiceWorld) -> None:
    bill = await world.paid_bill()
    blue = await ask(world, bill)
    await invoice_fapiao.send(world.context, *blue)
    await world.refund(bill, 400, "first")
    await sweep_later(world)
    assert len(world.fapiao.books) == 1
    world.fapiao.issue(blue[1].hex)
    world.fapiao.issues_on_query = True
    for _ in range(3):
        await sweep_later(world)
    reds = [entry for entry in world.fapiao.books.values() if entry.application.red_of]
    assert [(red.application.red_of, red.application.gross_minor) for red in reds] == [
        (blue[1].hex, 400)
    ]
    assert await state_of(world, blue) == InvoiceState.PARTLY_CREDITED
    notes = await world.lanes.rows("SELECT * FROM invoices WHERE kind = 'red_fapiao'")
    # 9 % of 10.00 is 0.83, of the 6.00 that are left 0.50.
    assert [(note["gross_minor"], note["vat_minor"]) for note in notes] == [(400, 33)]


async def test_a_refund_of_what_was_never_issued_needs_no_red_one(world: InvoiceWorld) -> None:
    bill = await world.paid_bill()
    blue = await ask(world, bill)
    await invoice_fapiao.send(world.context, *blue)
    await world.refund(bill, 400, "first")
    world.fapiao.fail(blue[1].hex, "title_refused")
    for _ in range(3):
        await sweep_later(world)
    assert len(world.fapiao.books) == 1
    orders = await world.lanes.rows("SELECT state, failure_code FROM fapiao_orders ORDER BY 2")
    assert [tuple(order.values()) for order in orders] == [
        ("failed", "original_failed"),
        ("failed", "title_refused"),
    ]
    again = await ask(world, bill)
    assert (await world.invoice(again)).gross_minor == 600


async def test_a_cancelled_fapiao_frees_its_bills_once_the_red_one_is_issued(
    world: InvoiceWorld,
) -> None:
    bill = await world.paid_bill()
    blue = await ask(world, bill)
    await invoice_fapiao.send(world.context, *blue)
    world.fapiao.issue(blue[1].hex)
    await sweep_later(world)
    red = await invoicing.cancel(world.context, *blue, reason="抬头错误")
    assert await invoicing.cancel(world.context, *blue, reason="抬头错误") == red
    with pytest.raises(InvoiceExistsError):
        await ask(world, bill, buyer=PERSON)
    await invoice_fapiao.send(world.context, *red)
    world.fapiao.issue(red[1].hex)
    await sweep_later(world)
    assert await state_of(world, blue) == InvoiceState.CREDITED
    assert (await world.invoice(await ask(world, bill, buyer=PERSON))).gross_minor == TEN


async def test_without_a_service_nothing_is_stored(world: InvoiceWorld) -> None:
    bill = await world.paid_bill()
    context = replace(world.context, fapiao=None)
    with pytest.raises(FapiaoUnavailableError):
        await invoicing.request(context, world.driver_id, [bill], TITLE)
    assert await world.lanes.count("invoices") == 0
    assert await invoice_fapiao.sweep(context) == 0


async def test_a_foreign_company_is_no_title(world: InvoiceWorld) -> None:
    with pytest.raises(InvalidInputError, match="unified social credit code"):
        await ask(world, await world.paid_bill(), buyer=BUYER)
    assert await world.lanes.count("invoices") == 0


def test_queries_slow_down() -> None:
    delays = [invoice_fapiao.query_delay(queries) for queries in (1, 2, 3, 11, 1000)]
    assert delays == [timedelta(seconds=seconds) for seconds in (5, 10, 20, 3600, 3600)]

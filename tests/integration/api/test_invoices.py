import base64
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import pytest

from api.global_ids import encode_id
from parking.flows.invoices.invoice_link import LINK_PERIOD, link_token
from parking.invoices.fapiao.fake import FakeFapiaoService
from parking.kit.ids import new_id
from tests.factories.api import ApiWorld, open_api
from tests.factories.invoicing import InvoiceWorld
from tests.factories.lane_world import VAULT

STAFF: Final = "/staff/graphql"
BUYER: Final = {
    "name": "Acme GmbH",
    "country": "DE",
    "street": "Ring 1",
    "postalCode": "50667",
    "city": "Köln",
    "vatId": "DE123456789",
}
SELLER: Final = {
    "legalName": "Parkhaus Müller GmbH",
    "street": "Hauptstraße 5",
    "postalCode": "10115",
    "city": "Berlin",
    "country": "DE",
    "prefix": "PM",
    "timezone": "Europe/Berlin",
    "vatBasisPoints": 1900,
    "vatId": "DE123456789",
}
REQUEST: Final = """
mutation ($input: RequestInvoiceInput!) { requestInvoice(input: $input) {
  __typename
  ... on InvoiceRequested { invoice { id number kind state net { amountMinor }
    vat { amountMinor } gross { amountMinor currency } bills pdfUrl xmlUrl buyerName } }
  ... on InvalidInput { code field message }
  ... on Refused { code message } } }
"""
SET_SELLER: Final = """
mutation ($input: SetInvoiceSellerInput!) { setInvoiceSeller(input: $input) {
  __typename
  ... on InvoiceSellerSet { seller { legalName vatId placeVat { placeId basisPoints } } }
  ... on InvalidInput { field message } } }
"""
CANCEL: Final = """
mutation ($input: CancelInvoiceInput!) { cancelInvoice(input: $input) {
  __typename
  ... on InvoiceCancelled { creditNote { number corrects gross { amountMinor } } }
  ... on Refused { code } } }
"""
LIST: Final = """
query ($after: String) { viewer { invoices(first: 1, after: $after) {
  edges { node { id number state left { amountMinor } } } pageInfo { hasNextPage endCursor } } } }
"""


@dataclass
class Stage:
    """A driver with a token, staff with a token, and paid bills."""

    api: ApiWorld
    world: InvoiceWorld
    token: str
    staff: str

    async def bill(self, total_minor: int = 1000, driver_id: UUID | None = None) -> str:
        self.api.lanes.wait(seconds=1)
        return encode_id("Bill", *await self.world.paid_bill(total_minor, driver_id=driver_id))

    async def request(self, *bills: str, token: str | None = None, **buyer: str) -> dict[str, Any]:
        given = {"billIds": list(bills), "buyer": BUYER | buyer}
        answer = await self.api.ask(REQUEST, {"input": given}, token=token or self.token)
        return answer["requestInvoice"]

    async def file(self, path: str, token: str | None = None) -> httpx.Response:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return await self.api.http.get(path, headers=headers)


@pytest.fixture
async def stage(database_url: str, valkey_url: str) -> AsyncGenerator[Stage]:
    async with open_api(database_url, valkey_url) as api:
        driver_id, token = await api.add_driver()
        fapiao = FakeFapiaoService(api.lanes.clock)
        world = InvoiceWorld(api.lanes, api.lanes.context, fapiao, driver_id)
        staff, _ = api.tokens.issue_staff(world.operator_id, "Lin")
        answer = await api.ask(SET_SELLER, {"input": SELLER}, token=staff, path=STAFF)
        assert answer["setInvoiceSeller"]["__typename"] == "InvoiceSellerSet"
        yield Stage(api, world, token, staff)


async def test_a_driver_asks_for_an_invoice_and_fetches_it(stage: Stage) -> None:
    bills = [await stage.bill(), await stage.bill(350)]
    invoice = (await stage.request(*bills))["invoice"]
    year = stage.api.lanes.clock.now().year
    assert (invoice["number"], invoice["kind"]) == (f"PM-{year}-000001", "INVOICE")
    assert invoice["state"] == "ISSUED"
    assert [invoice[part]["amountMinor"] for part in ("net", "vat", "gross")] == [1134, 216, 1350]
    assert sorted(invoice["bills"]) == sorted(bills)
    pdf = await stage.file(invoice["pdfUrl"])
    assert (pdf.status_code, pdf.headers["content-type"]) == (200, "application/pdf")
    assert pdf.content.startswith(b"%PDF-")
    name = f'attachment; filename="PM-{year}-000001.pdf"'
    assert pdf.headers["content-disposition"] == name
    assert pdf.headers["cache-control"] == "no-store"
    xml = await stage.file(invoice["xmlUrl"])
    assert b"Acme GmbH" in xml.content
    assert (await stage.file(invoice["pdfUrl"])).content == pdf.content
    assert (await stage.request(*bills))["invoice"]["id"] == invoice["id"]


async def test_the_owner_and_the_operator_fetch_it_with_their_tokens(stage: Stage) -> None:
    invoice = (await stage.request(await stage.bill()))["invoice"]
    path = f"/invoices/{invoice['id']}.xml"
    for token in (stage.token, stage.staff):
        assert (await stage.file(path, token)).status_code == 200
    _, other_driver = await stage.api.add_driver("京B00001")
    other_staff, _ = stage.api.tokens.issue_staff(uuid4(), "Eve")
    for token in (other_driver, other_staff):
        answer = await stage.file(path, token)
        assert (answer.status_code, answer.json()) == (404, {"code": "INVOICE_UNKNOWN"})
    assert (await stage.file(path, "nonsense")).status_code == 401
    assert (await stage.file(path)).status_code == 404


async def test_a_link_cannot_be_guessed_prolonged_or_turned(stage: Stage) -> None:
    first = (await stage.request(await stage.bill()))["invoice"]
    second = (await stage.request(await stage.bill()))["invoice"]
    token = str(first["pdfUrl"]).rpartition("/")[2].removesuffix(".pdf")
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    later, turned = raw.copy(), raw.copy()
    later[38] ^= 1
    turned[16:32] = UUID(bytes=bytes(raw[16:32])).bytes[::-1]
    wrong = [base64.urlsafe_b64encode(bytes(body)).decode().rstrip("=") for body in (later, turned)]
    wrong += [token[:-1], "A" * len(token), "", "x" * 5000, token + "AAAA"]
    wrong.append(link_token(VAULT, uuid4(), uuid4(), stage.api.lanes.clock.now() + LINK_PERIOD))
    for one in wrong:
        answer = await stage.file(f"/invoices/{one}.pdf")
        assert answer.status_code == 404, one
    for name in (f"{token}.exe", token, f"{token}.pdf.pdf", f"{second['id']}.pdf"):
        assert (await stage.file(f"/invoices/{name}")).status_code == 404
    assert (await stage.file(first["pdfUrl"])).status_code == 200
    stage.api.lanes.clock.advance(LINK_PERIOD + timedelta(seconds=1))
    assert (await stage.file(first["pdfUrl"])).status_code == 404


async def test_nobody_reads_or_invoices_what_is_another_s(stage: Stage) -> None:
    invoice = (await stage.request(await stage.bill()))["invoice"]
    theirs = await stage.bill()
    _, other = await stage.api.add_driver("京B00001")
    node = await stage.api.ask(
        "query ($id: ID!) { node(id: $id) { id } }", {"id": invoice["id"]}, token=other
    )
    assert node == {"node": None}
    listed = await stage.api.ask(LIST, token=other)
    assert listed["viewer"]["invoices"]["edges"] == []
    answer = await stage.request(theirs, token=other)
    assert (answer["__typename"], answer["field"]) == ("InvalidInput", "billIds")
    unsigned = await stage.api.post(
        REQUEST, {"input": {"billIds": [theirs], "buyer": BUYER}}, token=None
    )
    assert unsigned["data"] is None or unsigned["data"]["requestInvoice"]["code"] == (
        "UNAUTHENTICATED"
    )
    assert await stage.api.lanes.count("invoices") == 1


BAD_BUYERS: Final = (
    ({"name": "x" * 10_240}, "buyer.name"),
    ({"name": "A\x00B"}, "buyer.name"),
    ({"name": "A\u202eB"}, "buyer.name"),
    ({"name": "你好"}, "buyer.name"),
    ({"street": "A\nB"}, "buyer.street"),
    ({"vatId": "DE1"}, "buyer.vatId"),
    ({"country": "XX"}, "buyer.country"),
    ({"email": "x@y"}, "buyer.email"),
)


async def test_a_bad_buyer_is_named_and_takes_no_number(stage: Stage) -> None:
    bill = await stage.bill()
    for buyer, field in BAD_BUYERS:
        answer = await stage.request(bill, **buyer)
        assert (answer["__typename"], answer["field"]) == ("InvalidInput", field)
    assert await stage.api.lanes.count("invoice_counters") == 0


async def test_bad_bill_ids_are_refused(stage: Stage) -> None:
    for ids in ([], ["x"], ["x"] * 101, [encode_id("Session", uuid4())]):
        answer = await stage.request(*ids)
        assert (answer["__typename"], answer["field"]) == ("InvalidInput", "billIds")


async def test_a_saved_buyer_is_used(stage: Stage) -> None:
    save = """mutation ($input: SaveInvoiceBuyerInput!) { saveInvoiceBuyer(input: $input) {
      ... on InvoiceBuyerSaved { buyer { name vatId } } ... on InvalidInput { field } } }"""
    bad = {"input": {"buyer": BUYER | {"vatId": "DE1"}}}
    assert await stage.api.ask(save, bad, token=stage.token) == {
        "saveInvoiceBuyer": {"field": "buyer.vatId"}
    }
    await stage.api.ask(save, {"input": {"buyer": BUYER}}, token=stage.token)
    viewer = await stage.api.ask("{ viewer { invoiceBuyer { name city } } }", token=stage.token)
    assert viewer["viewer"]["invoiceBuyer"] == {"name": "Acme GmbH", "city": "Köln"}
    answer = await stage.api.ask(
        REQUEST, {"input": {"billIds": [await stage.bill()]}}, token=stage.token
    )
    assert answer["requestInvoice"]["invoice"]["buyerName"] == "Acme GmbH"


async def test_pages_go_from_new_to_old(stage: Stage) -> None:
    numbers: list[str] = [
        (await stage.request(await stage.bill()))["invoice"]["number"] for _ in range(3)
    ]
    seen: list[str] = []
    more: list[bool] = []
    after = None
    for _ in range(3):
        answer = await stage.api.ask(LIST, {"after": after}, token=stage.token)
        page = answer["viewer"]["invoices"]
        seen += [edge["node"]["number"] for edge in page["edges"]]
        more.append(page["pageInfo"]["hasNextPage"])
        after = page["pageInfo"]["endCursor"]
    assert seen == numbers[::-1]
    assert more == [True, True, False]


async def test_staff_cancels_only_their_own(stage: Stage) -> None:
    invoice = (await stage.request(await stage.bill()))["invoice"]
    other, _ = stage.api.tokens.issue_staff(new_id(stage.api.lanes.clock.now()), "Eve")
    given = {"input": {"invoiceId": invoice["id"], "reason": "Wrong company"}}
    refused = await stage.api.ask(CANCEL, given, token=other, path=STAFF)
    assert refused["cancelInvoice"]["code"] == "INVOICE_UNKNOWN"
    assert await stage.api.lanes.count("invoices") == 1
    done = await stage.api.ask(CANCEL, given, token=stage.staff, path=STAFF)
    year = stage.api.lanes.clock.now().year
    assert done["cancelInvoice"]["creditNote"] == {
        "number": f"PM-C-{year}-000001",
        "corrects": invoice["id"],
        "gross": {"amountMinor": 1000},
    }
    assert await stage.api.ask(CANCEL, given, token=stage.staff, path=STAFF) == done
    listed = await stage.api.ask(
        "{ invoices { edges { node { number state } } } }", token=stage.staff, path=STAFF
    )
    assert {edge["node"]["state"] for edge in listed["invoices"]["edges"]} == {"CREDITED", "ISSUED"}


async def test_staff_says_what_invoices_say(stage: Stage) -> None:
    place = encode_id("Place", stage.world.operator_id, stage.api.lanes.entry.place_id)
    given = SELLER | {"placeVat": [{"placeId": place, "basisPoints": 700}]}
    answer = await stage.api.ask(SET_SELLER, {"input": given}, token=stage.staff, path=STAFF)
    assert answer["setInvoiceSeller"]["seller"]["placeVat"] == [
        {"placeId": place, "basisPoints": 700}
    ]
    foreign = [{"placeId": encode_id("Place", uuid4(), uuid4()), "basisPoints": 700}]
    for changes, field in (
        ({"placeVat": foreign}, "placeVat.placeId"),
        ({"vatId": "DE1"}, "vatId"),
        ({"prefix": "pm"}, "prefix"),
        ({"legalName": "A\u202eB"}, "legalName"),
    ):
        answer = await stage.api.ask(
            SET_SELLER, {"input": SELLER | changes}, token=stage.staff, path=STAFF
        )
        assert answer["setInvoiceSeller"]["field"] == field
    other, _ = stage.api.tokens.issue_staff(uuid4(), "Eve")
    query = "{ invoiceSeller { legalName placeVat { basisPoints } } }"
    assert await stage.api.ask(query, token=other, path=STAFF) == {"invoiceSeller": None}
    assert await stage.api.ask(query, token=stage.staff, path=STAFF) == {
        "invoiceSeller": {
            "legalName": "Parkhaus Müller GmbH",
            "placeVat": [{"basisPoints": 700}],
        }
    }


async def test_paid_stays_are_offered_until_they_are_invoiced(stage: Stage) -> None:
    lanes = stage.api.lanes
    await lanes.permit(stage.world.driver_id)
    await lanes.drive_in()
    lanes.wait(minutes=70)
    assert (await lanes.drive_out()).action == "open"
    stage.token = await stage.api.token_of(stage.world.driver_id)
    query = "{ viewer { invoiceableBills { billId placeName total { amountMinor } } } }"
    offered = (await stage.api.ask(query, token=stage.token))["viewer"]["invoiceableBills"]
    assert [(bill["placeName"], bill["total"]["amountMinor"]) for bill in offered] == [
        ("Riverside", 1500)
    ]
    invoice = (await stage.request(offered[0]["billId"]))["invoice"]
    assert invoice["gross"] == {"amountMinor": 1500, "currency": "CNY"}
    again = await stage.api.ask(query, token=stage.token)
    assert again["viewer"]["invoiceableBills"] == []

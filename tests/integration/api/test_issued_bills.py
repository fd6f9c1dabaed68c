"""Issued bills, their proof and their receipts over the API, and who must not get them."""

import json
from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.config import RECEIPTS_PER_OPERATION_MAX
from api.global_ids import encode_id
from parking.flows.context import ParkingContext
from parking.flows.pay_link import pay_token
from parking.flows.payments import refunds
from parking.flows.proof import bill_view
from parking.flows.proof.receipt_check import check_receipt, read_document
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.payments.receipt import open_receipt
from parking.payments.receipt_keys import read_key_set
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE, SIGNER
from tests.factories.receipts import bills_of
from tests.factories.statements import collected

STAFF = "/staff/graphql"
KEYS = "/.well-known/sesame-receipt-keys.json"
BILL = """id state version correctsId correctedById paidAt total { amountMinor currency }
  lines { reason amount { amountMinor } }"""
BILLS = f"""query Bills($first: Int!, $after: String) {{ viewer {{
  bills(first: $first, after: $after) {{
  edges {{ cursor node {{ {BILL} sessionId place {{ name timezone }} }} }}
  pageInfo {{ hasNextPage hasPreviousPage endCursor }} }} }} }}"""
SESSIONS = f"{{ viewer {{ sessions {{ edges {{ node {{ id bills {{ {BILL} }} }} }} }} }} }}"
NODE = """query Node($id: ID!, $plate: Boolean!) { node(id: $id) { id ... on IssuedBill {
  state receipt(withPlate: $plate) { number jws rateTable keysUrl } } } }"""
VERIFY = """query Verify($id: ID!) { verifyBill(billId: $id) {
  billId verified firstProblem { name words } checks { name ok expected found words } } }"""
STAFF_BILL = f"query Bill($id: ID!) {{ bill(id: $id) {{ {BILL} receipt {{ jws }} }} }}"
STAFF_BILLS = f"query Bills($id: ID!) {{ bills(sessionId: $id) {{ {BILL} }} }}"


async def stay(api: ApiWorld, plate: str = PLATE, *, minutes: int = 75) -> None:
    await api.lanes.drive_in(plate)
    api.lanes.wait(minutes=minutes)
    assert (await api.lanes.drive_out(plate)).action == "open"


async def driver_with_a_bill(api: ApiWorld) -> tuple[str, str]:
    """Return a driver's token and the id of their paid bill."""
    driver_id, _ = await api.add_driver()
    await api.lanes.permit(driver_id)
    await stay(api)
    [bill] = await bills_of(api.lanes)
    # Access tokens live a quarter of an hour, and the car stayed longer.
    token = await api.token_of(driver_id)
    return token, encode_id("Bill", bill.operator_id, bill.id)


async def page(api: ApiWorld, token: str, first: int, after: str | None = None) -> dict[str, Any]:
    found = await api.ask(BILLS, {"first": first, "after": after}, token=token)
    return found["viewer"]["bills"]


async def test_a_driver_pages_through_their_bills(api: ApiWorld) -> None:
    driver_id, _ = await api.add_driver()
    await api.lanes.permit(driver_id)
    for minutes in (5, 45, 75):
        await stay(api, minutes=minutes)
        api.lanes.wait(hours=2)
    [newest, *_] = reversed(await bills_of(api.lanes))
    async with api.lanes.context.database.begin() as unit:
        await refunds.request_refund(
            unit, newest, Money(500, "CNY"), cause="test", reason="Goodwill", by="Ada"
        )
    token = await api.token_of(driver_id)
    whole = await page(api, token, 10)
    told = [
        (edge["node"]["state"], edge["node"]["version"], edge["node"]["total"]["amountMinor"])
        for edge in whole["edges"]
    ]
    assert told == [("PAID", 2, 1000), ("CORRECTED", 1, 1500), ("PAID", 1, 1000), ("PAID", 1, 0)]
    lowered, corrected = (edge["node"] for edge in whole["edges"][:2])
    assert lowered["correctsId"] == corrected["id"]
    assert corrected["correctedById"] == lowered["id"]
    assert lowered["place"] == {"name": "Riverside", "timezone": "Asia/Shanghai"}
    *charged, given_up = (line["reason"] for line in lowered["lines"])
    # At midnight of the place a new line begins.
    assert (set(charged), given_up) == ({"increment"}, "waived")
    assert whole["pageInfo"]["hasNextPage"] is False
    part = await page(api, token, 1)
    one_by_one = list(part["edges"])
    while part["pageInfo"]["hasNextPage"]:
        part = await page(api, token, 1, part["pageInfo"]["endCursor"])
        one_by_one += part["edges"]
    assert one_by_one == whole["edges"]
    sessions = (await api.ask(SESSIONS, token=token))["viewer"]["sessions"]["edges"]
    assert [len(edge["node"]["bills"]) for edge in sessions] == [2, 1, 1]
    assert sessions[0]["node"]["bills"][0]["id"] == lowered["id"]


async def test_the_bills_of_a_list_of_stays_are_read_at_once(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_id, _ = await api.add_driver()
    await api.lanes.permit(driver_id)
    for _ in range(3):
        await stay(api, minutes=20)
        api.lanes.wait(hours=2)
    token = await api.token_of(driver_id)
    reads: list[int] = []
    read = bill_view.bills_of_stays

    async def counted(context: ParkingContext, driver: UUID, keys: Collection[UUID]) -> Any:  # noqa: ANN401 - as it returns
        reads.append(len(keys))
        return await read(context, driver, keys)

    monkeypatch.setattr(bill_view, "bills_of_stays", counted)
    sessions = (await api.ask(SESSIONS, token=token))["viewer"]["sessions"]["edges"]
    assert [len(edge["node"]["bills"]) for edge in sessions] == [1, 1, 1]
    assert reads == [3]


async def test_the_tariff_of_a_list_of_stays_is_told_once(api: ApiWorld) -> None:
    driver_id, _ = await api.add_driver()
    await api.lanes.permit(driver_id)
    place = "place { tariff { version examples { words } rateTable } }"
    document = (
        f"{{ viewer {{ sessions {{ edges {{ node {{ {place} bills {{ {place} }} }} }} }} }} }}"
    )
    statements: list[int] = []
    for stays in (1, 3):
        for _ in range(stays):
            await stay(api, minutes=20)
            api.lanes.wait(hours=2)
        token = await api.token_of(driver_id)
        with collected(api.lanes.context.database) as seen:
            found = (await api.ask(document, token=token))["viewer"]["sessions"]["edges"]
        assert [edge["node"]["place"]["tariff"]["version"] for edge in found] == [1] * len(found)
        statements.append(len(seen))
    assert statements[0] == statements[1]


async def test_a_bill_is_proven_over_the_api(api: ApiWorld) -> None:
    token, bill_id = await driver_with_a_bill(api)
    found = (await api.ask(VERIFY, {"id": bill_id}, token=token))["verifyBill"]
    assert (found["billId"], found["verified"], found["firstProblem"]) == (bill_id, True, None)
    assert {check["ok"] for check in found["checks"]} == {True}
    body = "jsonb_set(body, '{collections,0,lines,0,value}', '400')"
    await api.lanes.rows_changed(f"UPDATE rate_tables SET body = {body}")  # noqa: S608
    found = (await api.ask(VERIFY, {"id": bill_id}, token=token))["verifyBill"]
    assert found["verified"] is False
    assert found["firstProblem"]["name"] == "rate_table"
    [lines] = [check for check in found["checks"] if check["name"] == "lines"]
    assert lines["words"].startswith("line 1 of 1 differs")


async def test_a_receipt_by_graphql_and_by_file_is_the_same_and_checks(api: ApiWorld) -> None:
    token, bill_id = await driver_with_a_bill(api)
    node = (await api.ask(NODE, {"id": bill_id, "plate": False}, token=token))["node"]
    receipt = node["receipt"]
    headers = {"authorization": f"Bearer {token}"}
    file = await api.http.get(f"/receipts/{bill_id}", headers=headers)
    assert file.status_code == 200
    assert file.headers["content-disposition"] == (
        f'attachment; filename="receipt-{receipt["number"]}.json"'
    )
    assert file.headers["cache-control"] == "no-store"
    assert file.json() == {
        "receipt": receipt["jws"],
        "rate_table": receipt["rateTable"],
        "keys_url": receipt["keysUrl"],
    }
    published = await api.http.get(KEYS)
    found = check_receipt(read_document(file.content), read_key_set(published.json()))
    assert found.is_verified, found
    claims = open_receipt(receipt["jws"], SIGNER.keys)
    assert (claims["plate"], claims["plate_is_masked"]) == ("京A•••31", True)
    full = await api.http.get(f"/receipts/{bill_id}?plate=full", headers=headers)
    assert open_receipt(full.json()["receipt"], SIGNER.keys)["plate"] == PLATE
    node = (await api.ask(NODE, {"id": bill_id, "plate": True}, token=token))["node"]
    assert node["receipt"]["jws"] == full.json()["receipt"]


async def test_the_keys_may_be_read_and_kept_by_anybody(api: ApiWorld) -> None:
    published = await api.http.get(KEYS)
    assert published.status_code == 200
    assert published.headers["content-type"] == "application/jwk-set+json"
    assert published.headers["cache-control"] == "public, max-age=3600"
    assert published.headers["access-control-allow-origin"] == "*"
    assert published.json() == dict(SIGNER.key_set)
    assert "d" not in published.json()["keys"][0]
    object.__setattr__(api.lanes.context, "receipts", None)
    assert (await api.http.get(KEYS)).status_code == 404


async def test_nobody_else_gets_a_drivers_bill(api: ApiWorld) -> None:
    token, bill_id = await driver_with_a_bill(api)
    _, stranger = await api.add_driver("京B00001")
    staff, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
    assert (await api.ask(NODE, {"id": bill_id, "plate": True}, token=stranger))["node"] is None
    assert (await api.ask(VERIFY, {"id": bill_id}, token=stranger))["verifyBill"] is None
    assert (await page(api, stranger, 10))["edges"] == []
    for wrong, status in [(stranger, 404), (staff, 401), ("x", 401), (None, 401)]:
        headers = {} if wrong is None else {"authorization": f"Bearer {wrong}"}
        answer = await api.http.get(f"/receipts/{bill_id}", headers=headers)
        assert answer.status_code == status
        assert b"receipt" not in answer.content
    mine = {"authorization": f"Bearer {token}"}
    [row] = await api.lanes.rows("SELECT operator_id, id FROM sessions")
    for name in (
        "x",
        encode_id("Session", row["id"]),
        encode_id("Bill", row["operator_id"], uuid4()),
    ):
        assert (await api.http.get(f"/receipts/{name}", headers=mine)).status_code == 404
    # A stranger's cursor opens nothing of the stay that it names.
    cursor = encode_id("BillCursor", row["id"], uuid4())
    assert (await page(api, stranger, 10, cursor))["edges"] == []
    refused = await api.post(VERIFY, {"id": "x"}, token=token)
    assert refused["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


async def test_whoever_held_the_plate_before_keeps_only_their_own(api: ApiWorld) -> None:
    token, bill_id = await driver_with_a_bill(api)
    await api.lanes.rows_changed("UPDATE bills SET driver_id = :other", other=uuid4())
    assert (await api.ask(NODE, {"id": bill_id, "plate": False}, token=token))["node"] is None
    assert (await page(api, token, 10))["edges"] == []
    sessions = (await api.ask(SESSIONS, token=token))["viewer"]["sessions"]["edges"]
    assert [edge["node"]["bills"] for edge in sessions] == [[]]


async def test_an_unpaid_bill_has_no_receipt_yet(api: ApiWorld) -> None:
    driver_id, _ = await api.add_driver()
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    assert (await api.lanes.drive_out()).action == "pay"
    token = await api.token_of(driver_id)
    [edge] = (await page(api, token, 10))["edges"]
    bill_id = edge["node"]["id"]
    assert edge["node"]["state"] == "ISSUED"
    node = (await api.ask(NODE, {"id": bill_id, "plate": False}, token=token))["node"]
    assert node["receipt"] is None
    found = (await api.ask(VERIFY, {"id": bill_id}, token=token))["verifyBill"]
    assert found["verified"] is True
    assert found["checks"][-1]["ok"] is None
    assert found["checks"][-1]["words"] == "it is not paid, and has no receipt yet"
    answer = await api.http.get(
        f"/receipts/{bill_id}", headers={"authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, answer.json()) == (409, {"code": "RECEIPT_NOT_READY"})


async def test_one_operation_gets_so_many_receipts(api: ApiWorld) -> None:
    await driver_with_a_bill(api)
    [bill] = await bills_of(api.lanes)
    for number in range(RECEIPTS_PER_OPERATION_MAX):
        copy = "INSERT INTO bills SELECT (jsonb_populate_record(bills, :changes)).* FROM bills"
        changes = json.dumps({"id": str(new_id(bill.issued_at + timedelta(seconds=number)))})
        await api.lanes.rows_changed(f"{copy} WHERE id = :id", changes=changes, id=bill.id)
    token = await api.token_of(bill.driver_id or uuid4())
    many = "{ viewer { bills(first: 100) { edges { node { receipt { number } } } } } }"
    answer = await api.post(many, token=token)
    nodes = [edge["node"] for edge in answer["data"]["viewer"]["bills"]["edges"]]
    assert sum(node["receipt"] is not None for node in nodes) == RECEIPTS_PER_OPERATION_MAX
    assert answer["errors"][0]["message"] == "receipt: expected at most 20 at once"


async def paid_on_a_page(api: ApiWorld) -> str:
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    [row] = await api.lanes.rows("SELECT operator_id, id FROM sessions")
    path = "/pay/" + pay_token(api.lanes.context.vault, row["operator_id"], row["id"])
    await api.http.post(path)
    [attempt] = await api.lanes.rows("SELECT number FROM payment_attempts")
    assert api.lanes.provider.pay(attempt["number"])
    sent = api.lanes.provider.notices[-1]
    await api.http.post("/callbacks/fake", content=sent.body, headers=dict(sent.headers))
    return path


async def test_whoever_paid_on_the_page_downloads_the_receipt_there(api: ApiWorld) -> None:
    path = await paid_on_a_page(api)
    html = (await api.http.get(path)).text
    link = f'<a href="https://pay.example{path}/receipts/1" download>Receipt</a>'
    assert link in html
    file = await api.http.get(f"{path}/receipts/1")
    assert file.status_code == 200
    assert check_receipt(read_document(file.content), SIGNER.keys).is_verified
    claims = open_receipt(file.json()["receipt"], SIGNER.keys)
    assert (claims["plate"], claims["payment"]["method"]) == ("京A•••31", "checkout")
    for number in ("0", "2", "01", "1.0", "x", "9" * 5000):
        assert (await api.http.get(f"{path}/receipts/{number}")).status_code == 404
    altered = path[:-3] + ("AAA" if not path.endswith("AAA") else "BBB")
    assert (await api.http.get(f"{altered}/receipts/1")).status_code == 404


async def test_the_code_on_the_display_does_not_open_an_accounts_receipts(api: ApiWorld) -> None:
    await driver_with_a_bill(api)
    [row] = await api.lanes.rows("SELECT operator_id, id FROM sessions")
    path = "/pay/" + pay_token(api.lanes.context.vault, row["operator_id"], row["id"])
    assert "receipts/" not in (await api.http.get(path)).text
    assert (await api.http.get(f"{path}/receipts/1")).status_code == 404


async def test_staff_see_their_own_operators_bills_only(api: ApiWorld) -> None:
    driver, bill_id = await driver_with_a_bill(api)
    staff, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
    rival, _ = api.tokens.issue_staff(uuid4(), "Eve")
    [row] = await api.lanes.rows("SELECT operator_id, id FROM sessions")
    session_id = encode_id("Session", row["id"])

    async def ask(token: str, query: str, name: str, key: str) -> Any:  # noqa: ANN401 - JSON
        return (await api.ask(query, {"id": key}, token=token, path=STAFF))[name]

    told = await ask(staff, STAFF_BILL, "bill", bill_id)
    assert (told["id"], told["state"]) == (bill_id, "PAID")
    assert PLATE not in json.dumps(open_receipt(told["receipt"]["jws"], SIGNER.keys))
    [listed] = await ask(staff, STAFF_BILLS, "bills", session_id)
    assert listed["id"] == bill_id
    assert (await ask(staff, VERIFY, "verifyBill", bill_id))["verified"] is True
    assert await ask(rival, STAFF_BILL, "bill", bill_id) is None
    assert await ask(rival, STAFF_BILLS, "bills", session_id) == []
    assert await ask(rival, VERIFY, "verifyBill", bill_id) is None
    forged = encode_id("Bill", UUID(int=1), uuid4())
    assert await ask(staff, STAFF_BILL, "bill", forged) is None
    assert await ask(staff, STAFF_BILLS, "bills", encode_id("Session", uuid4())) == []
    refused = await api.post(STAFF_BILL, {"id": bill_id}, token=driver, path=STAFF)
    assert refused["data"] == {"bill": None}
    assert refused["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("field", ["receipt(withPlate: true) { jws }", "bills { id }"])
async def test_the_staffs_schema_never_gives_a_plate_in_full(api: ApiWorld, field: str) -> None:
    staff, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
    query = f'{{ bill(id: "{encode_id("Bill", uuid4(), uuid4())}") {{ {field} }} }}'
    assert "errors" in await api.post(query, token=staff, path=STAFF)

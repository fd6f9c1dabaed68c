"""Passes through the driver's and the staff's API, and attempts to break in."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from api.global_ids import encode_id, read_id
from parking.flows.proof import bill_view
from parking.places import service as places
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE
from tests.factories.pass_desk import PRICE_MINOR, PassDesk

STAFF = "/staff/graphql"
REFUSAL = "... on Refusal { code } ... on InvalidInput { field }"
PLACES = "{ places { id name timezone currency areas { id name supply } } }"
CREATE = f"""
mutation Create($input: CreatePassProductInput!) {{ createPassProduct(input: $input) {{
  __typename {REFUSAL} ... on PassProductStored {{ product {{
    id isOnSale quantity held createdBy product {{ name placeIds price {{ amountMinor currency }} }}
  }} }}
}} }}
"""
SALE = f"""
mutation Sale($id: ID!, $on: Boolean!) {{
  setPassProductSale(input: {{productId: $id, isOnSale: $on}}) {{
    {REFUSAL} ... on PassProductStored {{ product {{ isOnSale }} }}
}} }}
"""
REPRICE = f"""
mutation Reprice($id: ID!, $amount: Int!) {{
  changePassPrice(input: {{productId: $id, price: {{amountMinor: $amount, currency: "CNY"}}}}) {{
    {REFUSAL} ... on PassProductStored {{ product {{ product {{ price {{ amountMinor }} }} }} }}
}} }}
"""
GRANT = f"""
mutation Grant($id: ID!, $last: Date!, $plates: [String!]!, $reason: String!) {{
  grantPass(input: {{productId: $id, plates: $plates, lastDay: $last, reason: $reason}}) {{
    {REFUSAL} ... on HeldPassStored {{ pass {{ id state plates isGranted decidedBy reason }} }}
}} }}
"""
REVOKE = f"""
mutation Revoke($id: ID!, $reason: String!) {{
  revokePass(input: {{passId: $id, reason: $reason}}) {{
    {REFUSAL} ... on HeldPassStored {{ pass {{ id state decidedBy reason }} }}
}} }}
"""
HELD = """
query Held($after: String) { heldPasses(first: 1, after: $after) {
  nodes { id state plates isGranted } pageInfo { hasNextPage endCursor }
} }
"""
OFFERS = """
query Offers($place: ID!, $day: Date!) { passProducts(placeId: $place) {
  id name weekdays hoursFrom hoursTo period isSoldOut firstPrice(startsOn: $day) { amountMinor }
} }
"""
PURCHASE = f"""
mutation Purchase($input: PurchasePassInput!, $key: String!) {{
purchasePass(input: $input, idempotencyKey: $key) {{
  __typename {REFUSAL} ... on PassPurchased {{ pass {{
    id state plates renews paidUntil nextPrice {{ amountMinor }} product {{ name }}
  }} }}
}} }}
"""
CANCEL = f"""
mutation Cancel($id: ID!, $now: Boolean!) {{
  cancelPass(input: {{passId: $id, immediately: $now}}) {{
    {REFUSAL} ... on PassCancelled {{ refund {{ amountMinor currency }} pass {{ state renews }} }}
}} }}
"""
RENEWAL = f"""
mutation Renewal($id: ID!, $renews: Boolean!) {{
  setPassRenewal(input: {{passId: $id, renews: $renews}}) {{
    {REFUSAL} ... on PassChanged {{ pass {{ renews renewsAt }} }}
}} }}
"""
TRANSFER = f"""
mutation Transfer($id: ID!, $plate: ID!, $old: ID) {{
  transferPass(input: {{passId: $id, plateId: $plate, replacesPlateId: $old}}) {{
    {REFUSAL} ... on PassChanged {{ pass {{ plates }} }}
}} }}
"""
PASSES = "{ viewer { passes { id state plates refundable { amountMinor } } plates { id text } } }"
NODE = "query Node($id: ID!) { node(id: $id) { id ... on Pass { state plates } } }"


@pytest.fixture
def staff(api: ApiWorld) -> str:
    token, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
    return token


@pytest.fixture
def desk(api: ApiWorld) -> PassDesk:
    return PassDesk(api.lanes)


async def stranger(api: ApiWorld) -> str:
    """Return a staff token of another operator."""
    async with api.lanes.context.database.begin() as unit:
        operator = places.add_operator(unit, "Elsewhere")
    token, _ = api.tokens.issue_staff(operator.id, "Eve")
    return token


async def place_id(api: ApiWorld, staff: str) -> str:
    [place] = (await api.ask(PLACES, token=staff, path=STAFF))["places"]
    return place["id"]


async def create(api: ApiWorld, staff: str, **changes: object) -> dict[str, Any]:
    given = {
        "name": "Office",
        "placeIds": [await place_id(api, staff)],
        "price": {"amountMinor": PRICE_MINOR, "currency": "CNY"},
        **changes,
    }
    answer = await api.ask(CREATE, {"input": given}, token=staff, path=STAFF)
    return answer["createPassProduct"]


async def buyer(api: ApiWorld, plate: str = PLATE) -> tuple[str, str]:
    """Return a token and the id of a bound plate of a driver who pays by mandate."""
    driver_id, token = await api.add_driver(plate)
    await api.lanes.permit(driver_id)
    [bound] = (await api.ask(PASSES, token=token))["viewer"]["plates"]
    return token, bound["id"]


async def purchase(
    api: ApiWorld,
    token: str,
    product_id: str,
    plate_id: str,
    key: str = "purchase-1",
    **more: object,
) -> Any:  # noqa: ANN401 - JSON
    given = {
        "productId": product_id,
        "plateIds": [plate_id],
        **more,
    }
    asked = {"input": given, "key": key}
    return (await api.ask(PURCHASE, asked, token=token))["purchasePass"]


async def test_from_the_product_to_the_end_of_a_pass(api: ApiWorld, staff: str) -> None:
    made = await create(
        api,
        staff,
        weekdays=["MONDAY", "FRIDAY"],
        hoursFrom="07:00",
        hoursTo="19:30",
        quantity=1,
    )
    product = made["product"]
    assert (product["createdBy"], product["held"], product["quantity"]) == ("Ada", 0, 1)
    token, plate_id = await buyer(api)
    day = (api.lanes.clock.now() + timedelta(hours=8)).date().isoformat()
    variables = {"place": await place_id(api, staff), "day": day}
    [offer] = (await api.ask(OFFERS, variables, token=token))["passProducts"]
    assert offer == {
        "id": product["id"],
        "name": "Office",
        "weekdays": ["MONDAY", "FRIDAY"],
        "hoursFrom": "07:00",
        "hoursTo": "19:30",
        "period": "CALENDAR_MONTH",
        "isSoldOut": False,
        "firstPrice": {"amountMinor": PRICE_MINOR},
    }
    price = {"amountMinor": PRICE_MINOR, "currency": "CNY"}
    for _ in range(2):
        bought = await purchase(api, token, offer["id"], plate_id, price=price)
        assert (bought["pass"]["state"], bought["pass"]["plates"]) == ("ACTIVE", [PLATE])
        assert bought["pass"]["nextPrice"] == {"amountMinor": PRICE_MINOR}
    assert api.lanes.provider.captured("CNY") == PRICE_MINOR
    assert (await purchase(api, token, offer["id"], plate_id, key="purchase-2"))[
        "code"
    ] == "PASS_SOLD_OUT"
    [held] = (await api.ask(PASSES, token=token))["viewer"]["passes"]
    pass_id = held["id"]
    off = await api.ask(RENEWAL, {"id": pass_id, "renews": False}, token=token)
    assert off["setPassRenewal"]["pass"] == {"renews": False, "renewsAt": None}
    shown = (await api.ask(PASSES, token=token))["viewer"]["passes"]
    refundable = shown[0].pop("refundable")["amountMinor"]
    assert shown == [{"id": pass_id, "state": "ACTIVE", "plates": [PLATE]}]
    node = (await api.ask(NODE, {"id": pass_id}, token=token))["node"]
    assert node == {"id": pass_id, "state": "ACTIVE", "plates": [PLATE]}
    ended = await api.ask(CANCEL, {"id": pass_id, "now": True}, token=token)
    assert ended["cancelPass"] == {
        "refund": {"amountMinor": refundable, "currency": "CNY"},
        "pass": {"state": "CANCELLED", "renews": False},
    }
    assert api.lanes.provider.captured("CNY") == PRICE_MINOR - refundable


async def test_a_transfer_through_the_api(api: ApiWorld, staff: str, desk: PassDesk) -> None:
    product_id = (await create(api, staff))["product"]["id"]
    driver_id, token = await api.add_driver()
    await api.lanes.permit(driver_id)
    [old] = (await api.ask(PASSES, token=token))["viewer"]["plates"]
    pass_id = (await purchase(api, token, product_id, old["id"]))["pass"]["id"]
    new = encode_id("Plate", await desk.bind(driver_id, "AB22222"))
    api.lanes.wait(minutes=1)
    full = await api.ask(TRANSFER, {"id": pass_id, "plate": new}, token=token)
    assert full["transferPass"] == {"code": "PASS_PLATES_EXHAUSTED"}
    variables = {"id": pass_id, "plate": new, "old": old["id"]}
    moved = await api.ask(TRANSFER, variables, token=token)
    assert moved["transferPass"]["pass"]["plates"] == ["AB22222"]


BAD_PRODUCTS: tuple[tuple[dict[str, object], str], ...] = (
    ({"name": " "}, "name"),
    ({"placeIds": []}, "placeIds"),
    ({"placeIds": ["x"]}, "placeIds"),
    ({"price": {"amountMinor": -1, "currency": "CNY"}}, "price"),
    ({"price": {"amountMinor": 1, "currency": "EUR"}}, "price.currency"),
    ({"price": {"amountMinor": 1, "currency": "yuan"}}, "price.currency"),
    ({"weekdays": []}, "weekdays"),
    ({"hoursFrom": "7:00"}, "hoursFrom"),
    ({"hoursFrom": "24:00"}, "from"),
    ({"hoursTo": "00:00"}, "to"),
    ({"period": "DAYS"}, "periodDays"),
    ({"period": "DAYS", "periodDays": 367}, "periodDays"),
    ({"period": "DAYS", "periodDays": 7, "isProrated": True}, "prorated"),
    ({"periodDays": 7}, "periodDays"),
    ({"period": "DAYS", "periodDays": 5, "isProrated": False}, "graceDays"),
    ({"period": "DAYS", "periodDays": 1, "isProrated": False, "graceDays": 1}, "graceDays"),
    ({"platesMax": 0}, "platesMax"),
    ({"spaces": 2}, "spaces"),
    ({"noticeDays": 0}, "noticeDays"),
    ({"graceDays": 31}, "graceDays"),
    ({"retryDays": [3, 1]}, "retryDays"),
    ({"retryDays": [5]}, "retryDays"),
    ({"quantity": 0}, "quantity"),
    ({"validFrom": "2026-12-01", "validUntil": "2026-12-01"}, "validUntil"),
    ({"areaId": "x"}, "areaId"),
)


async def test_a_product_that_makes_no_sense_names_its_field(api: ApiWorld, staff: str) -> None:
    for changes, field in BAD_PRODUCTS:
        refused = await create(api, staff, **changes)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field), changes
    assert await api.lanes.count("right_specifications") == 0


async def test_staff_grant_list_and_revoke(api: ApiWorld, staff: str) -> None:
    product_id = (await create(api, staff, isOnSale=False))["product"]["id"]
    last = (api.lanes.clock.now() + timedelta(days=30)).date().isoformat()
    variables = {"id": product_id, "last": last, "plates": ["ab-1"], "reason": "resident"}
    granted = (await api.ask(GRANT, variables, token=staff, path=STAFF))["grantPass"]["pass"]
    assert granted == {
        "id": granted["id"],
        "state": "ACTIVE",
        "plates": ["AB1"],
        "isGranted": True,
        "decidedBy": "Ada",
        "reason": "resident",
    }
    api.lanes.wait(seconds=1)
    await api.ask(GRANT, variables | {"plates": ["AB2"]}, token=staff, path=STAFF)
    page = (await api.ask(HELD, token=staff, path=STAFF))["heldPasses"]
    assert [item["plates"] for item in page["nodes"]] == [["AB2"]]
    after = {"after": page["pageInfo"]["endCursor"]}
    page = (await api.ask(HELD, after, token=staff, path=STAFF))["heldPasses"]
    assert [item["plates"] for item in page["nodes"]] == [["AB1"]]
    variables = {"id": granted["id"], "reason": "moved"}
    for _ in range(2):
        revoked = (await api.ask(REVOKE, variables, token=staff, path=STAFF))["revokePass"]["pass"]
        assert (revoked["state"], revoked["reason"]) == ("REVOKED", "moved")
    unknown = await api.ask(
        GRANT, variables | {"last": last, "plates": []}, token=staff, path=STAFF
    )
    assert unknown["grantPass"]["code"] == "INVALID_INPUT"


async def test_one_operator_does_not_reach_anothers_passes(api: ApiWorld, staff: str) -> None:
    product_id = (await create(api, staff))["product"]["id"]
    token, plate_id = await buyer(api)
    pass_id = (await purchase(api, token, product_id, plate_id))["pass"]["id"]
    _, (key,) = read_id(pass_id)
    eve = await stranger(api)
    before = await books(api)
    last = (api.lanes.clock.now() + timedelta(days=30)).date().isoformat()
    for query, name, variables, code in (
        (SALE, "setPassProductSale", {"id": product_id, "on": False}, "PASS_PRODUCT_UNKNOWN"),
        (REPRICE, "changePassPrice", {"id": product_id, "amount": 1}, "PASS_PRODUCT_UNKNOWN"),
        (
            GRANT,
            "grantPass",
            {"id": product_id, "last": last, "plates": ["AB1"], "reason": "me"},
            "PASS_PRODUCT_UNKNOWN",
        ),
        (
            REVOKE,
            "revokePass",
            {"id": encode_id("HeldPass", key), "reason": "me"},
            "PASS_UNKNOWN",
        ),
    ):
        answer = await api.ask(query, variables, token=eve, path=STAFF)
        assert answer[name]["code"] == code
        for thief in (token, None):
            answer = await api.ask(query, variables, token=thief, path=STAFF)
            assert answer[name]["code"] == "UNAUTHENTICATED"
    page = (await api.ask(HELD, token=eve, path=STAFF))["heldPasses"]
    assert page == {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    given = {"placeIds": [await place_id(api, staff)], "name": "Mine"}
    stolen = {"price": {"amountMinor": 1, "currency": "CNY"}, **given}
    answer = await api.ask(CREATE, {"input": stolen}, token=eve, path=STAFF)
    assert answer["createPassProduct"]["field"] == "placeIds"
    assert (await api.ask(PLACES, token=eve, path=STAFF))["places"] == []
    assert await books(api) == before


async def test_one_driver_does_not_reach_anothers_pass(api: ApiWorld, staff: str) -> None:
    product_id = (await create(api, staff))["product"]["id"]
    token, plate_id = await buyer(api)
    pass_id = (await purchase(api, token, product_id, plate_id))["pass"]["id"]
    thief, thiefs_plate = await buyer(api, "ZZ1")
    before = await books(api)
    kind, _ = read_id(pass_id)
    for query, name, variables in (
        (CANCEL, "cancelPass", {"now": True}),
        (RENEWAL, "setPassRenewal", {"renews": False}),
        (TRANSFER, "transferPass", {"plate": thiefs_plate}),
    ):
        stolen = (await api.ask(query, {"id": pass_id, **variables}, token=thief))[name]
        none = {"id": encode_id(kind, UUID(int=7)), **variables}
        assert stolen == (await api.ask(query, none, token=thief))[name]
        assert stolen["code"] == "PASS_UNKNOWN"
        anonymous = (await api.ask(query, {"id": pass_id, **variables}))[name]
        assert anonymous["code"] == "UNAUTHENTICATED"
        wrong = (await api.ask(query, {"id": product_id, **variables}, token=thief))[name]
        assert (wrong["code"], wrong["field"]) == ("INVALID_INPUT", "passId")
    assert (await api.ask(NODE, {"id": pass_id}, token=thief))["node"] is None
    assert (await api.ask(PASSES, token=thief))["viewer"]["passes"] == []
    # A plate of somebody else's, and a product under another operator's name.
    refused = await purchase(api, thief, product_id, plate_id)
    assert refused["code"] == "PASS_PLATE_UNKNOWN"
    _, (_, product_key) = read_id(product_id)
    forged = encode_id("PassProduct", UUID(int=7), product_key)
    refused = await purchase(api, thief, forged, thiefs_plate)
    assert refused["code"] == "PASS_PRODUCT_UNKNOWN"
    # The same key is another driver's own purchase, not this one's.
    own = await purchase(api, thief, product_id, thiefs_plate)
    assert own["pass"]["id"] != pass_id
    assert (await books(api))[0] != before[0]


async def test_without_an_authorization_nothing_is_bought(api: ApiWorld, staff: str) -> None:
    product_id = (await create(api, staff))["product"]["id"]
    _, token = await api.add_driver()
    [plate] = (await api.ask(PASSES, token=token))["viewer"]["plates"]
    before = await books(api)
    refused = await purchase(api, token, product_id, plate["id"])
    assert refused["code"] == "PASS_MANDATE_MISSING"
    refused = await purchase(
        api, token, product_id, plate["id"], price={"amountMinor": 1, "currency": "CNY"}
    )
    assert refused["code"] == "PASS_PRICE_CHANGED"
    assert await books(api) == before


async def books(api: ApiWorld) -> list[Any]:
    return [
        await api.lanes.rows(f"SELECT * FROM {table}")  # noqa: S608 - our own names
        for table in ("assigned_rights", "right_plates", "right_specifications", "bills")
    ]


async def test_a_pass_shows_a_driver_only_their_own_bills(api: ApiWorld) -> None:
    desk = PassDesk(api.lanes)
    driver_id = await desk.buyer()
    pass_id = await desk.buy(driver_id, await desk.add_product())
    [bill] = await api.lanes.rows("SELECT operator_id, id FROM bills")
    bill_id = encode_id("Bill", bill["operator_id"], bill["id"])
    mine = "{ viewer { passes { bills { id total { amountMinor } } } } }"
    token = await api.token_of(driver_id)
    [held] = (await api.ask(mine, token=token))["viewer"]["passes"]
    assert held["bills"] == [{"id": bill_id, "total": {"amountMinor": PRICE_MINOR}}]
    stranger_id, stranger = await api.add_driver("京B00001")
    assert (await api.ask(mine, token=stranger))["viewer"]["passes"] == []
    key = (bill["operator_id"], pass_id)
    assert await bill_view.bills_of_passes(api.lanes.context, stranger_id, [key]) == {pass_id: []}
    # The pass goes on to somebody else, and what was paid for it does not.
    await api.lanes.rows_changed("UPDATE bills SET driver_id = :other", other=stranger_id)
    [held] = (await api.ask(mine, token=token))["viewer"]["passes"]
    assert held["bills"] == []

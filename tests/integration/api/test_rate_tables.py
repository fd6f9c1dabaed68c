"""Rate tables in GraphQL: what drivers may know of them, and what staff do with their own."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from api.global_ids import encode_id
from parking.places import service as places
from tests.factories.api import ApiWorld
from tests.factories.lane_world import RATE_TABLE

PATH = "/staff/graphql"
QUOTE = """
query Quote($place: ID!, $from: DateTime!, $to: DateTime!, $vehicle: QuotedVehicleInput) {
  quote(placeId: $place, enteredAt: $from, leftAt: $to, vehicle: $vehicle) {
    total { amountMinor currency } version variant expiresAt nextChangeAt curveEndsAt
    lines { reason amount { amountMinor } runningTotal { amountMinor } blockMinutes blockCount
      cappedFrom { amountMinor } collection note }
    curve { at total { amountMinor } }
  }
}
"""
TARIFF = """
query Tariff($locale: String!) { viewer { activeSessions { place {
  tariff(locale: $locale) { version currency rateTable sections { heading lines }
    examples { words amount { amountMinor } } }
} } } }
"""
VERSIONS = """
query Versions($place: ID!, $first: Int) { rateTables(placeId: $place, first: $first) {
  version effectiveAt endsAt isInForce isReplaced body
} }
"""
LINT = """
query Lint($body: JSON!) { lintRateTable(body: $body) {
  severity code path words stays { amount { amountMinor } }
} }
"""
TRY = """
query Try($body: JSON!, $from: DateTime!, $to: DateTime!) {
  quoteRateTable(body: $body, enteredAt: $from, leftAt: $to) {
    total { amountMinor currency } lines { reason } nextChangeAt variant
  }
}
"""
PUBLISH = """
mutation Publish($input: PublishRateTableInput!) { publishRateTable(input: $input) {
  __typename
  ... on RateTablePublished { version effectiveAt findings { code } }
  ... on Refusal { code message }
  ... on InvalidInput { field }
} }
"""
LINE = {"kind": "increment", "value": 600, "block": 30, "from": 0}
DEARER = RATE_TABLE | {"collections": [{"lines": [LINE]}]}
UNSOUND = RATE_TABLE | {"caps": [{"per": "calendar_day", "amount": 400}]}


@pytest.fixture
def place(api: ApiWorld) -> str:
    lane = api.lanes.entry
    return encode_id("Place", lane.operator_id, lane.place_id)


@pytest.fixture
def staff(api: ApiWorld) -> str:
    token, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
    return token


async def _publish(api: ApiWorld, token: str | None, **given: object) -> dict[str, Any]:
    answer = await api.ask(PUBLISH, {"input": given}, token=token, path=PATH)
    return answer["publishRateTable"]


async def test_a_driver_asks_what_a_stay_costs(api: ApiWorld, place: str) -> None:
    _, token = await api.add_driver()
    now = api.lanes.clock.now().replace(microsecond=0) + timedelta(minutes=1)
    variables = {"place": place, "from": now.isoformat()}
    answer = await api.ask(
        QUOTE, variables | {"to": (now + timedelta(minutes=65)).isoformat()}, token=token
    )
    quote = answer["quote"]
    assert quote["total"] == {"amountMinor": 1500, "currency": "CNY"}
    assert (quote["version"], quote["variant"]) == (1, "")
    assert sum(line["amount"]["amountMinor"] for line in quote["lines"]) == 1500
    assert quote["lines"][-1]["runningTotal"] == {"amountMinor": 1500}
    curve = [
        ((datetime.fromisoformat(step["at"]) - now).total_seconds(), step["total"]["amountMinor"])
        for step in quote["curve"]
    ]
    # Ten minutes are absorbed; then each block counts from the second after its start.
    assert curve[:3] == [(0, 0), (601, 500), (1801, 1000)]
    assert quote["curveEndsAt"] == (now + timedelta(minutes=65)).isoformat()
    expires = datetime.fromisoformat(quote["expiresAt"])
    assert expires == api.lanes.clock.now() + timedelta(minutes=15)


async def test_a_quote_goes_by_the_version_of_its_entry(
    api: ApiWorld, place: str, staff: str
) -> None:
    _, token = await api.add_driver()
    # Noon, so that no midnight with its own cap comes between.
    day = (api.lanes.clock.now() + timedelta(days=2)).replace(hour=2, minute=0, second=0)
    published = await _publish(api, staff, placeId=place, body=DEARER, effectiveAt=day.isoformat())
    assert published["version"] == 2
    amounts: list[tuple[int, int]] = []
    for entered_at in (day - timedelta(hours=1), day):
        left_at = entered_at + timedelta(minutes=30)
        variables = {"place": place, "from": entered_at.isoformat(), "to": left_at.isoformat()}
        quote = (await api.ask(QUOTE, variables, token=token))["quote"]
        amounts.append((quote["version"], quote["total"]["amountMinor"]))
    assert amounts == [(1, 500), (2, 600)]


async def test_what_cannot_be_quoted_is_refused_by_name(api: ApiWorld, place: str) -> None:
    _, token = await api.add_driver()
    cases: list[tuple[timedelta, timedelta, dict[str, Any] | None, str]] = [
        (timedelta(), timedelta(days=32), None, "leftAt"),
        (timedelta(), timedelta(seconds=-1), None, "leftAt"),
        (timedelta(days=400), timedelta(hours=1), None, "enteredAt"),
        (timedelta(), timedelta(hours=1), {"vehicleClass": "spaceship"}, "vehicle.vehicleClass"),
    ]
    for start, length, vehicle, field in cases:
        entered_at = api.lanes.clock.now() + start
        times = {"from": entered_at.isoformat(), "to": (entered_at + length).isoformat()}
        body = await api.post(QUOTE, {"place": place, "vehicle": vehicle} | times, token=token)
        assert body["errors"][0]["extensions"]["field"] == field


async def test_a_quote_needs_a_driver_and_a_place_that_exists(api: ApiWorld, place: str) -> None:
    now = api.lanes.clock.now().isoformat()
    body = await api.post(QUOTE, {"place": place, "from": now, "to": now})
    assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    _, token = await api.add_driver()
    nowhere = encode_id("Place", api.lanes.entry.operator_id, uuid4())
    body = await api.post(QUOTE, {"place": nowhere, "from": now, "to": now}, token=token)
    assert body["errors"][0]["extensions"]["code"] == "PLACE_UNKNOWN"


async def test_a_place_tells_its_tariff_in_words(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    await api.lanes.drive_in()
    viewer = (await api.ask(TARIFF, {"locale": "zh"}, token=token))["viewer"]
    tariff = viewer["activeSessions"][0]["place"]["tariff"]
    assert (tariff["version"], tariff["currency"]) == (1, "CNY")
    assert tariff["rateTable"] == RATE_TABLE
    assert tariff["sections"][0] == {
        "heading": "每天、全天",
        "lines": ["每30分钟5元，不足30分钟按30分钟计"],  # noqa: RUF001 - Chinese
    }
    assert tariff["examples"][0] == {"words": "停车1小时", "amount": {"amountMinor": 1000}}


async def test_staff_publish_ahead_of_time_and_see_what_is_in_force_when(
    api: ApiWorld, place: str, staff: str
) -> None:
    at = (api.lanes.clock.now() + timedelta(days=7)).isoformat()
    first = await _publish(api, staff, placeId=place, body=DEARER, effectiveAt=at)
    assert (first["__typename"], first["version"]) == ("RateTablePublished", 2)
    again = await _publish(api, staff, placeId=place, body=DEARER, effectiveAt=at)
    assert again == first
    assert await api.lanes.count("rate_tables") == 2
    listed = (await api.ask(VERSIONS, {"place": place}, token=staff, path=PATH))["rateTables"]
    shown = [(each["version"], each["isInForce"], each["endsAt"]) for each in listed]
    assert shown == [(2, False, None), (1, True, at)]
    assert listed[0]["body"] == DEARER


async def test_errors_are_refused_unless_they_are_accepted(
    api: ApiWorld, place: str, staff: str
) -> None:
    refused = await _publish(api, staff, placeId=place, body=UNSOUND)
    assert (refused["__typename"], refused["code"]) == ("Refused", "RATE_TABLE_UNSOUND")
    assert "caps.0.amount: the cap of 4.00 CNY is lower" in refused["message"]
    assert await api.lanes.count("rate_tables") == 1
    published = await _publish(api, staff, placeId=place, body=UNSOUND, errorsAccepted=True)
    assert published["version"] == 2
    assert published["findings"][0] == {"code": "cap_below_block"}


async def test_what_cannot_be_published_is_refused_by_name(
    api: ApiWorld, place: str, staff: str
) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"body": RATE_TABLE | {"grace": 0.5}}, "rateTable.grace"),
        ({"body": RATE_TABLE | {"currency": "EUR"}}, "rateTable.currency"),
        ({"body": RATE_TABLE | {"timezone": "Asia/Tokyo"}}, "rateTable.timezone"),
        ({"body": [RATE_TABLE]}, "body"),
        ({"effectiveAt": "2020-01-01T00:00:00+00:00"}, "effectiveAt"),
        ({"effectiveAt": "2020-01-01T00:00:00"}, "effectiveAt"),
    ]
    for changes, field in cases:
        refused = await _publish(api, staff, **({"placeId": place, "body": DEARER} | changes))
        assert (refused["__typename"], refused["field"]) == ("InvalidInput", field)
    assert await api.lanes.count("rate_tables") == 1


async def test_staff_look_at_a_table_and_try_it_without_storing_it(
    api: ApiWorld, staff: str
) -> None:
    found = (await api.ask(LINT, {"body": UNSOUND}, token=staff, path=PATH))["lintRateTable"]
    assert [(each["severity"], each["code"], each["path"]) for each in found] == [
        ("error", "cap_below_block", "caps.0.amount")
    ]
    assert found[0]["stays"] == [{"amount": {"amountMinor": 400}}]
    now = api.lanes.clock.now()
    variables = {"body": DEARER, "from": now.isoformat()}
    later = (now + timedelta(minutes=30)).isoformat()
    tried = await api.ask(TRY, variables | {"to": later}, token=staff, path=PATH)
    assert tried["quoteRateTable"]["total"] == {"amountMinor": 600, "currency": "CNY"}
    assert await api.lanes.count("rate_tables") == 1


async def test_nobody_reaches_the_tables_of_another_operator(api: ApiWorld, place: str) -> None:
    async with api.lanes.context.database.begin() as unit:
        rival = places.add_operator(unit, "Rival Parking")
    thief, _ = api.tokens.issue_staff(rival.id, "Eve")
    refused = await _publish(api, thief, placeId=place, body=DEARER)
    assert (refused["__typename"], refused["field"]) == ("InvalidInput", "placeId")
    # The place's own key under the thief's operator names no place at all.
    forged = encode_id("Place", rival.id, api.lanes.entry.place_id)
    refused = await _publish(api, thief, placeId=forged, body=DEARER)
    assert (refused["__typename"], refused["code"]) == ("Refused", "PLACE_UNKNOWN")
    body = await api.post(VERSIONS, {"place": place}, token=thief, path=PATH)
    assert body["errors"][0]["extensions"]["field"] == "placeId"
    body = await api.post(VERSIONS, {"place": forged}, token=thief, path=PATH)
    assert body["errors"][0]["extensions"]["code"] == "PLACE_UNKNOWN"
    _, driver = await api.add_driver()
    for token in (driver, None):
        body = await api.post(
            PUBLISH, {"input": {"placeId": place, "body": DEARER}}, token=token, path=PATH
        )
        assert body["data"]["publishRateTable"]["code"] == "UNAUTHENTICATED"
        body = await api.post(LINT, {"body": DEARER}, token=token, path=PATH)
        assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await api.lanes.count("rate_tables") == 1


async def test_a_list_of_versions_has_a_limit(api: ApiWorld, place: str, staff: str) -> None:
    body = await api.post(VERSIONS, {"place": place, "first": 51}, token=staff, path=PATH)
    assert body["errors"][0]["extensions"]["field"] == "first"

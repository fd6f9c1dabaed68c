"""Those who market, over GraphQL: a campaign's life, and what they must not get at."""

from typing import Any
from uuid import UUID

import orjson
import pytest

from api.global_ids import encode_id
from parking.flows.offers import pools
from parking.kit.ids import new_id
from parking.offers.terms import PoolTerms
from parking.places import service as places
from parking.places.models import Place
from parking.staff.rules import Role
from tests.factories.api import ApiWorld
from tests.factories.campaign_world import EVERYBODY, document
from tests.factories.staff import STAFF_PATH, ask_staff, hire

REFUSALS = "... on Refusal { code message } ... on InvalidInput { field }"
CREATE = f"mutation C($name: String!, $document: JSON!, $place: ID) {{ createCampaign(input: {{name: $name, document: $document, placeId: $place}}) {{ __typename ... on CampaignStored {{ campaignId version state }} {REFUSALS} }} }}"  # noqa: E501
VERSIONED = "mutation V($id: ID!, $version: Int!) {{ {0}(input: {{campaignId: $id, version: $version}}) {{ __typename ... on CampaignStored {{ version state }} {1} }} }}"  # noqa: E501
PREVIEW = "query P($filter: JSON!, $place: ID) { previewSegment(filter: $filter, placeId: $place) { audience drivers clauses { kind drivers } } }"  # noqa: E501
SAVE = f"mutation S($name: String!, $filter: JSON!, $place: ID) {{ saveSegment(input: {{name: $name, filter: $filter, placeId: $place}}) {{ __typename ... on SegmentStored {{ segmentId }} {REFUSALS} }} }}"  # noqa: E501
FILE = "query F($kind: MarketingFileKind!, $format: MarketingFileFormat!) { marketingFile(kind: $kind, format: $format) }"  # noqa: E501
READ = f"mutation R($kind: MarketingFileKind!, $format: MarketingFileFormat!, $data: String!) {{ readMarketingFile(input: {{kind: $kind, format: $format, data: $data}}) {{ __typename ... on MarketingFileRead {{ ids }} {REFUSALS} }} }}"  # noqa: E501
AUTHORS = [Role.MARKETING_AUTHOR]
APPROVERS = [Role.MARKETING_APPROVER]


async def do(api: ApiWorld, token: str, query: str, **variables: Any) -> Any:  # noqa: ANN401 - JSON
    return next(iter((await ask_staff(api, token, query, variables)).values()))


async def step(api: ApiWorld, token: str, name: str, stored: dict[str, Any]) -> dict[str, Any]:
    query = VERSIONED.format(name, REFUSALS)
    return await do(api, token, query, id=stored["campaignId"], version=stored["version"])


async def add_audience(api: ApiWorld, count: int, visits: int = 3) -> None:
    lane = api.lanes.entry
    for _ in range(count):
        driver_id = await api.lanes.add_driver(f"京B{new_id(api.lanes.clock.now()).int % 10**5:05}")
        await api.lanes.rows_changed(
            "INSERT INTO driver_consents (driver_id, kind, text_version, source, given_at)"
            " VALUES (:driver, 'marketing', '1', 'app', :now)",
            driver=driver_id,
            now=api.lanes.clock.now(),
        )
        await api.lanes.rows_changed(
            "INSERT INTO audience_members (operator_id, driver_id, timezone, visits,"
            " vehicle_kinds, refreshed_at) VALUES (:operator, :driver, 'Asia/Shanghai', :visits,"
            " '[]', :now)",
            operator=lane.operator_id,
            driver=driver_id,
            visits=visits,
            now=api.lanes.clock.now(),
        )


async def test_a_campaign_from_draft_to_running(api: ApiWorld) -> None:
    author = await hire(api, "Ada", AUTHORS)
    both = await hire(api, "Bob", [*AUTHORS, *APPROVERS])
    stored = await do(api, author.token, CREATE, name="Spring", document=document())
    assert (stored["state"], stored["version"]) == ("DRAFT", 1)
    sent = stored | await step(api, author.token, "submitCampaign", stored)
    refused = await step(api, author.token, "approveCampaign", sent)
    assert refused["code"] == "FORBIDDEN"
    stale = await step(api, both.token, "approveCampaign", stored)
    assert stale["code"] == "CAMPAIGN_CHANGED"
    few = await step(api, both.token, "approveCampaign", sent)
    assert few["code"] == "CAMPAIGN_AUDIENCE_TOO_SMALL"
    await add_audience(api, 10)
    running = await step(api, both.token, "approveCampaign", sent)
    assert running == {"__typename": "CampaignStored", "version": 3, "state": "RUNNING"}
    seen = await do(
        api,
        author.token,
        "query One($id: ID!) { campaign(campaignId: $id) { state authors approvedBy previews"
        " { language title } } }",
        id=stored["campaignId"],
    )
    assert seen == {
        "state": "RUNNING",
        "authors": ["Ada"],
        "approvedBy": "Bob",
        "previews": [
            {"language": "en", "title": "Room at Quay Car Park"},
            {"language": "zh", "title": "码头停车场有空位"},
        ],
    }


async def test_who_may_write_and_approve_does_not_approve_their_own(api: ApiWorld) -> None:
    both = await hire(api, "Bob", [*AUTHORS, *APPROVERS])
    admin = await hire(api, "Cyd", [Role.ADMIN])
    for member in (both, admin):
        name = member.member.name
        stored = await do(api, member.token, CREATE, name=name, document=document())
        sent = stored | await step(api, member.token, "submitCampaign", stored)
        refused = await step(api, member.token, "approveCampaign", sent)
        assert refused["code"] == "CAMPAIGN_IS_YOURS"
    [row] = await api.lanes.rows(
        "SELECT count(*) AS n FROM campaigns WHERE approved_by IS NULL AND state = 'submitted'"
    )
    assert row["n"] == 2


async def test_counts_come_in_tens_and_small_ones_not_at_all(api: ApiWorld) -> None:
    author = await hire(api, "Ada", AUTHORS)
    await add_audience(api, 9, visits=1)
    visits = {"kind": "visits", "atLeast": 5}
    found = await do(api, author.token, PREVIEW, filter=EVERYBODY)
    assert found == {
        "audience": None,
        "drivers": None,
        "clauses": [{"kind": "everybody", "drivers": None}],
    }
    await add_audience(api, 20, visits=7)
    found = await do(api, author.token, PREVIEW, filter={"kind": "all", "of": [EVERYBODY, visits]})
    assert found["audience"] in (20, 30)
    assert found["drivers"] == 20
    # The same drivers are counted alike, however they are asked for.
    everybody, some = found["clauses"]
    assert everybody == {"kind": "everybody", "drivers": found["audience"]}
    assert some == {"kind": "visits", "drivers": found["drivers"]}


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"kind": "recency", "withinDays": "30; DROP TABLE drivers"}, "filter.withinDays"),
        ({"kind": "any", "of": [{"kind": "sql"}]}, "filter.of.0"),
        ({"kind": "place", "placeIds": ["' OR 1=1 --"]}, "filter.placeIds.0"),
        ([], "document"),
    ],
)
async def test_filters_from_outside_are_named_and_never_run(
    api: ApiWorld, broken: object, field: str
) -> None:
    author = await hire(api, "Ada", AUTHORS)
    answer = await do(api, author.token, SAVE, name="Bad", filter=broken)
    assert (answer["__typename"], answer["field"]) == ("InvalidInput", field)
    assert await api.lanes.rows("SELECT 1 AS n FROM audience_segments") == []


async def test_a_member_of_one_place_markets_to_that_place_only(api: ApiWorld) -> None:
    lane = api.lanes.entry
    async with api.lanes.context.database.begin() as unit:
        hill = places.add_place(
            unit, lane.operator_id, name="Hill", timezone="Asia/Shanghai", currency="CNY"
        )
    limited = await hire(api, "Ada", AUTHORS, places=[hill.id])
    everywhere = await hire(api, "Bob", AUTHORS)
    own = encode_id("Place", lane.operator_id, hill.id)
    other = encode_id("Place", lane.operator_id, lane.place_id)
    refused = await do(api, limited.token, CREATE, name="All", document=document())
    assert refused["field"] == "placeId"
    refused = await do(api, limited.token, CREATE, name="Other", document=document(), place=other)
    assert refused["field"] == "placeId"
    elsewhere = {"kind": "place", "placeIds": [str(lane.place_id)]}
    refused = await do(api, limited.token, SAVE, name="Spy", filter=elsewhere, place=own)
    assert refused["field"] == "filter.placeIds"
    mixed = {"kind": "any", "of": [EVERYBODY, {"kind": "not", "that": elsewhere}]}
    refused = await do(
        api, limited.token, CREATE, name="Spy", document=document(filter=mixed), place=own
    )
    assert refused["field"] == "campaign.filter.of.1.that.placeIds"
    async with api.lanes.context.database.begin() as unit:
        quay = await unit.session.get_one(Place, (lane.operator_id, lane.place_id))
        area = places.add_area(unit, quay, name="B3", supply=1)
    terms = PoolTerms(name="Evenings", spaces=1)
    pool = await pools.create(api.lanes.context, lane.operator_id, area.id, terms)
    space = document(attachment={"kind": "space", "poolId": str(pool.id)})
    refused = await do(api, limited.token, CREATE, name="Space", document=space, place=own)
    assert refused["field"] == "campaign.attachment.poolId"
    nowhere = {"kind": "place", "placeIds": [str(new_id(api.lanes.clock.now()))]}
    refused = await do(api, everywhere.token, SAVE, name="Typing error", filter=nowhere)
    assert refused["field"] == "filter.placeIds"
    stored = await do(api, limited.token, CREATE, name="Hill", document=document(), place=own)
    assert stored["__typename"] == "CampaignStored"
    hidden = await do(api, everywhere.token, CREATE, name="Hidden", document=document())
    listed = "{ campaigns { nodes { name } } }"
    assert await do(api, limited.token, listed) == {"nodes": [{"name": "Hill"}]}
    assert await step(api, limited.token, "submitCampaign", hidden) == {
        "__typename": "Refused",
        "code": "CAMPAIGN_UNKNOWN",
        "message": "no such campaign of yours",
    }


async def test_another_operators_campaign_answers_as_none(api: ApiWorld) -> None:
    author = await hire(api, "Ada", AUTHORS)
    stored = await do(api, author.token, CREATE, name="Spring", document=document())
    async with api.lanes.context.database.begin() as unit:
        rival = places.add_operator(unit, "Rival")
    stranger = await hire(api, "Eve", [*AUTHORS, *APPROVERS], operator_id=rival.id)
    for name in ("submitCampaign", "approveCampaign"):
        assert (await step(api, stranger.token, name, stored))["code"] == "CAMPAIGN_UNKNOWN"
    one = "query One($id: ID!) { campaign(campaignId: $id) { name } }"
    assert await do(api, stranger.token, one, id=stored["campaignId"]) is None
    [row] = await api.lanes.rows("SELECT state FROM campaigns")
    assert row == {"state": "draft"}


async def test_nobody_names_a_driver_who_did_not_agree(api: ApiWorld) -> None:
    author = await hire(api, "Ada", AUTHORS)
    driver_id = await api.lanes.add_driver()
    query = (
        'mutation T($id: ID!) { addTestDriver(input: {driverId: $id, label: "Mine"})'
        f" {{ __typename {REFUSALS} }} }}"
    )

    async def name(key: UUID) -> dict[str, Any]:
        return await do(api, author.token, query, id=encode_id("Viewer", key))

    unknown = await name(new_id(api.lanes.clock.now()))
    assert unknown["code"] == "CAMPAIGN_TEST_DRIVER"
    assert await name(driver_id) == unknown


async def test_files_go_out_and_come_in_again(api: ApiWorld) -> None:
    author = await hire(api, "Ada", AUTHORS)
    filters = {"kind": "visits", "atLeast": 2}
    await do(api, author.token, SAVE, name="=Regulars", filter=filters)
    for file_format in ("JSON", "CSV"):
        kind = {"kind": "SEGMENTS", "format": file_format}
        written = await do(api, author.token, FILE, **kind)
        assert not written.startswith("=")
        assert "\n=" not in written
        await api.lanes.rows_changed("DELETE FROM audience_segments")
        read = await do(api, author.token, READ, data=written, **kind)
        assert len(read["ids"]) == 1
        [row] = await api.lanes.rows("SELECT name, filter FROM audience_segments")
        assert row == {"name": "=Regulars", "filter": filters}
    broken = await do(
        api, author.token, READ, kind="CAMPAIGNS", format="JSON", data='[{"name": "x"}]'
    )
    assert broken["field"] == "data.1"


async def test_of_a_file_all_is_kept_or_nothing(api: ApiWorld) -> None:
    author = await hire(api, "Ada", AUTHORS)
    good = {"name": "'tis", "placeId": None, "filter": EVERYBODY}
    late = {"kind": "all", "of": [EVERYBODY, {"kind": "recency", "withinDays": 0}]}
    for broken, field in (
        (good | {"name": "New", "filter": late}, "data.2.filter.of.1.withinDays"),
        (good, "data.2.name"),
        (good | {"name": ["New"]}, "data.2.name"),
        (good | {"name": "New", "placeId": str(new_id(api.lanes.clock.now()))}, "data.2.placeId"),
    ):
        data = orjson.dumps([good, broken]).decode()
        refused = await do(api, author.token, READ, kind="SEGMENTS", format="JSON", data=data)
        assert refused["field"] == field
        assert await api.lanes.rows("SELECT name FROM audience_segments") == []
    await do(api, author.token, SAVE, name="'tis", filter=EVERYBODY)
    written = await do(api, author.token, FILE, kind="SEGMENTS", format="CSV")
    await api.lanes.rows_changed("DELETE FROM audience_segments")
    await do(api, author.token, READ, kind="SEGMENTS", format="CSV", data=written)
    assert await api.lanes.rows("SELECT name FROM audience_segments") == [{"name": "'tis"}]
    campaign = {"name": "x", "placeId": None, "document": document(trigger={"kind": "schedule"})}
    data = orjson.dumps([campaign]).decode()
    refused = await do(api, author.token, READ, kind="CAMPAIGNS", format="JSON", data=data)
    assert refused["field"] == "data.1.document.trigger.timezone"


async def test_what_is_done_is_kept(api: ApiWorld) -> None:
    author = await hire(api, "Ada", AUTHORS)
    await do(api, author.token, CREATE, name="Spring", document=document())
    [row] = await api.lanes.rows(
        "SELECT action, outcome FROM staff_acts WHERE action = 'createCampaign'"
    )
    assert row == {"action": "createCampaign", "outcome": "done"}
    body = await api.post(CREATE, {"name": "x", "document": {}}, path=STAFF_PATH)
    assert body["data"]["createCampaign"]["code"] == "UNAUTHENTICATED"

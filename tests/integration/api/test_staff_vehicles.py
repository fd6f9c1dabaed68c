"""The register of vehicles and validations in the staff's schema, and ways to break into them."""

from typing import Any
from uuid import UUID

import pytest

from api.global_ids import encode_id
from parking.places import service as places
from parking.tariffs import service as tariffs
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE, RATE_TABLE

PATH = "/staff/graphql"
RECORD = """
mutation Record($input: RecordVehicleInput!) { recordVehicle(input: $input) {
  __typename
  ... on VehicleRecorded { changed vehicle {
    plate vehicleClass isEv isResident note recordedBy validUntil
  } }
  ... on InvalidInput { field } ... on Refusal { code }
} }
"""
FORGET = """
mutation Forget($plate: String!) { forgetVehicle(input: {plate: $plate}) {
  __typename ... on VehicleForgotten { wasRecorded } ... on Refusal { code }
} }
"""
LIST = """
query List($first: Int!, $after: String) {
  vehicles(first: $first, after: $after) {
    nodes { plate } pageInfo { hasNextPage endCursor }
  }
}
"""
ONE = "query One($plate: String!) { vehicle(plate: $plate) { plate vehicleClass } }"
VALIDATE = """
mutation Validate($input: ValidateStayInput!) { validateStay(input: $input) {
  __typename
  ... on StayValidated { validation merchant grantedBy bill { due { amountMinor } } }
  ... on InvalidInput { field } ... on Refusal { code }
} }
"""


@pytest.fixture
def staff(api: ApiWorld) -> str:
    return api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")[0]


@pytest.fixture
async def rival(api: ApiWorld) -> str:
    """A staff token of another operator."""
    async with api.lanes.context.database.begin() as unit:
        operator = places.add_operator(unit, "Hilltop Parking")
    return api.tokens.issue_staff(operator.id, "Eve")[0]


async def record(api: ApiWorld, token: str | None, plate: str, **fields: object) -> Any:  # noqa: ANN401 - JSON
    variables = {"input": {"plate": plate, **fields}}
    return (await api.ask(RECORD, variables, token=token, path=PATH))["recordVehicle"]


async def plates(api: ApiWorld, token: str, first: int = 20) -> list[str]:
    found: list[str] = []
    after: str | None = None
    while True:
        variables = {"first": first, "after": after}
        page = (await api.ask(LIST, variables, token=token, path=PATH))["vehicles"]
        found += [vehicle["plate"] for vehicle in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


async def test_a_vehicle_is_recorded_once_and_changed(api: ApiWorld, staff: str) -> None:
    first = await record(api, staff, "京a·88731", vehicleClass="van", note="bakery")
    assert first == {
        "__typename": "VehicleRecorded",
        "changed": True,
        "vehicle": {
            "plate": PLATE,
            "vehicleClass": "van",
            "isEv": False,
            "isResident": False,
            "note": "bakery",
            "recordedBy": "Ada",
            "validUntil": None,
        },
    }
    kept = await api.lanes.rows("SELECT * FROM vehicle_records")
    other = api.tokens.issue_staff(api.lanes.entry.operator_id, "Bob")[0]
    api.lanes.wait(minutes=1)
    again = await record(api, other, PLATE, vehicleClass="van", note="bakery")
    assert (again["changed"], again["vehicle"]["recordedBy"]) == (False, "Ada")
    assert await api.lanes.rows("SELECT * FROM vehicle_records") == kept
    assert PLATE.encode() not in kept[0]["plate_sealed"]
    changed = await record(api, other, PLATE, vehicleClass="bus")
    assert (changed["changed"], changed["vehicle"]["recordedBy"]) == (True, "Bob")
    assert await api.lanes.count("vehicle_records") == 1


async def test_the_register_comes_page_by_page_and_forgets(api: ApiWorld, staff: str) -> None:
    known = [f"AB{number}" for number in range(10, 17)]
    for plate in known:
        await record(api, staff, plate)
    found = await plates(api, staff, first=3)
    assert sorted(found) == known
    # Its order is that of the index, which tells nothing of the plates.
    assert found != known
    for was_recorded in (True, False):
        answer = await api.ask(FORGET, {"plate": "ab-12"}, token=staff, path=PATH)
        assert answer["forgetVehicle"]["wasRecorded"] is was_recorded
    assert len(await plates(api, staff)) == 6


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"plate": "!"}, "plate"),
        ({"plate": "AB1", "vehicleClass": "tank"}, "vehicleClass"),
        ({"plate": "AB1", "note": "x" * 201}, "note"),
        ({"plate": "AB1", "validUntil": "2020-01-01T00:00:00Z"}, "validUntil"),
        ({"plate": "AB1", "validFrom": "2030-01-01T00:00:00"}, "validFrom"),
    ],
)
async def test_what_is_no_record_is_refused(
    api: ApiWorld, staff: str, fields: dict[str, Any], field: str
) -> None:
    found = await record(api, staff, **fields)
    assert (found["__typename"], found["field"]) == ("InvalidInput", field)
    assert await api.lanes.count("vehicle_records") == 0


async def test_nobody_else_reads_or_changes_the_register(
    api: ApiWorld, staff: str, rival: str
) -> None:
    await record(api, staff, PLATE, vehicleClass="truck")
    assert await plates(api, rival) == []
    one = await api.ask(ONE, {"plate": PLATE}, token=rival, path=PATH)
    assert one["vehicle"] is None
    answer = await api.ask(FORGET, {"plate": PLATE}, token=rival, path=PATH)
    assert answer["forgetVehicle"]["wasRecorded"] is False
    await record(api, rival, PLATE, vehicleClass="bus")
    mine = await api.ask(ONE, {"plate": PLATE}, token=staff, path=PATH)
    assert mine["vehicle"]["vehicleClass"] == "truck"
    # The rival's word about the plate counts at the rival's gates only.
    await api.lanes.drive_in()
    [row] = await api.lanes.rows("SELECT circumstances FROM sessions")
    assert row["circumstances"] == {"vehicle": {"vehicle_class": "truck"}}
    _, driver = await api.add_driver("ZZ99999")
    for token in (driver, None, "x"):
        assert (await record(api, token, "AB1"))["code"] == "UNAUTHENTICATED"
        body = await api.post(LIST, {"first": 5}, token=token, path=PATH)
        assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await api.lanes.count("vehicle_records") == 2


async def validate(api: ApiWorld, token: str | None, **fields: object) -> Any:  # noqa: ANN401 - JSON
    variables = {"input": {"validation": "cinema", **fields}}
    return (await api.ask(VALIDATE, variables, token=token, path=PATH))["validateStay"]


@pytest.fixture
async def session_id(api: ApiWorld) -> UUID:
    """A stay of 45 minutes where the cinema may give an hour."""
    lane = api.lanes.entry
    body = RATE_TABLE | {"validations": [{"name": "cinema", "kind": "minutes", "value": 30}]}
    async with api.lanes.context.database.begin() as unit:
        await tariffs.publish(unit, lane.operator_id, lane.place_id, currency="CNY", body=body)
    api.lanes.wait(seconds=1)
    session_id = await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    return session_id


async def test_a_stay_is_validated_by_id_or_by_plate(
    api: ApiWorld, staff: str, session_id: UUID
) -> None:
    expected = {
        "__typename": "StayValidated",
        "validation": "cinema",
        "merchant": "Odeon",
        "grantedBy": "Ada",
        "bill": {"due": {"amountMinor": 500}},
    }
    place_id = encode_id("Place", api.lanes.entry.operator_id, api.lanes.entry.place_id)
    for named in (
        {"sessionId": encode_id("Session", session_id)},
        {"plate": "京a 88731", "placeId": place_id},
    ):
        assert await validate(api, staff, merchant="Odeon", **named) == expected
    unknown = await validate(api, staff, sessionId=encode_id("Session", session_id), merchant="")
    assert unknown["__typename"] == "InvalidInput"
    nothing = await validate(api, staff)
    assert (nothing["__typename"], nothing["field"]) == ("InvalidInput", "sessionId")


async def test_nobody_else_validates_a_stay(api: ApiWorld, rival: str, session_id: UUID) -> None:
    own = encode_id("Session", session_id)
    place_id = encode_id("Place", api.lanes.entry.operator_id, api.lanes.entry.place_id)
    for named in ({"sessionId": own}, {"plate": PLATE, "placeId": place_id}):
        assert (await validate(api, rival, **named))["code"] == "SESSION_UNKNOWN"
    _, driver = await api.add_driver()
    for token in (driver, None, "x"):
        assert (await validate(api, token, sessionId=own))["code"] == "UNAUTHENTICATED"
    assert await api.lanes.count("session_validations") == 0

"""What staff do is kept with the act itself, whatever becomes of it, and never changed."""

import json
from typing import Any, Final

import pytest
from sqlalchemy.exc import DBAPIError

from api.global_ids import encode_id
from parking.flows import override
from parking.staff.rules import Role
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE
from tests.factories.staff import STAFF_PATH, Hired, ask_staff, code_of, hire
from tests.integration.api.test_licence_pictures import REVIEWS, claim, upload

RECORD: Final = """
mutation Record($plate: String!, $key: String) {
  recordVehicle(input: {plate: $plate, note: "fleet"}, idempotencyKey: $key) {
    __typename ... on Refusal { code }
} }
"""
OPEN: Final = """
mutation Open($lane: ID!, $key: String) {
  openExit(input: {laneId: $lane, reason: "stuck"}, idempotencyKey: $key) {
    __typename ... on Refusal { code }
} }
"""
TRAIL: Final = """
query Trail($member: ID, $place: ID, $action: String, $first: Int, $after: String) {
  auditTrail(memberId: $member, placeId: $place, action: $action, first: $first, after: $after) {
    nodes { actId memberId name roles action arguments placeId outcome code before after }
    pageInfo { hasNextPage endCursor }
} }
"""
ROLES: Final = """
mutation Set($id: ID!) { setStaffRoles(input: {memberId: $id, roles: [FINANCE]}) {
  __typename ... on Refusal { code }
} }
"""


@pytest.fixture
async def ada(api: ApiWorld) -> Hired:
    return await hire(api, "Ada", [Role.ADMIN])


async def trail(api: ApiWorld, admin: Hired, **wanted: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    variables = {"first": 50, **wanted}
    return (await ask_staff(api, admin.token, TRAIL, variables))["auditTrail"]["nodes"]


def exit_id(api: ApiWorld) -> str:
    return encode_id("AccessLane", api.lanes.exit.operator_id, api.lanes.exit.lane_id)


async def test_an_act_is_kept_once_with_who_did_what(api: ApiWorld, ada: Hired) -> None:
    bo = await hire(api, "Bo", [Role.OPERATOR])
    await ask_staff(api, bo.token, RECORD, {"plate": PLATE})
    [kept] = await trail(api, ada)
    operator_id = api.lanes.entry.operator_id
    assert {key: kept[key] for key in kept if key != "actId"} == {
        "memberId": encode_id("StaffMember", operator_id, bo.member.id),
        "name": "Bo",
        "roles": ["operator"],
        "action": "recordVehicle",
        "arguments": {
            "input": {
                "plate": PLATE,
                "vehicleClass": "car",
                "isResident": False,
                "note": "fleet",
            }
        },
        "placeId": None,
        "outcome": "DONE",
        "code": None,
        "before": None,
        "after": None,
    }
    rows = await api.lanes.rows("SELECT to_jsonb(act)::text AS kept FROM staff_acts AS act")
    assert len(rows) == 1
    # A dump shows neither the plate nor who it was.
    assert PLATE not in json.loads(rows[0]["kept"]).values()
    assert "Bo" not in rows[0]["kept"]


async def test_the_row_is_of_the_acts_own_transaction(
    api: ApiWorld, ada: Hired, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask_staff(api, ada.token, RECORD, {"plate": PLATE})
    [same] = await api.lanes.rows(
        "SELECT act.xmin = vehicle.xmin AS is_same"
        " FROM staff_acts AS act, vehicle_records AS vehicle"
    )
    assert same["is_same"] is True

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(override, "let_out", fail)
    api.lanes.wait(seconds=1)
    body = await api.post(OPEN, {"lane": exit_id(api)}, token=ada.token, path=STAFF_PATH)
    assert body["errors"][0]["extensions"]["code"] == "INTERNAL"
    kept = await trail(api, ada)
    assert [(one["action"], one["outcome"], one["code"]) for one in kept] == [
        ("openExit", "FAILED", "INTERNAL"),
        ("recordVehicle", "DONE", None),
    ]


@pytest.mark.parametrize("key", [None, "a-key-of-the-desk"])
async def test_a_refused_act_is_kept_as_refused_once(
    api: ApiWorld, ada: Hired, key: str | None
) -> None:
    opened = await ask_staff(api, ada.token, OPEN, {"lane": exit_id(api), "key": key})
    assert opened["openExit"]["code"] == "EXIT_NOT_WAITING"
    api.lanes.wait(seconds=1)
    refused = await ask_staff(api, ada.token, RECORD, {"plate": "?", "key": key})
    assert refused["recordVehicle"]["code"] == "INVALID_INPUT"
    kept = await trail(api, ada)
    place = encode_id("Place", api.lanes.exit.operator_id, api.lanes.exit.place_id)
    assert [(one["action"], one["outcome"], one["code"], one["placeId"]) for one in kept] == [
        ("recordVehicle", "REFUSED", "INVALID_INPUT", None),
        ("openExit", "REFUSED", "EXIT_NOT_WAITING", place),
    ]


async def test_with_a_key_the_row_is_the_acts_and_not_the_keys(api: ApiWorld, ada: Hired) -> None:
    variables = {"plate": PLATE, "key": "a-key-of-the-desk"}
    for _ in range(2):
        await ask_staff(api, ada.token, RECORD, variables)
    kept = await trail(api, ada, action="recordVehicle")
    assert [one["outcome"] for one in kept] == ["DONE", "DONE"]
    assert kept[0]["actId"] != kept[1]["actId"]
    [same] = await api.lanes.rows(
        "SELECT count(*) AS acts FROM staff_acts AS act, vehicle_records AS vehicle"
        " WHERE act.xmin = vehicle.xmin"
    )
    assert same["acts"] == 1


async def test_what_a_role_does_not_allow_is_kept_too(api: ApiWorld, ada: Hired) -> None:
    bo = await hire(api, "Bo", [Role.VIEWER])
    refused = await ask_staff(api, bo.token, RECORD, {"plate": PLATE})
    assert refused["recordVehicle"]["code"] == "FORBIDDEN"
    api.lanes.wait(seconds=1)
    assert await code_of(api, bo.token, "{ balances { nodes { account } } }") == "FORBIDDEN"
    assert await api.lanes.rows("SELECT 1 FROM vehicle_records") == []
    member = encode_id("StaffMember", bo.member.operator_id, bo.member.id)
    kept = await trail(api, ada, member=member)
    assert [(one["action"], one["outcome"], one["code"]) for one in kept] == [
        ("balances", "REFUSED", "FORBIDDEN"),
        ("recordVehicle", "REFUSED", "FORBIDDEN"),
    ]


async def test_whoever_opens_a_licence_is_kept_and_who_may_not_have_a_file_too(
    api: ApiWorld, ada: Hired
) -> None:
    bo, cy = await hire(api, "Bo", [Role.OPERATOR]), await hire(api, "Cy", [Role.VIEWER])
    _, driver = await api.add_driver("YY11111")
    assert (await upload(api, driver, await claim(api, driver))).status_code == 201
    [waiting] = (await ask_staff(api, bo.token, REVIEWS))["claimsInReview"]
    url = waiting["licencePictures"][0]["url"].removeprefix(api.lanes.context.public_url)
    invoice = encode_id("Invoice", bo.member.id)
    asked = (
        (bo, url, 200, "licencePicture", None),
        (cy, url, 403, "licencePicture", "FORBIDDEN"),
        (cy, f"/staff/pictures/{bo.member.id}", 403, "lanePicture", "FORBIDDEN"),
        (bo, f"/invoices/{invoice}.pdf", 403, "invoiceFile", "FORBIDDEN"),
    )
    for number, (who, path, status, action, code) in enumerate(asked, start=1):
        api.lanes.wait(seconds=1)
        answer = await api.http.get(path, headers={"authorization": f"Bearer {who.token}"})
        assert answer.status_code == status
        kept = await trail(api, ada)
        assert len(kept) == number
        assert (kept[0]["name"], kept[0]["action"], kept[0]["code"]) == (
            who.member.name,
            action,
            code,
        )


async def test_a_change_of_roles_is_kept_with_what_was_before(api: ApiWorld, ada: Hired) -> None:
    bo = await hire(api, "Bo", [Role.VIEWER])
    member = encode_id("StaffMember", bo.member.operator_id, bo.member.id)
    await ask_staff(api, ada.token, ROLES, {"id": member})
    [kept] = await trail(api, ada)
    same = {"member": str(bo.member.id), "name": "Bo", "places": None, "ended": False}
    assert (kept["before"], kept["after"]) == (
        {**same, "roles": ["viewer"]},
        {**same, "roles": ["finance"]},
    )


async def test_the_record_comes_a_page_at_a_time_and_by_place(api: ApiWorld, ada: Hired) -> None:
    for _ in range(3):
        api.lanes.wait(seconds=1)
        await ask_staff(api, ada.token, OPEN, {"lane": exit_id(api)})
    await ask_staff(api, ada.token, RECORD, {"plate": PLATE})
    place = encode_id("Place", api.lanes.exit.operator_id, api.lanes.exit.place_id)
    page = (await ask_staff(api, ada.token, TRAIL, {"place": place, "first": 2}))["auditTrail"]
    assert (len(page["nodes"]), page["pageInfo"]["hasNextPage"]) == (2, True)
    after = page["pageInfo"]["endCursor"]
    rest = await trail(api, ada, place=place, after=after)
    assert [one["action"] for one in rest] == ["openExit"]
    eve = await hire(api, "Eve", [Role.ADMIN])
    stranger, _ = api.tokens.issue_staff(eve.member.id, "Mallory")
    assert (await ask_staff(api, stranger, TRAIL, {"first": 9}))["auditTrail"]["nodes"] == []


@pytest.mark.parametrize(
    "statement",
    ["UPDATE staff_acts SET action = 'x'", "DELETE FROM staff_acts", "TRUNCATE staff_acts"],
)
async def test_nothing_of_the_record_is_changed(api: ApiWorld, ada: Hired, statement: str) -> None:
    await ask_staff(api, ada.token, RECORD, {"plate": PLATE})
    with pytest.raises(DBAPIError, match="never changed or deleted"):
        await api.lanes.rows_changed(statement)
    assert len(await trail(api, ada)) == 1

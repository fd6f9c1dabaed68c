"""Members, their roles and places, and what ends a sign-in at once."""

from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from api.global_ids import encode_id
from parking.flows.staff import member_desk
from parking.kit.errors import InvalidInputError
from parking.kit.token_errors import TokenRefusedError
from parking.kit.tokens import STAFF_REALM, RefreshToken
from parking.places import service as places
from parking.staff import repository, sign_ins
from parking.staff.errors import StaffMemberExistsError
from parking.staff.members import Membership
from parking.staff.rules import SIGN_INS_PER_MEMBER_MAX, Role
from parking.staff.sign_ins import StaffSignedIn
from tests.factories.api import ApiWorld
from tests.factories.disputes import show
from tests.factories.identity import VAULT
from tests.factories.staff import CLIENT, STAFF_PATH, Hired, ask_staff, code_of, hire, sign_in

ME: Final = "{ me { memberId name roles placeIds signInId } }"
ADD: Final = """
mutation Add($given: AddStaffMemberInput!) { addStaffMember(input: $given) {
  ... on StaffMemberStored { member { id name email roles placeIds endedAt } }
  ... on Refusal { code message } ... on InvalidInput { field }
} }
"""
SET: Final = """
mutation Set($given: SetStaffRolesInput!) { setStaffRoles(input: $given) {
  ... on StaffMemberStored { member { roles placeIds } } ... on Refusal { code }
  ... on InvalidInput { field }
} }
"""
END: Final = """
mutation End($id: ID!) { endStaffMember(input: {memberId: $id}) {
  ... on StaffMemberStored { member { endedAt } } ... on Refusal { code }
} }
"""
SIGN_INS: Final = "{ staffSignIns { id memberName method client } }"
END_SIGN_IN: Final = """
mutation End($id: ID!) { endStaffSignIn(input: {signInId: $id}) {
  ... on StaffSignInEnded { hasChanged } ... on Refusal { code }
} }
"""
INVITE: Final = """
mutation Invite($id: ID!) { inviteStaffMember(input: {memberId: $id}) {
  ... on StaffMemberInvited { url }
} }
"""
END_PASSKEYS: Final = """
mutation End($id: ID!) { endStaffPasskeys(input: {memberId: $id}) {
  ... on StaffPasskeysEnded { ended }
} }
"""
MEMBERS: Final = "{ staffMembers { nodes { name endedAt } pageInfo { hasNextPage } } }"
PLACES: Final = "{ places { name } }"
GATES: Final = "{ gates { lanesTotal nodes { placeName } } }"


def member_id(hired: Hired) -> str:
    return encode_id("StaffMember", hired.member.operator_id, hired.member.id)


async def add_place(api: ApiWorld, name: str = "Hill") -> UUID:
    async with api.lanes.context.database.begin() as unit:
        place = places.add_place(
            unit,
            api.lanes.entry.operator_id,
            name=name,
            timezone="Asia/Shanghai",
            currency="CNY",
        )
    return place.id


async def refresh(api: ApiWorld, token: str) -> StaffSignedIn | TokenRefusedError:
    async with api.lanes.context.database.begin() as unit:
        return await sign_ins.refresh_sign_in(unit, api.tokens, token)


@pytest.fixture
async def ada(api: ApiWorld) -> Hired:
    return await hire(api, "Ada", [Role.ADMIN])


async def test_an_administrator_lets_somebody_in_who_does_what_their_role_says(
    api: ApiWorld, ada: Hired
) -> None:
    given = {"name": " Bo ", "email": "BO@Example.org", "roles": ["FINANCE", "VIEWER", "FINANCE"]}
    stored = (await ask_staff(api, ada.token, ADD, {"given": given}))["addStaffMember"]["member"]
    assert {key: stored[key] for key in ("name", "email", "roles", "placeIds", "endedAt")} == {
        "name": "Bo",
        "email": "bo@example.org",
        "roles": ["VIEWER", "FINANCE"],
        "placeIds": None,
        "endedAt": None,
    }
    async with api.lanes.context.database.begin() as unit:
        member = await repository.find_active(
            unit, email_index=VAULT.blind_index("staff.email", "bo@example.org")
        )
    assert member is not None
    signed_in = await sign_in(api, member)
    me = (await ask_staff(api, signed_in.access_token, ME))["me"]
    operator_id = api.lanes.entry.operator_id
    assert me == {
        "memberId": stored["id"],
        "name": "Bo",
        "roles": ["VIEWER", "FINANCE"],
        "placeIds": None,
        "signInId": encode_id("StaffSignIn", operator_id, signed_in.sign_in_id),
    }
    assert await ask_staff(api, signed_in.access_token, PLACES) == {
        "places": [{"name": "Riverside"}]
    }
    assert await code_of(api, signed_in.access_token, SIGN_INS) == "FORBIDDEN"
    rows = await api.lanes.rows(
        "SELECT email_sealed::text || email_index::text AS kept FROM staff_members"
    )
    assert all("example" not in row["kept"] for row in rows)


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"name": "Ada", "email": "x@example.org"}, "STAFF_MEMBER_EXISTS", None),
        ({"name": "Cy", "email": "ada@example.org"}, "STAFF_MEMBER_EXISTS", None),
        ({"name": "", "email": "x@example.org"}, "INVALID_INPUT", "name"),
        ({"name": "Cy", "email": "nobody"}, "INVALID_INPUT", "email"),
        ({"name": "Cy", "email": "c@example.org", "roles": []}, "INVALID_INPUT", "roles"),
        ({"name": "Cy", "email": "c@example.org", "placeIds": []}, "INVALID_INPUT", "placeIds"),
    ],
)
async def test_what_is_not_let_in(
    api: ApiWorld, ada: Hired, given: dict[str, Any], code: str, field: str | None
) -> None:
    refused = await ask_staff(api, ada.token, ADD, {"given": {"roles": ["VIEWER"], **given}})
    assert refused["addStaffMember"]["code"] == code
    assert refused["addStaffMember"].get("field") == field
    [row] = await api.lanes.rows("SELECT count(*) AS members FROM staff_members")
    assert row["members"] == 1


async def test_places_of_others_limit_nobody(api: ApiWorld, ada: Hired) -> None:
    own, unknown = api.lanes.entry.operator_id, uuid4()
    for operator_id in (own, uuid4()):
        given = {
            "name": "Cy",
            "email": "c@example.org",
            "roles": ["VIEWER"],
            "placeIds": [encode_id("Place", operator_id, unknown)],
        }
        refused = (await ask_staff(api, ada.token, ADD, {"given": given}))["addStaffMember"]
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "placeIds")


async def test_a_changed_role_counts_with_the_next_request(api: ApiWorld, ada: Hired) -> None:
    bo = await hire(api, "Bo", [Role.ADMIN])
    assert len((await ask_staff(api, bo.token, SIGN_INS))["staffSignIns"]) == 2
    hill = await add_place(api)
    place = encode_id("Place", api.lanes.entry.operator_id, hill)
    given = {"memberId": member_id(bo), "roles": ["VIEWER"], "placeIds": [place]}
    for _ in range(2):
        changed = await ask_staff(api, ada.token, SET, {"given": given})
        assert changed["setStaffRoles"]["member"] == {"roles": ["VIEWER"], "placeIds": [place]}
    assert await code_of(api, bo.token, SIGN_INS) == "FORBIDDEN"
    assert await ask_staff(api, bo.token, PLACES) == {"places": [{"name": "Hill"}]}
    assert (await ask_staff(api, bo.token, GATES))["gates"] == {"lanesTotal": 0, "nodes": []}
    assert (await ask_staff(api, ada.token, GATES))["gates"]["lanesTotal"] == 4


async def test_nobody_changes_or_ends_themselves(api: ApiWorld, ada: Hired) -> None:
    own = {"memberId": member_id(ada), "roles": ["VIEWER"]}
    changed = await ask_staff(api, ada.token, SET, {"given": own})
    ended = await ask_staff(api, ada.token, END, {"id": own["memberId"]})
    assert (changed["setStaffRoles"], ended["endStaffMember"]) == (
        {"code": "OWN_ROLES"},
        {"code": "OWN_ROLES"},
    )
    assert (await ask_staff(api, ada.token, ME))["me"]["roles"] == ["ADMIN"]


async def test_an_ended_member_is_out_at_once(api: ApiWorld, ada: Hired) -> None:
    bo = await hire(api, "Bo", [Role.VIEWER])
    for _ in range(2):
        ended = await ask_staff(api, ada.token, END, {"id": member_id(bo)})
        assert ended["endStaffMember"]["member"]["endedAt"] is not None
    assert await code_of(api, bo.token, ME) == "UNAUTHENTICATED"
    assert isinstance(await refresh(api, bo.signed_in.refresh_token), TokenRefusedError)
    changed = {"memberId": member_id(bo), "roles": ["ADMIN"]}
    refused = await ask_staff(api, ada.token, SET, {"given": changed})
    assert refused["setStaffRoles"]["code"] == "STAFF_MEMBER_UNKNOWN"
    # The address is free again, the name is not.
    with pytest.raises(StaffMemberExistsError):
        await hire(api, "Bo", [Role.VIEWER])
    again = await member_desk.add(
        api.lanes.context,
        api.lanes.entry.operator_id,
        name="Bo the second",
        email="bo@example.org",
        membership=Membership([Role.VIEWER]),
        by="a test",
    )
    assert again.id != bo.member.id


async def test_an_ended_sign_in_opens_nothing(api: ApiWorld, ada: Hired) -> None:
    bo = await hire(api, "Bo", [Role.VIEWER])
    api.lanes.wait(seconds=1)
    other = await sign_in(api, bo.member)
    listed = (await ask_staff(api, ada.token, SIGN_INS))["staffSignIns"]
    assert [one["memberName"] for one in listed[:1]] == ["Bo"]
    assert len(listed) == 3
    assert (listed[0]["method"], listed[0]["client"]) == ("COMMAND", CLIENT)
    key = encode_id("StaffSignIn", bo.member.operator_id, other.sign_in_id)
    for has_changed in (True, False):
        ended = await ask_staff(api, ada.token, END_SIGN_IN, {"id": key})
        assert ended["endStaffSignIn"] == {"hasChanged": has_changed}
    assert await code_of(api, other.access_token, ME) == "UNAUTHENTICATED"
    assert (await ask_staff(api, bo.token, ME))["me"]["name"] == "Bo"


async def test_another_operators_members_and_sign_ins_are_not_there(
    api: ApiWorld, ada: Hired
) -> None:
    async with api.lanes.context.database.begin() as unit:
        other = places.add_operator(unit, "Hillside Parking")
    eve = await hire(api, "Eve", [Role.ADMIN], operator_id=other.id)
    seen = (await ask_staff(api, eve.token, MEMBERS))["staffMembers"]
    assert [one["name"] for one in seen["nodes"]] == ["Eve"]
    ended = await ask_staff(api, eve.token, END, {"id": member_id(ada)})
    assert ended["endStaffMember"] == {"code": "STAFF_MEMBER_UNKNOWN"}
    key = encode_id("StaffSignIn", ada.member.operator_id, ada.signed_in.sign_in_id)
    ended = await ask_staff(api, eve.token, END_SIGN_IN, {"id": key})
    assert ended["endStaffSignIn"] == {"hasChanged": False}
    assert (await ask_staff(api, ada.token, ME))["me"]["name"] == "Ada"


async def test_a_refresh_token_is_good_once_and_its_copy_ends_the_sign_in(
    api: ApiWorld, ada: Hired
) -> None:
    api.lanes.wait(minutes=16)
    assert await code_of(api, ada.token, ME) == "TOKEN_EXPIRED"
    renewed = await refresh(api, ada.signed_in.refresh_token)
    assert isinstance(renewed, StaffSignedIn)
    assert (await ask_staff(api, renewed.access_token, ME))["me"]["name"] == "Ada"
    assert isinstance(await refresh(api, ada.signed_in.refresh_token), TokenRefusedError)
    assert isinstance(await refresh(api, renewed.refresh_token), TokenRefusedError)
    assert await code_of(api, renewed.access_token, ME) == "UNAUTHENTICATED"


async def test_a_sign_in_ends_when_it_is_not_used_and_after_a_week(
    api: ApiWorld, ada: Hired
) -> None:
    token = ada.signed_in.refresh_token
    for _ in range(14):
        api.lanes.wait(hours=11, minutes=59)
        renewed = await refresh(api, token)
        assert isinstance(renewed, StaffSignedIn)
        token = renewed.refresh_token
    api.lanes.wait(minutes=15)
    assert isinstance(await refresh(api, token), TokenRefusedError)
    idle = await sign_in(api, ada.member)
    api.lanes.wait(hours=12)
    assert isinstance(await refresh(api, idle.refresh_token), TokenRefusedError)


async def test_too_many_sign_ins_end_the_oldest(api: ApiWorld, ada: Hired) -> None:
    newest = ada.signed_in
    for _ in range(SIGN_INS_PER_MEMBER_MAX):
        api.lanes.wait(seconds=1)
        newest = await sign_in(api, ada.member)
    assert await code_of(api, ada.token, ME) == "UNAUTHENTICATED"
    listed = (await ask_staff(api, newest.access_token, SIGN_INS))["staffSignIns"]
    assert len(listed) == SIGN_INS_PER_MEMBER_MAX


async def test_the_realms_refresh_tokens_are_not_each_others(api: ApiWorld, ada: Hired) -> None:
    with pytest.raises(TokenRefusedError):
        RefreshToken.read(VAULT, ada.signed_in.refresh_token)
    driver = RefreshToken.mint(VAULT, ada.member.operator_id, ada.signed_in.sign_in_id).text
    with pytest.raises(TokenRefusedError):
        RefreshToken.read(VAULT, driver, realm=STAFF_REALM)
    assert isinstance(await refresh(api, driver), TokenRefusedError)
    assert (await ask_staff(api, ada.token, ME))["me"]["name"] == "Ada"


async def test_members_come_a_page_at_a_time(api: ApiWorld, ada: Hired) -> None:
    for name in ("Bo", "Cy"):
        api.lanes.wait(seconds=1)
        await hire(api, name, [Role.VIEWER])
    query = """query ($after: String) { staffMembers(first: 2, after: $after) {
        nodes { name } pageInfo { hasNextPage endCursor } } }"""
    page = (await ask_staff(api, ada.token, query))["staffMembers"]
    assert [one["name"] for one in page["nodes"]] == ["Cy", "Bo"]
    after = {"after": page["pageInfo"]["endCursor"]}
    rest = (await ask_staff(api, ada.token, query, after))["staffMembers"]
    assert ([one["name"] for one in rest["nodes"]], rest["pageInfo"]["hasNextPage"]) == (
        ["Ada"],
        False,
    )


async def test_a_place_of_nobody_is_refused_before_anything_is_stored(api: ApiWorld) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await hire(api, "Bo", [Role.VIEWER], places=[uuid4()])
    assert refused.value.field == "place_ids"
    assert await api.lanes.rows("SELECT 1 FROM staff_members") == []


async def test_a_token_to_set_up_with_is_an_administrators(api: ApiWorld) -> None:
    token, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Set-up")
    me = await api.ask(ME, token=token, path=STAFF_PATH)
    assert me["me"] == {
        "memberId": None,
        "name": "Set-up",
        "roles": ["ADMIN"],
        "placeIds": None,
        "signInId": None,
    }


async def test_a_lost_device_ends_the_links_for_another_passkey_too(
    api: ApiWorld, ada: Hired
) -> None:
    bo = await hire(api, "Bo", [Role.OPERATOR])
    key = {"id": member_id(bo)}
    invited = await ask_staff(api, ada.token, INVITE, key)
    given = {"token": invited["inviteStaffMember"]["url"].partition("#")[2]}
    path = "/staff/sign-in/invitation/options"
    assert (await api.http.post(path, json=given)).status_code == 200
    await ask_staff(api, ada.token, END_PASSKEYS, key)
    refused = await api.http.post(path, json=given)
    assert (refused.status_code, refused.json()) == (403, {"code": "SIGN_IN_REFUSED"})
    again = await ask_staff(api, ada.token, INVITE, key)
    given = {"token": again["inviteStaffMember"]["url"].partition("#")[2]}
    assert (await api.http.post(path, json=given)).status_code == 200


async def test_a_picture_is_for_those_who_decide_and_of_their_place(api: ApiWorld) -> None:
    presentation_id = await api.lanes.arrive(api.lanes.exit)
    path = f"/staff/pictures/{await show(api.lanes, api.lanes.exit, presentation_id)}"
    hill = await add_place(api)
    people = [
        (await hire(api, "Bo", [Role.OPERATOR]), 200, None),
        (await hire(api, "Cy", [Role.VIEWER]), 403, "FORBIDDEN"),
        (await hire(api, "Di", [Role.ADMIN], places=[hill]), 404, "PICTURE_UNKNOWN"),
    ]
    for hired, status, code in people:
        answer = await api.http.get(path, headers={"authorization": f"Bearer {hired.token}"})
        assert answer.status_code == status
        assert code is None or answer.json() == {"code": code}

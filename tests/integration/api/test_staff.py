"""The staff's schema, and the wall between the realms."""

from typing import Any

import pytest

from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE

PATH = "/staff/graphql"
CLAIMS = "query Claims($plate: String!) { pendingClaims(plate: $plate) { id plate inReview } }"
APPROVE = """
mutation Approve($id: ID!, $checked: Boolean!) {
  approvePlateBinding(input: {claimId: $id, licenceChecked: $checked}) {
    __typename ... on BindingApproved { plate } ... on Refusal { code }
    ... on InvalidInput { field }
  }
}
"""
REFUSE = """
mutation Refuse($id: ID!) { refusePlateBinding(input: {claimId: $id}) {
  __typename ... on BindingRefused { claimId } ... on Refusal { code }
} }
"""
BIND = """
mutation Bind($plate: String!) { bindPlate(input: {plate: $plate}) {
  ... on PlateClaimed { claim { id } }
} }
"""
PLATES = "{ viewer { plates { text } plateClaims { id } } }"


@pytest.fixture
def staff(api: ApiWorld) -> str:
    token, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
    return token


async def texts(api: ApiWorld, token: str) -> list[str]:
    viewer = (await api.ask(PLATES, token=token))["viewer"]
    return [plate["text"] for plate in viewer["plates"]]


async def claim(api: ApiWorld, driver: str) -> Any:  # noqa: ANN401 - JSON
    await api.ask(BIND, {"plate": PLATE}, token=driver)


async def pending(api: ApiWorld, staff: str) -> list[dict[str, Any]]:
    return (await api.ask(CLAIMS, {"plate": PLATE}, token=staff, path=PATH))["pendingClaims"]


async def approve(api: ApiWorld, token: str | None, claim_id: str, *, checked: bool = True) -> Any:  # noqa: ANN401 - JSON
    variables = {"id": claim_id, "checked": checked}
    return (await api.ask(APPROVE, variables, token=token, path=PATH))["approvePlateBinding"]


async def test_staff_approve_a_contested_plate(api: ApiWorld, staff: str) -> None:
    _, owner = await api.add_driver(PLATE)
    _, claimant = await api.add_driver("ZZ99999")
    api.lanes.wait(seconds=1)
    await claim(api, claimant)
    [waiting] = await pending(api, staff)
    assert (waiting["plate"], waiting["inReview"]) == (PLATE, False)
    unchecked = await approve(api, staff, waiting["id"], checked=False)
    assert (unchecked["code"], unchecked["field"]) == ("INVALID_INPUT", "licenceChecked")
    assert await texts(api, owner) == [PLATE]
    for _ in range(2):
        approved = await approve(api, staff, waiting["id"])
        assert approved == {"__typename": "BindingApproved", "plate": PLATE}
    assert (await texts(api, owner), await texts(api, claimant)) == ([], ["ZZ99999", PLATE])
    assert await pending(api, staff) == []
    [row] = await api.lanes.rows("SELECT decided_by FROM binding_claims")
    assert row["decided_by"] == f"{api.lanes.entry.operator_id}:Ada"


async def test_staff_refuse_a_claim(api: ApiWorld, staff: str) -> None:
    _, claimant = await api.add_driver("ZZ99999")
    await claim(api, claimant)
    [waiting] = await pending(api, staff)
    for _ in range(2):
        refused = await api.ask(REFUSE, {"id": waiting["id"]}, token=staff, path=PATH)
        assert refused["refusePlateBinding"]["claimId"] == waiting["id"]
    assert (await approve(api, staff, waiting["id"]))["code"] == "CLAIM_REFUSED"
    assert (await api.ask(PLATES, token=claimant))["viewer"]["plateClaims"] == []
    assert (await approve(api, staff, "x"))["code"] == "INVALID_INPUT"


async def test_a_driver_does_not_get_into_the_staff_schema(api: ApiWorld, staff: str) -> None:
    _, driver = await api.add_driver("ZZ99999")
    await claim(api, driver)
    [waiting] = await pending(api, staff)
    for token in (driver, None, "x"):
        body = await api.post(CLAIMS, {"plate": PLATE}, token=token, path=PATH)
        assert body["data"] is None
        assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert (await approve(api, token, waiting["id"]))["code"] == "UNAUTHENTICATED"
        refused = await api.ask(REFUSE, {"id": waiting["id"]}, token=token, path=PATH)
        assert refused["refusePlateBinding"]["code"] == "UNAUTHENTICATED"
    assert await texts(api, driver) == ["ZZ99999"]
    assert len(await pending(api, staff)) == 1


async def test_staff_do_not_get_into_the_driver_schema(api: ApiWorld, staff: str) -> None:
    body = await api.post(PLATES, token=staff)
    assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_staff_token_lives_twelve_hours(api: ApiWorld, staff: str) -> None:
    api.lanes.wait(hours=12)
    body = await api.post(CLAIMS, {"plate": PLATE}, token=staff, path=PATH)
    assert body["errors"][0]["extensions"]["code"] == "TOKEN_EXPIRED"


async def test_the_schemas_do_not_show_each_other(api: ApiWorld, staff: str) -> None:
    crossed = await api.post(CLAIMS, {"plate": PLATE}, token=staff)
    assert "Cannot query field 'pendingClaims'" in crossed["errors"][0]["message"]
    crossed = await api.post(PLATES, token=staff, path=PATH)
    assert "Cannot query field 'viewer'" in crossed["errors"][0]["message"]

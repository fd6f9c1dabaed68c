"""What a driver reads: the viewer, running and past stays, nodes."""

from typing import Any

from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE

LIVE = """
query Live {
  viewer {
    id
    plates { id text boundAt }
    plateClaims { id }
    mandates { id provider state confirmationUrl amountMax { amountMinor } activatedAt }
    activeSessions {
      id plate enteredAt leftAt state version
      place { name timezone currency }
      bill {
        total { amountMinor currency } paid { amountMinor } due { amountMinor }
        currency asOf nextChangeAt
        lines { reason amount { amountMinor } startsAt endsAt note }
      }
    }
  }
}
"""
PAGE = """
query Page($first: Int, $after: String) {
  viewer { sessions(first: $first, after: $after) {
    edges { cursor node { id state bill { total { amountMinor } } } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  } }
}
"""
NODE = "query Node($id: ID!) { node(id: $id) { __typename id } }"


def refusals(body: dict[str, Any]) -> list[Any]:
    return [error["extensions"]["code"] for error in body["errors"]]


async def test_a_running_stay_with_its_bill(api: ApiWorld) -> None:
    driver_id, token = await api.add_driver()
    await api.lanes.permit(driver_id)
    entered_at = api.lanes.clock.now()
    await api.lanes.drive_in()
    api.lanes.wait(minutes=9)
    viewer = (await api.ask(LIVE, token=token))["viewer"]
    assert [plate["text"] for plate in viewer["plates"]] == [PLATE]
    assert viewer["plateClaims"] == []
    [mandate] = viewer["mandates"]
    assert (mandate["provider"], mandate["state"]) == ("fake", "ACTIVE")
    assert (mandate["confirmationUrl"], mandate["amountMax"]) == (None, None)
    [stay] = viewer["activeSessions"]
    assert stay["enteredAt"] == entered_at.isoformat()
    assert (stay["plate"], stay["leftAt"], stay["state"]) == (PLATE, None, "ACTIVE")
    assert stay["version"] == 2
    assert stay["place"] == {"name": "Riverside", "timezone": "Asia/Shanghai", "currency": "CNY"}
    bill = stay["bill"]
    assert bill["due"] == {"amountMinor": 0}
    assert bill["currency"] == "CNY"
    assert bill["asOf"] == api.lanes.clock.now().isoformat()
    assert bill["nextChangeAt"] is not None


async def test_the_bill_ticks_by_the_rate_table(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    await api.lanes.drive_in()
    api.lanes.wait(minutes=13)
    [stay] = (await api.ask(LIVE, token=token))["viewer"]["activeSessions"]
    assert stay["bill"]["total"] == {"amountMinor": 500, "currency": "CNY"}
    assert sum(line["amount"]["amountMinor"] for line in stay["bill"]["lines"]) == 500
    api.lanes.wait(minutes=1 + 30 - 13)
    [stay] = (await api.ask(LIVE, token=await api.token_of(await owner(api))))["viewer"][
        "activeSessions"
    ]
    assert stay["bill"]["due"] == {"amountMinor": 1000}


async def owner(api: ApiWorld) -> Any:  # noqa: ANN401
    [row] = await api.lanes.rows("SELECT driver_id FROM sessions")
    return row["driver_id"]


async def test_pages_of_stays_newest_first(api: ApiWorld) -> None:
    driver_id, _ = await api.add_driver()
    await api.lanes.permit(driver_id)
    ids: list[str] = []
    for _ in range(3):
        ids.append(str(await api.lanes.drive_in()))
        api.lanes.wait(minutes=45)
        assert (await api.lanes.drive_out()).action == "open"
        api.lanes.wait(minutes=1)
    token = await api.token_of(driver_id)
    seen: list[str] = []
    after: str | None = None
    for index in range(2):
        variables = {"first": 2, "after": after}
        page = (await api.ask(PAGE, variables, token=token))["viewer"]["sessions"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        info = page["pageInfo"]
        assert (info["hasNextPage"], info["hasPreviousPage"]) == (index < 1, index > 0)
        assert info["startCursor"] == page["edges"][0]["cursor"]
        after = info["endCursor"]
        assert all(edge["node"]["state"] == "LEFT" for edge in page["edges"])
        assert all(edge["node"]["bill"]["total"]["amountMinor"] == 1000 for edge in page["edges"])
    assert len(set(seen)) == 3
    nodes = [(await api.ask(NODE, {"id": one}, token=token))["node"] for one in seen]
    assert nodes == [{"__typename": "Session", "id": one} for one in seen]


async def test_a_page_that_cannot_be(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    for variables in ({"first": -1}, {"first": 101}, {"after": "x"}, {"after": "U2Vzc2lvbjpy"}):
        body = await api.post(PAGE, variables, token=token)
        assert body["data"] == {"viewer": None}
        assert refusals(body) == ["INVALID_INPUT"]
        assert body["errors"][0]["extensions"]["field"] == next(iter(variables))
    empty = (await api.ask(PAGE, {"first": 0}, token=token))["viewer"]["sessions"]
    assert empty["edges"] == []


async def test_nodes_of_ones_own_and_nothing_else(api: ApiWorld) -> None:
    driver_id, token = await api.add_driver()
    other_id, other_token = await api.add_driver("AB 1")
    await api.lanes.permit(driver_id)
    await api.lanes.drive_in()
    viewer = (await api.ask(LIVE, token=token))["viewer"]
    ids = [
        viewer["id"],
        viewer["plates"][0]["id"],
        viewer["mandates"][0]["id"],
        viewer["activeSessions"][0]["id"],
    ]
    for kind, one in zip(("Viewer", "Plate", "Mandate", "Session"), ids, strict=True):
        expected = {"__typename": kind, "id": one}
        assert (await api.ask(NODE, {"id": one}, token=token))["node"] == expected
        assert (await api.ask(NODE, {"id": one}, token=other_token))["node"] is None
    bind = 'mutation { bindPlate(input: {plate: "AB 2"}) { ... on PlateClaimed { claim { id } } } }'
    claim_id = (await api.ask(bind, token=token))["bindPlate"]["claim"]["id"]
    found = (await api.ask(NODE, {"id": claim_id}, token=token))["node"]
    assert found == {"__typename": "PlateClaim", "id": claim_id}
    assert (await api.ask(NODE, {"id": claim_id}, token=other_token))["node"] is None
    for nonsense in ("", "x", "é", "a" * 5000, ids[0][:-1], "U2Vzc2lvbjp4"):
        assert (await api.ask(NODE, {"id": nonsense}, token=token))["node"] is None
    assert driver_id != other_id


async def test_without_a_valid_token_there_is_no_viewer(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    staff, _ = api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")
    for bad in (None, "", "x", token[:-4] + "AAAA", staff):
        body = await api.post(LIVE, token=bad)
        assert body["data"] == {"viewer": None}
        assert refusals(body) == ["UNAUTHENTICATED"]
    api.lanes.wait(minutes=15)
    assert refusals(await api.post(LIVE, token=token)) == ["TOKEN_EXPIRED"]

"""Pools of spaces in the staff's hands: set, filed, seen, and nobody else's."""

from typing import Any, Final
from uuid import UUID

import pytest

from api.global_ids import encode_id
from tests.factories.api import ApiWorld
from tests.factories.reservations import add_pool, reserve

CREATE: Final = """
mutation Create($area: ID!, $terms: RightPoolTermsInput!) {
  createRightPool(input: {areaId: $area, terms: $terms}) {
    ... on Refusal { code }
    ... on InvalidInput { field }
    ... on RightPoolSet { pool { id name spaces riskBasisPoints showUpLimit kept } }
  }
}
"""
CHANGE: Final = """
mutation Change($pool: ID!, $terms: RightPoolTermsInput!) {
  changeRightPool(input: {rightPoolId: $pool, terms: $terms}) {
    ... on Refusal { code }
    ... on RightPoolSet { pool { spaces kept waiting } }
  }
}
"""
IMPORT: Final = """
mutation Import($content: String!, $format: PoolFormat!) {
  importRightPools(input: {content: $content, format: $format}) {
    ... on Refusal { code message }
    ... on RightPoolsImported { pools { name spaces } }
  }
}
"""
SEE: Final = """
query See($pool: ID!, $place: ID!) {
  rightPools(placeId: $place) { name waiting }
  reservations(rightPoolId: $pool) { nodes { state } pageInfo { hasNextPage } }
  spaceOffers(rightPoolId: $pool) { nodes { state } }
}
"""


async def ask(api: ApiWorld, token: str, query: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return await api.ask(query, given, token=token, path="/staff/graphql")


def area(api: ApiWorld) -> str:
    return encode_id("IdentifiedArea", api.lanes.entry.operator_id, api.lanes.entry.area_id)


def pool(api: ApiWorld, pool_id: UUID) -> str:
    return encode_id("RightPool", api.lanes.entry.operator_id, pool_id)


@pytest.fixture
def ada(api: ApiWorld) -> str:
    return api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")[0]


async def test_a_pool_is_made_changed_and_its_sign_follows(api: ApiWorld, ada: str) -> None:
    terms = {"name": "Evenings", "spaces": 2, "riskBasisPoints": 100}
    made = (await ask(api, ada, CREATE, area=area(api), terms=terms))["createRightPool"]["pool"]
    assert made | {"id": ""} == {
        "id": "",
        "name": "Evenings",
        "spaces": 2,
        "riskBasisPoints": 100,
        "showUpLimit": 1.0,
        "kept": 0,
    }
    again = await ask(api, ada, CREATE, area=area(api), terms=terms)
    assert again["createRightPool"]["code"] == "CONFLICT"
    larger = await ask(api, ada, CREATE, area=area(api), terms={"name": "All", "spaces": 4})
    assert larger["createRightPool"] == {"code": "INVALID_INPUT", "field": "spaces"}
    [row] = await api.lanes.rows("SELECT id FROM right_pools")
    for plate in ("京E00001", "京E00002"):
        await reserve(api.lanes, await api.lanes.add_driver(plate), row["id"])
    fewer = {"name": "Evenings", "spaces": 1}
    changed = await ask(api, ada, CHANGE, pool=made["id"], terms=fewer)
    assert changed["changeRightPool"]["pool"] == {"spaces": 1, "kept": 1, "waiting": 2}
    [counted] = await api.lanes.rows("SELECT kept FROM space_pools")
    assert counted == {"kept": 1}
    place = encode_id("Place", api.lanes.entry.operator_id, api.lanes.entry.place_id)
    seen = await ask(api, ada, SEE, pool=made["id"], place=place)
    assert seen == {
        "rightPools": [{"name": "Evenings", "waiting": 2}],
        "reservations": {
            "nodes": [{"state": "CONFIRMED"}] * 2,
            "pageInfo": {"hasNextPage": False},
        },
        "spaceOffers": {"nodes": []},
    }


@pytest.mark.parametrize("form", ["CSV", "JSON"])
async def test_what_a_file_says_is_stored_whole_or_not_at_all(
    api: ApiWorld, ada: str, form: str
) -> None:
    await add_pool(api.lanes, spaces=2, name="Evenings, late")
    file = "query File($format: PoolFormat!) { rightPoolFile(format: $format) }"
    content = (await ask(api, ada, file, format=form))["rightPoolFile"]
    more = content.replace("Evenings, late", "Mornings")
    done = await ask(api, ada, IMPORT, content=more, format=form)
    assert done["importRightPools"] == {"pools": [{"name": "Mornings", "spaces": 2}]}
    again = await ask(api, ada, IMPORT, content=content, format=form)
    assert again["importRightPools"] == {"pools": [{"name": "Evenings, late", "spaces": 2}]}
    third = content.replace("Evenings, late", "Nights")
    for wrong in (third, "[1]", "area_id\n1\n", content.replace("true", "perhaps")):
        refused = await ask(api, ada, IMPORT, content=wrong, format=form)
        assert refused["importRightPools"]["code"] == "INVALID_INPUT", wrong
    assert await api.lanes.count("right_pools") == 2


async def test_another_operators_pool_is_as_none(api: ApiWorld) -> None:
    pool_id = await add_pool(api.lanes)
    await reserve(api.lanes, await api.lanes.add_driver(), pool_id)
    other, _ = api.tokens.issue_staff(UUID(int=7), "Mallory")
    terms = {"name": "Mine", "spaces": 0}
    changed = await ask(api, other, CHANGE, pool=pool(api, pool_id), terms=terms)
    assert changed["changeRightPool"] == {"code": "RIGHT_POOL_UNKNOWN"}
    made = await ask(api, other, CREATE, area=area(api), terms=terms)
    assert made["createRightPool"]["code"] == "RIGHT_POOL_UNKNOWN"
    place = encode_id("Place", api.lanes.entry.operator_id, api.lanes.entry.place_id)
    seen = await ask(api, other, SEE, pool=pool(api, pool_id), place=place)
    assert seen["rightPools"] == []
    assert seen["reservations"]["nodes"] == []
    [row] = await api.lanes.rows("SELECT name, spaces FROM right_pools")
    assert row == {"name": "Evenings", "spaces": 1}

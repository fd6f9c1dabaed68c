"""Coupons in the driver's schema: claimed once, listed, found, and nobody else's."""

from typing import Any

from tests.factories.api import ApiWorld
from tests.integration.api.test_sign_in import sign_in_fully
from tests.integration.flows.test_coupon_races import define

CLAIM = """mutation ($code: String!, $key: String) {
  claimCoupon(input: { code: $code }, idempotencyKey: $key) { __typename
    ... on CouponClaimed { coupon { id name kind value state choice } }
    ... on Refused { code } } }"""
CHOOSE = """mutation ($id: ID!, $choice: CouponChoice!) {
  chooseCoupon(input: { couponId: $id, choice: $choice }) { __typename
    ... on CouponChosen { coupon { choice } } ... on Refused { code }
    ... on InvalidInput { code } } }"""
LIST = """{ viewer { coupons(first: 1) {
  edges { cursor node { id discount { amountMinor } } } pageInfo { hasNextPage } } } }"""
NODE = "query ($id: ID!) { node(id: $id) { id } }"


async def claim(api: ApiWorld, token: str, code: str, key: str | None = None) -> dict[str, Any]:
    return (await api.ask(CLAIM, {"code": code, "key": key}, token=token))["claimCoupon"]


async def test_a_code_is_claimed_once_listed_and_chosen(api: ApiWorld) -> None:
    await define(api.lanes)
    token = (await sign_in_fully(api))["accessToken"]
    got = await claim(api, token, "spring 7kx2 qwma", "claim-it-once")
    assert got == await claim(api, token, "spring 7kx2 qwma", "claim-it-once")
    coupon_id = got["coupon"].pop("id")
    assert got["coupon"] == {
        "name": "Spring",
        "kind": "AMOUNT",
        "value": 500,
        "state": "AVAILABLE",
        "choice": "AUTO",
    }
    listed = (await api.ask(LIST, token=token))["viewer"]["coupons"]
    assert [edge["node"]["id"] for edge in listed["edges"]] == [coupon_id]
    assert listed["pageInfo"] == {"hasNextPage": False}
    values = {"id": coupon_id, "choice": "HELD"}
    refused = (await api.ask(CHOOSE, values, token=token))["chooseCoupon"]
    assert refused == {"__typename": "Refused", "code": "COUPON_NOT_USABLE"}
    assert (await api.ask(NODE, {"id": coupon_id}, token=token))["node"] == {"id": coupon_id}


async def test_wrong_codes_are_counted_whatever_their_key(api: ApiWorld) -> None:
    await define(api.lanes)
    token = (await sign_in_fully(api))["accessToken"]
    for number in range(2):
        refused = await claim(api, token, f"GUESS-{number}", f"guess-number-{number}")
        assert refused == {"__typename": "Refused", "code": "COUPON_CODE_UNKNOWN"}
    assert await api.lanes.rows("SELECT tries FROM coupon_tries") == [{"tries": 2}]
    assert await api.lanes.count("driver_coupons") == 0

"""Paying for the car at the exit to prove a plate, as an app does it."""

from typing import Any

from parking.flows.payments import settlement
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE, read_of
from tests.integration.api.test_licence_pictures import claim

PAY = """
mutation Pay($input: PayToBindPlateInput!) { payToBindPlate(input: $input) {
  __typename
  ... on PlatePaymentStarted { checkoutUrl }
  ... on InvalidInput { field }
  ... on Refusal { code }
} }
"""
PLATES = "{ viewer { plates { text paysAutomatically } plateClaims { text inReview } } }"


async def pay(api: ApiWorld, token: str, claim_id: str, link: str) -> dict[str, Any]:
    given = {"claimId": claim_id, "payLink": link}
    return (await api.ask(PAY, {"input": given}, token=token))["payToBindPlate"]


async def test_an_app_binds_a_plate_by_paying_for_it(api: ApiWorld) -> None:
    driver_id, _ = await api.add_driver("ZZ99999")
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    car = await api.lanes.arrive(api.lanes.exit)
    decision = await api.lanes.decide(api.lanes.exit, car, read_of(PLATE))
    link = decision.display.qr or ""
    token = await api.token_of(driver_id)
    claim_id = await claim(api, token)
    for wrong in ("", "x", link[:-3] + "AAA"):
        assert (await pay(api, token, claim_id, wrong))["code"] == "PAY_LINK_WRONG"
    assert (await pay(api, token, claim_id, "x" * 501))["field"] == "payLink"
    _, other = await api.add_driver("YY11111")
    assert (await pay(api, other, claim_id, link))["code"] == "CLAIM_NOT_FOUND"
    started = await pay(api, token, claim_id, link)
    assert started["__typename"] == "PlatePaymentStarted"
    assert started["checkoutUrl"].startswith("https://")
    [row] = await api.lanes.rows("SELECT operator_id, id, number FROM payment_attempts")
    assert api.lanes.provider.pay(row["number"])
    await settlement.ask(api.lanes.context, row["operator_id"], row["id"])
    assert (await api.ask(PLATES, token=token))["viewer"] == {
        "plates": [
            {"text": "ZZ99999", "paysAutomatically": True},
            {"text": PLATE, "paysAutomatically": True},
        ],
        "plateClaims": [],
    }

"""Plates, authorizations and payments through the API."""

from typing import Any
from uuid import UUID

import pytest

from api.global_ids import encode_id, read_id
from parking.payments.port import Checkout, CheckoutOrder
from parking.plates import service as plates
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE, read_of

REFUSAL = "... on Refusal { code message } ... on InvalidInput { field }"
BIND = f"""
mutation Bind($plate: String!) {{ bindPlate(input: {{plate: $plate}}) {{
  __typename ... on PlateClaimed {{ claim {{ id text createdAt expiresAt inReview }} }} {REFUSAL}
}} }}
"""
CONFIRM = f"""
mutation Confirm($claim: ID!, $code: String!) {{
  confirmPlateBinding(input: {{claimId: $claim, code: $code}}) {{
    __typename ... on PlateBound {{ plate {{ id text }} }} {REFUSAL}
    ... on Refused {{ attemptsLeft retryable }}
  }}
}}
"""
UNBIND = f"""
mutation Unbind($plate: ID!) {{ unbindPlate(input: {{plateId: $plate}}) {{
  __typename ... on PlateUnbound {{ plateId }} {REFUSAL}
}} }}
"""
AUTHORIZE = f"""
mutation Authorize($input: AuthorizePasswordFreeInput!) {{ authorizePasswordFree(input: $input) {{
  __typename ... on PasswordFreeStarted {{
    mandate {{ id state confirmationUrl amountMax {{ amountMinor currency }} }}
  }} {REFUSAL}
}} }}
"""
REVOKE = f"""
mutation Revoke($mandate: ID!) {{ revokePasswordFree(input: {{mandateId: $mandate}}) {{
  __typename ... on PasswordFreeRevoked {{ mandate {{ id state confirmationUrl }} }} {REFUSAL}
}} }}
"""
PREPAY = f"""
mutation Prepay($session: ID!) {{ prepay(input: {{sessionId: $session}}) {{
  __typename ... on Prepaid {{ status amount {{ amountMinor currency }} checkoutUrl }} {REFUSAL}
}} }}
"""
SESSIONS = "{ viewer { activeSessions { id version prepaidUntil bill { due { amountMinor } } } } }"
PLATES = "{ viewer { plates { id text } plateClaims { id inReview } mandates { id state } } }"


async def active_session(api: ApiWorld, token: str) -> dict[str, Any]:
    [session] = (await api.ask(SESSIONS, token=token))["viewer"]["activeSessions"]
    return session


async def new_driver(api: ApiWorld) -> str:
    _, token = await api.add_driver("ZZ99999")
    return token


async def test_from_the_claim_through_the_lane_to_the_binding(api: ApiWorld) -> None:
    token = await new_driver(api)
    api.lanes.wait(seconds=1)
    claimed = (await api.ask(BIND, {"plate": "京a·88731"}, token=token))["bindPlate"]["claim"]
    assert (claimed["text"], claimed["inReview"]) == (PLATE, False)
    presentation_id = await api.lanes.arrive(api.lanes.entry)
    decision = await api.lanes.decide(api.lanes.entry, presentation_id, read_of(PLATE))
    [code] = [word for line in decision.display.lines for word in line.split() if word.isdigit()]
    variables = {"claim": claimed["id"], "code": code}
    bound = (await api.ask(CONFIRM, variables, token=token))["confirmPlateBinding"]
    assert (bound["__typename"], bound["plate"]["text"]) == ("PlateBound", PLATE)
    viewer = (await api.ask(PLATES, token=token))["viewer"]
    assert [plate["text"] for plate in viewer["plates"]] == ["ZZ99999", PLATE]
    assert viewer["plateClaims"] == []
    unbound = await api.ask(UNBIND, {"plate": bound["plate"]["id"]}, token=token)
    assert unbound["unbindPlate"] == {
        "__typename": "PlateUnbound",
        "plateId": bound["plate"]["id"],
    }
    viewer = (await api.ask(PLATES, token=token))["viewer"]
    assert [plate["text"] for plate in viewer["plates"]] == ["ZZ99999"]


async def test_refusals_of_a_claim(api: ApiWorld) -> None:
    token = await new_driver(api)
    refused = (await api.ask(BIND, {"plate": "!"}, token=token))["bindPlate"]
    assert refused == {
        "__typename": "InvalidInput",
        "code": "INVALID_INPUT",
        "message": "plate: expected 2 to 16 letters and digits",
        "field": "plate",
    }
    refused = (await api.ask(BIND, {"plate": "zz-99999"}, token=token))["bindPlate"]
    assert (refused["__typename"], refused["code"]) == ("Refused", "PLATE_ALREADY_YOURS")
    claim = (await api.ask(BIND, {"plate": PLATE}, token=token))["bindPlate"]["claim"]
    variables = {"claim": claim["id"], "code": "000000"}
    refused = (await api.ask(CONFIRM, variables, token=token))["confirmPlateBinding"]
    assert (refused["code"], refused["attemptsLeft"]) == ("LANE_CODE_WRONG", 4)
    # The counted attempt was committed although the mutation refused.
    refused = (await api.ask(CONFIRM, variables, token=token))["confirmPlateBinding"]
    assert refused["attemptsLeft"] == 3


async def test_a_plate_of_somebody_else_answers_like_a_free_one(api: ApiWorld) -> None:
    await api.add_driver(PLATE)
    token = await new_driver(api)
    answers: list[dict[str, Any]] = []
    for plate in (PLATE, "AB 1"):
        claimed = (await api.ask(BIND, {"plate": plate}, token=token))["bindPlate"]["claim"]
        variables = {"claim": claimed.pop("id"), "code": "000000"}
        refused = (await api.ask(CONFIRM, variables, token=token))["confirmPlateBinding"]
        answers.append({**claimed, **refused, "text": ""})
    assert answers[0] == answers[1]


async def test_authorizing_and_revoking(api: ApiWorld) -> None:
    token = await new_driver(api)
    given = {"amountMax": {"amountMinor": 5000, "currency": "CNY"}, "returnUrl": "https://a.test/"}
    started = (await api.ask(AUTHORIZE, {"input": given}, token=token))["authorizePasswordFree"]
    mandate = started["mandate"]
    assert (mandate["state"], mandate["amountMax"]) == ("PENDING", given["amountMax"])
    assert mandate["confirmationUrl"].startswith("https://")
    for _ in range(2):
        revoked = await api.ask(REVOKE, {"mandate": mandate["id"]}, token=token)
        assert revoked["revokePasswordFree"]["mandate"] == {
            "id": mandate["id"],
            "state": "REVOKED",
            "confirmationUrl": None,
        }
    assert (await api.ask(PLATES, token=token))["viewer"]["mandates"] == []


async def test_authorizations_that_cannot_be(api: ApiWorld) -> None:
    token = await new_driver(api)
    for given, field in (
        ({"provider": "nobody"}, "provider"),
        ({"returnUrl": "http://a.test/"}, "returnUrl"),
        ({"returnUrl": "javascript:alert(1)"}, "returnUrl"),
        ({"returnUrl": "https://a\n.test/"}, "returnUrl"),
        ({"returnUrl": "https://a.test\\@evil.example/"}, "returnUrl"),
        ({"returnUrl": "https://a.test@evil.example/"}, "returnUrl"),
        ({"returnUrl": "https://" + "a" * 500}, "returnUrl"),
        ({"amountMax": {"amountMinor": 5000, "currency": "yuan"}}, "amountMax.currency"),
        ({"amountMax": {"amountMinor": 0, "currency": "CNY"}}, "amountMax"),
    ):
        answer = await api.ask(AUTHORIZE, {"input": given}, token=token)
        refused = answer["authorizePasswordFree"]
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)
    assert await api.lanes.count("mandates") == 0


async def test_prepaying_by_mandate_charges_once(api: ApiWorld) -> None:
    driver_id, _ = await api.add_driver()
    await api.lanes.permit(driver_id)
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    token = await api.token_of(driver_id)
    session = await active_session(api, token)
    assert session["bill"]["due"] == {"amountMinor": 1000}
    paid = (await api.ask(PREPAY, {"session": session["id"]}, token=token))["prepay"]
    assert paid == {
        "__typename": "Prepaid",
        "status": "SUCCEEDED",
        "amount": {"amountMinor": 1000, "currency": "CNY"},
        "checkoutUrl": None,
    }
    again = (await api.ask(PREPAY, {"session": session["id"]}, token=token))["prepay"]
    assert again["code"] == "NOTHING_DUE"
    assert api.lanes.provider.captured("CNY") == 1000
    after = await active_session(api, token)
    assert after["bill"]["due"] == {"amountMinor": 0}
    assert after["prepaidUntil"] is not None
    assert after["version"] == session["version"] + 1


async def test_prepaying_without_a_mandate_leads_to_the_payment_page(api: ApiWorld) -> None:
    driver_id, _ = await api.add_driver()
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    token = await api.token_of(driver_id)
    session = await active_session(api, token)
    paid = (await api.ask(PREPAY, {"session": session["id"]}, token=token))["prepay"]
    assert paid["status"] == "CHECKOUT"
    assert paid["checkoutUrl"].startswith("https://fake.invalid/")


async def test_a_payment_that_begins_with_a_code_is_shown_on_the_bills_page(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def code(order: CheckoutOrder) -> Checkout:
        return Checkout(url=f"weixin://pay?pr={order.number}", expires_at=api.lanes.clock.now())

    monkeypatch.setattr(api.lanes.provider, "start_checkout", code)
    driver_id, _ = await api.add_driver()
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    token = await api.token_of(driver_id)
    session = await active_session(api, token)
    paid = (await api.ask(PREPAY, {"session": session["id"]}, token=token))["prepay"]
    assert paid["checkoutUrl"].startswith("https://pay.example/pay/")


async def test_somebody_elses_ids_answer_like_ids_that_do_not_exist(api: ApiWorld) -> None:
    driver_id, token = await api.add_driver()
    await api.lanes.permit(driver_id)
    await api.lanes.drive_in()
    api.lanes.wait(minutes=14)
    owned = (await api.ask(PLATES, token=token))["viewer"]
    session = await active_session(api, token)
    claim = (await api.ask(BIND, {"plate": "AB 1"}, token=token))["bindPlate"]["claim"]
    thief = await new_driver(api)
    before = await books(api)
    for query, name, own_id, variable, code in (
        (UNBIND, "unbindPlate", owned["plates"][0]["id"], "plate", "PLATE_NOT_FOUND"),
        (REVOKE, "revokePasswordFree", owned["mandates"][0]["id"], "mandate", "MANDATE_UNKNOWN"),
        (PREPAY, "prepay", session["id"], "session", "SESSION_UNKNOWN"),
        (CONFIRM, "confirmPlateBinding", claim["id"], "claim", "CLAIM_NOT_FOUND"),
    ):
        variables = {variable: own_id, "code": "123456"}
        stolen = (await api.ask(query, variables, token=thief))[name]
        variables[variable] = unknown_like(own_id)
        unknown = (await api.ask(query, variables, token=thief))[name]
        assert stolen == unknown
        assert stolen["code"] == code
        variables[variable] = own_id
        anonymous = (await api.ask(query, variables))[name]
        assert anonymous["code"] == "UNAUTHENTICATED"
    assert await books(api) == before


async def books(api: ApiWorld) -> list[Any]:
    return [
        await api.lanes.rows(f"SELECT * FROM {table}")  # noqa: S608 - our own names
        for table in ("plate_bindings", "mandates", "bills", "binding_claims", "sessions")
    ]


def unknown_like(global_id: str) -> str:
    kind, _ = read_id(global_id)
    return encode_id(kind, UUID(int=7))


async def test_unbinding_takes_effect_at_the_next_gate(api: ApiWorld) -> None:
    driver_id, token = await api.add_driver()
    await api.lanes.permit(driver_id)
    plate_id = (await api.ask(PLATES, token=token))["viewer"]["plates"][0]["id"]
    await api.ask(UNBIND, {"plate": plate_id}, token=token)
    async with api.lanes.context.database.begin() as unit:
        index = plates.plate_index(unit.vault, PLATE)
        assert await plates.active_binding(unit, index) is None
    await api.lanes.drive_in()
    assert (await api.ask(SESSIONS, token=token))["viewer"]["activeSessions"] == []

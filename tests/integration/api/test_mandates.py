"""Password-free authorization through the API: terms, limits, order, and who may touch them."""

from typing import Any

import pytest

from api.global_ids import encode_id
from parking.kit.ids import new_id
from parking.payments import mandate_rows
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE
from tests.factories.providers import add_provider

OTHER_PLATE = "ZZ99999"
REFUSAL = "... on Refusal { code message } ... on InvalidInput { field }"
MANDATE = """
id state position provider payerHint plate confirmedAt signedAt activatedAt confirmationUrl
amountMax { amountMinor currency } dayMax { amountMinor currency }
terms { title sentences locale digest }
"""
AUTHORIZE = f"""
mutation Authorize($input: AuthorizePasswordFreeInput!) {{ authorizePasswordFree(input: $input) {{
  __typename ... on PasswordFreeStarted {{ mandate {{ {MANDATE} }} }} {REFUSAL}
}} }}
"""
CONFIRM = f"""
mutation Confirm($input: ConfirmPasswordFreeInput!) {{ confirmPasswordFree(input: $input) {{
  __typename ... on PasswordFreeConfirmed {{ mandate {{ {MANDATE} }} }} {REFUSAL}
}} }}
"""
CHANGE = f"""
mutation Change($input: ChangePasswordFreeLimitsInput!) {{
  changePasswordFreeLimits(input: $input) {{
    __typename ... on PasswordFreeLimits {{
      mandate {{ {MANDATE} }} toConfirm {{ title sentences locale digest }}
    }} {REFUSAL}
  }}
}}
"""
ORDER = f"""
mutation Order($input: OrderPasswordFreeInput!) {{ orderPasswordFree(input: $input) {{
  __typename ... on PasswordFreeOrdered {{ mandates {{ id position }} }} {REFUSAL}
}} }}
"""
REVOKE = f"""
mutation Revoke($input: RevokePasswordFreeInput!) {{ revokePasswordFree(input: $input) {{
  __typename ... on PasswordFreeRevoked {{ mandate {{ id state position }} }} {REFUSAL}
}} }}
"""
MANDATES = f"{{ viewer {{ mandates {{ {MANDATE} }} plates {{ id text }} }} }}"
CNY = {"currency": "CNY"}
LIMITS = {"amountMax": {"amountMinor": 5000, **CNY}, "dayMax": {"amountMinor": 9000, **CNY}}


async def act(api: ApiWorld, document: str, token: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    [answer] = (await api.ask(document, {"input": given}, token=token)).values()
    return answer


async def begun(api: ApiWorld, token: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    mandate: dict[str, Any] = (await act(api, AUTHORIZE, token, **given))["mandate"]
    return mandate


async def test_from_the_terms_to_an_active_authorization(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    [plate] = (await api.ask(MANDATES, token=token))["viewer"]["plates"]
    mandate = await begun(api, token, plateId=plate["id"], **LIMITS)
    assert (mandate["state"], mandate["position"], mandate["plate"]) == ("PENDING", 0, PLATE)
    assert (mandate["amountMax"], mandate["dayMax"]) == (LIMITS["amountMax"], LIMITS["dayMax"])
    assert mandate["terms"]["title"] == "Password-free payment with the test provider"
    assert "One charge is at most 50.00 CNY." in mandate["terms"]["sentences"]
    given = {"mandateId": mandate["id"], "termsDigest": mandate["terms"]["digest"]}
    for _ in range(2):
        confirmed = (await act(api, CONFIRM, token, **given))["mandate"]
        assert (confirmed["state"], confirmed["signedAt"]) == ("PENDING", None)
        assert confirmed["confirmedAt"] is not None
    [row] = await api.lanes.rows("SELECT agreement_reference FROM mandates")
    api.lanes.provider.confirm(row["agreement_reference"])
    sent = api.lanes.provider.notices[-1]
    told = await api.http.post("/callbacks/fake", content=sent.body, headers=dict(sent.headers))
    assert told.status_code == 204
    [active] = (await api.ask(MANDATES, token=token))["viewer"]["mandates"]
    assert (active["state"], active["payerHint"]) == ("ACTIVE", "Test account 1")
    assert active["confirmationUrl"] is None


async def test_whoever_begins_and_ends_for_ever_is_stopped_for_a_day(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mandate_rows, "BEGUN_PER_DAY_MAX", 2)
    driver_id, token = await api.add_driver()
    for _ in range(2):
        mandate = await begun(api, token)
        await act(api, REVOKE, token, mandateId=mandate["id"])
    assert (await act(api, AUTHORIZE, token))["code"] == "TOO_MANY_AUTHORIZATIONS"
    # The provider was not asked, and other drivers are not held up.
    assert await api.lanes.count("mandates") == 2
    _, other = await api.add_driver("沪B22222")
    assert (await begun(api, other))["state"] == "PENDING"
    api.lanes.wait(days=1)
    assert (await begun(api, await api.token_of(driver_id)))["position"] == 0


async def test_raising_asks_for_the_terms_and_lowering_does_not(api: ApiWorld) -> None:
    driver_id, token = await api.add_driver()
    await api.lanes.permit(driver_id)
    [mandate] = (await api.ask(MANDATES, token=token))["viewer"]["mandates"]
    lowered = await act(api, CHANGE, token, mandateId=mandate["id"], **LIMITS)
    assert lowered["toConfirm"] is None
    assert lowered["mandate"]["amountMax"] == LIMITS["amountMax"]
    more = {"mandateId": mandate["id"], "amountMax": None, "dayMax": LIMITS["dayMax"]}
    asked = await act(api, CHANGE, token, **more, locale="zh")
    assert asked["mandate"]["amountMax"] == LIMITS["amountMax"]
    assert asked["toConfirm"]["locale"] == "zh"
    digest = asked["toConfirm"]["digest"]
    other = await act(api, CHANGE, token, mandateId=mandate["id"], termsDigest=digest)
    assert other["code"] == "MANDATE_TERMS_CHANGED"
    done = await act(api, CHANGE, token, **more, termsDigest=digest)
    assert (done["toConfirm"], done["mandate"]["amountMax"]) == (None, None)
    wrong = await act(api, CHANGE, token, **more, locale="fr")
    assert (wrong["code"], wrong["field"]) == ("INVALID_INPUT", "locale")


async def test_the_order_is_the_drivers(api: ApiWorld) -> None:
    driver_id, token = await api.add_driver()
    for _ in range(3):
        await api.lanes.permit(driver_id)
    listed = (await api.ask(MANDATES, token=token))["viewer"]["mandates"]
    ids = [one["id"] for one in listed]
    ordered = await act(api, ORDER, token, mandateIds=list(reversed(ids)))
    assert [one["id"] for one in ordered["mandates"]] == list(reversed(ids))
    listed = (await api.ask(MANDATES, token=token))["viewer"]["mandates"]
    assert [(one["id"], one["position"]) for one in listed] == [
        (key, place) for place, key in enumerate(reversed(ids))
    ]
    for wrong in (ids[:2], [*ids[:2], ids[0]], [*ids, ids[0]], ids * 5, []):
        refused = await act(api, ORDER, token, mandateIds=wrong)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "mandateIds")
    revoked = (await act(api, REVOKE, token, mandateId=ids[1]))["mandate"]
    assert (revoked["state"], revoked["position"]) == ("REVOKED", None)
    listed = (await api.ask(MANDATES, token=token))["viewer"]["mandates"]
    assert [one["position"] for one in listed] == [0, 1]


@pytest.mark.parametrize("whose", ["another's", "nobody's"])
async def test_nobody_touches_the_authorization_of_another(api: ApiWorld, whose: str) -> None:
    driver_id, token = await api.add_driver()
    await api.lanes.permit(driver_id)
    [mandate] = (await api.ask(MANDATES, token=token))["viewer"]["mandates"]
    [plate] = (await api.ask(MANDATES, token=token))["viewer"]["plates"]
    _, thief = await api.add_driver(OTHER_PLATE)
    own = await begun(api, thief)
    is_known = whose == "another's"
    nothing = encode_id("Mandate", new_id(api.lanes.clock.now()))
    key = mandate["id"] if is_known else nothing
    before = await api.lanes.rows("SELECT * FROM mandates ORDER BY id")
    answers = [
        await act(api, CONFIRM, thief, mandateId=key, termsDigest=mandate["terms"]["digest"]),
        await act(api, CHANGE, thief, mandateId=key, **LIMITS),
        await act(api, REVOKE, thief, mandateId=key),
        await act(api, ORDER, thief, mandateIds=[own["id"], key]),
        # With the digest of another's terms, and with another's plate.
        await act(api, CONFIRM, thief, mandateId=own["id"], termsDigest=mandate["terms"]["digest"]),
        await act(api, AUTHORIZE, thief, plateId=plate["id"]),
        await act(api, AUTHORIZE, thief, plateId=key),
    ]
    assert [(one["code"], one.get("field")) for one in answers] == [
        ("MANDATE_UNKNOWN", None),
        ("MANDATE_UNKNOWN", None),
        ("MANDATE_UNKNOWN", None),
        ("INVALID_INPUT", "mandateIds"),
        ("MANDATE_TERMS_CHANGED", None),
        ("INVALID_INPUT", "plateId"),
        ("INVALID_INPUT", "plateId"),
    ]
    assert await api.lanes.rows("SELECT * FROM mandates ORDER BY id") == before


async def test_authorizations_that_cannot_be_limited_so(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    add_provider(api.lanes, "unused")
    for given, field in (
        ({"dayMax": {"amountMinor": 0, **CNY}}, "dayMax"),
        ({**LIMITS, "dayMax": {"amountMinor": 1, **CNY}}, "dayMax"),
        ({**LIMITS, "dayMax": {"amountMinor": 9000, "currency": "EUR"}}, "dayMax"),
        ({"dayMax": {"amountMinor": 5, "currency": "yuan"}}, "dayMax.currency"),
        ({"plateId": "x"}, "plateId"),
        ({"payerId": "a\u0000"}, "payerId"),
        ({"payerId": "x" * 129}, "payerId"),
    ):
        refused = await act(api, AUTHORIZE, token, **given)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field), given
    assert await api.lanes.count("mandates") == 0
    confirmed = await act(api, CONFIRM, token, mandateId="x", termsDigest="y")
    assert confirmed["code"] == "INVALID_INPUT"
    long = await act(
        api,
        CONFIRM,
        token,
        mandateId=encode_id("Mandate", new_id(api.lanes.clock.now())),
        termsDigest="x" * 65,
    )
    assert (long["code"], long["field"]) == ("INVALID_INPUT", "termsDigest")

"""Signing in through the API."""

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from parking.drivers.rules import REFRESH_GRACE
from tests.factories.api import ApiWorld

PHONE = "+4915112345678"
CODE = """
mutation Code($phone: String!) { requestSignInCode(input: {phoneNumber: $phone}) {
  __typename
  ... on SignInCodeSent { requestId expiresAt }
  ... on Refusal { code message }
  ... on InvalidInput { field }
  ... on Refused { retryable retryAfterS }
} }
"""
SIGN_IN = """
mutation SignIn($input: SignInInput!) { signIn(input: $input) {
  __typename
  ... on SignedIn { accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt }
  ... on Refusal { code message }
  ... on InvalidInput { field }
  ... on Refused { attemptsLeft }
} }
"""
REFRESH = """
mutation Refresh($token: String!) { refreshSignIn(input: {refreshToken: $token}) {
  __typename ... on SignedIn { accessToken refreshToken } ... on Refusal { code }
} }
"""
SIGN_OUT = "mutation { signOut { __typename ... on Refusal { code } } }"
REGISTER = """
mutation Register($input: RegisterDeviceInput!) { registerDevice(input: $input) {
  __typename ... on DeviceRegistered { deviceId }
  ... on Refusal { code message } ... on InvalidInput { field }
} }
"""
VIEWER = "{ viewer { id } }"


async def request_code(api: ApiWorld, phone: str = PHONE) -> dict[str, Any]:
    return (await api.ask(CODE, {"phone": phone}))["requestSignInCode"]


async def sign_in(api: ApiWorld, **given: str) -> dict[str, Any]:
    return (await api.ask(SIGN_IN, {"input": given}))["signIn"]


async def sign_in_fully(api: ApiWorld, phone: str = PHONE) -> dict[str, Any]:
    sent = await request_code(api, phone)
    return await sign_in(
        api, requestId=sent["requestId"], phoneNumber=phone, code=api.sms.messages[-1].text[:7]
    )


async def count(api: ApiWorld, table: str) -> int:
    async with api.lanes.context.database.begin() as unit:
        found = await unit.run(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - our own names
        return int(found.scalar_one())


async def test_from_the_code_to_the_viewer(api: ApiWorld) -> None:
    signed_in = await sign_in_fully(api)
    assert signed_in["__typename"] == "SignedIn"
    viewer = (await api.ask(VIEWER, token=signed_in["accessToken"]))["viewer"]
    again = await sign_in_fully(api)
    assert (await api.ask(VIEWER, token=again["accessToken"]))["viewer"] == viewer


async def test_a_known_number_answers_like_a_new_one(api: ApiWorld) -> None:
    await sign_in_fully(api)
    known, unknown = await request_code(api), await request_code(api, "+16502530000")
    assert known.keys() == unknown.keys()
    assert known["__typename"] == unknown["__typename"] == "SignInCodeSent"
    assert known["expiresAt"] == unknown["expiresAt"]


async def test_a_number_that_is_none(api: ApiWorld) -> None:
    assert await request_code(api, "12345") == {
        "__typename": "InvalidInput",
        "code": "INVALID_INPUT",
        "message": "phoneNumber: expected a phone number with its country, such as +8613800138000",
        "field": "phoneNumber",
    }
    assert await count(api, "sign_in_codes") == 0


async def test_a_number_that_pays_who_asks(api: ApiWorld) -> None:
    assert await request_code(api, "+979123456789") == {
        "__typename": "InvalidInput",
        "code": "INVALID_INPUT",
        "message": "phoneNumber: expected a person's own number that receives text messages, "
        "such as that of a mobile",
        "field": "phoneNumber",
    }
    assert await count(api, "sign_in_codes") == 0
    assert api.sms.messages == []


async def test_too_many_codes(api: ApiWorld) -> None:
    for _ in range(5):
        await request_code(api)
    assert await request_code(api) == {
        "__typename": "Refused",
        "code": "TOO_MANY_REQUESTS",
        "message": "too many requests; try again in 3600 s",
        "retryable": True,
        "retryAfterS": 3600,
    }
    assert len(api.sms.messages) == 5


async def test_a_wrong_code(api: ApiWorld) -> None:
    sent = await request_code(api)
    code = api.sms.messages[-1].text[:7]
    wrong = f"{(int(code) + 1) % 10**7:07d}"
    given = {"requestId": sent["requestId"], "phoneNumber": PHONE}
    assert await sign_in(api, **given, code=wrong) == {
        "__typename": "Refused",
        "code": "SIGN_IN_CODE_WRONG",
        "message": "this is not the code that was sent",
        "attemptsLeft": 4,
    }
    for attempts_left in (3, 2, 1, 0):
        assert (await sign_in(api, **given, code=wrong))["attemptsLeft"] == attempts_left
    assert (await sign_in(api, **given, code=code))["code"] == "SIGN_IN_CODE_EXPIRED"
    assert await count(api, "drivers") == 0


async def test_a_request_id_that_is_none(api: ApiWorld) -> None:
    refused = await sign_in(api, requestId="x", phoneNumber=PHONE, code="123456")
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "requestId")


async def test_refreshing_and_reusing(api: ApiWorld) -> None:
    signed_in = await sign_in_fully(api)
    first = {"token": signed_in["refreshToken"]}
    fresh = (await api.ask(REFRESH, first))["refreshSignIn"]
    assert fresh["__typename"] == "SignedIn"
    await api.ask(VIEWER, token=fresh["accessToken"])
    refused = {"__typename": "Refused", "code": "UNAUTHENTICATED"}
    api.lanes.clock.advance(REFRESH_GRACE + timedelta(seconds=1))
    assert (await api.ask(REFRESH, first))["refreshSignIn"] == refused
    body = await api.post(VIEWER, token=fresh["accessToken"])
    assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    again = (await api.ask(REFRESH, {"token": fresh["refreshToken"]}))["refreshSignIn"]
    assert again == refused


async def test_signing_out_takes_effect_at_once(api: ApiWorld) -> None:
    signed_in = await sign_in_fully(api)
    token = signed_in["accessToken"]
    assert (await api.ask(SIGN_OUT, token=token))["signOut"] == {"__typename": "SignedOut"}
    body = await api.post(VIEWER, token=token)
    assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    refused = await api.ask(REFRESH, {"token": signed_in["refreshToken"]})
    assert refused["refreshSignIn"]["code"] == "UNAUTHENTICATED"
    assert (await api.ask(SIGN_OUT, token=token))["signOut"]["code"] == "UNAUTHENTICATED"


async def test_registering_a_device(api: ApiWorld) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    given = {"input": {"kind": "TOKEN", "target": "fcm-token", "platform": "ios"}}
    first = (await api.ask(REGISTER, given, token=token))["registerDevice"]
    assert first["__typename"] == "DeviceRegistered"
    assert (await api.ask(REGISTER, given, token=token))["registerDevice"] == first
    assert await count(api, "devices WHERE sign_in_id IS NOT NULL") == 1
    given["input"]["platform"] = "toaster"
    refused = (await api.ask(REGISTER, given, token=token))["registerDevice"]
    assert refused == {
        "__typename": "InvalidInput",
        "code": "INVALID_INPUT",
        "message": "platform: expected one of android, ios, web",
        "field": "platform",
    }

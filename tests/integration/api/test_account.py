"""Sign-ins and devices, and proving again who asks."""

from datetime import timedelta
from typing import Any

import pytest

from api.global_ids import encode_id, read_id
from parking.drivers.events import SIGN_IN_ENDED
from parking.drivers.rules import CODES_PER_PHONE_MAX
from parking.events.pokes import Poke
from parking.kit.ids import new_id
from tests.factories.api import ApiWorld, serve
from tests.factories.graphql_socket import signed_in_socket
from tests.integration.api.test_mandates import AUTHORIZE, CHANGE, CONFIRM, LIMITS, MANDATES
from tests.integration.api.test_sign_in import (
    REFRESH,
    REGISTER,
    VIEWER,
    request_code,
    sign_in_fully,
)

SEEN = """{ viewer {
  signIns { id deviceName createdAt lastUsedAt authenticatedAt isCurrent }
  devices { id kind platform registeredAt signInId }
} }"""
REFUSAL = "... on Refusal { code message } ... on InvalidInput { field }"
END = f"""mutation ($id: ID!) {{ endSignIn(input: {{signInId: $id}}) {{
  __typename ... on SignInEnded {{ signInId }} {REFUSAL} }} }}"""
END_OTHERS = """mutation { endOtherSignIns {
  __typename ... on OtherSignInsEnded { endedCount }
  ... on Refused { code message retryable confirmationPurpose } } }"""
REMOVE = f"""mutation ($id: ID!) {{ removeDevice(input: {{deviceId: $id}}) {{
  __typename ... on DeviceRemoved {{ deviceId }} {REFUSAL} }} }}"""
ASK_CODE = f"""mutation ($purpose: ConfirmationPurpose!) {{
  requestConfirmationCode(input: {{purpose: $purpose}}) {{
    __typename ... on ConfirmationCodeSent {{ requestId expiresAt }} {REFUSAL} }} }}"""
SEND_CODE = f"""mutation ($input: ConfirmWithCodeInput!) {{ confirmWithCode(input: $input) {{
  __typename ... on Confirmed {{ purpose confirmedUntil }}
  ... on Refused {{ attemptsLeft }} {REFUSAL} }} }}"""
REAUTHENTICATE = {
    "__typename": "Refused",
    "code": "REAUTHENTICATION_REQUIRED",
    "message": "prove who you are: ask for a code with requestConfirmationCode, send it with "
    "confirmWithCode, and repeat this",
    "retryable": False,
    "confirmationPurpose": "END_SIGN_INS",
}


async def only(api: ApiWorld, document: str, token: str, **variables: Any) -> Any:  # noqa: ANN401 - JSON
    [answer] = (await api.ask(document, variables, token=token)).values()
    return answer


async def is_let_in(api: ApiWorld, token: str) -> bool:
    return "errors" not in await api.post(VIEWER, token=token)


async def confirm(api: ApiWorld, token: str, purpose: str) -> Any:  # noqa: ANN401 - JSON
    sent = await only(api, ASK_CODE, token, purpose=purpose)
    code = api.sms.messages[-1].text[:7]
    given = {"requestId": sent["requestId"], "purpose": purpose, "code": code}
    return await only(api, SEND_CODE, token, input=given)


async def test_whoever_asks_to_sign_in_with_a_number_keeps_its_owner_from_nothing(
    api: ApiWorld,
) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    for _ in range(CODES_PER_PHONE_MAX - 1):
        await request_code(api)
    refused = await request_code(api)
    assert refused["code"] == "TOO_MANY_REQUESTS"
    for _ in range(CODES_PER_PHONE_MAX):
        sent = await only(api, ASK_CODE, token, purpose="DELETE_ACCOUNT")
        assert sent["__typename"] == "ConfirmationCodeSent"
    refused = await only(api, ASK_CODE, token, purpose="DELETE_ACCOUNT")
    assert refused["code"] == "TOO_MANY_REQUESTS"
    assert len(api.sms.messages) == 2 * CODES_PER_PHONE_MAX


async def test_a_driver_sees_sign_ins_and_devices(api: ApiWorld) -> None:
    first = await sign_in_fully(api)
    api.lanes.wait(minutes=2)
    second = await sign_in_fully(api)
    token = second["accessToken"]
    target = {"kind": "FID", "target": "here", "platform": "ios"}
    registered = await only(api, REGISTER, token, input=target)
    seen = await only(api, SEEN, token)
    now = api.lanes.clock.now().isoformat()
    [current, other] = seen["signIns"]
    assert current == {
        "id": current["id"],
        "deviceName": "",
        "createdAt": now,
        "lastUsedAt": now,
        "authenticatedAt": now,
        "isCurrent": True,
    }
    before = (api.lanes.clock.now() - timedelta(minutes=2)).isoformat()
    assert (other["isCurrent"], other["createdAt"]) == (False, before)
    assert seen["devices"] == [
        {
            "id": registered["deviceId"],
            "kind": "FID",
            "platform": "ios",
            "registeredAt": now,
            "signInId": current["id"],
        }
    ]
    assert "here" not in str(seen)
    assert await is_let_in(api, first["accessToken"])


async def test_ending_one_sign_in_takes_effect_at_once(api: ApiWorld) -> None:
    lost, kept = await sign_in_fully(api), await sign_in_fully(api)
    target = {"kind": "FID", "target": "lost", "platform": "ios"}
    await only(api, REGISTER, lost["accessToken"], input=target)
    seen = await only(api, SEEN, kept["accessToken"])
    [other] = [one for one in seen["signIns"] if not one["isCurrent"]]
    # Also long after the sign-in: whoever has lost a phone must be quick.
    api.lanes.wait(minutes=10)
    for _ in range(2):
        ended = await only(api, END, kept["accessToken"], id=other["id"])
        assert ended == {"__typename": "SignInEnded", "signInId": other["id"]}
    assert not await is_let_in(api, lost["accessToken"])
    refused = await api.ask(REFRESH, {"token": lost["refreshToken"]})
    assert refused["refreshSignIn"]["code"] == "UNAUTHENTICATED"
    seen = await only(api, SEEN, kept["accessToken"])
    assert [one["isCurrent"] for one in seen["signIns"]] == [True]
    assert seen["devices"] == []
    assert await api.lanes.count("outbox WHERE type = 'SignInEnded'") == 1


async def test_nobody_ends_or_removes_what_is_anothers(api: ApiWorld) -> None:
    owner, stranger = await sign_in_fully(api), await sign_in_fully(api, "+16502530000")
    target = {"kind": "FID", "target": "mine", "platform": "web"}
    await only(api, REGISTER, owner["accessToken"], input=target)
    seen = await only(api, SEEN, owner["accessToken"])
    token, nowhere = stranger["accessToken"], new_id(api.lanes.clock.now())
    for theirs in (seen["signIns"][0]["id"], encode_id("SignIn", nowhere)):
        assert await only(api, END, token, id=theirs) == {
            "__typename": "Refused",
            "code": "SIGN_IN_NOT_FOUND",
            "message": "signInId: expected one of yours",
        }
    for theirs in (seen["devices"][0]["id"], encode_id("Device", nowhere)):
        assert (await only(api, REMOVE, token, id=theirs))["code"] == "DEVICE_NOT_FOUND"
    wrong_kind = await only(api, END, token, id=seen["devices"][0]["id"])
    assert (wrong_kind["code"], wrong_kind["field"]) == ("INVALID_INPUT", "signInId")
    assert await only(api, SEEN, owner["accessToken"]) == seen


async def test_a_removed_device_gets_no_pushes_until_it_registers_again(api: ApiWorld) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    target = {"kind": "FID", "target": "here", "platform": "web"}
    device = (await only(api, REGISTER, token, input=target))["deviceId"]
    for _ in range(2):
        removed = await only(api, REMOVE, token, id=device)
        assert removed == {"__typename": "DeviceRemoved", "deviceId": device}
    assert (await only(api, SEEN, token))["devices"] == []
    await only(api, REGISTER, token, input=target)
    assert [one["id"] for one in (await only(api, SEEN, token))["devices"]] == [device]


async def test_the_other_sign_ins_end_with_a_fresh_code_only(api: ApiWorld) -> None:
    others = [await sign_in_fully(api) for _ in range(2)]
    token = (await sign_in_fully(api))["accessToken"]
    api.lanes.wait(minutes=5)
    assert await only(api, END_OTHERS, token) == REAUTHENTICATE
    assert [await is_let_in(api, one["accessToken"]) for one in others] == [True, True]
    confirmed = await confirm(api, token, "END_SIGN_INS")
    until = (api.lanes.clock.now() + timedelta(minutes=5)).isoformat()
    expected = {"__typename": "Confirmed", "purpose": "END_SIGN_INS", "confirmedUntil": until}
    assert confirmed == expected
    assert await only(api, END_OTHERS, token) == {
        "__typename": "OtherSignInsEnded",
        "endedCount": 2,
    }
    assert [await is_let_in(api, one["accessToken"]) for one in others] == [False, False]
    assert await is_let_in(api, token)
    api.lanes.wait(minutes=5)
    assert await only(api, END_OTHERS, token) == REAUTHENTICATE


async def test_who_signed_in_a_moment_ago_needs_no_second_code(api: ApiWorld) -> None:
    await sign_in_fully(api)
    token = (await sign_in_fully(api))["accessToken"]
    api.lanes.wait(minutes=4, seconds=59)
    assert (await only(api, END_OTHERS, token))["endedCount"] == 1
    assert len(api.sms.messages) == 2


async def test_refreshing_proves_nothing(api: ApiWorld) -> None:
    signed_in = await sign_in_fully(api)
    api.lanes.wait(minutes=6)
    fresh = (await api.ask(REFRESH, {"token": signed_in["refreshToken"]}))["refreshSignIn"]
    assert await only(api, END_OTHERS, fresh["accessToken"]) == REAUTHENTICATE


async def test_a_code_confirms_its_purpose_and_its_sign_in_only(api: ApiWorld) -> None:
    here, there = await sign_in_fully(api), await sign_in_fully(api)
    token, other = here["accessToken"], there["accessToken"]
    api.lanes.wait(minutes=6)
    sent = await only(api, ASK_CODE, token, purpose="EXPORT_ACCOUNT")
    message = api.sms.messages[-1].text
    assert message == f"{message[:7]} gives out all of your Sesame data. Tell nobody."
    given = {"requestId": sent["requestId"], "purpose": "END_SIGN_INS", "code": message[:7]}
    expired = {"__typename": "Refused", "code": "SIGN_IN_CODE_EXPIRED"}
    for sender, wrong in ((token, given), (other, {**given, "purpose": "EXPORT_ACCOUNT"})):
        refused = await only(api, SEND_CODE, sender, input=wrong)
        assert {key: refused[key] for key in expired} == expired
    right = {**given, "purpose": "EXPORT_ACCOUNT"}
    wrong_code = {**right, "code": f"{(int(message[:7]) + 1) % 10**7:07d}"}
    assert (await only(api, SEND_CODE, token, input=wrong_code))["attemptsLeft"] == 4
    assert (await only(api, SEND_CODE, token, input=right))["__typename"] == "Confirmed"
    assert (await only(api, SEND_CODE, token, input=right))["code"] == "SIGN_IN_CODE_EXPIRED"
    assert await only(api, END_OTHERS, token) == REAUTHENTICATE
    assert await only(api, END_OTHERS, other) == REAUTHENTICATE


async def test_a_code_for_a_purpose_signs_nobody_in(api: ApiWorld) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    sent = await only(api, ASK_CODE, token, purpose="DELETE_ACCOUNT")
    request_id = encode_id("SignInRequest", *read_id(sent["requestId"])[1])
    given = {
        "requestId": request_id,
        "phoneNumber": api.sms.messages[-1].phone_number,
        "code": api.sms.messages[-1].text[:7],
    }
    document = "mutation ($i: SignInInput!) { signIn(input: $i) { ... on Refusal { code } } }"
    refused = await api.ask(document, {"i": given})
    assert refused["signIn"]["code"] == "SIGN_IN_CODE_EXPIRED"


async def test_an_account_without_a_number(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    refused = await only(api, ASK_CODE, token, purpose="DELETE_ACCOUNT")
    assert refused["code"] == "PHONE_NUMBER_MISSING"


async def test_password_free_payment_needs_a_step_up(api: ApiWorld) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    api.lanes.wait(minutes=6)
    begun = (await only(api, AUTHORIZE, token, input=LIMITS))["mandate"]
    given = {"mandateId": begun["id"], "termsDigest": begun["terms"]["digest"]}
    refused = await only(api, CONFIRM, token, input=given)
    assert refused["code"] == "REAUTHENTICATION_REQUIRED"
    [pending] = (await only(api, MANDATES, token))["mandates"]
    assert pending["confirmedAt"] is None
    await confirm(api, token, "END_SIGN_INS")
    refused = await only(api, CONFIRM, token, input=given)
    assert refused["code"] == "REAUTHENTICATION_REQUIRED"
    await confirm(api, token, "PASSWORD_FREE")
    confirmed = (await only(api, CONFIRM, token, input=given))["mandate"]
    assert confirmed["confirmedAt"] == api.lanes.clock.now().isoformat()
    api.lanes.wait(minutes=5)
    more = {"mandateId": begun["id"], "dayMax": LIMITS["dayMax"]}
    # To be shown the terms and to take less away needs nothing.
    digest = (await only(api, CHANGE, token, input=more))["toConfirm"]["digest"]
    raised = {**more, "termsDigest": digest}
    refused = await only(api, CHANGE, token, input=raised)
    assert refused["code"] == "REAUTHENTICATION_REQUIRED"
    [mandate] = (await only(api, MANDATES, token))["mandates"]
    assert mandate["amountMax"] == LIMITS["amountMax"]
    await confirm(api, token, "PASSWORD_FREE")
    assert (await only(api, CHANGE, token, input=raised))["mandate"]["amountMax"] is None


@pytest.mark.parametrize("others", [False, True])
async def test_a_socket_ends_with_its_sign_in(api: ApiWorld, *, others: bool) -> None:
    ended, kept = await sign_in_fully(api), await sign_in_fully(api)
    token = kept["accessToken"] if others else ended["accessToken"]
    document = END_OTHERS if others else "mutation { signOut { __typename } }"
    async with (
        serve(api.app) as address,
        signed_in_socket(address, ended["accessToken"]) as closing,
        signed_in_socket(address, kept["accessToken"]) as staying,
    ):
        await api.ask(document, token=token)
        [told] = await api.lanes.rows("SELECT * FROM outbox WHERE type = 'SignInEnded'")
        pokes = [
            (channel, Poke(told["id"], SIGN_IN_ENDED)) for channel in told["payload"]["channels"]
        ]
        await api.lanes.context.bus.publish(pokes)
        assert await closing.closed() == (4401, "the sign-in has ended")
        await staying.subscribe("1", "{ __typename }")
        assert await staying.data() == {"__typename": "Query"}

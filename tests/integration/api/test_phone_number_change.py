"""Another phone number: both proofs, and what the former one is good for."""

import asyncio
from typing import Any

from parking.drivers.codes import phone_index
from tests.factories.api import ApiWorld
from tests.integration.api.test_account import confirm, is_let_in, only
from tests.integration.api.test_sign_in import PHONE, sign_in_fully

NEW = "+16502530000"
ASK = """mutation ($phone: String!) { requestPhoneNumberChange(input: {phoneNumber: $phone}) {
  __typename ... on ConfirmationCodeSent { requestId }
  ... on Refusal { code } ... on Refused { confirmationPurpose } } }"""
CHANGE = """mutation ($input: ChangePhoneNumberInput!) { changePhoneNumber(input: $input) {
  __typename ... on PhoneNumberChanged { changedAt }
  ... on Refusal { code } ... on Refused { attemptsLeft } } }"""


async def ask(api: ApiWorld, token: str, phone: str = NEW) -> dict[str, str]:
    sent = await only(api, ASK, token, phone=phone)
    message = api.sms.messages[-1]
    assert message.phone_number == phone
    return {"requestId": sent["requestId"], "phoneNumber": phone, "code": message.text[:7]}


async def change(api: ApiWorld, token: str, given: dict[str, str]) -> dict[str, Any]:
    return await only(api, CHANGE, token, input=given)


async def numbers(api: ApiWorld) -> set[Any]:
    return {row["phone_index"] for row in await api.lanes.rows("SELECT * FROM phone_numbers")}


def index_of(api: ApiWorld, phone: str) -> Any:  # noqa: ANN401 - as PostgreSQL gives it
    return phone_index(api.lanes.context.vault, phone)


async def test_the_new_number_opens_the_account_and_the_old_one_no_more(api: ApiWorld) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    driver_id = api.tokens.verify_driver(token).driver_id
    changed = await change(api, token, await ask(api, token))
    assert changed["__typename"] == "PhoneNumberChanged"
    farewell = api.sms.messages[-1]
    assert farewell.phone_number == PHONE
    assert farewell.text == "Your Sesame phone number was changed. If it was not you, call us."
    assert await numbers(api) == {index_of(api, NEW)}
    assert await is_let_in(api, token)
    by_new = (await sign_in_fully(api, NEW))["accessToken"]
    assert api.tokens.verify_driver(by_new).driver_id == driver_id
    by_old = (await sign_in_fully(api, PHONE))["accessToken"]
    assert api.tokens.verify_driver(by_old).driver_id != driver_id
    assert await api.lanes.count("outbox WHERE type = 'PhoneNumberChanged'") == 1


async def test_an_old_sign_in_changes_nothing(api: ApiWorld) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    api.lanes.wait(minutes=5)
    sent = len(api.sms.messages)
    assert await only(api, ASK, token, phone=NEW) == {
        "__typename": "Refused",
        "code": "REAUTHENTICATION_REQUIRED",
        "confirmationPurpose": "CHANGE_PHONE_NUMBER",
    }
    assert len(api.sms.messages) == sent
    await confirm(api, token, "CHANGE_PHONE_NUMBER")
    assert (await change(api, token, await ask(api, token)))["__typename"] == "PhoneNumberChanged"


async def test_a_number_with_an_account_stays_with_it(api: ApiWorld) -> None:
    owner = (await sign_in_fully(api, NEW))["accessToken"]
    token = (await sign_in_fully(api))["accessToken"]
    assert (await change(api, token, await ask(api, token)))["code"] == "PHONE_NUMBER_TAKEN"
    assert await numbers(api) == {index_of(api, PHONE), index_of(api, NEW)}
    again = (await sign_in_fully(api, NEW))["accessToken"]
    drivers = [api.tokens.verify_driver(one).driver_id for one in (owner, again)]
    assert drivers[0] == drivers[1]


async def test_the_code_is_for_its_number_sign_in_and_purpose(api: ApiWorld) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    other = (await sign_in_fully(api))["accessToken"]
    given = await ask(api, token)
    expired = {"__typename": "Refused", "code": "SIGN_IN_CODE_EXPIRED", "attemptsLeft": None}
    assert await change(api, other, given) == expired
    assert await change(api, token, {**given, "phoneNumber": "+16502530001"}) == expired
    wrong = {**given, "code": f"{(int(given['code']) + 1) % 10**7:07d}"}
    assert (await change(api, token, wrong))["attemptsLeft"] == 4
    assert await numbers(api) == {index_of(api, PHONE)}


async def test_the_same_number_again_changes_and_tells_nothing(api: ApiWorld) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    given = await ask(api, token, PHONE)
    sent = len(api.sms.messages)
    assert (await change(api, token, given))["__typename"] == "PhoneNumberChanged"
    assert (len(api.sms.messages), await numbers(api)) == (sent, {index_of(api, PHONE)})
    assert await api.lanes.count("outbox WHERE type = 'PhoneNumberChanged'") == 0


async def test_two_drivers_want_one_number_at_the_same_moment(api: ApiWorld) -> None:
    first = (await sign_in_fully(api))["accessToken"]
    second = (await sign_in_fully(api, "+16502530001"))["accessToken"]
    asked = [(token, await ask(api, token)) for token in (first, second)]
    answers = await asyncio.gather(*(change(api, token, given) for token, given in asked))
    told = sorted(answer.get("code", "changed") for answer in answers)
    assert told == ["PHONE_NUMBER_TAKEN", "changed"]
    assert len(await numbers(api)) == 2
    assert index_of(api, NEW) in await numbers(api)

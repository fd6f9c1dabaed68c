"""Consents: none before they are given, each with its words, and a history."""

from typing import Any

from parking.drivers import consents
from parking.drivers.consent_models import ConsentKind
from parking.drivers.consent_texts import VERSIONS
from parking.kit.ids import new_id
from tests.factories.api import ApiWorld
from tests.integration.api.test_sign_in import sign_in_fully

CONSENTS = "{ viewer { consents { kind isGiven textVersion agreedVersion givenAt withdrawnAt } } }"
SET = """mutation ($kind: ConsentKind!, $isGiven: Boolean!, $version: String!, $key: String) {
  setConsent(input: { kind: $kind, isGiven: $isGiven, textVersion: $version }, idempotencyKey: $key)
  { __typename
    ... on ConsentSet { consent { kind isGiven agreedVersion givenAt withdrawnAt } }
    ... on InvalidInput { code field } } }"""


async def put(api: ApiWorld, token: str, kind: str, **given: object) -> dict[str, Any]:
    version = given.pop("version", VERSIONS[ConsentKind(kind.lower())])
    values = {"kind": kind, "version": version, **given}
    return (await api.ask(SET, values, token=token))["setConsent"]


async def test_a_consent_is_given_withdrawn_and_remembered(api: ApiWorld) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    driver_id = api.tokens.verify_driver(token).driver_id
    blank = {"isGiven": False, "agreedVersion": None, "givenAt": None, "withdrawnAt": None}
    assert (await api.ask(CONSENTS, token=token))["viewer"]["consents"] == [
        {"kind": kind.name, "textVersion": VERSIONS[kind], **blank} for kind in ConsentKind
    ]
    given_at = api.lanes.clock.now().isoformat()
    held = {
        "kind": "HABITS",
        "isGiven": True,
        "agreedVersion": VERSIONS[ConsentKind.HABITS],
        "givenAt": given_at,
        "withdrawnAt": None,
    }
    assert (await put(api, token, "HABITS", isGiven=True, key="give-habits-once"))[
        "consent"
    ] == held
    api.lanes.wait(minutes=1)
    assert (await put(api, token, "HABITS", isGiven=True))["consent"] == held
    stranger = new_id(api.lanes.clock.now())
    async with api.lanes.context.database.begin() as unit:
        both = [driver_id, stranger]
        assert await consents.consented(unit, both, ConsentKind.HABITS) == {driver_id}
        assert await consents.consented(unit, both, ConsentKind.MARKETING) == frozenset()
        assert await consents.hold(unit, driver_id, ConsentKind.HABITS)
        assert not await consents.hold(unit, stranger, ConsentKind.HABITS)
    withdrawn_at = api.lanes.clock.now().isoformat()
    ended = {**held, "isGiven": False, "withdrawnAt": withdrawn_at}
    assert (await put(api, token, "HABITS", isGiven=False, version="old"))["consent"] == ended
    assert (await put(api, token, "HABITS", isGiven=False))["consent"] == ended
    # The phone that lost its first answer asks again, and undoes nothing.
    assert (await put(api, token, "HABITS", isGiven=True, key="give-habits-once"))[
        "consent"
    ] == held
    async with api.lanes.context.database.begin() as unit:
        assert await consents.consented(unit, [driver_id], ConsentKind.HABITS) == frozenset()
    history = await api.lanes.rows("SELECT kind, is_given FROM consent_changes ORDER BY id")
    assert [tuple(row.values()) for row in history] == [("habits", True), ("habits", False)]


async def test_nobody_agrees_to_other_words_than_were_shown(api: ApiWorld) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    refused = await put(api, token, "MARKETING", isGiven=True, version="2020-01")
    assert refused == {
        "__typename": "InvalidInput",
        "code": "INVALID_INPUT",
        "field": "textVersion",
    }
    assert await api.lanes.count("driver_consents") == 0
    assert await api.lanes.count("consent_changes") == 0

"""The FCM adapter against the stand-in: the grant, the message's form, and every failure."""

import json
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import jwt
import pytest

from notifications.fcm import FcmPushSender
from notifications.push import PushMessage, PushOutcome, PushResult
from parking.drivers.models import TargetKind
from parking.kit.clock import SystemClock
from sesame.sandbox.fcm import (
    ServiceAccount,
    create_fcm_stand_in,
    load_service_account,
    new_service_account,
)
from tests.contract.http_server import listener, serving, url_of

MESSAGE: Final = PushMessage(
    delivery_id=UUID(int=3),
    target_kind=TargetKind.FID,
    target="ok-1",
    title="12.50 CNY paid",
    body="Your stay was charged.",
    tag="event-1",
    collapse_key="money:session-1",
    data={"type": "PaymentCharged", "amount_minor": "1250"},
)


@dataclass(frozen=True, slots=True)
class RunningFcm:
    """The stand-in of this module."""

    url: str
    account: ServiceAccount
    credentials_file: Path


@pytest.fixture(scope="module")
def fcm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFcm]:
    socket = listener()
    url = url_of(socket)
    account = new_service_account("seaside")
    path = Path(tmp_path_factory.mktemp("fcm")) / "account.json"
    path.write_text(account.to_json(url))
    with serving(create_fcm_stand_in(account, SystemClock()), socket):
        yield RunningFcm(url, account, path)


@pytest.fixture
async def client(fcm: RunningFcm) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=fcm.url, trust_env=False, verify=False) as client:  # noqa: S501 - loopback
        (await client.post("/_control", json={"clear": True})).raise_for_status()
        yield client


@pytest.fixture
async def sender(fcm: RunningFcm, client: httpx.AsyncClient) -> AsyncGenerator[FcmPushSender]:
    sender = FcmPushSender(fcm.credentials_file, endpoint=fcm.url)
    yield sender
    await sender.aclose()


async def _log(client: httpx.AsyncClient) -> dict[str, Any]:
    log: dict[str, Any] = (await client.get("/_log")).json()
    return log


@pytest.mark.parametrize("kind", [TargetKind.FID, TargetKind.TOKEN])
async def test_a_message_is_taken(
    sender: FcmPushSender, client: httpx.AsyncClient, kind: TargetKind
) -> None:
    result = await sender.send(replace(MESSAGE, target_kind=kind))
    assert result.outcome == PushOutcome.SENT
    assert result.reference is not None
    assert result.reference.startswith("projects/seaside/messages/")
    log = await _log(client)
    number = log["messages"][0]["number"]
    assert log["messages"] == [
        {
            "number": number,
            "outcome": "taken",
            "message": {
                kind.value: "ok-1",
                "notification": {"title": "12.50 CNY paid", "body": "Your stay was charged."},
                "data": {"type": "PaymentCharged", "amount_minor": "1250"},
                "android": {
                    "collapse_key": "money:session-1",
                    "priority": "high",
                    "ttl": "86400s",
                    "notification": {"tag": "event-1"},
                },
                "apns": {
                    "headers": {"apns-collapse-id": "event-1", "apns-priority": "10"},
                    "payload": {"aps": {"sound": "default", "thread-id": "money:session-1"}},
                },
            },
        }
    ]


async def test_the_log_goes_on_where_a_reader_stopped(
    sender: FcmPushSender, client: httpx.AsyncClient
) -> None:
    for target in ("ok-1", "ok-2"):
        await sender.send(replace(MESSAGE, target=target))
    first, second = (await _log(client))["messages"]
    later = (await client.get("/_log", params={"after": first["number"]})).json()
    assert later["messages"] == [second]
    assert (await client.get("/_log", params={"after": "x"})).status_code == 400


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("unregistered-1", PushResult(PushOutcome.GONE, failure="unregistered")),
        ("mismatch-1", PushResult(PushOutcome.REFUSED, failure="sender_id_mismatch")),
        ("invalid-1", PushResult(PushOutcome.REFUSED, failure="invalid_argument")),
        (
            "quota-1",
            PushResult(PushOutcome.RETRY, failure="quota_exceeded", retry_after_s=30),
        ),
        (
            "unavailable-1",
            PushResult(PushOutcome.RETRY, failure="unavailable", retry_after_s=30),
        ),
        ("internal-1", PushResult(PushOutcome.RETRY, failure="internal")),
        ("reset-1", PushResult(PushOutcome.RETRY, failure="transport")),
    ],
)
async def test_each_failure_has_its_meaning_and_is_tried_once(
    sender: FcmPushSender, client: httpx.AsyncClient, target: str, expected: PushResult
) -> None:
    assert await sender.send(replace(MESSAGE, target=target)) == expected
    assert len((await _log(client))["messages"]) == 1


async def test_an_answer_that_is_no_json_is_tried_again(sender: FcmPushSender) -> None:
    result = await sender.send(replace(MESSAGE, target="garbage-1"))
    assert result.outcome == PushOutcome.RETRY


async def test_retry_after_is_what_the_service_says(
    sender: FcmPushSender, client: httpx.AsyncClient
) -> None:
    await client.post("/_control", json={"scenario": "quota", "retry_after_s": 7})
    assert (await sender.send(MESSAGE)).retry_after_s == 7
    assert (await sender.send(MESSAGE)).outcome == PushOutcome.SENT


async def test_a_flaky_target_succeeds_at_the_third_try(sender: FcmPushSender) -> None:
    message = replace(MESSAGE, target="flaky2-1")
    outcomes = [(await sender.send(message)).outcome for _ in range(3)]
    assert outcomes == [PushOutcome.RETRY, PushOutcome.RETRY, PushOutcome.SENT]


async def test_one_token_serves_many_messages_and_a_revoked_one_is_replaced(
    sender: FcmPushSender, client: httpx.AsyncClient
) -> None:
    before = (await _log(client))["tokens_given"]
    for number in range(5):
        await sender.send(replace(MESSAGE, target=f"ok-{number}"))
    assert (await _log(client))["tokens_given"] == before + 1
    await client.post("/_control", json={"revoke_tokens": True})
    assert (await sender.send(MESSAGE)).outcome == PushOutcome.SENT
    assert (await _log(client))["tokens_given"] == before + 2


async def test_nobody_answers(fcm: RunningFcm, tmp_path: Path) -> None:
    free = listener()
    url = url_of(free)
    free.close()
    path = tmp_path / "account.json"
    path.write_text(fcm.account.to_json(url))
    sender = FcmPushSender(path, endpoint=url)
    assert await sender.send(MESSAGE) == PushResult(PushOutcome.RETRY, failure="unavailable")
    await sender.aclose()


async def test_another_account_gets_no_token(fcm: RunningFcm, tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    path.write_text(new_service_account("seaside").to_json(fcm.url))
    sender = FcmPushSender(path, endpoint=fcm.url)
    assert (await sender.send(MESSAGE)).outcome == PushOutcome.RETRY
    await sender.aclose()


async def test_a_browsers_endpoint_is_not_given_to_google(
    sender: FcmPushSender, client: httpx.AsyncClient
) -> None:
    message = replace(MESSAGE, target_kind=TargetKind.WEB_PUSH, target="https://push.example/1")
    result = await sender.send(message)
    assert result.outcome == PushOutcome.REFUSED
    assert (await _log(client))["messages"] == []


async def test_an_empty_title_never_reaches_a_phone(
    sender: FcmPushSender, client: httpx.AsyncClient
) -> None:
    result = await sender.send(replace(MESSAGE, title=""))
    assert result.outcome == PushOutcome.REFUSED
    log = await _log(client)
    assert log["messages"] == []


# What follows tests the stand-in itself: a lenient one would prove nothing.

GOOD: Final[dict[str, Any]] = {"fid": "ok-1", "notification": {"title": "a", "body": "b"}}


async def _token(client: httpx.AsyncClient, fcm: RunningFcm, **changes: object) -> httpx.Response:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": fcm.account.client_email,
        "aud": "https://oauth2.googleapis.com/token",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "iat": now,
        "exp": now + 3600,
    }
    headers = {"kid": changes.pop("kid", fcm.account.key_id)}
    key = changes.pop("key", fcm.account.private_key_pem)
    algorithm = str(changes.pop("algorithm", "RS256"))
    encode: Any = jwt.encode
    assertion = encode({**claims, **changes}, key, algorithm=algorithm, headers=headers)
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    return await client.post("/token", data={"grant_type": grant, "assertion": assertion})


async def test_a_good_grant_gives_a_token_that_sends(
    fcm: RunningFcm, client: httpx.AsyncClient
) -> None:
    answer = (await _token(client, fcm)).json()
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    path = "/v1/projects/seaside/messages:send"
    assert (await client.post(path, json={"message": GOOD}, headers=headers)).is_success
    other = "/v1/projects/other/messages:send"
    assert (await client.post(other, json={"message": GOOD}, headers=headers)).status_code == 404
    assert (await client.post(path, json={"message": GOOD})).status_code == 401


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "x@y.z"}, "iss"),
        ({"aud": "https://example.com/token"}, "aud"),
        ({"scope": "https://www.googleapis.com/auth/datastore"}, "scope"),
        ({"exp": int(time.time()) - 60}, "not valid now"),
        ({"iat": int(time.time()) + 600, "exp": int(time.time()) + 900}, "not valid now"),
        ({"exp": int(time.time()) + 8000}, "at most an hour"),
        ({"iat": "now"}, "whole seconds"),
        ({"kid": "other"}, "kid"),
        ({"key": new_service_account("a").private_key_pem}, "assertion"),
        ({"key": "s" * 40, "algorithm": "HS256"}, "assertion"),
        ({"key": None, "algorithm": "none"}, "assertion"),
    ],
)
async def test_a_bad_grant_gives_no_token(
    fcm: RunningFcm, client: httpx.AsyncClient, changes: dict[str, object], reason: str
) -> None:
    before = (await _log(client))["tokens_given"]
    answer = await _token(client, fcm, **changes)
    assert answer.status_code == 400
    assert reason in answer.json()["error_description"]
    assert (await _log(client))["tokens_given"] == before


@pytest.mark.parametrize(
    "message",
    [
        {},
        {**GOOD, "token": "also"},
        {"notification": GOOD["notification"]},
        {**GOOD, "data": {"amount": 1250}},
        {**GOOD, "data": {"google.x": "y"}},
        {**GOOD, "data": {"x": "y" * 5000}},
        {**GOOD, "colour": "red"},
        {**GOOD, "android": {"ttl": 5}},
        {**GOOD, "android": {"priority": "urgent"}},
        {**GOOD, "apns": {"headers": {"apns-collapse-id": "x" * 65}}},
        {**GOOD, "apns": {"payload": {"sound": "default"}}},
    ],
)
async def test_a_message_of_another_form_is_refused(
    fcm: RunningFcm, client: httpx.AsyncClient, message: dict[str, object]
) -> None:
    token = (await _token(client, fcm)).json()["access_token"]
    answer = await client.post(
        "/v1/projects/seaside/messages:send",
        json={"message": message},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 400
    assert (await _log(client))["messages"] == []


async def test_control_names_what_is_wrong(client: httpx.AsyncClient) -> None:
    answer = await client.post("/_control", json={"scenario": "rain"})
    assert answer.status_code == 400
    assert "scenario" in answer.json()["problems"]


def test_a_credentials_file_is_read_back() -> None:
    account = new_service_account("seaside")
    assert load_service_account(account.to_json("http://127.0.0.1:1")) == account
    for text in ("{}", "[]", json.dumps({"project_id": 1})):
        with pytest.raises(ValueError, match="service account"):
            load_service_account(text)

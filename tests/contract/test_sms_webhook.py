"""The SMS adapter against the gateway's stand-in, and the stand-in against bad senders."""

import json
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from notifications.sms import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    WebhookSmsSender,
    signature,
)
from parking.drivers.port import SmsMessage, SmsNotSentError
from parking.kit.clock import ManualClock
from parking.kit.errors import InvalidInputError
from sesame.sandbox.sms import create_sms_stand_in
from tests.contract.http_server import listener, serving, url_of

SECRET: Final = "a-secret-that-both-sides-know"
PHONE: Final = "+8613800138000"
START: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MESSAGE: Final = SmsMessage(UUID(int=5), PHONE, "Your code is 482913. 验证码")


@dataclass(frozen=True, slots=True)
class Gateway:
    """The stand-in; its clock stands still unless moved."""

    url: str
    clock: ManualClock


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    socket, clock = listener(), ManualClock(START)
    with serving(create_sms_stand_in(SECRET, clock), socket):
        yield Gateway(url_of(socket), clock)


@pytest.fixture
async def client(gateway: Gateway) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, verify=False) as client:  # noqa: S501 - loopback
        yield client


@pytest.fixture
async def sender(gateway: Gateway) -> AsyncGenerator[WebhookSmsSender]:
    sender = WebhookSmsSender(f"{gateway.url}/messages", SECRET, ManualClock(START))
    yield sender
    await sender.aclose()


async def _kept(client: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = (await client.get("/_messages", params=query)).json()[
        "messages"
    ]
    return messages


async def test_a_message_arrives_once(sender: WebhookSmsSender, client: httpx.AsyncClient) -> None:
    await sender.send(MESSAGE)
    await sender.send(MESSAGE)
    expected = {"id": str(MESSAGE.id), "to": PHONE, "text": MESSAGE.text}
    assert await _kept(client) == [expected]
    assert await _kept(client, to=PHONE) == [expected]
    assert await _kept(client, to="+4915100000000") == []


async def test_another_secret_is_refused(gateway: Gateway, client: httpx.AsyncClient) -> None:
    sender = WebhookSmsSender(f"{gateway.url}/messages", SECRET[::-1], ManualClock(START))
    with pytest.raises(SmsNotSentError, match="401"):
        await sender.send(MESSAGE)
    await sender.aclose()
    assert await _kept(client) == []


@pytest.mark.parametrize(("minutes", "accepted"), [(5, True), (6, False)])
async def test_an_old_message_is_refused(
    gateway: Gateway,
    sender: WebhookSmsSender,
    client: httpx.AsyncClient,
    minutes: int,
    accepted: bool,
) -> None:
    gateway.clock.advance(timedelta(minutes=minutes))
    if accepted:
        await sender.send(MESSAGE)
    else:
        with pytest.raises(SmsNotSentError, match="401"):
            await sender.send(MESSAGE)
    assert len(await _kept(client)) == int(accepted)


async def test_nobody_answers() -> None:
    free = listener()
    url = url_of(free)
    free.close()
    sender = WebhookSmsSender(url, SECRET, ManualClock(START))
    with pytest.raises(SmsNotSentError, match="ConnectError"):
        await sender.send(MESSAGE)
    await sender.aclose()


async def test_an_error_shows_neither_number_nor_text(gateway: Gateway) -> None:
    sender = WebhookSmsSender(f"{gateway.url}/elsewhere", SECRET, ManualClock(START))
    with pytest.raises(SmsNotSentError) as caught:
        await sender.send(MESSAGE)
    await sender.aclose()
    assert str(caught.value) == f"message {MESSAGE.id}: status 404"


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(
        InvalidInputError, match=r"^SESAME_SMS_WEBHOOK_SECRET: expected at least 16"
    ):
        WebhookSmsSender("http://127.0.0.1:1", "short", ManualClock(START))


@pytest.mark.parametrize(
    ("body", "message_id", "status"),
    [
        ({"id": str(UUID(int=5)), "to": PHONE, "text": "x"}, UUID(int=6), 400),
        ({"id": str(UUID(int=5)), "to": "13800138000", "text": "x"}, UUID(int=5), 400),
        ({"id": str(UUID(int=5)), "to": PHONE, "text": ""}, UUID(int=5), 400),
        ({"id": str(UUID(int=5)), "to": PHONE}, UUID(int=5), 400),
        ({"id": str(UUID(int=5)), "to": PHONE, "text": "x" * 20_000}, UUID(int=5), 413),
    ],
)
async def test_what_the_document_forbids_is_refused(
    client: httpx.AsyncClient, body: dict[str, str], message_id: UUID, status: int
) -> None:
    content = json.dumps(body).encode()
    timestamp = str(int(START.timestamp()))
    headers = {
        ID_HEADER: str(message_id),
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: signature(SECRET.encode(), timestamp, str(message_id), content),
    }
    answer = await client.post("/messages", content=content, headers=headers)
    assert answer.status_code == status
    assert await _kept(client) == []


async def test_a_changed_body_is_refused(client: httpx.AsyncClient) -> None:
    timestamp = str(int(START.timestamp()))
    headers = {
        ID_HEADER: "a",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: signature(SECRET.encode(), timestamp, "a", b"{}"),
    }
    assert (await client.post("/messages", content=b"{} ", headers=headers)).status_code == 401
    assert (await client.post("/messages", content=b"{}", headers={})).status_code == 401

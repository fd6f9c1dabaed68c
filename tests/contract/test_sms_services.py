"""Twilio and Alibaba Cloud: the same bytes as their own libraries, and what their answers mean."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from notifications.acs3 import authorization, query_of
from notifications.aliyun import AliyunAccount, AliyunSmsSender, read_texts
from notifications.sms import WebhookSmsSender
from notifications.sms_route import SmsByCountry
from notifications.twilio import TwilioAccount, TwilioSmsSender
from parking.drivers.port import (
    RecordingSmsSender,
    SmsMessage,
    SmsNotSentError,
    SmsRefusedError,
    SmsUnansweredError,
)
from parking.drivers.twilio_status import is_signed, signature_of
from parking.kit.clock import ManualClock
from parking.kit.errors import InvalidInputError
from sesame.sandbox.aliyun import AliyunStandIn
from sesame.sandbox.twilio import TwilioStandIn
from tests.contract.http_server import listener, serving, url_of

# What twilio 9.13 and alibabacloud-dysmsapi20170525 4.6 sent, for these keys, time and nonce.
VECTORS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "sms_vectors.json").read_text(encoding="utf-8")
)
START: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ACCOUNT: Final = "AC" + "1" * 32
# Far more than the test takes, and less than the trickle lasts.
PATIENCE_S: Final = 10.0
TRICKLES_MAX: Final = 600
KEY: Final = "SK" + "2" * 32
SECRET: Final = "a-secret-of-an-api-key"
TEXTS: Final = read_texts(
    json.dumps(
        {
            "payment_charged": {
                "zh": {
                    "template_code": "SMS_1",
                    "sign_name": "芝麻停车",
                    "parameters": ["amount", "place"],
                },
                "en": {"template_code": "SMS_2", "sign_name": "Sesame"},
            }
        }
    ).encode(),
    field="file",
)
MESSAGE: Final = SmsMessage(
    UUID(int=5),
    "+8613800138000",
    "已支付 ¥12.50",
    template="payment_charged",
    language="zh",
    values={"amount": "¥12.50", "place": "海边 停车场", "provider": "Stripe"},
    driver_id=UUID(int=6),
)


def _twilio(url: str, **changes: str) -> TwilioSmsSender:
    given = {"account": ACCOUNT, "user": KEY, "secret": SECRET, "sender": "+15005550006"}
    return TwilioSmsSender(TwilioAccount(**(given | changes)), url=url)


@pytest.fixture
def twilio() -> Iterator[tuple[TwilioStandIn, str]]:
    socket, stand_in = listener(), TwilioStandIn(ACCOUNT, KEY, SECRET, "token")
    with serving(stand_in.app, socket):
        yield stand_in, url_of(socket)


@pytest.fixture
def aliyun() -> Iterator[tuple[AliyunStandIn, str]]:
    socket, stand_in = listener(), AliyunStandIn("key", SECRET, ManualClock(START))
    with serving(stand_in.app, socket):
        yield stand_in, url_of(socket)


@pytest.fixture
async def aliyun_sender(aliyun: tuple[AliyunStandIn, str]) -> AsyncGenerator[AliyunSmsSender]:
    account = AliyunAccount("key", SECRET, TEXTS)
    sender = AliyunSmsSender(account, ManualClock(START), url=aliyun[1])
    yield sender
    await sender.aclose()


@pytest.mark.parametrize("vector", VECTORS["twilio"], ids=["token", "tokenMG", "key", "keyMG"])
async def test_twilio_is_sent_what_its_own_library_sends(vector: dict[str, Any]) -> None:
    came: list[tuple[Request, bytes]] = []

    async def answer(request: Request) -> Response:
        came.append((request, await request.body()))
        return JSONResponse({"sid": "SM", "error_code": None}, 201)

    given, recorded = vector["given"], vector["sent"]
    status_url = given["status_callback"].partition("?")[0]
    account = TwilioAccount(
        account=vector["account"],
        user=vector["user"],
        secret=vector["password"],
        sender=given.get("from_") or given["messaging_service_sid"],
        status_url=status_url,
    )
    socket = listener()
    app = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])
    with serving(app, socket):
        sender = TwilioSmsSender(account, url=url_of(socket))
        message = SmsMessage(UUID(int=1), given["to"], given["body"], driver_id=UUID(int=2))
        await sender.send(message)
        await sender.aclose()
    [(request, body)] = came
    assert request.url.path == recorded["path"]
    assert {name: request.headers[name] for name in recorded["headers"]} == recorded["headers"]
    form, expected = dict(parse_qsl(body.decode())), dict(parse_qsl(recorded["body"]))
    # What follows the address is ours: whose delivery it is.
    called_back = f"{status_url}?driver={UUID(int=2)}&delivery={UUID(int=1)}"
    assert form == expected | {"StatusCallback": called_back}


@pytest.mark.parametrize("vector", VECTORS["twilio_callbacks"])
def test_twilios_callbacks_are_signed_as_its_own_library_says(vector: dict[str, Any]) -> None:
    token, url, fields = vector["token"], vector["url"], vector["params"]
    assert signature_of(token, url, fields) == vector["signature"]
    assert is_signed(token, url, fields, vector["signature"])
    assert not is_signed(token, url + "/", fields, vector["signature"])
    assert not is_signed(token, url, {**fields, "MessageStatus": "sent"}, vector["signature"])


@pytest.mark.parametrize("vector", VECTORS["aliyun"])
def test_aliyun_requests_are_signed_as_its_own_library_does(vector: dict[str, Any]) -> None:
    recorded = vector["sent"]
    path: str = recorded["path"]
    query = query_of(dict(parse_qsl(urlsplit(path).query)))
    headers = {n: v for n, v in recorded["headers"].items() if n != "authorization"}
    signed = authorization(vector["key_id"], vector["key_secret"], query=query, headers=headers)
    assert signed == recorded["headers"]["authorization"]


async def test_a_message_reaches_twilio(twilio: tuple[TwilioStandIn, str]) -> None:
    stand_in, url = twilio
    sender = _twilio(url)
    await sender.send(MESSAGE)
    await sender.aclose()
    (kept,) = stand_in.book.kept
    assert (kept.to, kept.content["text"]) == ("+8613800138000", "已支付 ¥12.50")


@pytest.mark.parametrize(
    ("answer", "is_final"),
    [
        ({"status": 429, "code": 20429}, False),
        ({"status": 503}, False),
        ({"status": 400, "code": 14107}, False),
        ({"status": 400, "code": 21211}, True),
        ({"status": 400, "code": 21610}, True),
        ({"status": 201, "error_code": 30001}, False),
        ({"status": 201, "error_code": 30003}, True),
    ],
)
async def test_what_twilios_refusals_mean(
    twilio: tuple[TwilioStandIn, str], answer: dict[str, Any], is_final: bool
) -> None:
    stand_in, url = twilio
    stand_in.book.failures.append(answer)
    sender = _twilio(url)
    with pytest.raises(SmsNotSentError) as caught:
        await sender.send(MESSAGE)
    await sender.aclose()
    assert isinstance(caught.value, SmsRefusedError) == is_final
    assert MESSAGE.phone_number not in str(caught.value)
    assert list(stand_in.book.kept) == []


async def test_twilio_refuses_a_stranger(twilio: tuple[TwilioStandIn, str]) -> None:
    stand_in, url = twilio
    sender = _twilio(url, secret="another")
    with pytest.raises(SmsRefusedError, match="401, code 20003"):
        await sender.send(MESSAGE)
    await sender.aclose()
    assert list(stand_in.book.kept) == []


async def test_a_message_reaches_aliyun_as_its_approved_text(
    aliyun: tuple[AliyunStandIn, str], aliyun_sender: AliyunSmsSender
) -> None:
    await aliyun_sender.send(MESSAGE)
    (kept,) = aliyun[0].book.kept
    assert kept.to == "13800138000"
    assert kept.content == {
        "SignName": "芝麻停车",
        "TemplateCode": "SMS_1",
        "OutId": str(MESSAGE.id),
        "TemplateParam": '{"amount":"¥12.50","place":"海边 停车场"}',
    }


@pytest.mark.parametrize(
    ("answer", "is_final"),
    [
        ({"Code": "isv.BUSINESS_LIMIT_CONTROL"}, False),
        ({"Code": "Throttling.User", "status": 400}, False),
        ({"Code": "isp.SYSTEM_ERROR"}, False),
        ({"status": 503}, False),
        ({"Code": "isv.MOBILE_NUMBER_ILLEGAL"}, True),
        ({"Code": "isv.SMS_TEMPLATE_ILLEGAL"}, True),
    ],
)
async def test_what_aliyuns_refusals_mean(
    aliyun: tuple[AliyunStandIn, str],
    aliyun_sender: AliyunSmsSender,
    answer: dict[str, Any],
    is_final: bool,
) -> None:
    aliyun[0].book.failures.append(answer)
    with pytest.raises(SmsNotSentError) as caught:
        await aliyun_sender.send(MESSAGE)
    assert isinstance(caught.value, SmsRefusedError) == is_final
    assert list(aliyun[0].book.kept) == []


async def test_aliyun_refuses_another_secret_an_old_time_and_a_nonce_again(
    aliyun: tuple[AliyunStandIn, str],
) -> None:
    stand_in, url = aliyun

    async def refusal(secret: str, at: datetime, nonce: str) -> str:
        account = AliyunAccount("key", secret, TEXTS)
        sender = AliyunSmsSender(account, ManualClock(at), url=url, draw_nonce=lambda: nonce)
        try:
            await sender.send(MESSAGE)
        except SmsNotSentError as error:
            return str(error).rpartition(" ")[2]
        finally:
            await sender.aclose()
        return "OK"

    late = START.replace(hour=13)
    assert await refusal("another", START, "1") == "SignatureDoesNotMatch"
    assert await refusal(SECRET, late, "1") == "InvalidTimeStamp.Expired"
    assert await refusal(SECRET, START, "1") == "OK"
    assert await refusal(SECRET, START, "1") == "SignatureNonceUsed"
    assert len(stand_in.book.kept) == 1


async def test_what_nobody_approved_is_not_sent(
    aliyun: tuple[AliyunStandIn, str], aliyun_sender: AliyunSmsSender
) -> None:
    code = SmsMessage(UUID(int=1), "+8613800138000", "482913", values={"code": "482913"})
    with pytest.raises(SmsRefusedError, match="no text for code"):
        await aliyun_sender.send(code)
    assert list(aliyun[0].book.kept) == []


@pytest.mark.parametrize("content", [b"", b"[]", b'{"code": {"zh": {"template_code": ""}}}'])
def test_a_file_of_texts_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_texts(content, field="SESAME_ALIYUN_TEXTS_FILE")
    assert caught.value.field == "SESAME_ALIYUN_TEXTS_FILE"


async def test_each_number_has_the_gateway_of_its_country() -> None:
    china, elsewhere = RecordingSmsSender(), RecordingSmsSender()
    sender = SmsByCountry(china, elsewhere)
    for number in ("+8613800138000", "+4915112345678", "+85261234567"):
        await sender.send(SmsMessage(UUID(int=1), number, "text"))
    assert [message.phone_number for message in china.messages] == ["+8613800138000"]
    assert len(elsewhere.messages) == 2


class TestSlowAnswers:
    """What trickles in, or has no end, is an answer that did not come."""

    async def test_an_answer_that_trickles_in_is_not_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("notifications.sms_connection.TIMEOUT_S", 0.3)
        socket = listener()
        with serving(_trickling(status=201), socket):
            sender = _twilio(url_of(socket))
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(SmsUnansweredError, match="TimeoutError"):
                    await sender.send(MESSAGE)
            await sender.aclose()

    async def test_what_cannot_be_reached_was_not_told(self) -> None:
        socket = listener()
        url = url_of(socket)
        socket.close()
        sender = _twilio(url)
        with pytest.raises(SmsNotSentError) as caught:
            await sender.send(MESSAGE)
        assert caught.value.code == "SMS_NOT_SENT"
        await sender.aclose()

    async def test_a_webhooks_status_is_all_that_is_read(self) -> None:
        socket = listener()
        with serving(_trickling(status=200), socket):
            sender = WebhookSmsSender(url_of(socket), "a-secret-of-16-ch", ManualClock(START))
            async with asyncio.timeout(PATIENCE_S):
                await sender.send(MESSAGE)
            await sender.aclose()


def _trickling(*, status: int) -> Starlette:
    async def body() -> AsyncGenerator[bytes]:
        for _ in range(TRICKLES_MAX):
            yield b" "
            await asyncio.sleep(0.05)

    async def answer(request: Request) -> Response:
        await request.body()
        return StreamingResponse(body(), status)

    return Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])

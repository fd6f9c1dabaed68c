"""Web Push: what RFC 8291 says byte for byte, and what push services' answers mean."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from notifications.push import PushMessage, PushOutcome, PushResult
from notifications.web_push import MESSAGE_BYTES_MAX, WebPushSender, encrypt
from parking.drivers.models import TargetKind
from parking.drivers.web_push import PushServices, check_keys, decode, encode, read_services
from parking.kit.clock import ManualClock
from parking.kit.errors import InvalidInputError
from sesame.sandbox.web_push import WebPushStandIn
from tests.contract.http_server import listener, serving, url_of

START: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
# RFC 8291, appendix A.
RFC_KEYS: Final = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIA"
    "iw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}
RFC_PRIVATE: Final = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
RFC_SALT: Final = "DGv6ra1nlYgDCS1FRnbzlw"
RFC_BODY: Final = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6"
    "TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy"
    "4a-fN"
)
KNOWN: Final = PushServices()


@dataclass(frozen=True, slots=True)
class Browser:
    """A stand-in, what it gives, and a sender that may call it."""

    stand_in: WebPushStandIn
    url: str
    sender: WebPushSender
    clock: ManualClock

    def message(self, name: str = "ok-1") -> PushMessage:
        return PushMessage(
            delivery_id=UUID(int=1),
            target_kind=TargetKind.WEB_PUSH,
            target=f"{self.url}/push/{name}",
            title="CN¥12.50 paid",
            body="已支付",
            tag=str(UUID(int=2)),
            collapse_key="money:1",
            data={"delivery_id": str(UUID(int=1))},
            keys=self.stand_in.keys,
        )


@pytest.fixture
def served() -> Iterator[tuple[WebPushStandIn, str]]:
    socket, stand_in = listener(), WebPushStandIn(ManualClock(START))
    with serving(stand_in.app, socket):
        yield stand_in, url_of(socket)


@pytest.fixture
async def browser(served: tuple[WebPushStandIn, str]) -> AsyncGenerator[Browser]:
    stand_in, url = served
    clock, key = ManualClock(START), ec.generate_private_key(ec.SECP256R1())
    services = PushServices((url.partition("://")[2],))
    sender = WebPushSender(key, "mailto:ops@sesame.example", services, clock)
    yield Browser(stand_in, url, sender, clock)
    await sender.aclose()


def test_a_message_is_encrypted_as_the_standard_does() -> None:
    key = ec.derive_private_key(int.from_bytes(decode(RFC_PRIVATE)), ec.SECP256R1())
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        p256dh=RFC_KEYS["p256dh"],
        auth=RFC_KEYS["auth"],
        key=key,
        salt=decode(RFC_SALT),
    )
    assert encode(body) == RFC_BODY


def test_two_messages_share_no_key() -> None:
    bodies = {
        encrypt(b"the same", p256dh=RFC_KEYS["p256dh"], auth=RFC_KEYS["auth"]) for _ in range(3)
    }
    assert len({body[:16] for body in bodies}) == 3
    assert len({body[21:86] for body in bodies}) == 3


async def test_a_browser_reads_what_it_is_sent(browser: Browser) -> None:
    message = browser.message()
    result = await browser.sender.send(message)
    assert result == PushResult(PushOutcome.SENT, reference="/message/1")
    assert list(browser.stand_in.messages) == [
        {
            "title": "CN¥12.50 paid",
            "body": "已支付",
            "tag": str(UUID(int=2)),
            "data": {"delivery_id": str(UUID(int=1))},
        }
    ]
    transport = httpx.ASGITransport(browser.stand_in.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as by_hand:
        shown = (await by_hand.get("/_messages")).json()["messages"]
    assert shown == list(browser.stand_in.messages)
    (headers,) = browser.stand_in.headers
    assert (headers["ttl"], headers["urgency"]) == ("86400", "high")
    assert len(headers["topic"]) == 32


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("gone-1", PushResult(PushOutcome.GONE, failure="unsubscribed")),
        ("unknown-1", PushResult(PushOutcome.GONE, failure="unsubscribed")),
        ("large-1", PushResult(PushOutcome.REFUSED, failure="too_large")),
        ("busy-1", PushResult(PushOutcome.RETRY, failure="status_429", retry_after_s=30.0)),
        ("down-1", PushResult(PushOutcome.RETRY, failure="status_503", retry_after_s=30.0)),
    ],
)
async def test_what_answers_mean(browser: Browser, name: str, result: PushResult) -> None:
    assert await browser.sender.send(browser.message(name)) == result
    assert list(browser.stand_in.messages) == []


async def test_another_browsers_key_an_old_token_and_a_long_message(browser: Browser) -> None:
    other = WebPushStandIn(browser.clock)
    stolen = replace(browser.message(), keys=other.keys)
    refused = await browser.sender.send(stolen)
    assert refused == PushResult(PushOutcome.REFUSED, failure="status_400")
    long = replace(browser.message(), body="x" * MESSAGE_BYTES_MAX)
    refused = await browser.sender.send(long)
    assert refused == PushResult(PushOutcome.REFUSED, failure="invalid_message")
    browser.clock.advance(timedelta(days=-2))
    refused = await browser.sender.send(browser.message())
    assert refused == PushResult(PushOutcome.REFUSED, failure="status_403")
    assert list(browser.stand_in.messages) == []


async def test_nobody_answers(browser: Browser) -> None:
    free = listener()
    url = url_of(free)
    free.close()
    services = PushServices((url.partition("://")[2],))
    key = ec.generate_private_key(ec.SECP256R1())
    sender = WebPushSender(key, "https://sesame.example", services, browser.clock)
    result = await sender.send(replace(browser.message(), target=f"{url}/push/1"))
    await sender.aclose()
    assert result == PushResult(PushOutcome.RETRY, failure="ConnectError")


async def test_a_name_that_is_none_is_not_tried_for_ever(browser: Browser) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    sender = WebPushSender(key, "mailto:ops@sesame.example", KNOWN, browser.clock)
    message = replace(browser.message(), target="https://xn--a.push.apple.com/x")
    result = PushResult(PushOutcome.REFUSED, failure="invalid_target")
    assert await sender.send(message) == result
    await sender.aclose()


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
        "https://wns2-par02p.notify.windows.com/w/?token=BQ",
        "https://web.push.apple.com/QOPd",
    ],
)
def test_known_services_may_be_called(endpoint: str) -> None:
    KNOWN.check(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/fcm/send/abc",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evil.example/fcm.googleapis.com",
        "https://fcm.googleapis.com@evil.example/",
        "https://user:password@fcm.googleapis.com/",
        "https://fcm.googleapis.com:8443/x",
        "https://evilpush.apple.com/x",
        "https://evil.example\\.push.apple.com/x",
        "https://evil.example%2f.push.apple.com/x",
        "https://" + "a" * 64 + ".push.apple.com/x",
        "https://.push.apple.com/x",
        "https://fcm.googleapis.com/a\nb",
        "https://127.0.0.1/x",
        "http://127.0.0.1:9000/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/x",
        "https://fcm.googleapis.com:port/x",
        "file:///etc/passwd",
        "https://fcm.googleapis.com/" + "x" * 1024,
        "",
    ],
)
async def test_nothing_else_may_be_called(browser: Browser, endpoint: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        KNOWN.check(endpoint)
    assert caught.value.field == "target"
    result = await browser.sender.send(replace(browser.message(), target=endpoint))
    assert result == PushResult(PushOutcome.REFUSED, failure="invalid_target")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"p256dh": ""}, "p256dh"),
        ({"p256dh": encode(b"\x04" + b"\x01" * 64)}, "p256dh"),
        ({"p256dh": "ä" * 87}, "p256dh"),
        ({"auth": ""}, "auth"),
        ({"auth": encode(b"x" * 15)}, "auth"),
        ({"auth": "A" * 10_000}, "auth"),
    ],
)
def test_keys_that_no_browser_gives_are_refused(changes: dict[str, str], field: str) -> None:
    check_keys(RFC_KEYS)
    with pytest.raises(InvalidInputError) as caught:
        check_keys({**RFC_KEYS, **changes})
    assert caught.value.field == field


def test_the_list_of_services_is_the_operators() -> None:
    assert read_services("", field="f") == KNOWN
    assert read_services("push.example:8443, .a.b", field="f").hosts == (
        "push.example:8443",
        ".a.b",
    )
    with pytest.raises(InvalidInputError):
        read_services("https://push.example/", field="f")

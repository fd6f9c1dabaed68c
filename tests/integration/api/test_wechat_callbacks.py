"""WeChat Pay over HTTP: genuine notices once, everything else refused with nothing moved."""

import json
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest
import segno
import structlog.testing
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from parking.flows.pay_link import pay_token
from parking.payments.providers.wechat import WechatProvider, WechatSettings
from sesame.sandbox.acquirer.signing import new_private_pem
from sesame.sandbox.wechat.signing import PROBE_PREFIX, PlatformKey, new_api_key, sealed, spoiled
from tests.contract.http_server import listener, serving, url_of
from tests.factories.api import ApiWorld
from tests.integration.api.hostile_posts import refuse_all

MERCHANT, APP = "1900000109", "wxcbda96de0b165486"
PATH = "/callbacks/wechat"
CODE = "weixin://wxpay/bizpayurl?pr=JyC91EIz1"
WECHAT = PlatformKey("PUB_KEY_ID_1", new_private_pem())
STRANGER = PlatformKey("PUB_KEY_ID_1", new_private_pem())
UNKNOWN = PlatformKey("PUB_KEY_ID_2", new_private_pem())
OUR_KEY, API_KEY = new_private_pem().decode(), new_api_key()


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice, and everything about it that can be wrong."""

    number: str
    event: str = "TRANSACTION.SUCCESS"
    changes: dict[str, object] = field(default_factory=dict[str, object])
    api_key: str = API_KEY
    key: PlatformKey = WECHAT
    age_s: int = 0
    prefix: str = ""
    notice_id: str = "EV-2018022511223320873"

    def body(self) -> bytes:
        order = {
            "mchid": MERCHANT,
            "appid": APP,
            "out_trade_no": self.number,
            "transaction_id": "4200000001",
            "trade_type": "NATIVE",
            "trade_state": "SUCCESS",
            "success_time": "2026-11-27T16:00:00+08:00",
            "amount": {"total": 1000, "currency": "CNY"},
            **self.changes,
        }
        content = {
            "id": self.notice_id,
            "create_time": "2026-11-27T16:00:01+08:00",
            "event_type": self.event,
            "resource_type": "encrypt-resource",
            "summary": "支付成功",
            "resource": sealed(self.api_key, json.dumps(order).encode(), "transaction"),
        }
        return json.dumps(content).encode()

    def signed(self, body: bytes, now_s: int) -> dict[str, str]:
        return self.key.headers(now_s - self.age_s, body, prefix=self.prefix)


@dataclass(frozen=True, slots=True)
class Town:
    """A stay whose unpaid bill is open as a code of WeChat Pay."""

    api: ApiWorld
    number: str
    code_page: httpx.Response

    @property
    def now_s(self) -> int:
        return int(self.api.lanes.clock.now().timestamp())

    async def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        answer = await self.api.http.post(
            PATH, content=body, headers={"content-type": "application/json", **headers}
        )
        return answer.status_code, answer.json() if answer.content else None

    async def send(self, letter: Letter) -> tuple[int, Any]:
        body = letter.body()
        return await self.post(body, letter.signed(body, self.now_s))

    async def standing(self) -> tuple[object, ...]:
        """Return everything that money could have moved."""
        lanes = self.api.lanes
        return (
            await lanes.rows("SELECT state, provider_reference FROM payment_attempts"),
            await lanes.rows("SELECT state, paid_at FROM bills"),
            await lanes.count("ledger_transfers"),
            await lanes.count("gate_commands"),
            lanes.provider.captured("CNY"),
        )


async def _native(request: Request) -> Response:
    body = json.dumps({"code_url": CODE}).encode()
    at = int(request.headers["authorization"].split('timestamp="')[1].split('"')[0])
    return Response(body, headers=WECHAT.headers(at, body), media_type="application/json")


@pytest.fixture
async def town(api: ApiWorld) -> AsyncGenerator[Town]:
    platform = Starlette(routes=[Route("/v3/pay/transactions/native", _native, methods=["POST"])])
    listening = listener()
    settings = WechatSettings(
        base_url=url_of(listening),
        merchant=MERCHANT,
        app=APP,
        key_pem=OUR_KEY,
        key_serial="5157F09E",
        api_key=API_KEY,
        platform_keys_pem=WECHAT.public_text(),
        service_url="https://pay.sesame.test/parking",
        notice_url=f"https://sesame.test{PATH}",
    )
    adapter = WechatProvider(settings, api.lanes.clock)
    providers = api.lanes.context.providers
    assert isinstance(providers, dict)
    providers["wechat"] = adapter
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    [row] = await api.lanes.rows("SELECT operator_id, id FROM sessions")
    token = pay_token(api.lanes.context.vault, row["operator_id"], row["id"])
    with serving(platform, listening):
        page = await api.http.post(f"/pay/{token}", data={"provider": "wechat"})
    [attempt] = await api.lanes.rows("SELECT number FROM payment_attempts")
    yield Town(api, attempt["number"], page)
    await adapter.aclose()


@pytest.mark.parametrize(
    "agent", ["Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.50", "Mobile MicroMessenger"]
)
async def test_in_wechat_without_an_account_the_code_says_how_to_go_on(
    town: Town, agent: str
) -> None:
    answer = await town.api.http.post(
        town.code_page.url.path, data={"provider": "wechat"}, headers={"user-agent": agent}
    )
    assert answer.status_code == 200
    assert "The phone that shows this code cannot scan it." in answer.text
    assert "own browser (in WeChat: the menu at the top right)" in answer.text
    assert "<script" not in answer.text
    assert await town.api.lanes.count("payment_attempts") == 1


async def test_a_code_is_shown_to_be_read(town: Town) -> None:
    page = town.code_page
    assert "<p>Scan this code with the payment app.</p>" in page.text
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert "<h1>Scan to pay</h1>" in page.text
    code = segno.make(CODE, error="m").svg_inline(omitsize=True, title="Payment code")
    assert code in page.text
    assert "<script" not in page.text
    assert re.search(r'<a href="https?://[^/"]+/pay/[^"]+">', page.text)


async def test_a_genuine_notice_pays_once(town: Town) -> None:
    letter = Letter(town.number)
    body = letter.body()
    headers = letter.signed(body, town.now_s)

    assert await town.post(body, headers) == (204, None)
    after = await town.standing()
    # A copy, and the same news under another id and seal: both are taken, and change nothing.
    assert await town.post(body, headers) == (204, None)
    assert await town.send(Letter(town.number, notice_id="EV-2")) == (204, None)

    assert after[0] == [{"state": "succeeded", "provider_reference": "4200000001"}]
    assert await town.standing() == after
    balances = await town.api.lanes.balances()
    assert balances["provider:wechat", "CNY"] == 1000
    assert sum(balances.values()) == 0


async def test_what_is_not_wechats_moves_nothing(town: Town) -> None:
    posts = {name: partial(town.post, *letter) for name, letter in hostile(town).items()}
    await refuse_all(town, "wechat", posts, (401, {"code": "FAIL", "message": "refused"}))
    # And after all of that the genuine one is still taken.
    assert await town.send(Letter(town.number)) == (204, None)


async def test_an_oversized_notice_is_not_even_read(town: Town) -> None:
    before = await town.standing()
    answer = await town.api.http.post(PATH, content=b'{"resource":"' + b"A" * 70_000)
    assert answer.status_code == 413
    assert await town.standing() == before


async def test_one_that_cannot_be_true_of_our_order_is_refused_and_said(town: Town) -> None:
    before = await town.standing()
    with structlog.testing.capture_logs() as logs:
        status, answer = await town.send(
            Letter(town.number, changes={"amount": {"total": 999, "currency": "CNY"}})
        )
    assert (status, answer["code"]) == (422, "FAIL")
    assert await town.standing() == before
    assert any(entry["event"] == "notice.impossible" for entry in logs)


async def test_one_about_nobody_s_order_is_taken_and_forgotten(town: Town) -> None:
    before = await town.standing()
    assert await town.send(Letter("0" * 32)) == (204, None)
    assert await town.standing() == before


def hostile(town: Town) -> dict[str, tuple[bytes, dict[str, str]]]:
    """Return what an attacker, who can read one genuine notice, may send."""
    genuine = Letter(town.number)
    body = genuine.body()
    headers = genuine.signed(body, town.now_s)
    written = {name: (letter, letter.body()) for name, letter in false_letters(town).items()}
    made = {
        name: (content, letter.signed(content, town.now_s))
        for name, (letter, content) in written.items()
    }
    nonsense = {
        name: (content, WECHAT.headers(town.now_s, content))
        for name, content in signed_nonsense(body).items()
    }
    return made | tampered(town, body, headers) | nonsense


def false_letters(town: Town) -> dict[str, Letter]:
    """Return notices that say something untrue, or are not of whom they should be."""
    return {
        "forged": Letter(town.number, key=STRANGER),
        "a probe": Letter(town.number, prefix=PROBE_PREFIX),
        "an unknown key": Letter(town.number, key=UNKNOWN),
        "stale": Letter(town.number, age_s=301),
        "of the future": Letter(town.number, age_s=-301),
        "another merchant's": Letter(town.number, changes={"mchid": "1900000999"}),
        "nobody's": Letter(town.number, changes={"mchid": None}),
        "a sub-merchant's": Letter(town.number, changes={"sub_mchid": "1900000110"}),
        "two merchants'": Letter(town.number, changes={"sp_mchid": "1900000999"}),
        "sealed under another key": Letter(town.number, api_key=new_api_key()),
        "of a failure that succeeded": Letter(town.number, event="TRANSACTION.FAIL"),
        "without an amount": Letter(town.number, changes={"amount": None}),
        "negative": Letter(town.number, changes={"amount": {"total": -1000, "currency": "CNY"}}),
        "in words": Letter(town.number, changes={"amount": {"total": "ten", "currency": "CNY"}}),
        "without a number": Letter(town.number, changes={"out_trade_no": None}),
        "without a time": Letter(town.number, changes={"success_time": "soon"}),
        "a refund that is a payment": Letter(town.number, event="REFUND.SUCCESS"),
        "a parking that is a payment": Letter(town.number, event="VEHICLE.ENTRANCE_STATE_CHANGE"),
    }


def tampered(
    town: Town, body: bytes, headers: dict[str, str]
) -> dict[str, tuple[bytes, dict[str, str]]]:
    """Return a genuine notice with something changed, in it or around it."""
    twice = json.loads(body)
    twice["resource"]["ciphertext"] = json.loads(Letter(town.number).body())["resource"][
        "ciphertext"
    ]
    return {
        "unsigned": (body, {}),
        "spoiled": (body, spoiled(headers)),
        "no nonce": (body, {**headers, "Wechatpay-Nonce": ""}),
        "another nonce": (body, {**headers, "Wechatpay-Nonce": "0" * 32}),
        "another time": (body, {**headers, "Wechatpay-Timestamp": str(town.now_s + 1)}),
        "a signature that is no base64": (body, {**headers, "Wechatpay-Signature": "*"}),
        "a very long signature": (body, {**headers, "Wechatpay-Signature": "A" * 3000}),
        "another scheme": (body, {**headers, "Wechatpay-Signature-Type": "SM2"}),
        "a byte more": (body + b" ", headers),
        "a byte less": (body[:-1], headers),
        "another ciphertext": (json.dumps(twice).encode(), headers),
        "nothing": (b"", headers),
    }


def signed_nonsense(body: bytes) -> dict[str, bytes]:
    """Return what is no notice, although who signs it holds the right key."""
    sealed = json.loads(body)["resource"]["ciphertext"].encode()
    return {
        "signed nothing": b"",
        "signed no JSON": b"\xff\xfe",
        "signed a list": b"[]",
        "signed depth": b"[" * 30_000,
        "signed an empty resource": b'{"id":"1","create_time":"2026-11-27T16:00:01+08:00",'
        b'"event_type":"TRANSACTION.SUCCESS","resource":{}}',
        "signed short ciphertext": body.replace(sealed, b"AAAA"),
        "signed long ciphertext": body.replace(sealed, b"A" * 60_000),
    }

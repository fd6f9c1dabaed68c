"""Paying on the phone that scanned the exit's code: in a provider's app, or in its browser."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import cast
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from api.pages import bridge
from parking.flows.pay_link import pay_token
from parking.flows.payments import checkout, settlement
from parking.flows.payments.checkout import SWITCHES_MAX
from parking.payments.errors import PaymentInProgressError
from parking.payments.fake import TRAITS
from parking.payments.fake_wallet import WALLET_TRAITS, FakeWallet
from parking.payments.port import PaymentProvider, ProviderTraits, ProviderUnavailableError
from tests.factories.api import ApiWorld
from tests.integration.api.test_pay_methods import ALIPAY, WECHAT, Exit, buttons

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148 Safari/604.1"
DESK = "Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0"
WECHAT_ON_A_DESK = "Mozilla/5.0 (Windows NT 10.0) MicroMessenger/7.0.20 WindowsWechat"


class Lane(Exit):
    """A stranger's car at the exit, and a wallet with an app of its own."""

    def __init__(self, api: ApiWorld, traits: ProviderTraits) -> None:
        super().__init__(api)
        known = cast("dict[str, PaymentProvider]", self.lanes.context.providers)
        self.wallet = FakeWallet(self.lanes.clock, name="wechat", traits=traits)
        known["wechat"] = self.wechat = self.wallet

    async def press(self, agent: str, method: str = "wechat") -> httpx.Response:
        return await self.api.http.post(
            self.path, data={"provider": method}, headers={"user-agent": agent}
        )

    async def come_back(self, asked: httpx.Response, payer: str, **changes: str) -> httpx.Response:
        """Do what the app's page does: send the payer back with a code."""
        sent = parse_qs(urlsplit(asked.headers["location"]).query)
        assert sent["back"] == [f"{self.lanes.context.public_url}{self.path}"]
        query = {"code": payer, "state": sent["state"][0]} | changes
        return await self.api.http.get(self.path, params=query, headers={"user-agent": WECHAT})

    async def rows(self) -> list[tuple[str, str | None]]:
        found = await self.lanes.rows(
            "SELECT state, checkout_for FROM payment_attempts ORDER BY sent_at, id"
        )
        return sorted((row["state"], row["checkout_for"]) for row in found)


@pytest.fixture
async def lane(api: ApiWorld, request: pytest.FixtureRequest) -> Lane:
    stage = Lane(api, getattr(request, "param", WALLET_TRAITS))
    await stage.arrive()
    return stage


def order_of(html: str) -> dict[str, str]:
    found = re.search(r'<button id="hand-over" data-order="([^"]+)" hidden>', html)
    assert found is not None
    return json.loads(unescape(found[1]))


async def test_in_the_app_the_page_asks_who_pays_and_hands_the_order_over(lane: Lane) -> None:
    asked = await lane.press(WECHAT)
    assert asked.status_code == 303
    assert asked.headers["location"].startswith("https://fake.invalid/payer?")
    cookie = asked.headers["set-cookie"]
    assert f"Path={lane.path}" in cookie
    assert "HttpOnly" in cookie
    assert "Secure" in cookie or lane.lanes.context.public_url.startswith("http:")
    assert "SameSite=lax" in cookie
    # Nothing is begun before it is known who pays.
    assert await lane.rows() == []

    back = await lane.come_back(asked, "alice-1")

    assert (back.status_code, back.headers["location"]) == (303, f"{lane.path}#pay")
    assert "Max-Age=0" in back.headers["set-cookie"]
    [(state, meant_for)] = await lane.rows()
    assert state == "sent"
    assert re.fullmatch("app:[0-9a-f]{32}", meant_for or "")
    shown = await lane.api.http.get(lane.path, headers={"user-agent": WECHAT})
    assert order_of(shown.text) == {"order": await lane.number("wechat"), "payer": "sealed"}
    assert "http-equiv" not in shown.text
    assert "alice" not in shown.text + str(back.headers)
    assert shown.text.count("<script>") == 1
    assert f"<script>{bridge.SCRIPT}</script>" in shown.text
    assert bridge.BRIDGE_POLICY in shown.headers["content-security-policy"]

    assert lane.wallet.pay(await lane.number("wechat"))
    lane.lanes.wait(minutes=1)
    await settlement.sweep(lane.lanes.context)
    paid = await lane.page(WECHAT)
    assert "<strong>Nothing is due.</strong> You paid 10.00 CNY." in paid
    assert "<script" not in paid
    assert lane.captured() == 1000
    [command] = await lane.lanes.rows("SELECT reason FROM gate_commands WHERE reason = 'paid'")
    assert command["reason"] == "paid"


async def test_only_the_app_gets_the_script(lane: Lane) -> None:
    await lane.come_back(await lane.press(WECHAT), "alice-1")
    for agent in (PHONE, DESK, ALIPAY):
        shown = await lane.api.http.get(lane.path, headers={"user-agent": agent})
        assert "<script" not in shown.text
        assert "script-src" not in shown.headers["content-security-policy"]
        assert '<meta http-equiv="refresh" content="5">' in shown.text


async def test_the_same_payer_gets_the_same_order_and_another_one_another(lane: Lane) -> None:
    await lane.come_back(await lane.press(WECHAT), "alice-1")
    first = await lane.number("wechat")
    await lane.come_back(await lane.press(WECHAT, ""), "alice-2")
    assert await lane.number("wechat") == first

    await lane.come_back(await lane.press(WECHAT), "bob-1")

    assert await lane.number("wechat") != first
    assert [state for state, _ in await lane.rows()] == ["failed", "sent"]
    assert not lane.wallet.pay(first)
    assert lane.wallet.pay(await lane.number("wechat"))
    assert lane.captured() == 1000


async def test_each_device_has_its_own_page_and_one_of_them_is_open(lane: Lane) -> None:
    phone = await lane.press(PHONE)
    first = await lane.number("wechat")
    assert phone.headers["location"] == f"https://fake.invalid/pay/{first}?phone=203.0.113.7"
    assert phone.headers["referrer-policy"] == "strict-origin"
    assert (await lane.press(PHONE, "")).headers["location"] == phone.headers["location"]

    desk = await lane.press(DESK)

    second = await lane.number("wechat")
    assert desk.headers["location"] == f"https://fake.invalid/pay/{second}"
    assert await lane.rows() == [("failed", "phone"), ("sent", None)]
    assert not lane.wallet.pay(first)
    # WeChat on a computer shows a code; asking in WeChat on a phone closes nothing yet.
    assert (await lane.press(WECHAT_ON_A_DESK)).headers["location"] == desk.headers["location"]
    await lane.press(WECHAT)
    assert await lane.number("wechat") == second
    await lane.press(DESK, "alipay")
    open_page = await lane.number("alipay")
    await lane.press(WECHAT)
    assert await lane.number("alipay") == open_page


async def test_a_phones_address_is_used_for_minutes_only(lane: Lane) -> None:
    first = (await lane.press(PHONE)).headers["location"]
    lane.lanes.clock.advance(timedelta(minutes=5))
    second = (await lane.press(PHONE)).headers["location"]
    assert first != second
    assert await lane.rows() == [("failed", "phone"), ("sent", "phone")]


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "0" * 64},
        {"state": ""},
        {"state": "é"},
        {"code": ""},
        {"code": "x" * 513},
        {"code": "nobody"},
    ],
)
async def test_an_answer_that_nobody_asked_for_moves_nothing(
    lane: Lane, changes: dict[str, str]
) -> None:
    asked = await lane.press(WECHAT)
    back = await lane.come_back(asked, "alice-1", **changes)
    assert (back.status_code, back.headers["location"]) == (303, lane.path)
    assert await lane.rows() == []


async def test_an_answer_counts_in_the_browser_that_asked_once_and_for_a_while(
    lane: Lane,
) -> None:
    asked = await lane.press(WECHAT)
    kept = lane.api.http.cookies
    lane.api.http.cookies = httpx.Cookies()
    stolen = await lane.come_back(asked, "mallory-1")
    assert (stolen.headers["location"], await lane.rows()) == (lane.path, [])

    lane.api.http.cookies = kept
    lane.lanes.clock.advance(timedelta(minutes=10))
    late = await lane.come_back(asked, "alice-1")
    assert (late.headers["location"], await lane.rows()) == (lane.path, [])

    asked = await lane.press(WECHAT)
    secret = dict(lane.api.http.cookies)
    await lane.come_back(asked, "alice-2")
    assert len(await lane.rows()) == 1
    lane.api.http.cookies.update(secret)
    replayed = await lane.come_back(asked, "alice-2")
    assert replayed.headers["location"] == lane.path
    assert len(await lane.rows()) == 1


async def test_a_question_is_of_one_bill(lane: Lane) -> None:
    asked = await lane.press(WECHAT)
    vault, operator_id = lane.lanes.context.vault, lane.lanes.exit.operator_id
    state = parse_qs(urlsplit(asked.headers["location"]).query)["state"][0]
    cookie = asked.headers["set-cookie"].partition(";")[0]
    other = f"/pay/{pay_token(vault, operator_id, uuid4())}"
    for path, status in ((other, 303), (lane.path[:-4] + "AAAA", 404)):
        found = await lane.api.http.get(
            path, params={"code": "alice-1", "state": state}, headers={"cookie": cookie}
        )
        assert found.status_code == status
    assert await lane.rows() == []
    # The code was not even asked about.
    assert await lane.wallet.find_payer("alice-1") == "alice"


async def test_an_app_that_does_not_say_who_pays_is_asked_again(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(code: str) -> str:
        raise ProviderUnavailableError(code)

    asked = await lane.press(WECHAT)
    with monkeypatch.context() as patched:
        patched.setattr(lane.wallet, "find_payer", silent)
        failed = await lane.come_back(asked, "alice-1")
    assert failed.status_code == 503
    assert "The payment page does not answer. Please try again." in failed.text
    assert await lane.rows() == []


@pytest.mark.parametrize("lane", [TRAITS], indirect=True)
async def test_without_pages_of_their_own_every_device_gets_the_same(lane: Lane) -> None:
    urls = {(await lane.press(agent)).headers["location"] for agent in (WECHAT, PHONE, DESK)}
    assert urls == {f"https://fake.invalid/pay/{await lane.number('wechat')}"}
    assert buttons(await lane.page(WECHAT))[0] == "Back to the payment page"


async def test_two_devices_that_take_turns_do_not_go_on_for_ever(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> bool:
        return False

    monkeypatch.setattr(checkout, "_is_open_for", never)
    with pytest.raises(PaymentInProgressError):
        await checkout.start(lane.lanes.context, lane.token, "wechat")
    assert len(await lane.rows()) == SWITCHES_MAX

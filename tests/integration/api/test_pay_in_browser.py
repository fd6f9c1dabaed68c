"""Paying the exit's bill with WeChat Pay in a real browser, against the stand-in over HTTP."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from api.app import create_app
from api.config import ApiConfig
from parking.flows.pay_link import pay_token
from parking.payments.port import PaymentProvider
from parking.payments.providers.wechat import OfficialAccount, WechatProvider, WechatSettings
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem
from sesame.sandbox.wechat import Account, Options, create_stand_in, new_api_key
from tests.browser import CHROMIUM, POLL_S, WAIT_S_MAX, Browser, Tab
from tests.contract.http_server import listener, url_of
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE, read_of
from tests.money.loop_server import served

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

IN_WECHAT = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile MicroMessenger/8.0.50"
ON_A_PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36"
ON_A_DESK = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
APP, SERIAL, MERCHANT = "wxcbda96de0b165486", "5157F09E", "1900000109"
# WeChat's own comes late, and asks the payer over the page.
BRIDGE = """
if (location.pathname.startsWith("/pay/")) setTimeout(function () {
  window.WeixinJSBridge = {invoke: function (name, order, done) {
    window.answerPage = done;
    askPayer(JSON.stringify({name: name, order: order}));
  }};
  document.dispatchEvent(new Event("WeixinJSBridgeReady"));
}, 20);
"""


@dataclass(frozen=True, slots=True)
class Street:
    """A car at the exit, the page of its bill, WeChat Pay's stand-in, and a browser."""

    api: ApiWorld
    browser: Browser
    page: str
    wechat_url: str

    async def payments(self) -> list[tuple[str, str | None]]:
        rows = await self.api.lanes.rows(
            "SELECT state, checkout_for FROM payment_attempts ORDER BY sent_at, id"
        )
        return sorted((row["state"], row["checkout_for"]) for row in rows)

    async def notice_of(self, state: str) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while state not in [one for one, _ in await self.payments()]:  # noqa: ASYNC110 - rows
                await asyncio.sleep(POLL_S)

    async def is_open(self) -> bool:
        rows = await self.api.lanes.rows("SELECT reason FROM gate_commands")
        return [row["reason"] for row in rows].count("paid") == 1


@pytest.fixture
async def street(api: ApiWorld, tmp_path: Path) -> AsyncGenerator[Street]:
    key, api_key, clock = new_private_pem(), new_api_key(), api.lanes.clock
    wechat_socket, api_socket = listener(), listener()
    wechat_url, api_url = url_of(wechat_socket), url_of(api_socket)
    account = Account(app="wx8397f8696b538317", secret="s" * 32, page_host="127.0.0.1")
    options = Options(
        data=tmp_path / "books.sqlite",
        merchant=MERCHANT,
        merchant_keys_pem={SERIAL: public_pem(key).encode()},
        api_key=api_key,
        public_url=wechat_url,
        account=account,
        notice_retry_ms=20,
    )
    stand_in = create_stand_in(options, clock)
    settings = WechatSettings(
        base_url=wechat_url,
        merchant=MERCHANT,
        app=APP,
        key_pem=key.decode(),
        key_serial=SERIAL,
        api_key=api_key,
        platform_keys_pem=stand_in.platform_keys_pem,
        service_url=stand_in.service_url,
        notice_url=f"{api_url}/callbacks/wechat",
        account=OfficialAccount(
            app=account.app, secret=account.secret, page_url=wechat_url, api_url=wechat_url
        ),
    )
    provider = WechatProvider(settings, clock)
    context = replace(
        api.lanes.context,
        public_url=api_url,
        providers=cast("dict[str, PaymentProvider]", {"wechat": provider}),
        checkout_provider="wechat",
    )
    session_id = await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    presentation_id = await api.lanes.arrive(api.lanes.exit)
    await api.lanes.decide(api.lanes.exit, presentation_id, read_of(PLATE))
    token = pay_token(context.vault, api.lanes.exit.operator_id, session_id)
    async with AsyncExitStack() as stack:
        app = create_app(context, ApiConfig(tokens=api.tokens, sms=api.sms, development=False))
        await stack.enter_async_context(served(stand_in.app, wechat_socket))
        await stack.enter_async_context(served(app, api_socket))
        browser = await stack.enter_async_context(Browser.start(tmp_path / "profile"))
        yield Street(api, browser, f"{api_url}/pay/{token}", wechat_url)
    await provider.aclose()


async def wechat_tab(street: Street, answers: list[str]) -> Tab:
    """Open WeChat's browser, whose payer does what the answers say: `ok`, `cancel`."""
    tab = await street.browser.tab(IN_WECHAT)

    async def ask_payer(asked: Any) -> None:  # noqa: ANN401 - what the page said
        assert asked["name"] == "getBrandWCPayRequest"
        said = answers.pop(0)
        if said == "ok":
            cookies = await tab.cookies(street.wechat_url)
            async with httpx.AsyncClient(cookies=cookies, trust_env=False) as payer:
                sheet = f"{street.wechat_url}/wechat/sheet"
                paid = await payer.post(sheet, params=asked["order"])
            assert "get_brand_wcpay_request:ok" in paid.text
            await street.notice_of("succeeded")
        result = f'{{"err_msg": "get_brand_wcpay_request:{said}"}}'
        await tab.evaluate(f"answerPage({result})")

    await tab.play(BRIDGE, "askPayer", ask_payer)
    return tab


async def test_whoever_scanned_the_code_with_wechat_pays_in_wechat(street: Street) -> None:
    desk = await street.browser.tab(ON_A_DESK)
    await desk.open(street.page)
    await desk.press("Pay 10.00 CNY")
    # The stand-in's code is an address, which a screen opens.
    await desk.wait_for_text("Pay your parking")
    assert await street.payments() == [("sent", None)]

    answers = ["cancel", "ok"]
    phone = await wechat_tab(street, answers)
    await phone.open(street.page)
    await phone.press("Back to the payment page")
    # There and back by WeChat's page, the order comes over the page at once: and is cancelled.
    await phone.wait_for("document.getElementById('hand-over')?.disabled === false")
    await phone.wait_for("location.hash === ''")
    await phone.wait_for("!document.getElementById('hand-over').hidden")
    assert answers == ["ok"]
    assert not await street.is_open()

    await phone.press("Pay 10.00 CNY with WeChat Pay")

    await phone.wait_for_text("Nothing is due. You paid 10.00 CNY.")
    [closed, (state, meant_for)] = await street.payments()
    assert closed == ("failed", None)
    assert (state, (meant_for or "")[:4]) == ("succeeded", "app:")
    assert await street.is_open()
    assert phone.errors == []


async def test_a_phones_browser_goes_to_wechat_and_comes_back(street: Street) -> None:
    tab = await street.browser.tab(ON_A_PHONE)
    await tab.open(street.page)
    await tab.press("Pay 10.00 CNY")
    await tab.wait_for_text("Pay your parking")
    assert (await tab.evaluate("location.href")).startswith(street.wechat_url)
    await tab.press("Pay 10.00 CNY")
    await tab.wait_for(f"location.href === '{street.page}'")
    await street.notice_of("succeeded")
    # It looks again by itself after a while; here is no time to wait.
    await tab.open(street.page)
    await tab.wait_for_text("Nothing is due. You paid 10.00 CNY.")
    assert await street.payments() == [("succeeded", "phone")]
    assert await street.is_open()

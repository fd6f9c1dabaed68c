"""WeChat Pay on the payer's own phone: codes for openids, orders, and what WeChat pays of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest
import structlog.testing

from parking.kit.clock import ManualClock, SystemClock
from parking.kit.errors import InvalidInputError
from parking.payments.port import (
    NUMBER_CONFLICT,
    CheckoutOrder,
    OrderStatus,
    PayerDevice,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from parking.payments.providers.wechat import OfficialAccount, WechatProvider
from tests.contract.payment_script import as_sent, checkout_order
from tests.contract.wechat_scheme import Recorder, Seen
from tests.contract.wechat_stage import SUB_MERCHANT, WechatStage
from tests.contract.wechat_wire import AT, MERCHANT, NOW_S, NUMBER, PRICE, Keys
from tests.factories.stand_ins import ACCOUNT_SECRET, PAGE_HOST

PREPARED = "wx201410272009395522657a690389285100"
AGENT = "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.50"
BACK, STATE = f"https://{PAGE_HOST}/pay/abc", "7d0e6c21"
SHEET = "/wechat/sheet"


def provider_of(stage: WechatStage) -> WechatProvider:
    assert isinstance(stage.provider, WechatProvider)
    return stage.provider


async def code_of(stage: WechatStage, *, keeps_user: bool = True) -> str:
    """Open WeChat's page as a payer's phone does; return the code that comes back."""
    page = provider_of(stage).payer_page(BACK, STATE)
    if not keeps_user:
        stage.client.cookies.clear()
    answer = await stage.client.get(page, headers={"user-agent": AGENT})
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == BACK
    [code], [state] = parse_qs(back.query)["code"], parse_qs(back.query)["state"]
    assert state == STATE
    return code


async def order_in_wechat(stage: WechatStage) -> CheckoutOrder:
    openid = await provider_of(stage).find_payer(await code_of(stage))
    return replace(checkout_order(stage), device=PayerDevice.APP, payer_id=openid)


def on_phone(stage: WechatStage) -> CheckoutOrder:
    return replace(checkout_order(stage), device=PayerDevice.PHONE, payer_address="203.0.113.7")


async def status_of(stage: WechatStage, order: CheckoutOrder) -> OrderStatus:
    return (await stage.provider.query(as_sent(order))).status


class TestPayer:
    async def test_is_one_browser_and_stays_the_same(self, wechat_stage: WechatStage) -> None:
        provider = provider_of(wechat_stage)
        first = await provider.find_payer(await code_of(wechat_stage))
        again = await provider.find_payer(await code_of(wechat_stage))
        other = await provider.find_payer(await code_of(wechat_stage, keeps_user=False))
        assert first == again != other
        assert len(first) == 28

    async def test_is_told_once_by_a_code(self, wechat_stage: WechatStage) -> None:
        provider = provider_of(wechat_stage)
        code = await code_of(wechat_stage)
        await provider.find_payer(code)
        for used in (code, "0" * 32):
            with pytest.raises(ProviderRefusedError, match="code_refused"):
                await provider.find_payer(used)

    @pytest.mark.parametrize("wrong", [{"app": "wx0"}, {"secret": "0" * 32}])
    async def test_is_not_told_to_others(
        self, wechat_stage: WechatStage, wrong: dict[str, str]
    ) -> None:
        account = wechat_stage.settings.account
        assert account is not None
        settings = replace(wechat_stage.settings, account=replace(account, **wrong))
        stranger = WechatProvider(settings, ManualClock(AT))
        with structlog.testing.capture_logs() as told, pytest.raises(ProviderUnavailableError):
            await stranger.find_payer(await code_of(wechat_stage))
        await stranger.aclose()
        assert ACCOUNT_SECRET not in repr(told) + repr(settings)

    @pytest.mark.parametrize(
        ("agent", "change"),
        [
            ("Mozilla/5.0 (iPhone)", {}),
            (AGENT, {"appid": "wx0"}),
            (AGENT, {"redirect_uri": "https://evil.example/pay/abc"}),
            (AGENT, {"redirect_uri": f"javascript://{PAGE_HOST}/"}),
            (AGENT, {"response_type": "token"}),
            (AGENT, {"scope": "snsapi_userinfo"}),
            (AGENT, {"state": "a b"}),
            (AGENT, {"state": "0" * 129}),
        ],
    )
    async def test_is_sent_back_only_where_the_account_says(
        self, wechat_stage: WechatStage, agent: str, change: dict[str, str]
    ) -> None:
        page = urlsplit(provider_of(wechat_stage).payer_page(BACK, STATE))
        query = urlencode(dict(parse_qsl(page.query)) | change)
        answer = await wechat_stage.client.get(
            f"{wechat_stage.base_url}{page.path}?{query}", headers={"user-agent": agent}
        )
        assert answer.status_code == 400
        assert "location" not in answer.headers

    async def test_needs_the_parameters_in_order(self, wechat_stage: WechatStage) -> None:
        page = provider_of(wechat_stage).payer_page(BACK, STATE)
        assert page.endswith(f"scope=snsapi_base&state={STATE}#wechat_redirect")
        path, _, query = page.removesuffix("#wechat_redirect").partition("?")
        turned = "&".join(reversed(query.split("&")))
        answer = await wechat_stage.client.get(f"{path}?{turned}", headers={"user-agent": AGENT})
        assert answer.status_code == 400

    @pytest.mark.parametrize(
        ("status", "content", "error"),
        [
            (200, {"openid": "o" * 28}, None),
            (200, {"errcode": 40029, "errmsg": "invalid code"}, ProviderRefusedError),
            (200, {"errcode": 40163, "errmsg": "code been used"}, ProviderRefusedError),
            (200, {"errcode": -1, "errmsg": "system error"}, ProviderUnavailableError),
            (200, {"openid": "<script>"}, ProviderUnavailableError),
            (200, {}, ProviderUnavailableError),
            (200, b"no json", ProviderUnavailableError),
            (200, b'"' + b"x" * 20_000 + b'"', ProviderUnavailableError),
            (502, {"openid": "o" * 28}, ProviderUnavailableError),
        ],
    )
    async def test_by_every_answer(
        self, wechat_keys: Keys, status: int, content: object, error: type[Exception] | None
    ) -> None:
        recorder = Recorder(wechat_keys.theirs, NOW_S, answer=lambda _seen: (status, content))
        async with recorder.serve() as url:
            account = OfficialAccount(app="wx1", secret="s3", page_url=url, api_url=url)
            provider = WechatProvider(
                replace(wechat_keys.settings(url), account=account), ManualClock(AT)
            )
            if error is None:
                assert await provider.find_payer("c&1") == "o" * 28
            else:
                with pytest.raises(error) as caught:
                    await provider.find_payer("c&1")
                assert "s3" not in repr(caught.value)
                assert caught.value.__cause__ is None
            await provider.aclose()
        assert recorder.seen[0].target == (
            "/sns/oauth2/access_token?appid=wx1&secret=s3&code=c%261&grant_type=authorization_code"
        )


def prepared(seen: Seen) -> tuple[int, object]:
    if seen.target.endswith("/h5"):
        return 200, {"h5_url": "https://wx.tenpay.com/cgi-bin/x?prepay_id=wx1&package=2"}
    return 200, {"prepay_id": PREPARED}


def assert_signed_by_the_merchant(handover: Mapping[str, str], keys: Keys) -> None:
    # As openssl sees it: four lines, under the merchant's key.
    said = dict(handover)
    signature = said.pop("paySign")
    package = f"prepay_id={PREPARED}"
    assert said == {
        "appId": "wx1",
        "timeStamp": str(NOW_S),
        "nonceStr": said["nonceStr"],
        "package": package,
        "signType": "RSA",
    }
    text = f"wx1\n{NOW_S}\n{said['nonceStr']}\n{package}\n".encode()
    assert len(said["nonceStr"]) == 32
    assert keys.ours.has_signed(text, signature, keys.folder)
    assert not keys.ours.has_signed(text[:-1], signature, keys.folder)


class TestRequest:
    async def test_says_what_the_documentation_asks_for(self, wechat_keys: Keys) -> None:
        recorder = Recorder(wechat_keys.theirs, NOW_S, answer=prepared)
        order = CheckoutOrder(
            number=NUMBER, amount=PRICE, description="Riverside", return_url=BACK, sent_at=AT
        )
        async with recorder.serve() as url:
            account = OfficialAccount(app="wx1", secret="s3")
            settings = replace(wechat_keys.settings(url), account=account)
            for sub_merchant in (None, SUB_MERCHANT):
                provider = WechatProvider(
                    replace(settings, sub_merchant=sub_merchant), ManualClock(AT)
                )
                page = await provider.start_checkout(
                    replace(order, device=PayerDevice.APP, payer_id="o1")
                )
                phone = await provider.start_checkout(
                    replace(order, device=PayerDevice.PHONE, payer_address="2001:db8::7")
                )
                await provider.aclose()

        same = {
            "description": "Riverside",
            "out_trade_no": NUMBER,
            "time_expire": "2026-11-27T18:00:00+08:00",
            "notify_url": "https://api.parkside.example/callbacks/wechat",
            "amount": {"total": 1250, "currency": "CNY"},
        }
        scene = {"payer_client_ip": "2001:db8::7", "h5_info": {"type": "Wap"}}
        whose = {"sp_mchid": MERCHANT, "sub_mchid": SUB_MERCHANT}
        app = settings.app
        assert [(seen.target, json.loads(seen.body)) for seen in recorder.seen] == [
            (
                "/v3/pay/transactions/jsapi",
                same | {"appid": "wx1", "mchid": MERCHANT, "payer": {"openid": "o1"}},
            ),
            (
                "/v3/pay/transactions/h5",
                same | {"appid": app, "mchid": MERCHANT, "scene_info": scene},
            ),
            (
                "/v3/pay/partner/transactions/jsapi",
                same | whose | {"sp_appid": "wx1", "payer": {"sp_openid": "o1"}},
            ),
            (
                "/v3/pay/partner/transactions/h5",
                same | whose | {"sp_appid": app, "scene_info": scene},
            ),
        ]
        assert (page.url, page.url_until) == (BACK, None)
        assert page.expires_at == phone.expires_at == AT + timedelta(hours=2)
        assert phone.url == (
            "https://wx.tenpay.com/cgi-bin/x?prepay_id=wx1&package=2"
            f"&redirect_url=https%3A%2F%2F{PAGE_HOST}%2Fpay%2Fabc"
        )
        assert phone.url_until == AT + timedelta(minutes=4, seconds=30)

        assert_signed_by_the_merchant(page.handover or {}, wechat_keys)

    async def test_needs_to_know_the_payer(self, wechat_stage: WechatStage) -> None:
        order = checkout_order(wechat_stage)
        for device, missing in ((PayerDevice.APP, "payer_id"), (PayerDevice.PHONE, "payer_addr")):
            with pytest.raises(InvalidInputError, match=missing):
                await wechat_stage.provider.start_checkout(replace(order, device=device))
        assert await status_of(wechat_stage, order) is OrderStatus.NOT_FOUND

    async def test_is_refused_for_another_accounts_payer(self, wechat_stage: WechatStage) -> None:
        order = replace(checkout_order(wechat_stage), device=PayerDevice.APP, payer_id="o" * 28)
        with (
            structlog.testing.capture_logs() as told,
            pytest.raises(ProviderRefusedError, match="param_error"),
        ):
            await wechat_stage.provider.start_checkout(order)
        assert [(line["event"], line["kind"]) for line in told] == [
            ("wechat_page_refused", "jsapi")
        ]
        assert await status_of(wechat_stage, order) is OrderStatus.NOT_FOUND

    @pytest.mark.parametrize("address", ["localhost", "1.2.3", ""])
    async def test_is_refused_without_an_address(
        self, wechat_stage: WechatStage, address: str
    ) -> None:
        order = replace(on_phone(wechat_stage), payer_address=address)
        with pytest.raises(ProviderRefusedError, match="param_error"):
            await wechat_stage.provider.start_checkout(order)

    async def test_is_refused_for_an_app_that_is_not_bound(self, wechat_stage: WechatStage) -> None:
        settings = replace(wechat_stage.settings, app="wx0000000000000000")
        stranger = WechatProvider(settings, SystemClock())
        with pytest.raises(ProviderRefusedError, match="appid_mchid_not_match"):
            await stranger.start_checkout(checkout_order(wechat_stage))
        await stranger.aclose()


class TestInWechat:
    async def test_the_payer_pays_what_the_page_hands_over(self, wechat_stage: WechatStage) -> None:
        await self._pays(wechat_stage)

    async def test_of_a_service_provider_too(self, partner_stage: WechatStage) -> None:
        await self._pays(partner_stage)

    async def _pays(self, stage: WechatStage) -> None:
        order = await order_in_wechat(stage)
        page = await stage.provider.start_checkout(order)
        assert (page.url, await status_of(stage, order)) == (BACK, OrderStatus.ACCEPTED)
        sheet = f"{stage.base_url}{SHEET}"
        asked = await stage.client.get(sheet, params=page.handover)
        assert "<button>Pay 12.50 CNY</button>" in asked.text
        paid = await stage.client.post(sheet, params=page.handover)
        assert "get_brand_wcpay_request:ok" in paid.text
        assert await status_of(stage, order) is OrderStatus.SUCCEEDED
        again = await stage.client.post(sheet, params=page.handover)
        assert (again.status_code, "request:fail" in again.text) == (403, True)
        with pytest.raises(ProviderRefusedError, match="orderpaid"):
            await stage.provider.start_checkout(order)

    @pytest.mark.parametrize(
        "change",
        [
            {"appId": "wx0"},
            {"timeStamp": "1"},
            {"timeStamp": "now"},
            {"nonceStr": "0"},
            {"package": "prepay_id=wx0"},
            {"signType": "MD5"},
            {"paySign": "AAAA"},
            {"paySign": "%"},
        ],
    )
    async def test_nothing_is_paid_that_is_not_signed(
        self, wechat_stage: WechatStage, change: dict[str, str]
    ) -> None:
        order = await order_in_wechat(wechat_stage)
        page = await wechat_stage.provider.start_checkout(order)
        params = dict(page.handover or {}) | change
        sheet = f"{wechat_stage.base_url}{SHEET}"
        assert (await wechat_stage.client.post(sheet, params=params)).status_code == 403
        assert await status_of(wechat_stage, order) is OrderStatus.ACCEPTED

    async def test_nobody_else_pays_it(self, wechat_stage: WechatStage) -> None:
        order = await order_in_wechat(wechat_stage)
        page = await wechat_stage.provider.start_checkout(order)
        await code_of(wechat_stage, keeps_user=False)
        answer = await wechat_stage.client.post(
            f"{wechat_stage.base_url}{SHEET}", params=page.handover
        )
        assert answer.status_code == 403
        assert await status_of(wechat_stage, order) is OrderStatus.ACCEPTED

    async def test_a_closed_order_is_not_paid(self, wechat_stage: WechatStage) -> None:
        order = await order_in_wechat(wechat_stage)
        page = await wechat_stage.provider.start_checkout(order)
        await wechat_stage.provider.close(as_sent(order))
        sheet = f"{wechat_stage.base_url}{SHEET}"
        assert (await wechat_stage.client.post(sheet, params=page.handover)).status_code == 403
        assert await status_of(wechat_stage, order) is OrderStatus.FAILED
        with pytest.raises(ProviderRefusedError, match="order_closed"):
            await wechat_stage.provider.start_checkout(order)

    async def test_a_number_is_of_one_way_to_pay(self, wechat_stage: WechatStage) -> None:
        order = await order_in_wechat(wechat_stage)
        first = await wechat_stage.provider.start_checkout(order)
        again = await wechat_stage.provider.start_checkout(order)
        assert (first.handover or {})["package"] == (again.handover or {})["package"]
        for other in (
            replace(order, device=PayerDevice.SCREEN),
            replace(order, device=PayerDevice.PHONE, payer_address="203.0.113.7"),
        ):
            with pytest.raises(ProviderRefusedError, match=NUMBER_CONFLICT):
                await wechat_stage.provider.start_checkout(other)


class TestOnPhone:
    async def _open(self, stage: WechatStage, url: str, **headers: str) -> httpx.Response:
        referer = {"referer": f"https://{PAGE_HOST}/", "user-agent": "Mozilla/5.0 (iPhone)"}
        return await stage.client.get(url, headers=referer | headers)

    async def test_the_browser_pays_and_comes_back(self, wechat_stage: WechatStage) -> None:
        order = on_phone(wechat_stage)
        page = await wechat_stage.provider.start_checkout(order)
        assert page.handover is None
        shown = await self._open(wechat_stage, page.url)
        assert "<button>Pay 12.50 CNY</button>" in shown.text
        paid = await wechat_stage.client.post(page.url)
        assert (paid.status_code, paid.headers["location"]) == (303, order.return_url)
        assert await status_of(wechat_stage, order) is OrderStatus.SUCCEEDED

    @pytest.mark.parametrize(
        "headers",
        [
            {"referer": ""},
            {"referer": "https://evil.example/"},
            {"user-agent": AGENT},
        ],
    )
    async def test_only_from_the_merchants_pages_and_not_in_wechat(
        self, wechat_stage: WechatStage, headers: dict[str, str]
    ) -> None:
        page = await wechat_stage.provider.start_checkout(on_phone(wechat_stage))
        answer = await self._open(wechat_stage, page.url, **headers)
        assert answer.status_code == 403

    async def test_the_address_is_for_minutes(self, wechat_stage: WechatStage) -> None:
        order = on_phone(wechat_stage)
        old = await wechat_stage.provider.start_checkout(order)
        new = await wechat_stage.provider.start_checkout(order)
        assert old.url != new.url
        assert (await self._open(wechat_stage, old.url)).status_code == 404
        assert (await self._open(wechat_stage, new.url)).status_code == 200


def test_without_an_account_nobody_is_asked(wechat_keys: Keys) -> None:
    settings = wechat_keys.settings()
    assert WechatProvider(settings, ManualClock(AT)).traits.devices == {PayerDevice.PHONE}
    none = replace(settings, has_phone_pages=False)
    provider = WechatProvider(none, ManualClock(AT))
    assert provider.traits.devices == frozenset()
    with pytest.raises(ProviderRefusedError, match="no_official_account"):
        provider.payer_page(BACK, STATE)

"""Alipay's notices over HTTP: genuine ones once, everything else refused with nothing moved."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import structlog.testing

from parking.flows.pay_link import pay_token
from parking.payments.providers.alipay import AlipayProvider, AlipaySettings
from sesame.sandbox.alipay.signing import PlatformKey, new_private_pem
from tests.factories.api import ApiWorld
from tests.integration.api.hostile_posts import refuse_all

APP_ID = "2021000000000001"
SELLER_ID = "2088000000000002"
PATH = "/callbacks/alipay"
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
ALIPAY = PlatformKey(new_private_pem())
STRANGER = PlatformKey(new_private_pem())
APP_KEY = new_private_pem().decode()


@dataclass(frozen=True, slots=True)
class Town:
    """A stay with an unpaid bill whose payment page is Alipay's."""

    api: ApiWorld
    number: str

    def notice(self, **changed: str) -> dict[str, str]:
        return {
            "notify_type": "trade_status_sync",
            "notify_id": "2026112700222080000000000001",
            "notify_time": "2026-11-27 16:00:05",
            "charset": "utf-8",
            "version": "1.0",
            "app_id": APP_ID,
            "sign_type": "RSA2",
            "out_trade_no": self.number,
            "trade_no": "2026112722001412341234123412",
            "seller_id": SELLER_ID,
            "subject": "停车 Riverside",
            "trade_status": "TRADE_SUCCESS",
            "total_amount": "10.00",
            "gmt_payment": "2026-11-27 16:00:01",
            **changed,
        }

    async def post(self, content: bytes | str, headers: dict[str, str] = FORM) -> tuple[int, bytes]:
        answer = await self.api.http.post(PATH, content=content, headers=headers)
        return answer.status_code, answer.content

    async def money(self) -> list[dict[str, Any]]:
        return await self.api.lanes.rows(
            "SELECT state, provider_reference FROM payment_attempts ORDER BY sent_at"
        )

    async def standing(self) -> tuple[object, ...]:
        """Return everything that money could have moved."""
        lanes = self.api.lanes
        bills = await lanes.rows("SELECT state, paid_at FROM bills")
        return (
            await self.money(),
            bills,
            await lanes.count("ledger_transfers"),
            await lanes.count("gate_commands"),
            lanes.provider.captured("CNY"),
        )


def form(parameters: dict[str, str], key: PlatformKey = ALIPAY) -> str:
    return urlencode({**parameters, "sign": key.notice_signature(parameters)})


@pytest.fixture
async def town(api: ApiWorld) -> AsyncGenerator[Town]:
    adapter = AlipayProvider(
        AlipaySettings(
            app_id=APP_ID,
            seller_id=SELLER_ID,
            app_key_pem=APP_KEY,
            alipay_public_keys_pem=ALIPAY.public_pem(),
            notify_url=f"https://sesame.test{PATH}",
        ),
        api.lanes.clock,
    )
    providers = api.lanes.context.providers
    assert isinstance(providers, dict)
    providers["alipay"] = adapter
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    [row] = await api.lanes.rows("SELECT operator_id, id FROM sessions")
    token = pay_token(api.lanes.context.vault, row["operator_id"], row["id"])
    assert (await api.http.post(f"/pay/{token}")).status_code == 303
    await api.lanes.rows_changed("UPDATE payment_attempts SET provider = 'alipay'")
    [attempt] = await api.lanes.rows("SELECT number FROM payment_attempts")
    yield Town(api, attempt["number"])
    await adapter.aclose()


async def test_a_genuine_notice_pays_once(town: Town) -> None:
    paid = form(town.notice())

    assert await town.post(paid) == (200, b"success")
    after = await town.standing()
    # A copy, and the same news under another id: both are taken, and change nothing.
    again = form(town.notice(notify_id="2026112700222080000000000002"))
    assert await town.post(paid) == (200, b"success")
    assert await town.post(again) == (200, b"success")

    assert await town.money() == [
        {"state": "succeeded", "provider_reference": "2026112722001412341234123412"}
    ]
    assert await town.standing() == after
    balances = await town.api.lanes.balances()
    assert balances["provider:alipay", "CNY"] == 1000
    assert sum(balances.values()) == 0


async def test_what_is_not_alipays_moves_nothing(town: Town) -> None:
    genuine = form(town.notice())
    before = await town.standing()
    posts = {name: partial(town.post, content) for name, content in hostile(town, genuine).items()}
    posts |= {
        "as JSON": partial(town.post, genuine, {"content-type": "application/json"}),
        "as nothing": partial(town.post, genuine, {}),
    }
    await refuse_all(town, "alipay", posts, (400, b"fail"))
    assert (await town.post(b"x=" + b"y" * 70_000))[0] == 413
    assert await town.standing() == before
    # And after all of that the genuine one is still taken.
    assert await town.post(genuine) == (200, b"success")


def hostile(town: Town, genuine: str) -> dict[str, bytes | str]:
    """Return what an attacker, who can read one genuine notice, may send."""
    total, number = "total_amount=10.00", f"out_trade_no={town.number}"
    hidden = town.notice()
    hidden["subject"] += "&total_amount=" + hidden.pop("total_amount")
    return {
        "forged": form(town.notice(), STRANGER),
        "unsigned": urlencode(town.notice()),
        "empty signature": urlencode({**town.notice(), "sign": ""}),
        "signature that is no base64": urlencode({**town.notice(), "sign": "*" * 344}),
        "very long signature": urlencode({**town.notice(), "sign": "A" * 20_000}),
        "weaker scheme": form(town.notice(sign_type="RSA")),
        "no scheme": genuine.replace("&sign_type=RSA2", ""),
        "another application": form(town.notice(app_id="2021000000000009")),
        "another seller": form(town.notice(seller_id="2088000000000009")),
        "no seller": form({k: v for k, v in town.notice().items() if k != "seller_id"}),
        "amount changed": genuine.replace(total, "total_amount=0.01"),
        "another order": genuine.replace(number, "out_trade_no=" + "0" * 32),
        "status changed": genuine.replace("TRADE_SUCCESS", "TRADE_FINISHED"),
        "parameter added": genuine + "&tip=1.00",
        "parameter left out": genuine.replace("&version=1.0", ""),
        "parameter twice": genuine + "&total_amount=10.00",
        "parameter twice, once encoded": genuine + "&%74%6f%74al_amount=0.01",
        "parameter hidden in another": urlencode(
            {**hidden, "sign": ALIPAY.notice_signature(hidden)}
        ),
        "doubly encoded": quote(genuine, safe="=&"),
        "overlong encoding": genuine.replace("subject=", "subject=%C0%80"),
        "half an encoding": genuine + "%2",
        "no UTF-8": genuine.replace("subject=", "subject=%FF"),
        "signed GBK": form(town.notice(charset="gbk")),
        "negative": form(town.notice(total_amount="-10.00")),
        "in words": form(town.notice(total_amount="ten")),
        "with an exponent": form(town.notice(total_amount="1e1")),
        "other money": form(town.notice(trans_currency="USD")),
        "no id": form(town.notice(notify_id="")),
        "no time": form(town.notice(gmt_payment="soon")),
        "a bare word": b"success",
        "nothing": b"",
        "separators": b"&&&&",
        "bytes": bytes(range(256)),
        "JSON": b'{"notify_type":"trade_status_sync"}',
    }


async def test_genuine_news_of_another_amount_is_for_staff(town: Town) -> None:
    before = await town.standing()
    with structlog.testing.capture_logs() as logs:
        # Verified and impossible: repeating it cannot help, so Alipay is told to stop.
        answer = await town.post(form(town.notice(total_amount="10.01")))
    assert answer == (200, b"success")
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
        "notice.impossible"
    ]
    assert await town.standing() == before


async def test_genuine_news_of_nobodys_order_is_taken_and_ignored(town: Town) -> None:
    before = await town.standing()
    assert await town.post(form(town.notice(out_trade_no="0" * 32))) == (200, b"success")
    assert await town.post(form(town.notice(trade_status="WAIT_BUYER_PAY"))) == (200, b"success")
    assert await town.standing() == before


async def test_another_providers_order_is_not_alipays(town: Town) -> None:
    await town.api.lanes.rows_changed("UPDATE payment_attempts SET provider = 'fake'")
    before = await town.standing()
    assert await town.post(form(town.notice())) == (200, b"success")
    assert await town.standing() == before

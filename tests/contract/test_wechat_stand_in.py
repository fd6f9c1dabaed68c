"""The stand-in for WeChat Pay is as strict as the documentation, and unpleasant where told."""

import asyncio
import base64
import json
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from parking.kit.clock import SystemClock
from parking.kit.money import Money
from parking.payments.port import (
    AGREEMENT_INACTIVE,
    CLOSED,
    DECLINED,
    NO_ANSWER,
    Advance,
    AgreementState,
    AgreementStatus,
    ChargeOrder,
    ChargeResult,
    NoticeKind,
    OrderStatus,
    SettlementKind,
    SettlementRow,
)
from tests.contract.payment_script import (
    PLATE,
    as_sent,
    charge_order,
    checkout_order,
    refund_order,
)
from tests.contract.payment_stages import Delivery
from tests.contract.running import running
from tests.contract.wechat_scheme import gcm_open
from tests.contract.wechat_stage import WechatStage
from tests.factories import stand_ins

CURRENCY = "CNY"


@dataclass(slots=True)
class Caller:
    """A merchant that signs by hand, and can get every part of it wrong."""

    stage: WechatStage
    target: str = "/v3/vehicle/transactions/out-trade-no/T1"
    signed_target: str | None = None
    merchant: str | None = None
    serial: str | None = None
    nonce: str | None = None
    age_s: int = 0
    signed_body: bytes = b""
    body: bytes = b""

    async def call(self) -> httpx.Response:
        settings = self.stage.settings
        at = int(SystemClock().now().timestamp()) - self.age_s
        nonce = self.nonce or secrets.token_hex(16)
        lines = ("GET", self.signed_target or self.target, str(at), nonce)
        text = "".join(f"{line}\n" for line in lines).encode() + self.signed_body + b"\n"
        key = load_pem_private_key(settings.key_pem.encode(), None)
        assert isinstance(key, RSAPrivateKey)
        signature = base64.b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()
        header = (
            f'WECHATPAY2-SHA256-RSA2048 mchid="{self.merchant or settings.merchant}",'
            f'nonce_str="{nonce}",signature="{signature}",timestamp="{at}",'
            f'serial_no="{self.serial or settings.key_serial}"'
        )
        return await self.stage.client.request(
            "GET",
            self.stage.base_url + self.target,
            content=self.body,
            headers={"Authorization": header, "Accept": "application/json"},
        )


async def charges(stage: WechatStage) -> int:
    return len((await stage.books())["orders"])


async def deliveries_of(stage: WechatStage, number: str, count: int) -> list[Delivery]:
    """Return what came about a number, refused deliveries of that time included."""

    def matches(told: Delivery) -> bool:
        return bool(told.refused) or any(number in repr(n.result) for n in told.notices)

    return (await stage.receiver.wait_for(matches, count))[-count:]


class TestCaller:
    async def test_who_signs_well_is_let_in(self, wechat_stage: WechatStage) -> None:
        answer = await Caller(wechat_stage).call()
        assert (answer.status_code, answer.json()["code"]) == (404, "ORDER_NOT_EXIST")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"merchant": "1900000999"},
            {"serial": "00"},
            {"age_s": 302},
            {"age_s": -302},
            {"signed_target": "/v3/vehicle/transactions/out-trade-no/T2"},
            {"body": b"{}"},
        ],
    )
    async def test_who_signs_anything_else_is_not(
        self, wechat_stage: WechatStage, wrong: dict[str, Any]
    ) -> None:
        answer = await Caller(wechat_stage, **wrong).call()
        assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_ERROR")
        assert "wechatpay-signature" not in answer.headers

    async def test_who_signs_the_target_unencoded_is_not(self, wechat_stage: WechatStage) -> None:
        target = "/v3/vehicle/parking/services/find?appid=a&plate_number=%E7%B2%A4B1&openid=o"
        answer = await Caller(wechat_stage, target=target, signed_target=unquote(target)).call()
        assert answer.status_code == 401

    async def test_a_nonce_is_good_once(self, wechat_stage: WechatStage) -> None:
        caller = Caller(wechat_stage, nonce=secrets.token_hex(16))
        assert [(await caller.call()).status_code for _ in range(2)] == [404, 401]

    async def test_without_a_signature_nothing_is_told(self, wechat_stage: WechatStage) -> None:
        url = f"{wechat_stage.base_url}/v3/bill/tradebill?bill_date=2026-11-23"
        answer = await wechat_stage.client.get(url)
        assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_ERROR")


class TestCharge:
    @pytest.mark.parametrize(
        ("operation", "wish", "code"),
        [
            ("entry", {"failure_code": "overdue"}, "overdue"),
            ("entry", {"failure_code": "pause"}, AGREEMENT_INACTIVE),
            ("charge", {"failure_code": "rule_limit"}, "rule_limit"),
            ("charge", {}, DECLINED),
        ],
    )
    async def test_declined_takes_nothing(
        self, wechat_stage: WechatStage, operation: str, wish: dict[str, str], code: str
    ) -> None:
        order = await charge_order(wechat_stage)
        before = await wechat_stage.captured(CURRENCY)
        await wechat_stage.control(scenario="decline", operation=operation, **wish)

        result = await wechat_stage.provider.charge(order)

        assert (result.status, result.failure_code) == (OrderStatus.FAILED, code)
        assert await wechat_stage.captured(CURRENCY) == before

    @pytest.mark.parametrize("scenario", ["lose_answer_before", "lose_answer_after", "unknown"])
    async def test_lost_at_the_entry_never_reaches_the_charge(
        self, wechat_stage: WechatStage, scenario: str
    ) -> None:
        order = await charge_order(wechat_stage)
        before = await wechat_stage.captured(CURRENCY)
        await wechat_stage.play(scenario, operation="entry")

        lost = await wechat_stage.provider.charge(order)
        after = await wechat_stage.captured(CURRENCY)
        again = await wechat_stage.provider.charge(order)

        code = "system_error" if scenario == "unknown" else NO_ANSWER
        assert (lost.status, lost.failure_code) == (OrderStatus.UNKNOWN, code)
        assert after == before
        assert again.status is OrderStatus.SUCCEEDED
        assert await wechat_stage.captured(CURRENCY) == before + 1250

    async def test_accepted_may_fail_later(self, wechat_stage: WechatStage) -> None:
        order = await charge_order(wechat_stage)
        await wechat_stage.play("accept_then_decline")

        accepted = await wechat_stage.provider.charge(order)
        settled = await wechat_stage.until_settled(as_sent(order))

        assert (accepted.status, accepted.guaranteed) == (OrderStatus.ACCEPTED, False)
        assert (settled.status, settled.failure_code) == (OrderStatus.FAILED, DECLINED)

    async def test_advanced_is_repaid_by_the_payer(self, wechat_stage: WechatStage) -> None:
        order = await charge_order(wechat_stage)
        await wechat_stage.play("advance")

        charged = await wechat_stage.provider.charge(order)
        await wechat_stage.control(repay={"number": order.number})
        told = await wechat_stage.delivery(NoticeKind.PAYER_REPAID, order.number)
        repaid = await wechat_stage.provider.query(as_sent(order))

        assert (charged.status, charged.advance) == (OrderStatus.SUCCEEDED, Advance.OUTSTANDING)
        assert (repaid.status, repaid.advance) == (OrderStatus.SUCCEEDED, Advance.REPAID)
        assert told.notices[0].result == repaid

    async def test_in_the_future_is_refused_as_the_documentation_says(
        self, wechat_stage: WechatStage
    ) -> None:
        order = await charge_order(wechat_stage)
        assert order.stay is not None
        # Entered later than now: there is no way to name an end in the past.
        stay = replace(order.stay, entered_at=order.stay.entered_at + timedelta(hours=1))

        result = await wechat_stage.provider.charge(replace(order, stay=stay))

        assert (result.status, result.failure_code) == (OrderStatus.FAILED, "param_error")


class TestService:
    async def test_paused_cannot_be_charged_and_goes_on(self, wechat_stage: WechatStage) -> None:
        order = await charge_order(wechat_stage)
        before = await wechat_stage.captured(CURRENCY)
        await wechat_stage.control(service={"plate": PLATE, "state": "paused"})

        state = await wechat_stage.provider.query_agreement(order.agreement_reference, plate=PLATE)
        refused = await wechat_stage.provider.charge(order)
        await wechat_stage.control(service={"plate": PLATE, "state": "resumed"})
        told = await wechat_stage.delivery(NoticeKind.AGREEMENT_SIGNED, order.agreement_reference)
        charged = await wechat_stage.provider.charge(order)

        assert state.status is AgreementStatus.PENDING
        assert (refused.status, refused.failure_code) == (OrderStatus.FAILED, AGREEMENT_INACTIVE)
        assert isinstance(told.notices[0].result, AgreementState)
        assert told.notices[0].result.status is AgreementStatus.ACTIVE
        assert charged.status is OrderStatus.SUCCEEDED
        assert await wechat_stage.captured(CURRENCY) == before + 1250

    async def test_closed_ends_the_agreement(self, wechat_stage: WechatStage) -> None:
        order = await charge_order(wechat_stage)
        await wechat_stage.play("lose_answer_before")
        await wechat_stage.provider.charge(order)
        await wechat_stage.control(service={"plate": PLATE, "state": "closed"})

        reference = order.agreement_reference
        told = await wechat_stage.delivery(NoticeKind.AGREEMENT_CANCELLED, reference)
        result = await wechat_stage.provider.charge(order)

        assert isinstance(told.notices[0].result, AgreementState)
        assert told.notices[0].result.reference == reference
        assert (result.status, result.failure_code) == (OrderStatus.FAILED, AGREEMENT_INACTIVE)

    async def test_page_of_another_merchant_is_not_there(self, wechat_stage: WechatStage) -> None:
        url = wechat_stage.settings.service_url
        query = "openid=o&plate_number=p&plate_color=BLUE"
        known = await wechat_stage.client.get(f"{url}?mchid=1900000109&{query}")
        other = await wechat_stage.client.get(f"{url}?mchid=1900000999&{query}")
        assert (known.status_code, other.status_code) == (200, 404)


class TestNotice:
    async def _play(self, stage: WechatStage, scenario: str) -> ChargeOrder:
        order = await charge_order(stage)
        stage.receiver.deliveries.clear()
        await stage.play(scenario)
        await stage.provider.charge(order)
        return order

    async def test_a_probe_is_refused_and_the_notice_is_taken(
        self, wechat_stage: WechatStage
    ) -> None:
        before = (await wechat_stage.books())["notices"]["probes_refused"]
        order = await self._play(wechat_stage, "bad_signature_probe")

        seen = await deliveries_of(wechat_stage, order.number, 2)
        signatures = [told.headers["wechatpay-signature"] for told in seen]

        assert {told.refused for told in seen} == {"signature", None}
        assert sum(text.startswith("WECHATPAY/SIGNTEST/") for text in signatures) == 1
        await self._until_counted(wechat_stage, "probes_refused", before + 1)

    async def test_a_stale_one_is_refused_and_comes_again(self, wechat_stage: WechatStage) -> None:
        order = await self._play(wechat_stage, "stale_notice")

        seen = await deliveries_of(wechat_stage, order.number, 2)

        assert [told.refused for told in seen] == ["timestamp", None]

    async def test_a_duplicate_has_the_same_id(self, wechat_stage: WechatStage) -> None:
        order = await self._play(wechat_stage, "duplicate_notice")

        first, second = await deliveries_of(wechat_stage, order.number, 2)

        assert first.notices == second.notices
        assert first.body != second.body

    async def test_one_may_be_overtaken(self, wechat_stage: WechatStage) -> None:
        order = await self._play(wechat_stage, "reordered_notice")
        refund = refund_order(order, 250)

        await wechat_stage.provider.refund(refund)
        first = (await deliveries_of(wechat_stage, refund.number, 1))[0]
        await deliveries_of(wechat_stage, order.number, 2)

        kinds = [n.kind for told in wechat_stage.receiver.deliveries for n in told.notices]
        assert first.notices[0].kind is NoticeKind.REFUND_SUCCEEDED
        assert kinds == [NoticeKind.REFUND_SUCCEEDED, NoticeKind.CHARGE_SUCCEEDED]

    async def test_one_may_name_another_amount(self, wechat_stage: WechatStage) -> None:
        order = await self._play(wechat_stage, "wrong_amount")

        (told,) = await deliveries_of(wechat_stage, order.number, 1)

        result = told.notices[0].result
        assert isinstance(result, ChargeResult)
        assert result.amount == Money(1251, CURRENCY)

    async def test_none_tells_of_pages_that_nobody_pays(self, wechat_stage: WechatStage) -> None:
        order = checkout_order(wechat_stage)
        wechat_stage.receiver.deliveries.clear()
        await wechat_stage.provider.start_checkout(order)

        closed = await wechat_stage.provider.close(as_sent(order))
        other = await charge_order(wechat_stage)
        await wechat_stage.provider.charge(other)
        await deliveries_of(wechat_stage, other.number, 1)

        assert (closed.status, closed.failure_code) == (OrderStatus.FAILED, CLOSED)
        assert len(wechat_stage.receiver.deliveries) == 1

    async def test_is_sealed_as_the_standard_says(self, wechat_stage: WechatStage) -> None:
        order = await charge_order(wechat_stage)
        await wechat_stage.provider.charge(order)
        told = await wechat_stage.delivery(NoticeKind.CHARGE_SUCCEEDED, order.number)

        sealed = json.loads(told.body)["resource"]
        plain = gcm_open(
            wechat_stage.settings.api_key.encode(),
            sealed["nonce"].encode(),
            base64.b64decode(sealed["ciphertext"]),
            sealed["associated_data"].encode(),
        )

        assert json.loads(plain)["out_trade_no"] == order.number
        assert order.number.encode() not in told.body

    async def _until_counted(self, stage: WechatStage, name: str, count: int) -> None:
        for _ in range(200):
            if (await stage.books())["notices"][name] == count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(name)


class TestRefund:
    @pytest.mark.parametrize(
        ("failure_code", "status", "code"),
        [
            ("not_enough", OrderStatus.FAILED, "not_enough"),
            ("abnormal", OrderStatus.UNKNOWN, "abnormal"),
            ("closed", OrderStatus.FAILED, CLOSED),
        ],
    )
    async def test_may_fail(
        self, wechat_stage: WechatStage, failure_code: str, status: OrderStatus, code: str
    ) -> None:
        order = await charge_order(wechat_stage)
        await wechat_stage.provider.charge(order)
        before = await wechat_stage.captured(CURRENCY)
        wish = {"operation": "refund", "failure_code": failure_code}
        await wechat_stage.control(scenario="decline", **wish)

        result = await wechat_stage.provider.refund(refund_order(order, 250))

        assert (result.status, result.failure_code) == (status, code)
        assert await wechat_stage.captured(CURRENCY) == before

    async def test_of_a_page_comes_back_too(self, wechat_stage: WechatStage) -> None:
        order = checkout_order(wechat_stage)
        await wechat_stage.pay(order.number, await wechat_stage.provider.start_checkout(order))
        before = await wechat_stage.captured(CURRENCY)
        refund = replace(refund_order(await charge_order(wechat_stage), 250), charge=as_sent(order))

        result = await wechat_stage.provider.refund(refund)

        assert (result.status, result.amount) == (OrderStatus.SUCCEEDED, Money(250, CURRENCY))
        assert await wechat_stage.captured(CURRENCY) == before - 250


class TestSettlement:
    async def _rows(self, stage: WechatStage) -> tuple[SettlementRow, ...]:
        await stage.control(day_closed=True)
        day = SystemClock().now().astimezone(ZoneInfo(stage.provider.traits.timezone)).date()
        return await stage.provider.fetch_settlement(day)

    async def test_is_the_books_of_the_day(self, partner_stage: WechatStage) -> None:
        order = await charge_order(partner_stage)
        charged = await partner_stage.provider.charge(order)
        refund = refund_order(order, 250)
        refunded = await partner_stage.provider.refund(refund)

        rows = {row.number: row for row in await self._rows(partner_stage)}

        charge_row, refund_row = rows[order.number], rows[refund.number]
        assert (charge_row.kind, charge_row.amount) == (SettlementKind.CHARGE, order.amount)
        assert (charge_row.reference, charge_row.fee_minor) == (charged.provider_reference, 7)
        assert (refund_row.kind, refund_row.amount) == (SettlementKind.REFUND, refund.amount)
        assert refund_row.reference == refunded.provider_reference
        total = sum(
            row.amount.amount_minor * (1 if row.kind is SettlementKind.CHARGE else -1)
            for row in rows.values()
        )
        assert total == await partner_stage.captured(CURRENCY)

    async def test_may_differ(self, partner_stage: WechatStage) -> None:
        for _ in range(2):
            await partner_stage.provider.charge(await charge_order(partner_stage))
        true = await self._rows(partner_stage)

        for scenario in ("missing_row", "extra_row", "other_amount"):
            await partner_stage.play(f"settlement_{scenario}", operation="settlement")
            rows = await self._rows(partner_stage)
            if scenario == "missing_row":
                assert rows == true[1:]
            elif scenario == "extra_row":
                assert (rows[:-1], len(rows)) == (true, len(true) + 1)
            else:
                more = Money(true[0].amount.amount_minor + 1, CURRENCY)
                assert [row.amount for row in rows[:1]] == [more]
                assert rows[1:] == true[1:]
        assert await self._rows(partner_stage) == true


class TestPartner:
    async def test_acts_for_its_merchant(self, partner_stage: WechatStage) -> None:
        order, page = await charge_order(partner_stage), checkout_order(partner_stage)

        charged = await partner_stage.provider.charge(order)
        paid = await partner_stage.pay(
            page.number, await partner_stage.provider.start_checkout(page)
        )
        told = await partner_stage.delivery(NoticeKind.CHARGE_SUCCEEDED, page.number)

        assert (charged.status, paid) == (OrderStatus.SUCCEEDED, 303)
        assert told.notices[0].result == await partner_stage.provider.query(as_sent(page))

    async def test_is_refused_without_it(self, partner_stage: WechatStage) -> None:
        alone = replace(partner_stage.settings, sub_merchant=None)
        partner_stage.settings = alone
        before = await charges(partner_stage)
        provider = partner_stage.make_provider(SystemClock())
        order = await charge_order(partner_stage)

        result = await provider.charge(order)
        await provider.aclose()

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, "no_auth")
        assert await charges(partner_stage) == before


def test_keys_stay_in_the_file(tmp_path: Path) -> None:
    with running(tmp_path, stand_ins.wechat) as first:
        keys = first.settings.platform_keys_pem
    with running(tmp_path, stand_ins.wechat) as second:
        assert second.settings.platform_keys_pem == keys

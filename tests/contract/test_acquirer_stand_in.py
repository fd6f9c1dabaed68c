"""The stand-in acquirer is as strict as the page, and as unpleasant as it is told to be."""

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from parking.kit.clock import SystemClock
from parking.kit.money import Money
from parking.payments.port import (
    NO_ANSWER,
    UNTRUSTED_ANSWER,
    AgreementRequest,
    ChargeOrder,
    ChargeResult,
    NoticeKind,
    OrderStatus,
)
from parking.payments.providers.acquirer import AcquirerProvider
from parking.payments.signed_wire import SignedWireSettings
from sesame.commands.sandbox import merchant_key_command
from tests.contract.conftest import RunningAcquirer
from tests.contract.http_server import listener, url_of
from tests.contract.payment_stages import (
    AcquirerStage,
    Delivery,
    NoticeReceiver,
    eventually,
    new_number,
)
from tests.contract.wire_page import header, load_key, signed_text
from tests.factories.sent_orders import sent
from tests.factories.stand_ins import MERCHANT

PRICE = Money(1250, "JPY")


async def order_of(stage: AcquirerStage) -> ChargeOrder:
    request = AgreementRequest(
        number=new_number(), description="Parking", return_url="https://parkside.example/"
    )
    started = await stage.provider.start_agreement(request)
    await stage.confirm(started)
    return ChargeOrder(
        number=new_number(),
        agreement_reference=started.reference,
        amount=PRICE,
        description="Riverside",
        deadline_s=5,
    )


@dataclass(slots=True)
class Caller:
    """A merchant that signs by hand, and can get every part of it wrong."""

    stage: AcquirerStage
    method: str = "POST"
    target: str = "/v1/agreements/agr_nobody/cancel"
    body: bytes = b"{}"
    merchant: str = MERCHANT
    key_name: str = ""
    age_s: int = 0
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))
    signed_target: str | None = None
    signed_body: bytes | None = None
    authorization: str | None = None

    async def call(self) -> httpx.Response:
        """Send it."""
        key = load_key(self.stage.settings.merchant_key_pem)
        stamp = (str(int(SystemClock().now().timestamp()) - self.age_s), self.nonce)
        target = self.target if self.signed_target is None else self.signed_target
        body = self.body if self.signed_body is None else self.signed_body
        text = signed_text("request", self.method, target, *stamp, body=body)
        signed = header(key, self.merchant, stamp, text, self.key_name)
        sent = signed if self.authorization is None else self.authorization
        url = self.stage.settings.base_url + self.target
        return await self.stage.client.request(
            self.method, url, content=self.body, headers={"Authorization": sent}
        )


async def _untouched(stage: AcquirerStage, before: dict[str, Any]) -> bool:
    after: dict[str, Any] = await stage.books()
    return [after[name] for name in ("agreements", "orders", "refunds", "sums")] == [
        before[name] for name in ("agreements", "orders", "refunds", "sums")
    ]


class TestCaller:
    async def test_a_good_signature_is_let_in(self, acquirer_stage: AcquirerStage) -> None:
        response = await Caller(acquirer_stage).call()

        assert (response.status_code, response.json()["code"]) == (404, "not_found")

    async def test_the_target_counts_as_it_was_sent(self, acquirer_stage: AcquirerStage) -> None:
        target = "/v1/agreements/%61gr_nobody?b=%C3%A4&a"

        same = await Caller(acquirer_stage, method="GET", target=target, body=b"").call()
        decoded = await Caller(
            acquirer_stage,
            method="GET",
            target=target,
            body=b"",
            signed_target="/v1/agreements/agr_nobody?b=ä&a",
        ).call()

        assert same.status_code == 404
        assert (decoded.status_code, decoded.json()["code"]) == (401, "signature_refused")

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"authorization": ""}, "signature_refused"),
            ({"authorization": "Bearer x"}, "signature_refused"),
            ({"authorization": "SESAME-RSA-SHA256 " + "x" * 2000}, "signature_refused"),
            ({"signed_target": "/v1/agreements/agr_other/cancel"}, "signature_refused"),
            ({"signed_body": b'{"a":1}'}, "signature_refused"),
            ({"merchant": "another"}, "signature_refused"),
            ({"key_name": "0" * 16}, "signature_refused"),
            ({"nonce": "short"}, "signature_refused"),
            ({"nonce": "n" * 65}, "signature_refused"),
            ({"age_s": 302}, "timestamp_refused"),
            ({"age_s": -302}, "timestamp_refused"),
        ],
    )
    async def test_every_other_is_refused(
        self, acquirer_stage: AcquirerStage, wrong: dict[str, Any], code: str
    ) -> None:
        started = await acquirer_stage.provider.start_agreement(
            AgreementRequest(
                number=new_number(), description="x", return_url="https://parkside.example/"
            )
        )
        before = await acquirer_stage.books()
        target = f"/v1/agreements/{started.reference}/cancel"

        response = await replace(Caller(acquirer_stage, target=target), **wrong).call()

        assert (response.status_code, response.json()["code"]) == (401, code)
        assert "Sesame-Signature" in response.headers
        assert await _untouched(acquirer_stage, before)

    async def test_a_nonce_is_good_once(self, acquirer_stage: AcquirerStage) -> None:
        caller = Caller(acquirer_stage)

        first = await caller.call()
        second = await caller.call()

        assert first.status_code == 404
        assert (second.status_code, second.json()["code"]) == (401, "nonce_replayed")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"number": "a-b"}, "number"),
            ({"number": "a" * 33}, "number"),
            ({"amount_minor": 0}, "amount_minor"),
            ({"amount_minor": 12.5}, "amount_minor"),
            ({"amount_minor": "1250"}, "amount_minor"),
            ({"currency": "yen"}, "currency"),
            ({"description": ""}, "description"),
            ({"agreement": None}, "agreement"),
        ],
    )
    async def test_a_bad_field_is_named(
        self, acquirer_stage: AcquirerStage, change: dict[str, object], field: str
    ) -> None:
        charge = {
            "number": new_number(),
            "agreement": "agr_nobody",
            "amount_minor": 1250,
            "currency": "JPY",
            "description": "Riverside",
            **change,
        }
        before = await acquirer_stage.books()

        body = json.dumps(charge).encode()
        response = await Caller(acquirer_stage, target="/v1/charges", body=body).call()

        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
        assert response.json()["field"] == field
        assert await _untouched(acquirer_stage, before)

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"null"])
    async def test_what_is_not_an_object_is_refused(
        self, acquirer_stage: AcquirerStage, body: bytes
    ) -> None:
        response = await Caller(acquirer_stage, target="/v1/charges", body=body).call()

        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")

    async def test_a_long_body_is_refused(self, acquirer_stage: AcquirerStage) -> None:
        response = await Caller(acquirer_stage, target="/v1/charges", body=b" " * 20_000).call()

        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


class TestPlay:
    async def test_a_late_answer_is_unknown_then_true(self, acquirer_stage: AcquirerStage) -> None:
        order = await order_of(acquirer_stage)
        await acquirer_stage.control(scenario="delay", delay_ms=400)

        result = await acquirer_stage.provider.charge(replace(order, deadline_s=0.1))

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
        queried = await acquirer_stage.provider.query(sent(order.number, PRICE))
        assert (queried.status, queried.amount) == (OrderStatus.SUCCEEDED, PRICE)

    async def test_a_rule_for_one_agreement_leaves_the_others(
        self, acquirer_stage: AcquirerStage
    ) -> None:
        unlucky, lucky = await order_of(acquirer_stage), await order_of(acquirer_stage)
        await acquirer_stage.control(
            scenario="decline", matching="agreement", agreement=unlucky.agreement_reference
        )

        for number in (unlucky.number, new_number()):
            result = await acquirer_stage.provider.charge(replace(unlucky, number=number))
            assert result.status is OrderStatus.FAILED
        result = await acquirer_stage.provider.charge(lucky)
        assert result.status is OrderStatus.SUCCEEDED

    async def test_a_rule_for_always_ends_when_cleared(self, acquirer_stage: AcquirerStage) -> None:
        order = await order_of(acquirer_stage)
        await acquirer_stage.control(
            scenario="lose_answer_before", matching="always", operation="query"
        )
        await acquirer_stage.provider.charge(order)

        for _ in range(3):
            queried = await acquirer_stage.provider.query(sent(order.number, PRICE))
            assert (queried.status, queried.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
        await acquirer_stage.control(clear=True)
        queried = await acquirer_stage.provider.query(sent(order.number, PRICE))
        assert queried.status is OrderStatus.SUCCEEDED

    async def test_accepted_may_fail_later(self, acquirer_stage: AcquirerStage) -> None:
        order = await order_of(acquirer_stage)
        before = await acquirer_stage.captured("JPY")
        await acquirer_stage.play("accept_then_decline")

        accepted = await acquirer_stage.provider.charge(order)
        delivery = await acquirer_stage.delivery(NoticeKind.CHARGE_FAILED, order.number)

        assert accepted.status is OrderStatus.ACCEPTED
        notice = acquirer_stage.provider.verify_notices(delivery.headers, delivery.body)[0]
        assert notice.result == await acquirer_stage.provider.query(sent(order.number, PRICE))
        assert await acquirer_stage.captured("JPY") == before

    async def test_either_platform_key_signs(self, acquirer_stage: AcquirerStage) -> None:
        order = await order_of(acquirer_stage)
        first = await acquirer_stage.provider.charge(order)
        await acquirer_stage.control(platform_key=1)

        rotated = await acquirer_stage.provider.query(sent(order.number, PRICE))

        assert rotated == first
        assert first.status is OrderStatus.SUCCEEDED

    async def test_a_platform_key_that_we_do_not_know_proves_nothing(
        self, acquirer: RunningAcquirer, acquirer_stage: AcquirerStage
    ) -> None:
        order = await order_of(acquirer_stage)
        first_key = acquirer.settings.platform_keys_pem.split("-----BEGIN", 2)[1]
        settings = replace(acquirer.settings, platform_keys_pem=f"-----BEGIN{first_key}")
        provider = AcquirerProvider(settings, SystemClock())
        known = await provider.charge(order)
        await acquirer_stage.control(platform_key=1)

        result = await provider.charge(order)

        assert known.status is OrderStatus.SUCCEEDED
        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, UNTRUSTED_ANSWER)
        await provider.aclose()

    @pytest.mark.parametrize(
        "wish",
        [
            {"scenario": "explode"},
            {"scenario": "decline", "matching": "agreement"},
            {"scenario": "decline", "delay_ms": 60_001},
            {"platform_key": 7},
            {"notice_url": "ftp://x"},
            {"unheard_of": 1},
        ],
    )
    async def test_a_wish_that_makes_no_sense_is_refused(
        self, acquirer_stage: AcquirerStage, wish: dict[str, object]
    ) -> None:
        url = f"{acquirer_stage.settings.base_url}/_control"

        response = await acquirer_stage.client.post(url, json=wish)

        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
        rules = (await acquirer_stage.client.post(url, json={})).json()["rules"]
        assert rules == []


class TestNotices:
    async def _deliveries(
        self, stage: AcquirerStage, scenario: str, count: int
    ) -> tuple[ChargeResult, list[Delivery]]:
        order = await order_of(stage)
        await stage.play(scenario)
        await stage.provider.charge(order)
        about = order.number.encode()
        deliveries = await stage.receiver.wait_for(lambda found: about in found.body, count)
        return await stage.provider.query(sent(order.number, PRICE)), deliveries

    async def test_a_duplicate_has_the_same_id(self, acquirer_stage: AcquirerStage) -> None:
        truth, deliveries = await self._deliveries(acquirer_stage, "duplicate_notice", 2)

        first, second = (
            acquirer_stage.provider.verify_notices(delivery.headers, delivery.body)[0]
            for delivery in deliveries
        )

        assert first == second
        assert first.result == truth
        assert (
            deliveries[0].headers["sesame-signature"] != (deliveries[1].headers["sesame-signature"])
        )

    async def test_a_probe_is_refused_and_the_truth_follows(
        self, acquirer_stage: AcquirerStage
    ) -> None:
        before = (await acquirer_stage.books())["notices"]

        _, deliveries = await self._deliveries(acquirer_stage, "bad_signature_probe", 2)

        assert sorted(delivery.refused or "" for delivery in deliveries) == ["", "signature"]
        after = (await acquirer_stage.books())["notices"]
        assert after["probes_refused"] == before["probes_refused"] + 1

    async def test_a_stale_notice_is_refused_and_comes_again(
        self, acquirer_stage: AcquirerStage
    ) -> None:
        _, deliveries = await self._deliveries(acquirer_stage, "stale_notice", 2)

        assert [delivery.refused for delivery in deliveries] == ["timestamp", None]
        assert deliveries[0].body == deliveries[1].body

    async def test_a_wrong_amount_is_told_with_a_good_signature(
        self, acquirer_stage: AcquirerStage
    ) -> None:
        truth, deliveries = await self._deliveries(acquirer_stage, "wrong_amount", 1)

        notice = acquirer_stage.provider.verify_notices(deliveries[0].headers, deliveries[0].body)[
            0
        ]

        assert truth.amount == PRICE
        assert isinstance(notice.result, ChargeResult)
        assert notice.result.amount == Money(1251, "JPY")

    async def test_an_unanswered_notice_comes_again(self, acquirer_stage: AcquirerStage) -> None:
        order = await order_of(acquirer_stage)
        await acquirer_stage.delivery(NoticeKind.AGREEMENT_SIGNED, order.agreement_reference)
        acquirer_stage.receiver.failures_left = 3

        result = await acquirer_stage.provider.charge(order)
        delivery = await acquirer_stage.delivery(NoticeKind.CHARGE_SUCCEEDED, order.number)

        notice = acquirer_stage.provider.verify_notices(delivery.headers, delivery.body)[0]
        assert notice.result == result
        assert acquirer_stage.receiver.failures_left == 0


@dataclass(frozen=True, slots=True)
class Process:
    """The stand-in as a process of its own."""

    running: subprocess.Popen[str]
    report: dict[str, Any]


@contextmanager
def _process(folder: Path, port: int) -> Generator[Process]:
    options = {
        "--data": folder / "books.sqlite",
        "--merchant": MERCHANT,
        "--merchant-key": folder / "merchant.pub",
        "--platform-key-out": folder / "platform.pub",
        "--port": port,
    }
    arguments = [str(part) for option in options.items() for part in option]
    command = [sys.executable, "-m", "sesame.commands.sandbox", "acquirer", "--json", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            yield Process(running, json.loads(running.stdout.readline()))
        finally:
            running.kill()


class TestProcess:
    async def test_what_was_taken_survives_a_kill(self, tmp_path: Path) -> None:
        private, public = tmp_path / "merchant.key", tmp_path / "merchant.pub"
        merchant_key_command(private_out=private, public_out=public)
        with listener() as free:
            url = url_of(free)
        port = int(url.rpartition(":")[2])
        async with httpx.AsyncClient(trust_env=False) as client:
            with _process(tmp_path, port) as first:
                settings = SignedWireSettings(
                    base_url=url,
                    merchant=MERCHANT,
                    merchant_key_pem=private.read_text(),
                    platform_keys_pem=(tmp_path / "platform.pub").read_text(),
                )
                stage = AcquirerStage(url, NoticeReceiver(), client, settings=settings)
                order = await order_of(stage)
                await stage.control(scenario="delay", delay_ms=30_000)
                charging = asyncio.create_task(stage.provider.charge(order))
                await eventually(lambda: _taken(stage))
                first.running.kill()
                lost = await charging
            with _process(tmp_path, port) as second:
                queried = await stage.provider.query(sent(order.number, PRICE))
                again = await stage.provider.charge(order)
                captured = await stage.captured("JPY")
                await stage.aclose()

        assert private.stat().st_mode & 0o777 == 0o600
        assert first.report == second.report
        assert (lost.status, lost.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
        assert (queried.status, queried.amount) == (OrderStatus.SUCCEEDED, PRICE)
        assert again == queried
        assert captured == 1250


async def _taken(stage: AcquirerStage) -> int | None:
    return await stage.captured("JPY") or None

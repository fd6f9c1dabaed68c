"""What only GoCardless does: days, webhooks of many events, refunds with limits, books by event."""

import asyncio
import json
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments.port import (
    CLOSED,
    DECLINED,
    NO_ANSWER,
    NUMBER_CONFLICT,
    AgreementState,
    AgreementStatus,
    ChargebackState,
    ChargeResult,
    NoticeKind,
    NoticeRefusedError,
    OrderStatus,
    ProviderRefusedError,
    RefundResult,
    SettlementKind,
    SettlementNotReadyError,
)
from parking.payments.providers.gocardless import GoCardlessProvider, GoCardlessSettings
from parking.payments.providers.gocardless.transport import GoCardlessClient
from tests.contract.gocardless_stage import HEADER, GoCardlessStage
from tests.contract.payment_script import (
    agreement_request,
    as_sent,
    charge_order,
    checkout_order,
    refund_order,
    take,
)
from tests.factories.stand_ins import BANK_SECRET, BANK_TOKEN

DAY_S = 24 * 60 * 60


class TestDebit:
    async def test_is_accepted_for_days_and_guarantees_nothing(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        order = await charge_order(gocardless_stage)
        before = await gocardless_stage.captured("EUR")

        first = await gocardless_stage.provider.charge(order)
        await gocardless_stage.pass_days(2)
        later = await gocardless_stage.provider.query(as_sent(order))

        assert (first.status, first.guaranteed) == (OrderStatus.ACCEPTED, False)
        assert later == first
        assert await gocardless_stage.captured("EUR") == before
        await gocardless_stage.pass_days(1)
        confirmed = await gocardless_stage.provider.query(as_sent(order))
        assert confirmed == replace(first, status=OrderStatus.SUCCEEDED)
        await gocardless_stage.pass_days(2)
        assert await gocardless_stage.provider.query(as_sent(order)) == confirmed
        assert await gocardless_stage.captured("EUR") == before + 1250

    async def test_a_submitted_debit_cannot_be_closed(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        order = await charge_order(gocardless_stage)
        accepted = await gocardless_stage.provider.charge(order)
        await gocardless_stage.pass_days(1)

        assert await gocardless_stage.provider.close(as_sent(order)) == accepted
        settled = await gocardless_stage.until_settled(as_sent(order))
        assert settled.status is OrderStatus.SUCCEEDED

    async def test_a_number_never_seen_is_closed_only_when_no_delivery_is_under_way(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        order = await charge_order(gocardless_stage)
        young = as_sent(order)

        early = await gocardless_stage.provider.close(young)
        late = await gocardless_stage.provider_after(61).close(young)

        assert (early.status, early.failure_code) == (OrderStatus.UNKNOWN, "too_young")
        assert (late.status, late.failure_code) == (OrderStatus.FAILED, CLOSED)

    async def test_a_refusal_after_a_lost_answer_finds_the_payment(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        order = await charge_order(gocardless_stage)
        await gocardless_stage.play("lose_answer_after")
        lost = await gocardless_stage.provider.charge(order)
        # Under another key GoCardless would refuse: the mandate has ended meanwhile.
        await gocardless_stage.provider.cancel_agreement(order.agreement_reference)

        again = await gocardless_stage.provider.charge(order)
        queried = await gocardless_stage.provider.query(as_sent(order))

        assert (lost.status, lost.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
        # What was not submitted yet ends with the mandate.
        assert (again.status, again.failure_code) == (OrderStatus.FAILED, CLOSED)
        assert again == queried

    async def test_an_answer_by_reference_must_be_about_our_number(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        mine, other = await charge_order(gocardless_stage), await charge_order(gocardless_stage)
        theirs = await gocardless_stage.provider.charge(other)

        asked = replace(as_sent(mine), reference=theirs.provider_reference)
        result = await gocardless_stage.provider.query(asked)

        assert (result.status, result.amount) == (OrderStatus.UNKNOWN, None)

    async def test_a_conflict_that_names_no_payment_decides_nothing(
        self, gocardless_stage: GoCardlessStage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order = await charge_order(gocardless_stage)
        genuine = GoCardlessClient._exchange  # pyright: ignore[reportPrivateUsage]

        async def exchange(client: GoCardlessClient, request: httpx.Request) -> tuple[int, bytes]:
            if request.method == "POST":
                return 409, b'{"error": {"type": "invalid_state", "code": 409, "errors": []}}'
            return await genuine(client, request)

        monkeypatch.setattr(GoCardlessClient, "_exchange", exchange)
        result = await gocardless_stage.provider.charge(order)

        # Another delivery of the same number may be under way.
        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, "invalid_state")

    async def test_has_no_page_to_pay_on(self, gocardless_stage: GoCardlessStage) -> None:
        with pytest.raises(ProviderRefusedError):
            await gocardless_stage.provider.start_checkout(checkout_order(gocardless_stage))

    async def test_a_wrong_token_leaves_the_outcome_unknown(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        order = await charge_order(gocardless_stage)
        before = await gocardless_stage.books()
        settings = replace(gocardless_stage.settings, access_token="somebody else's")
        stranger = GoCardlessProvider(settings, SystemClock())

        result = await stranger.charge(order)

        assert (result.status, result.failure_code) == (
            OrderStatus.UNKNOWN,
            "access_token_not_found",
        )
        assert (await gocardless_stage.books())["orders"] == before["orders"]
        await stranger.aclose()

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"base_url": "http://api.gocardless.com"}, "base_url"),
            ({"webhook_secret": "short"}, "webhook_secret"),
            ({"access_token": ""}, "access_token"),
        ],
    )
    def test_a_setting_of_no_use_is_named(self, change: dict[str, Any], field: str) -> None:
        good = GoCardlessSettings(
            base_url="https://api.gocardless.com",
            access_token=BANK_TOKEN,
            webhook_secret=BANK_SECRET,
        )
        with pytest.raises(InvalidInputError) as caught:
            replace(good, **change)
        assert caught.value.field == field
        assert BANK_SECRET not in repr(good)
        assert BANK_TOKEN not in repr(good)


class TestMandate:
    async def test_the_mandate_is_known_by_both_names(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        started = await gocardless_stage.provider.start_agreement(
            agreement_request(gocardless_stage)
        )
        await gocardless_stage.confirm(started)
        state = await gocardless_stage.provider.query_agreement(started.reference)

        assert started.reference.startswith("BRQ")
        assert state.instrument is not None
        assert state.also_known_as == state.instrument
        assert state.payer_hint is not None
        by_mandate = await gocardless_stage.provider.query_agreement(state.instrument)
        assert by_mandate == replace(state, reference=state.instrument)

    async def test_its_end_is_told_by_the_mandate(self, gocardless_stage: GoCardlessStage) -> None:
        order = await charge_order(gocardless_stage)
        assert order.instrument is not None
        await gocardless_stage.control(cancel_agreement={"reference": order.agreement_reference})

        told = await gocardless_stage.delivery(NoticeKind.AGREEMENT_CANCELLED, order.instrument)

        assert told.notices[0].result == AgreementState(
            reference=order.instrument, status=AgreementStatus.UNKNOWN
        )
        state = await gocardless_stage.provider.query_agreement(order.instrument)
        assert state.status is AgreementStatus.CANCELLED

    async def test_a_page_that_was_left_can_be_cancelled(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        started = await gocardless_stage.provider.start_agreement(
            agreement_request(gocardless_stage)
        )
        ended = await gocardless_stage.provider.cancel_agreement(started.reference)
        assert ended.status is AgreementStatus.CANCELLED
        page = await gocardless_stage.client.post(started.confirmation_url)
        assert page.status_code == 409


class TestRefund:
    async def test_takes_days_and_never_exceeds_the_payment(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        order = await charge_order(gocardless_stage)
        await take(gocardless_stage, order)
        before = await gocardless_stage.captured("EUR")
        provider = gocardless_stage.provider
        part = refund_order(order, 250)

        accepted = await provider.refund(part)
        too_much = await provider.refund(refund_order(order, 1001))
        rest = await provider.refund(refund_order(order, 1000))

        assert (accepted.status, accepted.amount) == (OrderStatus.ACCEPTED, Money(250, "EUR"))
        assert (too_much.status, too_much.failure_code) == (OrderStatus.FAILED, "exceeds_charge")
        assert rest.status is OrderStatus.ACCEPTED
        assert await gocardless_stage.captured("EUR") == before
        await gocardless_stage.pass_days()
        assert (await provider.query_refund(part)).status is OrderStatus.SUCCEEDED
        assert await gocardless_stage.captured("EUR") == before - 1250

    async def test_at_most_five_for_a_payment(self, gocardless_stage: GoCardlessStage) -> None:
        order = await charge_order(gocardless_stage)
        await take(gocardless_stage, order)
        for _ in range(5):
            result = await gocardless_stage.provider.refund(refund_order(order, 1))
            assert result.status is OrderStatus.ACCEPTED

        sixth = await gocardless_stage.provider.refund(refund_order(order, 1))

        assert (sixth.status, sixth.failure_code) == (
            OrderStatus.FAILED,
            "number_of_refunds_exceeded",
        )

    async def test_is_idempotent_by_number(self, gocardless_stage: GoCardlessStage) -> None:
        order = await charge_order(gocardless_stage)
        await take(gocardless_stage, order)
        before = len((await gocardless_stage.books())["refunds"])
        refund = refund_order(order, 250)
        provider = gocardless_stage.provider

        results = await asyncio.gather(*(provider.refund(refund) for _ in range(4)))
        other = await provider.refund(replace(refund, amount=Money(251, "EUR")))

        assert len(set(results)) == 1
        assert results[0].status is OrderStatus.ACCEPTED
        assert (other.status, other.failure_code) == (OrderStatus.UNKNOWN, NUMBER_CONFLICT)
        assert len((await gocardless_stage.books())["refunds"]) == before + 1

    async def test_a_lost_answer_is_found_again(self, gocardless_stage: GoCardlessStage) -> None:
        order = await charge_order(gocardless_stage)
        await take(gocardless_stage, order)
        refund = refund_order(order, 250)
        unsent = await gocardless_stage.provider.query_refund(refund)
        await gocardless_stage.play("lose_answer_after", operation="refund")

        lost = await gocardless_stage.provider.refund(refund)
        queried = await gocardless_stage.provider.query_refund(refund)

        assert unsent.status is OrderStatus.NOT_FOUND
        assert (lost.status, lost.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
        assert (queried.status, queried.amount) == (OrderStatus.ACCEPTED, Money(250, "EUR"))
        assert await gocardless_stage.provider.refund(refund) == queried

    async def test_one_that_comes_back_failed(self, gocardless_stage: GoCardlessStage) -> None:
        order = await charge_order(gocardless_stage)
        await take(gocardless_stage, order)
        before = await gocardless_stage.captured("EUR")
        refund = refund_order(order, 250)
        await gocardless_stage.play("decline", operation="refund")
        await gocardless_stage.provider.refund(refund)
        await gocardless_stage.pass_days()

        result = await gocardless_stage.provider.query_refund(refund)
        told = await gocardless_stage.delivery(NoticeKind.REFUND_FAILED, refund.number)

        assert (result.status, result.failure_code) == (OrderStatus.FAILED, "bounced")
        assert result.came_back
        assert isinstance(told.notices[0].result, RefundResult)
        assert told.notices[0].result.charge_number == order.number
        assert await gocardless_stage.captured("EUR") == before

    async def test_nothing_comes_back_before_it_was_taken(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        order = await charge_order(gocardless_stage)
        await gocardless_stage.provider.charge(order)
        result = await gocardless_stage.provider.refund(refund_order(order, 1))
        assert (result.status, result.failure_code) == (OrderStatus.FAILED, "not_refundable")


def _event(resource_type: str, action: str, **fields: object) -> dict[str, Any]:
    return {
        "id": f"EV{action}",
        "created_at": "2026-11-27T08:00:00.000Z",
        "resource_type": resource_type,
        "action": action,
        "details": {"origin": "bank", "cause": "insufficient_funds"},
        "links": {"payment": "PM1"},
        "resource_metadata": {"number": "T1", "amount_minor": "1250", "currency": "EUR"},
        **fields,
    }


def _body(*events: dict[str, Any]) -> bytes:
    return json.dumps({"events": events, "meta": {"webhook_id": "WB1"}}).encode()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
class TestWebhook:
    """Signatures here are made by the openssl command alone."""

    @pytest.fixture
    def provider(self) -> GoCardlessProvider:
        settings = GoCardlessSettings(
            base_url="https://api.gocardless.com",
            access_token=BANK_TOKEN,
            webhook_secret=BANK_SECRET,
        )
        return GoCardlessProvider(settings, SystemClock())

    def _sign(self, folder: Path, body: bytes, secret: str = BANK_SECRET) -> str:
        (folder / "body").write_bytes(body)
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-hmac", secret, "-r", "body"],  # noqa: S607 - anywhere
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        return done.stdout.split()[0]

    def test_one_body_tells_many_things(self, provider: GoCardlessProvider, tmp_path: Path) -> None:
        refund = {"number": "R1", "charge": "T1"}
        body = _body(
            _event("payments", "created"),
            _event("payments", "confirmed"),
            _event("payments", "charged_back"),
            _event("payments", "chargeback_settled"),
            _event("payments", "chargeback_cancelled"),
            _event("payments", "late_failure_settled"),
            _event("payments", "invented"),
            _event("payments", "failed", resource_metadata={}),
            _event("refunds", "paid", links={"refund": "RF1"}, resource_metadata=refund),
            _event("mandates", "expired", links={"mandate": "MD1"}),
            _event("billing_requests", "fulfilled", links={"billing_request": "BRQ1"}),
            _event("payouts", "paid", links={"payout": "PO1"}),
        )

        notices = provider.verify_notices({HEADER.title(): self._sign(tmp_path, body)}, body)

        taken_back = ChargebackState(
            charge_number="T1",
            charge_reference="PM1",
            reference="PM1",
            amount=Money(1250, "EUR"),
            reason="insufficient_funds",
        )
        assert [(notice.kind, notice.result) for notice in notices] == [
            (
                NoticeKind.CHARGE_SUCCEEDED,
                ChargeResult(
                    number="T1",
                    status=OrderStatus.UNKNOWN,
                    failure_code="told_only",
                    provider_reference="PM1",
                ),
            ),
            (NoticeKind.CHARGEBACK_OPENED, taken_back),
            (NoticeKind.CHARGEBACK_LOST, taken_back),
            (NoticeKind.CHARGEBACK_WON, taken_back),
            (NoticeKind.CHARGEBACK_LOST, taken_back),
            (
                NoticeKind.REFUND_SUCCEEDED,
                RefundResult(
                    number="R1",
                    charge_number="T1",
                    status=OrderStatus.UNKNOWN,
                    failure_code="told_only",
                    provider_reference="RF1",
                ),
            ),
            (
                NoticeKind.AGREEMENT_CANCELLED,
                AgreementState(reference="MD1", status=AgreementStatus.UNKNOWN),
            ),
            (
                NoticeKind.AGREEMENT_SIGNED,
                AgreementState(reference="BRQ1", status=AgreementStatus.UNKNOWN),
            ),
        ]
        assert notices[0].notice_id == "EVconfirmed"

    def test_every_other_is_refused(self, provider: GoCardlessProvider, tmp_path: Path) -> None:
        body = _body(_event("payments", "confirmed"))
        good = self._sign(tmp_path, body)
        stranger = self._sign(tmp_path, body, "somebody else's secret")
        many = _body(*(_event("payments", "confirmed") for _ in range(251)))
        cases: list[tuple[bytes, str | None, str]] = [
            (body, None, "header"),
            (body, "", "header"),
            (body, "é" * 32, "header"),
            (body, stranger, "signature"),
            (body, good[:-1], "signature"),
            (body, good.upper(), "signature"),
            (body + b" ", good, "signature"),
            (b"", good, "signature"),
            (b" " * (512 * 1024 + 1), good, "body"),
            (many, self._sign(tmp_path, many), "body"),
        ]
        malformed = (b"", b"{", b"[]", b"null", b'{"events": {}}', b'{"events": [{}]}')
        cases += [(content, self._sign(tmp_path, content), "body") for content in malformed]
        for content, signature, reason in cases:
            headers = {} if signature is None else {HEADER: signature}
            with pytest.raises(NoticeRefusedError) as caught:
                provider.verify_notices(headers, content)
            assert caught.value.reason == reason, content[:40]

    def test_a_taken_back_payment_of_strangers_is_ignored(
        self, provider: GoCardlessProvider, tmp_path: Path
    ) -> None:
        for metadata in ({}, {"number": "T1"}, {"number": "T1", "amount_minor": "x"}):
            body = _body(_event("payments", "charged_back", resource_metadata=metadata))
            assert provider.verify_notices({HEADER: self._sign(tmp_path, body)}, body) == ()

    async def test_the_stand_in_signs_as_openssl_does(
        self, gocardless_stage: GoCardlessStage, tmp_path: Path
    ) -> None:
        order = await charge_order(gocardless_stage)
        await gocardless_stage.play("decline")
        await take(gocardless_stage, order)

        told = await gocardless_stage.delivery(NoticeKind.CHARGE_FAILED, order.number)

        assert told.headers[HEADER] == self._sign(tmp_path, told.body)
        result = await gocardless_stage.provider.query(as_sent(order))
        assert (result.status, result.failure_code) == (OrderStatus.FAILED, DECLINED)

    async def test_a_probe_is_answered_498_and_the_truth_follows(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        before = (await gocardless_stage.books())["notices"]["probes_refused"]
        order = await charge_order(gocardless_stage)
        await gocardless_stage.play("bad_signature_probe")
        await take(gocardless_stage, order)
        await gocardless_stage.delivery(NoticeKind.CHARGE_SUCCEEDED, order.number)
        after = (await gocardless_stage.books())["notices"]["probes_refused"]
        assert after == before + 1


class TestSettlement:
    async def test_a_day_is_what_was_confirmed_paid_back_and_taken_back(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        # The first is the row that will be missing.
        await take(gocardless_stage, await charge_order(gocardless_stage))
        order, other = await charge_order(gocardless_stage), await charge_order(gocardless_stage)
        taken = await gocardless_stage.provider.charge(order)
        lost = await take(gocardless_stage, other)
        refund = await gocardless_stage.provider.refund(refund_order(order, 250))
        await gocardless_stage.pass_days()
        await gocardless_stage.control(chargeback={"number": other.number})
        today = SystemClock().now().date()

        with pytest.raises(SettlementNotReadyError):
            await gocardless_stage.provider.fetch_settlement(today)
        tomorrow = gocardless_stage.provider_after(DAY_S)
        rows = await tomorrow.fetch_settlement(today)

        numbers = {order.number, other.number, refund.number}
        mine = [row for row in rows if row.number in numbers]
        amount = order.amount
        assert sorted((row.kind, row.number, row.reference, row.amount) for row in mine) == sorted(
            [
                (SettlementKind.CHARGE, order.number, taken.provider_reference, amount),
                (SettlementKind.CHARGE, other.number, lost.provider_reference, amount),
                (SettlementKind.CHARGEBACK, other.number, lost.provider_reference, amount),
                (
                    SettlementKind.REFUND,
                    refund.number,
                    refund.provider_reference,
                    Money(250, "EUR"),
                ),
            ]
        )
        assert {row.fee_minor for row in rows} == {0}
        assert await tomorrow.fetch_settlement(today - timedelta(days=1)) == ()
        await gocardless_stage.play("settlement_missing_row", operation="settlement")
        await gocardless_stage.play("settlement_other_amount", operation="settlement")
        differing = await tomorrow.fetch_settlement(today)
        assert len(differing) == len(rows) - 1
        assert differing[0].amount.amount_minor == rows[1].amount.amount_minor + 1

    async def test_a_failure_took_money_back_only_if_there_was_any(
        self, gocardless_stage: GoCardlessStage
    ) -> None:
        late, plain = await charge_order(gocardless_stage), await charge_order(gocardless_stage)
        await take(gocardless_stage, late)
        await gocardless_stage.play("decline")
        await take(gocardless_stage, plain)
        await gocardless_stage.control(chargeback={"number": late.number, "reason": "late_failure"})

        tomorrow = gocardless_stage.provider_after(DAY_S)
        rows = await tomorrow.fetch_settlement(SystemClock().now().date())

        numbers = {late.number, plain.number}
        mine = [(row.kind, row.number, row.amount) for row in rows if row.number in numbers]
        assert mine == [
            (SettlementKind.CHARGE, late.number, late.amount),
            (SettlementKind.CHARGEBACK, late.number, late.amount),
        ]


async def test_an_answer_that_never_ends_is_unknown(gocardless_stage: GoCardlessStage) -> None:
    order = await charge_order(gocardless_stage)
    await gocardless_stage.control(scenario="delay", delay_ms=400)

    result = await gocardless_stage.provider.charge(replace(order, deadline_s=0.1))

    assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
    queried = await gocardless_stage.provider.query(as_sent(order))
    assert queried.status is OrderStatus.ACCEPTED


async def test_the_stand_in_is_closed_to_strangers(gocardless_stage: GoCardlessStage) -> None:
    url = gocardless_stage.base_url
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - loopback
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer x"}, 401),
            ({"Authorization": f"Bearer {BANK_TOKEN}"}, 400),
        ):
            answer = await client.get(f"{url}/payments/PM1", headers=headers)
            assert answer.status_code == status

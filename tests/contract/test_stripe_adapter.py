"""What only Stripe's adapter has to get right: keys that expire, intents that linger, disputes."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from parking.kit.clock import SystemClock
from parking.kit.money import Money
from parking.payments.port import (
    ANSWER_MISMATCH,
    CLOSED,
    DECLINED,
    NO_ANSWER,
    ChargebackState,
    ChargeOrder,
    NoticeKind,
    NoticeRefusedError,
    OrderStatus,
    RefundResult,
    SettlementKind,
    SettlementNotReadyError,
)
from parking.payments.providers.stripe import StripeProvider
from parking.payments.providers.stripe.transport import Caller
from sesame.sandbox.stripe.notices import sign
from tests.contract.payment_script import as_sent, charge_order, checkout_order, refund_order
from tests.contract.payment_stages import new_number
from tests.contract.stripe_stage import StripeStage
from tests.factories.stand_ins import STRIPE_SECRETS

CURRENCY = "CNY"


def resent_a_day_later(order: ChargeOrder, *, days: int = 1) -> ChargeOrder:
    return replace(order, sent_at=SystemClock().now() - timedelta(days=days, hours=1))


async def intents_of(stage: StripeStage, order: ChargeOrder) -> list[dict[str, Any]]:
    caller = Caller(stage.settings)
    assert order.instrument is not None
    page = await caller.stripe.v1.payment_intents.list_async(
        {"customer": order.instrument.partition("/")[0], "limit": 100}
    )
    await caller.aclose()
    return [intent.to_dict() for intent in page.data]


class TestLateResend:
    async def test_after_the_key_expired_takes_no_money_twice(
        self, stripe_stage: StripeStage
    ) -> None:
        order = await charge_order(stripe_stage)
        first = await stripe_stage.provider.charge(order)
        before = await stripe_stage.captured(CURRENCY)
        await stripe_stage.control(forget_keys={})

        # Its first sending is still within the window in which lists are looked at.
        late = replace(order, sent_at=SystemClock().now() - timedelta(hours=13))
        again = await asyncio.gather(*(stripe_stage.provider.charge(late) for _ in range(4)))

        assert set(again) == {first}
        assert await stripe_stage.captured(CURRENCY) == before

    async def test_after_the_key_expired_finds_a_decline(self, stripe_stage: StripeStage) -> None:
        order = await charge_order(stripe_stage)
        await stripe_stage.play("decline")
        declined = await stripe_stage.provider.charge(order)
        await stripe_stage.control(forget_keys={})

        late = replace(order, sent_at=SystemClock().now() - timedelta(hours=13))

        assert await stripe_stage.provider.charge(late) == declined
        assert len(await intents_of(stripe_stage, order)) == 1

    async def test_of_a_resend_of_days_before_takes_no_money_twice(
        self, stripe_stage: StripeStage
    ) -> None:
        # What was first sent days ago, and sent again now: its intent is as young as that.
        order = resent_a_day_later(await charge_order(stripe_stage), days=9)
        first = await stripe_stage.provider.charge(order)
        before = await stripe_stage.captured(CURRENCY)
        await stripe_stage.control(forget_keys={})

        assert await stripe_stage.provider.charge(order) == first
        assert await stripe_stage.captured(CURRENCY) == before

    async def test_of_what_never_arrived_takes_it_once(self, stripe_stage: StripeStage) -> None:
        order = resent_a_day_later(await charge_order(stripe_stage))
        before = await stripe_stage.captured(CURRENCY)

        results = await asyncio.gather(*(stripe_stage.provider.charge(order) for _ in range(4)))

        assert {result.status for result in results} == {OrderStatus.SUCCEEDED}
        assert await stripe_stage.captured(CURRENCY) == before + 1250

    async def test_of_a_refund_gives_back_once(self, stripe_stage: StripeStage) -> None:
        order = await charge_order(stripe_stage)
        await stripe_stage.provider.charge(order)
        refund = refund_order(order, 250)
        first = await stripe_stage.provider.refund(refund)
        before = await stripe_stage.captured(CURRENCY)
        await stripe_stage.control(forget_keys={})

        assert await stripe_stage.provider.refund(refund) == first
        assert await stripe_stage.captured(CURRENCY) == before


class TestStoredDefect:
    async def test_of_a_call_that_did_nothing_is_got_around(
        self, stripe_stage: StripeStage
    ) -> None:
        order = await charge_order(stripe_stage)
        before = await stripe_stage.captured(CURRENCY)
        await stripe_stage.control(scenario="unknown", failure_code="nothing_done")

        lost = await stripe_stage.provider.charge(order)
        asked = await stripe_stage.provider.query(as_sent(order))
        # Stripe would repeat its stored 500 for a day.
        resent = await stripe_stage.provider.charge(order)
        again = await stripe_stage.provider.charge(order)

        assert (lost.status, lost.failure_code) == (OrderStatus.UNKNOWN, "system_error")
        assert asked.status is OrderStatus.NOT_FOUND
        assert resent.status is OrderStatus.SUCCEEDED
        assert again == resent
        assert await stripe_stage.captured(CURRENCY) == before + 1250

    async def test_is_closed_under_every_key(self, stripe_stage: StripeStage) -> None:
        order = await charge_order(stripe_stage)
        before = await stripe_stage.captured(CURRENCY)
        await stripe_stage.control(scenario="unknown", failure_code="nothing_done")
        await stripe_stage.provider.charge(order)

        closed = await stripe_stage.provider.close(as_sent(order))
        late = await stripe_stage.provider.charge(order)

        assert (closed.status, closed.failure_code) == (OrderStatus.FAILED, CLOSED)
        assert (late.status, late.failure_code) == (OrderStatus.FAILED, CLOSED)
        assert await stripe_stage.captured(CURRENCY) == before

    async def test_of_a_call_that_took_the_money_takes_no_more(
        self, stripe_stage: StripeStage
    ) -> None:
        order = await charge_order(stripe_stage)
        before = await stripe_stage.captured(CURRENCY)
        await stripe_stage.play("unknown")

        await stripe_stage.provider.charge(order)
        await stripe_stage.until_settled(as_sent(order))
        again = await stripe_stage.provider.charge(order)

        assert again.status is OrderStatus.SUCCEEDED
        assert await stripe_stage.captured(CURRENCY) == before + 1250
        assert len(await intents_of(stripe_stage, order)) == 1


class TestFailedIntent:
    @pytest.mark.parametrize(
        ("said", "code"),
        [("declined", DECLINED), ("authentication_required", "authentication_required")],
    )
    async def test_is_cancelled_before_it_is_told(
        self, stripe_stage: StripeStage, said: str, code: str
    ) -> None:
        order = await charge_order(stripe_stage)
        await stripe_stage.control(scenario="decline", failure_code=said)

        result = await stripe_stage.provider.charge(order)

        assert (result.status, result.failure_code) == (OrderStatus.FAILED, code)
        [intent] = await intents_of(stripe_stage, order)
        assert (intent["status"], intent["cancellation_reason"]) == ("canceled", "abandoned")
        assert await stripe_stage.provider.query(as_sent(order)) == result

    async def test_is_unknown_until_it_is_cancelled(self, stripe_stage: StripeStage) -> None:
        order = await charge_order(stripe_stage)
        await stripe_stage.play("decline")
        await stripe_stage.play("lose_answer_before", operation="close")

        result = await stripe_stage.provider.charge(order)

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, NO_ANSWER)
        [intent] = await intents_of(stripe_stage, order)
        assert intent["status"] == "requires_payment_method"
        asked = await stripe_stage.provider.query(as_sent(order))
        assert (asked.status, asked.failure_code) == (OrderStatus.FAILED, DECLINED)
        [intent] = await intents_of(stripe_stage, order)
        assert intent["status"] == "canceled"


class TestWhatIsFound:
    async def test_two_captures_of_one_number_are_for_a_person(
        self, stripe_stage: StripeStage
    ) -> None:
        order = await charge_order(stripe_stage)
        await stripe_stage.provider.charge(order)
        await stripe_stage.control(forget_keys={})
        await stripe_stage.provider.charge(order)

        result = await stripe_stage.provider.query(as_sent(order))

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, ANSWER_MISMATCH)

    async def test_a_checkout_is_found_without_its_reference(
        self, stripe_stage: StripeStage
    ) -> None:
        order = replace(checkout_order(stripe_stage), sent_at=SystemClock().now())
        page = await stripe_stage.provider.start_checkout(order)
        assert page.reference is not None
        by_list = await stripe_stage.provider.query(as_sent(order))
        by_id = await stripe_stage.provider.query(replace(as_sent(order), reference=page.reference))

        assert by_list == by_id
        assert (by_list.status, by_list.provider_reference) == (
            OrderStatus.ACCEPTED,
            page.reference,
        )
        assert order.sent_at is not None
        assert abs(page.expires_at - order.sent_at - timedelta(hours=1)) < timedelta(seconds=1)

    async def test_a_checkout_that_never_came_never_will(self, stripe_stage: StripeStage) -> None:
        order = checkout_order(stripe_stage)

        closed = await stripe_stage.provider.close(as_sent(order))
        late = await asyncio.gather(
            stripe_stage.provider.start_checkout(order), return_exceptions=True
        )

        assert (closed.status, closed.failure_code) == (OrderStatus.FAILED, CLOSED)
        assert [repr(error) for error in late] == [
            "ProviderRefusedError('the provider refused: number_conflict')"
        ]
        assert await stripe_stage.provider.query(as_sent(order)) == closed

    async def test_an_amount_that_stripe_cannot_say_is_not_sent(
        self, stripe_stage: StripeStage
    ) -> None:
        order = replace(await charge_order(stripe_stage), amount=Money(5124, "KWD"))

        result = await stripe_stage.provider.charge(order)

        assert (result.status, result.failure_code) == (OrderStatus.FAILED, "amount_unsupported")
        assert await intents_of(stripe_stage, order) == []


class TestRefundStates:
    async def test_pending_then_refused(self, stripe_stage: StripeStage) -> None:
        order = await charge_order(stripe_stage)
        await stripe_stage.provider.charge(order)
        await stripe_stage.play("accept_then_decline", operation="refund")
        refund = refund_order(order, 250)

        pending = await stripe_stage.provider.refund(refund)
        told = await stripe_stage.delivery(NoticeKind.REFUND_FAILED, refund.number)
        ended = await stripe_stage.provider.query_refund(refund)

        assert pending.status is OrderStatus.ACCEPTED
        assert (ended.status, ended.came_back) == (OrderStatus.FAILED, False)
        assert told.notices[0].result == ended

    async def test_one_that_succeeded_may_come_back(self, stripe_stage: StripeStage) -> None:
        order = await charge_order(stripe_stage)
        await stripe_stage.provider.charge(order)
        before = await stripe_stage.captured(CURRENCY)
        refund = refund_order(order, 250)
        done = await stripe_stage.provider.refund(refund)

        await stripe_stage.control(return_refund={"number": refund.number})
        told = await stripe_stage.delivery(NoticeKind.REFUND_FAILED, refund.number)

        assert done.status is OrderStatus.SUCCEEDED
        result = told.notices[0].result
        assert isinstance(result, RefundResult)
        assert (result.status, result.came_back, result.amount) == (
            OrderStatus.FAILED,
            True,
            Money(250, CURRENCY),
        )
        assert await stripe_stage.captured(CURRENCY) == before


class TestDisputes:
    async def test_are_chargebacks_and_inquiries_are_not(self, stripe_stage: StripeStage) -> None:
        order = await charge_order(stripe_stage)
        paid = await stripe_stage.provider.charge(order)
        about = paid.provider_reference
        assert about is not None

        await stripe_stage.control(inquiry={"number": order.number})
        await stripe_stage.control(chargeback={"number": order.number, "reason": "fraudulent"})
        await stripe_stage.control(chargeback={"number": order.number, "decision": "won"})

        opened = await stripe_stage.delivery(NoticeKind.CHARGEBACK_OPENED, about)
        won = await stripe_stage.delivery(NoticeKind.CHARGEBACK_WON, about)
        said = opened.notices[0].result
        assert isinstance(said, ChargebackState)
        assert (said.charge_number, said.charge_reference, said.amount, said.reason) == (
            None,
            about,
            order.amount,
            "fraudulent",
        )
        assert won.notices[0].result == said
        # What was handed in comes along with its decision, and what it said before.
        event, evidence = json.loads(won.body), {"uncategorized_text": "车" * 150_000}
        event["data"]["object"]["evidence"] = evidence
        event["data"]["previous_attributes"] = {"evidence": evidence}
        assert signed(stripe_stage.provider, event)[0].result == said
        event["data"]["object"]["status"] = "appeal_under_review"
        assert signed(stripe_stage.provider, event)[0].kind is NoticeKind.CHARGEBACK_OPENED
        inquiries = [
            one for one in stripe_stage.receiver.deliveries if b"warning_needs_response" in one.body
        ]
        assert [one.notices for one in inquiries] == [()]


class TestEvents:
    async def test_of_another_mode_or_account_are_refused(self, stripe_stage: StripeStage) -> None:
        order = await charge_order(stripe_stage)
        await stripe_stage.provider.charge(order)
        told = await stripe_stage.delivery(NoticeKind.CHARGE_SUCCEEDED, order.number)
        event = json.loads(told.body)

        changes: tuple[dict[str, Any], ...] = (
            {"livemode": True},
            {"account": "acct_other"},
            {"data": {}},
            {"id": ""},
        )
        for change in changes:
            with pytest.raises(NoticeRefusedError) as caught:
                signed(stripe_stage.provider, {**event, **change})
            assert caught.value.reason == "body"
        failed = {**event["data"]["object"], "status": "canceled"}
        with pytest.raises(NoticeRefusedError):
            signed(stripe_stage.provider, {**event, "data": {"object": failed}})
        assert signed(stripe_stage.provider, {**event, "type": "customer.created"}) == ()

    async def test_of_our_connected_account_are_taken(self, stripe_stage: StripeStage) -> None:
        order = await charge_order(stripe_stage)
        await stripe_stage.provider.charge(order)
        told = await stripe_stage.delivery(NoticeKind.CHARGE_SUCCEEDED, order.number)
        event = json.loads(told.body)
        connected = StripeProvider(
            replace(stripe_stage.settings, account="acct_parkside"), SystemClock()
        )

        with pytest.raises(NoticeRefusedError):
            signed(connected, event)
        assert len(signed(connected, {**event, "account": "acct_parkside"})) == 1
        await connected.aclose()

    async def test_carry_a_signature_of_each_secret_during_rotation(
        self, stripe_stage: StripeStage
    ) -> None:
        await stripe_stage.control(platform_key=1)
        order = await charge_order(stripe_stage)
        await stripe_stage.provider.charge(order)
        told = await stripe_stage.delivery(NoticeKind.CHARGE_SUCCEEDED, order.number)

        assert told.headers["stripe-signature"].count("v1=") == 2
        for secret in STRIPE_SECRETS:
            settings = replace(stripe_stage.settings, webhook_secrets=(secret,))
            provider = StripeProvider(settings, SystemClock())
            assert provider.verify_notices(told.headers, told.body) == told.notices
            await provider.aclose()


class TestSettlement:
    async def test_lists_what_moved(self, stripe_stage: StripeStage) -> None:
        order = await charge_order(stripe_stage)
        await stripe_stage.provider.charge(order)
        refund = refund_order(order, 250)
        await stripe_stage.provider.refund(refund)
        await stripe_stage.control(return_refund={"number": refund.number})
        await stripe_stage.control(chargeback={"number": order.number})
        await stripe_stage.control(chargeback={"number": order.number, "decision": "won"})

        rows = await rows_of(stripe_stage, order.number, refund.number)

        assert rows == [
            (SettlementKind.CHARGE, order.number, 1250, 18),
            (SettlementKind.CHARGEBACK, order.number, 1250, 0),
            (SettlementKind.CHARGEBACK_REVERSED, order.number, 1250, 0),
            (SettlementKind.REFUND, refund.number, 250, 0),
            (SettlementKind.REFUND_RETURNED, refund.number, 250, 0),
        ]
        with pytest.raises(SettlementNotReadyError):
            await stripe_stage.provider.fetch_settlement(SystemClock().now().date())

    async def test_reads_every_page(self, stripe_stage: StripeStage) -> None:
        order = await charge_order(stripe_stage)
        numbers = [new_number() for _ in range(105)]
        for number in numbers:
            await stripe_stage.provider.charge(replace(order, number=number))

        rows = await rows_of(stripe_stage, *numbers)

        assert [number for _, number, _, _ in rows] == sorted(numbers)

    async def test_shows_what_differs(self, stripe_stage: StripeStage) -> None:
        order = await charge_order(stripe_stage)
        await stripe_stage.provider.charge(order)
        genuine = await all_rows(stripe_stage)
        differences = ("missing_row", "extra_row", "other_amount")
        for name in differences:
            await stripe_stage.play(f"settlement_{name}", operation="settlement")

        differing = await all_rows(stripe_stage)

        assert len(differing) == len(genuine)
        assert sum(row not in genuine for row in differing) == 2
        assert sum(row not in differing for row in genuine) == 2


async def all_rows(stage: StripeStage) -> list[tuple[SettlementKind, str, int, int]]:
    # A day's movements are ready some minutes after its end, whatever the hour of this run.
    tomorrow = stage.provider_after(25 * 3600)
    rows = await tomorrow.fetch_settlement(SystemClock().now().date())
    return [(row.kind, row.number, row.amount.amount_minor, row.fee_minor) for row in rows]


async def rows_of(stage: StripeStage, *numbers: str) -> list[tuple[SettlementKind, str, int, int]]:
    return sorted(row for row in await all_rows(stage) if row[1] in numbers)


def signed(provider: StripeProvider | Any, event: dict[str, Any]) -> tuple[Any, ...]:  # noqa: ANN401 - the stage's
    body = json.dumps(event).encode()
    seconds = int(SystemClock().now().timestamp())
    headers = {"Stripe-Signature": sign(STRIPE_SECRETS[:1], seconds, body)}
    return provider.verify_notices(headers, body)

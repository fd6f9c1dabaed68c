"""What only Alipay does, played by its stand-in: sealing, cancelling, advances, bills, mishaps."""

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from parking.kit.clock import SystemClock
from parking.kit.money import Money
from parking.payments.port import (
    ANSWER_MISMATCH,
    CLOSED,
    Advance,
    AgreementState,
    ChargeResult,
    NoticeKind,
    OrderStatus,
    ProviderRefusedError,
    ProviderUnavailableError,
    SettlementKind,
    SettlementNotReadyError,
    SettlementRow,
    StayDetails,
)
from parking.payments.providers.alipay import AlipayProvider
from sesame.sandbox.alipay.gateway import Gateway
from tests.contract.alipay_stage import AlipayStage
from tests.contract.payment_script import (
    as_sent,
    charge_order,
    checkout_order,
    refund_order,
    signed_agreement,
)
from tests.contract.payment_stages import eventually, new_number

PLACE_ID = UUID(int=1)


def today() -> date:
    """Return the day at the provider, which may end while the tests run."""
    return SystemClock().now().astimezone(ZoneInfo("Asia/Shanghai")).date()


class TestTheWayOutOfAnUnknown:
    @pytest.mark.parametrize(
        ("sub_code", "failure_code"),
        [
            ("ACQ.CYCLE_PAY_SINGLE_FEE_EXCEED", "ACQ.CYCLE_PAY_SINGLE_FEE_EXCEED"),
            ("ACQ.CYCLE_PAY_TOTAL_FEE_EXCEED", "ACQ.CYCLE_PAY_TOTAL_FEE_EXCEED"),
            ("ACQ.AGREEMENT_INVALID", "agreement_inactive"),
            ("ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH", "declined"),
        ],
    )
    async def test_a_refusal_is_made_final(
        self, alipay_stage: AlipayStage, sub_code: str, failure_code: str
    ) -> None:
        order = await charge_order(alipay_stage)
        before = await alipay_stage.captured("CNY")
        await alipay_stage.control(scenario="decline", failure_code=sub_code)

        refused = await alipay_stage.provider.charge(order)
        # An earlier delivery of the same number, held up somewhere, comes now.
        late = await alipay_stage.provider.charge(order)

        assert refused == ChargeResult(
            number=order.number, status=OrderStatus.FAILED, failure_code=failure_code
        )
        assert (late.status, late.failure_code) == (OrderStatus.FAILED, CLOSED)
        assert await alipay_stage.captured("CNY") == before

    async def test_a_refusal_that_cannot_be_made_final_is_unknown(
        self, alipay_stage: AlipayStage
    ) -> None:
        order = await charge_order(alipay_stage)
        await alipay_stage.play("decline")
        await alipay_stage.play("lose_answer_before", operation="close")

        result = await alipay_stage.provider.charge(order)

        assert result.status is OrderStatus.UNKNOWN
        # The refusal alone leaves no trace: the same number may still be sent, and take money.
        assert (await alipay_stage.provider.query(as_sent(order))).status is OrderStatus.NOT_FOUND
        closed = await alipay_stage.provider.close(as_sent(order))
        assert (closed.status, closed.failure_code) == (OrderStatus.FAILED, CLOSED)

    async def test_closing_never_gives_back_what_was_paid(self, alipay_stage: AlipayStage) -> None:
        order = await charge_order(alipay_stage)
        await alipay_stage.play("lose_answer_after")
        await alipay_stage.provider.charge(order)
        before = await alipay_stage.captured("CNY")

        closed = await alipay_stage.provider.close(as_sent(order))

        assert closed.status is OrderStatus.SUCCEEDED
        assert await alipay_stage.captured("CNY") == before

    async def test_what_was_paid_and_wholly_refunded_was_paid(
        self, alipay_stage: AlipayStage
    ) -> None:
        order = await charge_order(alipay_stage)
        paid = await alipay_stage.provider.charge(order)
        await alipay_stage.provider.refund(refund_order(order, 1250))

        assert await alipay_stage.provider.query(as_sent(order)) == paid
        assert await alipay_stage.provider.close(as_sent(order)) == paid
        assert await alipay_stage.provider.charge(order) == paid

    async def test_an_advance_is_told(self, alipay_stage: AlipayStage) -> None:
        order = await charge_order(alipay_stage)
        await alipay_stage.play("advance")
        result = await alipay_stage.provider.charge(order)
        assert (result.status, result.advance) == (OrderStatus.SUCCEEDED, Advance.OUTSTANDING)

    async def test_other_money_is_not_taken(self, alipay_stage: AlipayStage) -> None:
        order = await charge_order(alipay_stage)
        result = await alipay_stage.provider.charge(replace(order, amount=Money(1250, "EUR")))
        assert (result.status, result.failure_code) == (
            OrderStatus.FAILED,
            "currency_not_supported",
        )


class TestPages:
    async def test_an_unused_page_is_open_until_its_time_is_over(
        self, alipay_stage: AlipayStage
    ) -> None:
        order = checkout_order(alipay_stage)
        before = await alipay_stage.captured("CNY")
        await alipay_stage.provider.start_checkout(order)
        sent = as_sent(order)

        early = await alipay_stage.provider.close(sent)
        late_provider = alipay_stage.provider_after(400)
        late = await late_provider.close(sent)

        assert early == ChargeResult(number=order.number, status=OrderStatus.ACCEPTED)
        assert (late.status, late.failure_code) == (OrderStatus.FAILED, CLOSED)
        assert await late_provider.query(sent) == late
        assert await alipay_stage.captured("CNY") == before

    async def test_a_used_page_is_closed_at_once(self, alipay_stage: AlipayStage) -> None:
        order = checkout_order(alipay_stage)
        page = await alipay_stage.provider.start_checkout(order)
        assert (await alipay_stage.client.get(page.url)).status_code == 303

        closed = await alipay_stage.provider.close(as_sent(order))

        assert (closed.status, closed.failure_code) == (OrderStatus.FAILED, CLOSED)
        assert await alipay_stage.pay(order.number, page) == 409

    async def test_all_pages_of_an_order_end_together_and_take_money_once(
        self, alipay_stage: AlipayStage
    ) -> None:
        now = SystemClock().now()
        order = replace(checkout_order(alipay_stage), sent_at=now - timedelta(minutes=2))
        before = await alipay_stage.captured("CNY")
        pages = [await alipay_stage.provider.start_checkout(order) for _ in range(2)]

        statuses = [await alipay_stage.pay(order.number, page) for page in pages]

        assert statuses == [303, 409]
        assert {page.expires_at for page in pages} == {now + timedelta(minutes=3)}
        assert await alipay_stage.captured("CNY") == before + 1250

    async def test_a_changed_page_is_not_served(self, alipay_stage: AlipayStage) -> None:
        order = checkout_order(alipay_stage)
        page = await alipay_stage.provider.start_checkout(order)
        for forged in (
            page.url.replace("12.50", "0.01"),
            page.url + "&biz_content=%7B%7D",
            page.url.partition("&sign=")[0],
        ):
            assert (await alipay_stage.client.get(forged)).status_code == 400
        orders = (await alipay_stage.books())["orders"]
        assert order.number not in {row["number"] for row in orders}


class TestNotices:
    async def test_a_probe_is_refused_and_the_notice_taken(self, alipay_stage: AlipayStage) -> None:
        order = await charge_order(alipay_stage)
        before = (await alipay_stage.books())["notices"]
        await alipay_stage.play("bad_signature_probe")

        await alipay_stage.provider.charge(order)
        await alipay_stage.delivery(NoticeKind.CHARGE_SUCCEEDED, order.number)

        async def probed() -> dict[str, Any] | None:
            after = (await alipay_stage.books())["notices"]
            return after if after["probes_refused"] > before["probes_refused"] else None

        after = await eventually(probed)
        assert after["probes"] == before["probes"] + 1
        assert after["given_up"] == before["given_up"]

    async def test_repetitions_are_copies(self, alipay_stage: AlipayStage) -> None:
        order = await charge_order(alipay_stage)
        await alipay_stage.play("duplicate_notice")
        await alipay_stage.provider.charge(order)
        number = order.number.encode()
        first, second = await alipay_stage.receiver.wait_for(lambda d: number in d.body, 2)
        assert first.body == second.body
        assert first.notices[0].notice_id == second.notices[0].notice_id

    async def test_a_wrong_amount_is_told_as_it_is(self, alipay_stage: AlipayStage) -> None:
        order = await charge_order(alipay_stage)
        await alipay_stage.play("wrong_amount")
        await alipay_stage.provider.charge(order)
        delivery = await alipay_stage.delivery(NoticeKind.CHARGE_SUCCEEDED, order.number)
        result = delivery.notices[0].result
        assert isinstance(result, ChargeResult)
        # Whoever posts it compares it with the attempt's.
        assert result.amount == Money(1251, "CNY")

    async def test_a_late_notice_is_believed_for_no_window_is_documented(
        self, alipay_stage: AlipayStage
    ) -> None:
        order = await charge_order(alipay_stage)
        await alipay_stage.play("stale_notice")
        await alipay_stage.provider.charge(order)
        delivery = await alipay_stage.delivery(NoticeKind.CHARGE_SUCCEEDED, order.number)
        assert delivery.refused is None

    async def test_a_revocation_on_the_payers_phone_is_told(
        self, alipay_stage: AlipayStage
    ) -> None:
        reference = await signed_agreement(alipay_stage)
        await alipay_stage.control(cancel_agreement={"reference": reference})
        told = await alipay_stage.delivery(NoticeKind.AGREEMENT_CANCELLED, reference)
        state = told.notices[0].result
        assert isinstance(state, AgreementState)
        assert state.cancelled_at is not None


class TestRefunds:
    async def test_a_refund_that_fails_may_be_asked_for_again(
        self, alipay_stage: AlipayStage
    ) -> None:
        order = await charge_order(alipay_stage)
        await alipay_stage.provider.charge(order)
        before = await alipay_stage.captured("CNY")
        refund = refund_order(order, 250)
        await alipay_stage.play("decline", operation="refund")

        failed = await alipay_stage.provider.refund(refund)

        assert (failed.status, failed.failure_code) == (
            OrderStatus.FAILED,
            "ACQ.SELLER_BALANCE_NOT_ENOUGH",
        )
        assert await alipay_stage.captured("CNY") == before

    async def test_a_refund_that_takes_its_time(self, alipay_stage: AlipayStage) -> None:
        order = await charge_order(alipay_stage)
        await alipay_stage.provider.charge(order)
        refund = refund_order(order, 250)
        await alipay_stage.play("accept", operation="refund")

        accepted = await alipay_stage.provider.refund(refund)

        async def done() -> OrderStatus | None:
            found = await alipay_stage.provider.query_refund(refund)
            return found.status if found.status.definitive else None

        assert accepted.status is OrderStatus.ACCEPTED
        assert await eventually(done) is OrderStatus.SUCCEEDED

    async def test_another_amount_in_the_answer_is_not_believed(
        self, alipay_stage: AlipayStage
    ) -> None:
        order = await charge_order(alipay_stage)
        await alipay_stage.provider.charge(order)
        refund = refund_order(order, 250)
        await alipay_stage.play("wrong_amount", operation="query")

        result = await alipay_stage.provider.refund(refund)

        assert (result.status, result.failure_code) == (OrderStatus.UNKNOWN, ANSWER_MISMATCH)


class TestSettlement:
    async def _rows(self, stage: AlipayStage, numbers: set[str]) -> dict[str, SettlementRow]:
        rows = await stage.provider.fetch_settlement(today())
        return {row.number: row for row in rows if row.number in numbers}

    async def test_a_bill_has_what_moved(self, alipay_stage: AlipayStage) -> None:
        order = await charge_order(alipay_stage)
        charged = await alipay_stage.provider.charge(order)
        refund = refund_order(order, 250)
        await alipay_stage.provider.refund(refund)
        with pytest.raises(SettlementNotReadyError):
            await alipay_stage.provider.fetch_settlement(today())
        await alipay_stage.control(day_closed=True)

        rows = await self._rows(alipay_stage, {order.number, refund.number})

        charge, given = rows[order.number], rows[refund.number]
        assert (charge.kind, charge.amount) == (SettlementKind.CHARGE, Money(1250, "CNY"))
        assert (charge.reference, charge.fee_minor) == (charged.provider_reference, 7)
        assert (given.kind, given.amount) == (SettlementKind.REFUND, Money(250, "CNY"))
        assert charge.occurred_at <= given.occurred_at

    async def test_a_bill_may_differ(self, alipay_stage: AlipayStage) -> None:
        order = await charge_order(alipay_stage)
        await alipay_stage.provider.charge(order)
        await alipay_stage.control(day_closed=True)
        before = await alipay_stage.provider.fetch_settlement(today())

        counts: dict[str, int] = {}
        for scenario in ("missing_row", "extra_row", "other_amount"):
            await alipay_stage.play(f"settlement_{scenario}", operation="settlement")
            rows = await alipay_stage.provider.fetch_settlement(today())
            counts[scenario] = len(set(rows) ^ set(before))

        assert counts == {"missing_row": 1, "extra_row": 1, "other_amount": 2}
        assert await alipay_stage.provider.fetch_settlement(today()) == before

    async def test_a_day_without_a_bill(self, alipay_stage: AlipayStage) -> None:
        yesterday = today() - timedelta(days=1)
        with pytest.raises(SettlementNotReadyError):
            await alipay_stage.provider.fetch_settlement(yesterday)
        # So long after, no bill means that nothing moved.
        assert await alipay_stage.provider.fetch_settlement(today() - timedelta(days=4)) == ()

    @pytest.mark.parametrize("token", ["gone", "../_control", "\x00"])
    async def test_a_bill_that_cannot_be_fetched(
        self, alipay_stage: AlipayStage, monkeypatch: pytest.MonkeyPatch, token: str
    ) -> None:
        order = await charge_order(alipay_stage)
        await alipay_stage.provider.charge(order)
        await alipay_stage.control(day_closed=True)

        def forget(_gateway: Gateway, _content: bytes) -> str:
            return token

        monkeypatch.setattr(Gateway, "keep_bill", forget)
        with pytest.raises(ProviderUnavailableError):
            await alipay_stage.provider.fetch_settlement(today())

    @pytest.mark.parametrize("scenario", ["bad_answer_signature", "lose_answer_after"])
    async def test_an_unbelievable_answer_is_no_bill(
        self, alipay_stage: AlipayStage, scenario: str
    ) -> None:
        await alipay_stage.play(scenario, operation="settlement")
        with pytest.raises(ProviderUnavailableError):
            await alipay_stage.provider.fetch_settlement(today())


async def test_the_parking_service_hears_of_a_car_that_comes_and_leaves(
    alipay_stage: AlipayStage,
) -> None:
    provider = AlipayProvider(
        replace(alipay_stage.settings, parking_ids={PLACE_ID: "PI1501317472942184881"}),
        SystemClock(),
    )
    for traits, expected in ((provider.traits, True), (alipay_stage.provider.traits, False)):
        said = (traits.needs_plate, traits.announces_stays, traits.announces_departures)
        assert said == (expected, expected, expected)
    entered = datetime.fromisoformat("2026-11-27T06:00:00+00:00")
    stay = StayDetails(
        number=new_number(),
        plate="京A12345",
        place_id=PLACE_ID,
        place_name="Riverside",
        entered_at=entered,
    )

    await alipay_stage.play("lose_answer_after", operation="entry")
    with pytest.raises(ProviderUnavailableError):
        await provider.announce_stay("", stay)
    serial_no = await provider.announce_stay("", stay)
    departure = replace(stay, left_at=entered + timedelta(hours=2), reference=serial_no)
    assert await provider.announce_stay("", departure) == serial_no
    with pytest.raises(ProviderRefusedError) as refused:
        await provider.announce_stay("", replace(departure, reference="another"))
    with pytest.raises(ProviderRefusedError, match="place_unknown"):
        await provider.announce_stay("", replace(stay, place_id=UUID(int=2)))
    await provider.aclose()

    assert refused.value.failure_code == "INVALID_PARAMETER"
    named = {
        "parking_id": "PI1501317472942184881",
        "car_number": "京A12345",
        "out_serial_no": stay.number,
    }
    came = {"event": "entered", **named, "in_time": "2026-11-27 14:00:00"}
    gone = {"event": "left", **named, "out_time": "2026-11-27 16:00:00", "serial_no": serial_no}
    told = [row for row in await alipay_stage.told() if row["out_serial_no"] == stay.number]
    assert told == [came, came, gone]


async def test_ten_at_once_take_money_ten_times(alipay_stage: AlipayStage) -> None:
    before = await alipay_stage.captured("CNY")
    reference = await signed_agreement(alipay_stage)
    first = await charge_order(alipay_stage)
    state = await alipay_stage.provider.query_agreement(reference)
    orders = [
        replace(
            first,
            number=new_number(),
            agreement_reference=reference,
            instrument=state.instrument if position % 2 else None,
        )
        for position in range(10)
    ]

    results = await asyncio.gather(*(alipay_stage.provider.charge(order) for order in orders))

    assert {result.status for result in results} == {OrderStatus.SUCCEEDED}
    assert len({result.provider_reference for result in results}) == 10
    assert await alipay_stage.captured("CNY") == before + 12500

"""What only the ETC acquirer does: antennas, plates, cards, limits, and the file of a day."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from parking.kit.clock import SystemClock
from parking.kit.money import Money
from parking.payments.port import (
    AGREEMENT_INACTIVE,
    CLOSED,
    AgreementRequest,
    ChargeOrder,
    OrderStatus,
    ProviderRefusedError,
    SettlementKind,
    SettlementNotReadyError,
)
from parking.payments.providers.etc.adapter import ANTENNA_MISSING
from parking.payments.providers.etc.signature import SCHEME
from parking.payments.signed_wire import PrivateKey
from parking.payments.signed_wire.answers import OrderAnswer
from parking.payments.signed_wire.transport import Failure, SignedClient
from tests.contract.etc_stage import EtcStage
from tests.contract.payment_script import (
    ANTENNA,
    as_sent,
    charge_order,
    checkout_order,
    new_number,
    refund_order,
)


@pytest.fixture
async def order(etc_stage: EtcStage) -> AsyncIterator[ChargeOrder]:
    """An order whose car stands under its antenna, and no other car under any."""
    made = await charge_order(etc_stage)
    await etc_stage.control(antenna={"id": "*", "sees": []})
    await etc_stage.control(antenna={"id": ANTENNA, "sees": [made.instrument]})
    yield made
    await etc_stage.control(card={"obu": made.instrument})


def _changed(order: ChargeOrder, **stay: str | None) -> ChargeOrder:
    assert order.stay is not None
    changed = replace(order.stay, **stay)  # pyright: ignore[reportArgumentType]
    return replace(order, number=new_number(), stay=changed)


async def _refused(stage: EtcStage, order: ChargeOrder, failure_code: str) -> None:
    """Try to charge, and see that nothing moved and that the refusal is final."""
    before = await stage.captured("CNY")
    result = await stage.provider.charge(order)
    assert (result.status, result.failure_code) == (OrderStatus.FAILED, failure_code)
    assert await stage.provider.charge(order) == result
    assert await stage.captured("CNY") == before


class TestRoadside:
    async def test_only_the_antenna_of_the_lane_counts(
        self, etc_stage: EtcStage, order: ChargeOrder
    ) -> None:
        await _refused(etc_stage, _changed(order, antenna="antenna-2"), "obu_not_seen")
        assert (await etc_stage.provider.charge(order)).status is OrderStatus.SUCCEEDED

    async def test_a_car_that_has_left_is_not_charged(
        self, etc_stage: EtcStage, order: ChargeOrder
    ) -> None:
        await etc_stage.control(antenna={"id": ANTENNA, "sees": []})
        await _refused(etc_stage, order, "obu_not_seen")

    async def test_another_plate_is_not_charged(
        self, etc_stage: EtcStage, order: ChargeOrder
    ) -> None:
        await _refused(etc_stage, _changed(order, plate="京B99999"), "plate_mismatch")

    async def test_another_cars_unit_is_not_charged(
        self, etc_stage: EtcStage, order: ChargeOrder
    ) -> None:
        await etc_stage.control(antenna={"id": ANTENNA, "sees": ["OBU-other"]})
        await _refused(etc_stage, replace(order, instrument="OBU-other"), AGREEMENT_INACTIVE)

    async def test_a_blacklisted_card_is_not_charged(
        self, etc_stage: EtcStage, order: ChargeOrder
    ) -> None:
        await etc_stage.control(card={"obu": order.instrument, "status": "blacklisted"})
        await _refused(etc_stage, order, "card_blacklisted")

    async def test_a_stored_value_card_gives_what_it_holds(
        self, etc_stage: EtcStage, order: ChargeOrder
    ) -> None:
        held = await _spent(etc_stage, order) + 2000
        await etc_stage.control(card={"obu": order.instrument, "balance_minor": held})

        assert (await etc_stage.provider.charge(order)).status is OrderStatus.SUCCEEDED
        await _refused(etc_stage, _changed(order), "insufficient_balance")
        await etc_stage.provider.refund(refund_order(order, 1250))
        assert (await etc_stage.provider.charge(_changed(order))).status is OrderStatus.SUCCEEDED

    async def test_without_an_antenna_nothing_is_sent(
        self, etc_stage: EtcStage, order: ChargeOrder
    ) -> None:
        before = await etc_stage.captured("CNY")
        result = await etc_stage.provider.charge(_changed(order, antenna=None))
        assert (result.status, result.failure_code) == (OrderStatus.FAILED, ANTENNA_MISSING)
        again = await etc_stage.provider.query(replace(as_sent(order), number=result.number))
        assert (again.status, again.failure_code) == (OrderStatus.FAILED, CLOSED)
        # An order that took money before the antenna went stays what it is.
        taken = await etc_stage.provider.charge(order)
        assert order.stay is not None
        late = replace(order, stay=replace(order.stay, antenna=None))
        assert await etc_stage.provider.charge(late) == taken
        assert await etc_stage.captured("CNY") == before + 1250


async def _spent(stage: EtcStage, order: ChargeOrder) -> int:
    """Return what the suite's other tests took from the same card."""
    books = await stage.books()
    mine = [
        row["amount_minor"]
        for row in books["orders"]
        if row["extra"].get("obu") == order.instrument and row["status"] != "failed"
    ]
    back = [
        row["amount_minor"]
        for row in books["refunds"]
        if row["extra"].get("obu") == order.instrument and row["status"] != "failed"
    ]
    return sum(mine) - sum(back)


class TestLimits:
    async def test_no_more_than_2000_yuan_at_once(
        self, etc_stage: EtcStage, order: ChargeOrder
    ) -> None:
        assert etc_stage.provider.traits.charge_minor_max == 200_000
        above = replace(_changed(order), amount=Money(200_001, "CNY"))
        await _refused(etc_stage, above, "limit_exceeded")
        highest = replace(_changed(order), amount=Money(200_000, "CNY"))
        assert (await etc_stage.provider.charge(highest)).status is OrderStatus.SUCCEEDED

    async def test_no_more_than_20000_yuan_a_day(
        self, etc_stage: EtcStage, order: ChargeOrder
    ) -> None:
        assert etc_stage.provider.traits.day_minor_max == 2_000_000
        for _ in range(10):
            highest = replace(_changed(order), amount=Money(200_000, "CNY"))
            assert (await etc_stage.provider.charge(highest)).status is OrderStatus.SUCCEEDED
        await _refused(etc_stage, replace(order, amount=Money(1, "CNY")), "limit_exceeded")

    async def test_no_more_than_20_times_a_day(
        self, etc_stage: EtcStage, order: ChargeOrder
    ) -> None:
        assert etc_stage.provider.traits.day_charges_max == 20
        for _ in range(20):
            small = replace(_changed(order), amount=Money(1, "CNY"))
            assert (await etc_stage.provider.charge(small)).status is OrderStatus.SUCCEEDED
        await _refused(etc_stage, order, "limit_exceeded")


class TestPages:
    async def test_a_contract_is_for_a_plate(self, etc_stage: EtcStage) -> None:
        request = AgreementRequest(
            number=new_number(), description="x", return_url="https://parkside.example/"
        )
        with pytest.raises(ProviderRefusedError):
            await etc_stage.provider.start_agreement(request)

    async def test_a_unit_has_no_page_to_pay_on(self, etc_stage: EtcStage) -> None:
        with pytest.raises(ProviderRefusedError):
            await etc_stage.provider.start_checkout(checkout_order(etc_stage))


class TestSettlement:
    async def test_a_day_is_had_when_it_is_closed(
        self, etc_stage: EtcStage, order: ChargeOrder
    ) -> None:
        today = SystemClock().now().astimezone(ZoneInfo("Asia/Shanghai")).date()
        taken = await etc_stage.provider.charge(order)
        refund = await etc_stage.provider.refund(refund_order(order, 250))

        with pytest.raises(SettlementNotReadyError):
            await etc_stage.provider.fetch_settlement(today)
        await etc_stage.control(day_closed=True)
        rows = await etc_stage.provider.fetch_settlement(today)

        mine = [row for row in rows if row.number in {order.number, refund.number}]
        assert [(row.kind, row.reference, row.amount, row.fee_minor) for row in mine] == [
            (SettlementKind.CHARGE, taken.provider_reference, order.amount, 3),
            (SettlementKind.REFUND, refund.provider_reference, Money(250, "CNY"), 0),
        ]
        held = sum(row.amount.amount_minor for row in rows if row.kind == SettlementKind.CHARGE)
        back = sum(row.amount.amount_minor for row in rows if row.kind == SettlementKind.REFUND)
        assert held - back == await etc_stage.captured("CNY")
        assert await etc_stage.provider.fetch_settlement(today - timedelta(days=1)) == ()

    async def test_the_file_differs_on_demand(
        self, etc_stage: EtcStage, order: ChargeOrder
    ) -> None:
        today = SystemClock().now().astimezone(ZoneInfo("Asia/Shanghai")).date()
        await etc_stage.provider.charge(order)
        await etc_stage.control(day_closed=True)
        right = await etc_stage.provider.fetch_settlement(today)

        await etc_stage.play("settlement_missing_row", operation="settlement")
        missing = await etc_stage.provider.fetch_settlement(today)
        await etc_stage.play("settlement_extra_row", operation="settlement")
        extra = await etc_stage.provider.fetch_settlement(today)
        await etc_stage.play("settlement_other_amount", operation="settlement")
        other = await etc_stage.provider.fetch_settlement(today)

        assert missing == right[1:]
        assert extra[:-1] == right
        assert other[0].amount == Money(right[0].amount.amount_minor + 1, "CNY")
        assert other[1:] == right[1:]
        assert await etc_stage.provider.fetch_settlement(today) == right


class TestCaller:
    async def test_only_the_merchants_own_signature_is_let_in(self, etc_stage: EtcStage) -> None:
        key = SCHEME.load_private_key(etc_stage.settings.merchant_key_pem)

        def of_other_bytes(text: bytes) -> bytes:
            return key.sign(text + b"x")

        async def asked(key: PrivateKey) -> object:
            def load(_pem: str) -> PrivateKey:
                return key

            scheme = replace(SCHEME, load_private_key=load)
            client = SignedClient(scheme, etc_stage.settings, SystemClock())
            answer = await client.call(OrderAnswer, "GET", f"/v1/deductions/{new_number()}")
            await client.aclose()
            return answer

        assert await asked(key) == Failure("not_found", 404)
        assert await asked(replace(key, sign=of_other_bytes)) == Failure("signature_refused", 401)

"""A closed day of the acquirer, page by page: whole, or not at all (docs/acquirer-wire.md, 7)."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from parking.kit.clock import SystemClock
from parking.kit.money import Money
from parking.payments.port import (
    ChargebackState,
    ChargeOrder,
    NoticeKind,
    NoticeRefusedError,
    OrderStatus,
    ProviderUnavailableError,
    RefundOrder,
    SettlementKind,
    SettlementNotReadyError,
    SettlementRow,
)
from parking.payments.providers.acquirer.adapter import WIRE
from parking.payments.signed_wire.notices import parse_notice
from sesame.sandbox.acquirer import settlement
from sesame.sandbox.acquirer.settlement import SettlementFiles
from sesame.sandbox.platform import Platform
from tests.contract.payment_stages import AcquirerStage, new_number
from tests.contract.test_acquirer_stand_in import order_of
from tests.factories.sent_orders import sent


def today() -> date:
    return SystemClock().now().date()


async def charged(stage: AcquirerStage) -> ChargeOrder:
    order = await order_of(stage)
    assert (await stage.provider.charge(order)).status is OrderStatus.SUCCEEDED
    return order


async def closed(stage: AcquirerStage) -> tuple[SettlementRow, ...]:
    await stage.control(day_closed=True)
    return await stage.provider.fetch_settlement(today())


async def test_a_day_is_had_once_its_books_are_closed(acquirer_stage: AcquirerStage) -> None:
    await charged(acquirer_stage)
    with pytest.raises(SettlementNotReadyError, match=str(today())):
        await acquirer_stage.provider.fetch_settlement(today())
    with pytest.raises(SettlementNotReadyError):
        await acquirer_stage.provider.fetch_settlement(today() + timedelta(days=1))
    assert await closed(acquirer_stage)
    before = today() - timedelta(days=400)
    assert await acquirer_stage.provider.fetch_settlement(before) == ()


async def test_every_movement_stands_in_it_with_its_fee(acquirer_stage: AcquirerStage) -> None:
    order = await charged(acquirer_stage)
    refund = RefundOrder(
        number=new_number(),
        charge=sent(order.number, order.amount),
        amount=Money(250, "JPY"),
        reason="Barrier opened late",
    )
    assert (await acquirer_stage.provider.refund(refund)).status is OrderStatus.SUCCEEDED
    wish = {"number": order.number, "reason": "fraudulent", "amount_minor": 300}
    await acquirer_stage.control(chargeback=wish)
    delivery = await acquirer_stage.delivery(NoticeKind.CHARGEBACK_OPENED, order.number)
    [notice] = delivery.notices
    assert isinstance(notice.result, ChargebackState)
    assert notice.result.amount == Money(300, "JPY")
    await acquirer_stage.control(chargeback={"number": order.number, "decision": "won"})
    await acquirer_stage.delivery(NoticeKind.CHARGEBACK_WON, order.number)
    rows = await closed(acquirer_stage)
    mine = [row for row in rows if row.number in {order.number, refund.number}]
    assert [(row.kind, row.amount, row.fee_minor) for row in mine] == [
        (SettlementKind.CHARGE, order.amount, 1250 * 60 // 10_000),
        (SettlementKind.REFUND, Money(250, "JPY"), 0),
        (SettlementKind.CHARGEBACK, Money(300, "JPY"), 0),
        (SettlementKind.CHARGEBACK_REVERSED, Money(300, "JPY"), 0),
    ]
    # What reverses a chargeback names it.
    assert [row.reference for row in mine[2:]] == [notice.result.reference] * 2
    assert len({row.reference for row in mine}) == 3
    assert all(row.occurred_at.date() == today() for row in mine)


async def test_many_pages_make_one_day(
    acquirer_stage: AcquirerStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = [await charged(acquirer_stage) for _ in range(3)]
    whole = await closed(acquirer_stage)
    monkeypatch.setattr(settlement, "PAGE_ROWS", 1)
    assert await acquirer_stage.provider.fetch_settlement(today()) == whole
    numbers = Counter(row.number for row in whole if row.kind is SettlementKind.CHARGE)
    assert [numbers[order.number] for order in orders] == [1, 1, 1]


async def test_differences_are_played_once(acquirer_stage: AcquirerStage) -> None:
    await charged(acquirer_stage)
    await charged(acquirer_stage)
    honest = await closed(acquirer_stage)
    fetch = acquirer_stage.provider.fetch_settlement
    await acquirer_stage.play("settlement_missing_row", operation="settlement")
    assert await fetch(today()) == honest[1:]
    await acquirer_stage.play("settlement_other_amount", operation="settlement")
    first, *others = await fetch(today())
    assert first.amount.amount_minor == honest[0].amount.amount_minor + 1
    assert others == list(honest[1:])
    await acquirer_stage.play("settlement_extra_row", operation="settlement")
    *same, extra = await fetch(today())
    assert (same, extra.amount.amount_minor) == (list(honest), 100)
    assert await fetch(today()) == honest


@pytest.mark.parametrize("scenario", ["lose_answer_after", "bad_answer_signature", "unknown"])
async def test_a_page_that_cannot_be_believed_is_no_day(
    acquirer_stage: AcquirerStage, scenario: str
) -> None:
    await charged(acquirer_stage)
    await closed(acquirer_stage)
    await acquirer_stage.play(scenario, operation="settlement")
    with pytest.raises(ProviderUnavailableError):
        await acquirer_stage.provider.fetch_settlement(today())


@pytest.mark.parametrize(
    "change",
    [
        {"count": 10_000},
        {"count": 0},
        {"date": "2020-01-01"},
        {"next": "0"},
        {"rows": [{"kind": "gift"}]},
        {"next": "5", "rows": []},
    ],
)
async def test_pages_that_do_not_add_up_are_no_day(
    acquirer_stage: AcquirerStage, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    await charged(acquirer_stage)
    await closed(acquirer_stage)
    honest = SettlementFiles.page

    def page(files: SettlementFiles, platform: Platform, day: date, after: int) -> dict[str, Any]:
        return {**honest(files, platform, day, after), **change}

    monkeypatch.setattr(SettlementFiles, "page", page)
    with pytest.raises(ProviderUnavailableError):
        await acquirer_stage.provider.fetch_settlement(today())


def test_a_kind_that_this_wire_has_no_word_for_is_refused() -> None:
    body = b'{"id":"n1","type":"payer.repaid","occurred_at":"2026-11-22T08:00:00Z","data":{}}'
    with pytest.raises(NoticeRefusedError):
        parse_notice(body, WIRE.topics)

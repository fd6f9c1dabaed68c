"""Money that banks take back: booked once, owed again, and never more than came in."""

import asyncio
import itertools
from dataclasses import replace
from uuid import UUID

import pytest

from parking.flows.pay_link import pay_token
from parking.flows.payments import (
    chargebacks,
    charging,
    checkout,
    desk_payment,
    desk_refund,
    mandates,
    notices,
    prepay,
    refunds,
)
from parking.flows.proof import verification
from parking.flows.proof.bill_proof import prove
from parking.kit.money import Money
from parking.payments import credit, repository
from parking.payments.chargeback_models import ChargebackStatus
from parking.payments.chargebacks import ChargebackTooLargeError
from parking.payments.errors import PaymentInProgressError, RefundTooLargeError
from parking.payments.models import Bill
from parking.payments.port import (
    ChargebackState,
    Notice,
    NoticeKind,
    OrderStatus,
    RefundOrder,
    RefundResult,
)
from tests.factories.lane_world import LaneWorld

OPENED = NoticeKind.CHARGEBACK_OPENED
LOST = NoticeKind.CHARGEBACK_LOST
WON = NoticeKind.CHARGEBACK_WON
_serial = itertools.count(1)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))


async def paid_stay(world: LaneWorld) -> tuple[UUID, Bill]:
    """Let a driver stay 45 minutes and leave for 10.00; returns the driver and the paid bill."""
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    session_id = await world.drive_in()
    world.wait(minutes=45)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "paid")
    async with world.context.database.begin() as unit:
        [bill] = await repository.find_bills(unit, world.entry.operator_id, session_id)
    assert (bill.total_minor, bill.state) == (1000, "paid")
    return driver_id, bill


async def said_of(world: LaneWorld, bill: Bill, amount_minor: int = 1000) -> ChargebackState:
    async with world.context.database.begin() as unit:
        assert bill.paid_attempt_id is not None
        attempt = await repository.find_attempt(unit, bill.operator_id, bill.paid_attempt_id)
    assert attempt is not None
    return ChargebackState(
        charge_number=None,
        charge_reference=attempt.provider_reference,
        reference="du_1",
        amount=Money(amount_minor, "CNY"),
        reason="fraudulent",
    )


async def hear(world: LaneWorld, kind: NoticeKind, said: ChargebackState) -> None:
    notice = Notice(
        notice_id=f"evt_{next(_serial)}",
        kind=kind,
        occurred_at=world.clock.now(),
        result=said,
    )
    await notices.receive_notice(world.context, "fake", notice)


async def bills_of(world: LaneWorld) -> list[tuple[int, str, int]]:
    rows = await world.rows("SELECT version, state, total_minor FROM bills ORDER BY version")
    return [(row["version"], row["state"], row["total_minor"]) for row in rows]


async def causes(world: LaneWorld) -> list[tuple[str, int]]:
    rows = await world.rows(
        "SELECT cause, amount_minor FROM ledger_transfers ORDER BY posted_at, id"
    )
    return sorted((row["cause"], row["amount_minor"]) for row in rows)


async def events(world: LaneWorld) -> list[str]:
    rows = await world.rows(
        "SELECT type FROM outbox WHERE type IN ('PaymentChargedBack', 'ChargebackReversed')"
        " ORDER BY id"
    )
    return [row["type"] for row in rows]


async def test_the_bill_is_owed_again_and_nobody_is_charged_by_himself(world: LaneWorld) -> None:
    driver_id, bill = await paid_stay(world)
    said = await said_of(world, bill)

    await hear(world, OPENED, said)
    await hear(world, OPENED, said)

    assert await bills_of(world) == [(1, "corrected", 1000), (2, "owed", 1000)]
    assert await world.balances() == {
        ("chargebacks", "CNY"): 0,
        ("provider:fake", "CNY"): 0,
        ("receivable", "CNY"): 1000,
        ("revenue", "CNY"): -1000,
    }
    [owed] = await world.rows(
        "SELECT amount_minor, next_try_at, is_contested, driver_id FROM owed_bills"
    )
    assert dict(owed) == {
        "amount_minor": 1000,
        "next_try_at": None,
        "is_contested": True,
        "driver_id": driver_id,
    }
    [row] = await world.rows("SELECT status, amount_minor, reason FROM chargebacks")
    assert dict(row) == {"status": "opened", "amount_minor": 1000, "reason": "fraudulent"}
    async with world.context.database.begin() as unit:
        account = await credit.find_account(unit, bill.operator_id, driver_id, "CNY")
    assert account is not None
    assert account.frozen_reason == "chargeback"
    assert await events(world) == ["PaymentChargedBack"]


@pytest.mark.parametrize(
    "kinds", [(OPENED, WON), (WON, OPENED), (OPENED, LOST, WON), (LOST, WON, OPENED)]
)
async def test_whatever_the_order_a_won_one_leaves_everything_as_it_was(
    world: LaneWorld, kinds: tuple[NoticeKind, ...]
) -> None:
    driver_id, bill = await paid_stay(world)
    said = await said_of(world, bill)

    for kind in kinds:
        await hear(world, kind, said)
        await hear(world, kind, said)

    assert await world.balances() == {
        ("chargebacks", "CNY"): 0,
        ("provider:fake", "CNY"): 1000,
        ("receivable", "CNY"): 0,
        ("revenue", "CNY"): -1000,
    }
    [row] = await world.rows("SELECT status FROM chargebacks")
    assert row["status"] == "won"
    assert await world.count("owed_bills") == 0
    [newest] = await world.rows(
        "SELECT state, paid_attempt_id FROM bills ORDER BY version DESC LIMIT 1"
    )
    assert (newest["state"], newest["paid_attempt_id"]) == ("paid", bill.paid_attempt_id)
    async with world.context.database.begin() as unit:
        account = await credit.find_account(unit, bill.operator_id, driver_id, "CNY")
    assert account is None or account.frozen_at is None


@pytest.mark.parametrize("kinds", [(OPENED, LOST), (LOST, OPENED), (LOST,)])
async def test_whatever_the_order_a_lost_one_stays_owed(
    world: LaneWorld, kinds: tuple[NoticeKind, ...]
) -> None:
    _, bill = await paid_stay(world)
    said = await said_of(world, bill)

    for kind in kinds:
        await hear(world, kind, said)

    assert await causes(world) == [
        ("captured", 1000),
        ("charged_back", 1000),
        ("issued", 1000),
        ("owed_again", 1000),
    ]
    assert await bills_of(world) == [(1, "corrected", 1000), (2, "owed", 1000)]
    [row] = await world.rows("SELECT status FROM chargebacks")
    assert row["status"] == "lost"


async def test_what_was_paid_twice_goes_back(world: LaneWorld) -> None:
    _, bill = await paid_stay(world)
    said = await said_of(world, bill)
    await hear(world, OPENED, said)
    assert bill.session_id is not None
    await checkout.open_page(world.context, bill.operator_id, bill.session_id)
    [number] = [
        row["number"]
        for row in await world.rows("SELECT number FROM payment_attempts WHERE kind = 'checkout'")
    ]
    world.provider.pay(number)
    sent = world.provider.notices[-1]
    [paid] = world.provider.verify_notices(sent.headers, sent.body)
    await notices.receive_notice(world.context, "fake", paid)
    assert await bills_of(world) == [(1, "corrected", 1000), (2, "paid", 1000)]

    await hear(world, WON, said)
    world.wait(minutes=1)
    await refunds.sweep(world.context)

    assert await bills_of(world) == [
        (1, "corrected", 1000),
        (2, "corrected", 1000),
        (3, "paid", 1000),
    ]
    [refund] = await world.rows("SELECT charge_number, amount_minor, state FROM refunds")
    assert dict(refund) == {"charge_number": number, "amount_minor": 1000, "state": "succeeded"}
    assert await world.balances() == {
        ("chargebacks", "CNY"): 0,
        ("provider:fake", "CNY"): 1000,
        ("receivable", "CNY"): 0,
        ("revenue", "CNY"): -1000,
    }


async def test_what_was_paid_in_cash_meanwhile_waits_to_be_handed_out(world: LaneWorld) -> None:
    _, bill = await paid_stay(world)
    said = await said_of(world, bill)
    await hear(world, OPENED, said)
    [owed] = await world.rows("SELECT id FROM bills WHERE state = 'owed'")
    owner = bill.operator_id
    await desk_payment.take_cash(world.context, owner, owner, owed["id"], by="Ada")

    await hear(world, WON, said)
    world.wait(minutes=1)
    await refunds.sweep(world.context)

    [waiting] = await world.rows("SELECT id, state, failure_code, amount_minor FROM refunds")
    assert (waiting["state"], waiting["failure_code"]) == ("failed", "to_be_handed_out")
    assert (await world.balances())["receivable", "CNY"] == -1000
    await desk_refund.retry(world.context, owner, waiting["id"], by="Ada")
    assert await world.accounts() == {"provider:fake": 1000, "revenue": -1000}


@pytest.mark.parametrize(("minutes", "more_minor"), [(5, 0), (40, 500)])
async def test_a_car_that_is_still_inside_is_not_asked_for_it_again(
    world: LaneWorld, minutes: float, more_minor: int
) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    session_id = await world.drive_in()
    world.wait(minutes=45)
    await prepay.prepay(world.context, driver_id, session_id)
    async with world.context.database.begin() as unit:
        [bill] = await repository.find_bills(unit, world.entry.operator_id, session_id)
    said = await said_of(world, bill)
    await hear(world, OPENED, said)
    world.wait(minutes=minutes)

    decision = await world.drive_out()

    assert decision.reason == ("paid" if more_minor else "zero_due")
    assert world.provider.captured("CNY") == 1000 + more_minor
    assert (await world.balances())["receivable", "CNY"] == 1000
    assert (await world.balances())["revenue", "CNY"] == -1000 - more_minor
    [listed] = await world.rows("SELECT amount_minor FROM owed_bills")
    assert listed["amount_minor"] == 1000
    async with world.context.database.begin() as unit:
        *_, last = await repository.find_bills(unit, world.entry.operator_id, session_id)
        found = await prove(world.context, unit, last.operator_id, last.id)
    assert (last.total_minor, found.first_problem) == (more_minor, None)
    await hear(world, WON, said)
    assert (await world.balances())["receivable", "CNY"] == 0
    assert await world.count("owed_bills") == 0


async def test_the_code_at_the_exit_asks_for_what_opens_it(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    mandate_id = await world.permit(driver_id)
    session_id = await world.drive_in()
    world.wait(minutes=45)
    await prepay.prepay(world.context, driver_id, session_id)
    async with world.context.database.begin() as unit:
        [bill] = await repository.find_bills(unit, world.entry.operator_id, session_id)
    await hear(world, OPENED, await said_of(world, bill))
    await mandates.revoke(world.context, driver_id, mandate_id)
    world.wait(minutes=40)
    assert (await world.drive_out()).reason == "payment_due"
    token = pay_token(world.context.vault, bill.operator_id, session_id)
    assert (await checkout.bill_of(world.context, token)).due == Money(500, "CNY")


async def test_a_part_is_the_operators_loss(world: LaneWorld) -> None:
    _, bill = await paid_stay(world)

    await hear(world, OPENED, await said_of(world, bill, 400))

    assert await bills_of(world) == [(1, "paid", 1000)]
    assert await world.balances() == {
        ("chargebacks", "CNY"): 400,
        ("provider:fake", "CNY"): 600,
        ("receivable", "CNY"): 0,
        ("revenue", "CNY"): -1000,
    }
    [row] = await world.rows("SELECT owed_bill_id FROM chargebacks")
    assert row["owed_bill_id"] is None


async def test_refunds_and_chargebacks_never_exceed_the_payment(world: LaneWorld) -> None:
    _, bill = await paid_stay(world)
    async with world.context.database.begin() as unit:
        refund = await refunds.request_refund(
            unit, bill, Money(300, "CNY"), cause="c1", reason="Barrier", by="desk"
        )
    with pytest.raises(PaymentInProgressError):
        await hear(world, OPENED, await said_of(world, bill, 1000))
    await refunds.send(world.context, refund.operator_id, refund.id)
    before = await causes(world)

    with pytest.raises(ChargebackTooLargeError):
        await hear(world, OPENED, await said_of(world, bill, 1000))

    assert await causes(world) == before
    assert await world.count("chargebacks") == 0
    await hear(world, OPENED, await said_of(world, bill, 700))
    assert await bills_of(world) == [
        (1, "corrected", 1000),
        (2, "corrected", 700),
        (3, "owed", 700),
    ]


async def test_nothing_is_refunded_of_what_the_bank_has(world: LaneWorld) -> None:
    _, bill = await paid_stay(world)
    await hear(world, OPENED, await said_of(world, bill, 400))

    with pytest.raises(RefundTooLargeError):
        async with world.context.database.begin() as unit:
            await refunds.request_refund(
                unit, bill, Money(601, "CNY"), cause="c1", reason="Barrier", by="desk"
            )
    assert await world.count("refunds") == 0


async def test_the_same_chargeback_over_another_amount_is_refused(world: LaneWorld) -> None:
    _, bill = await paid_stay(world)
    said = await said_of(world, bill)
    await hear(world, OPENED, said)
    before = await causes(world)

    with pytest.raises(ChargebackTooLargeError):
        await hear(world, LOST, replace(said, amount=Money(900, "CNY")))

    assert await causes(world) == before
    [row] = await world.rows("SELECT status FROM chargebacks")
    assert row["status"] == "opened"


async def test_one_of_a_payment_that_is_not_ours_moves_nothing(world: LaneWorld) -> None:
    _, bill = await paid_stay(world)
    said = await said_of(world, bill)
    before = await causes(world)

    await hear(world, OPENED, replace(said, charge_reference="pi_of_somebody_else"))

    assert await causes(world) == before
    assert await world.count("chargebacks") == 0


async def test_two_notices_at_once_are_one(world: LaneWorld) -> None:
    _, bill = await paid_stay(world)
    said = await said_of(world, bill)
    assert bill.paid_attempt_id is not None
    key = (world.context, bill.operator_id, bill.paid_attempt_id, said)

    await asyncio.gather(
        *(chargebacks.settle(*key, status) for status in (ChargebackStatus.OPENED,) * 4),
        *(chargebacks.settle(*key, ChargebackStatus.LOST) for _ in range(2)),
    )

    assert await causes(world) == [
        ("captured", 1000),
        ("charged_back", 1000),
        ("issued", 1000),
        ("owed_again", 1000),
    ]
    assert await events(world) == ["PaymentChargedBack"]


@pytest.mark.parametrize("is_told_only", [False, True])
async def test_a_refund_that_comes_back_is_ours_again_once(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch, *, is_told_only: bool
) -> None:
    _, bill = await paid_stay(world)
    async with world.context.database.begin() as unit:
        refund = await refunds.request_refund(
            unit, bill, Money(300, "CNY"), cause="c1", reason="Barrier", by="desk"
        )
    await refunds.send(world.context, refund.operator_id, refund.id)
    came_back = RefundResult(
        number=refund.number,
        charge_number=refund.charge_number,
        status=OrderStatus.FAILED,
        failure_code="expired_or_canceled_card",
        amount=Money(300, "CNY"),
        came_back=True,
    )
    late = replace(came_back, status=OrderStatus.SUCCEEDED, failure_code=None, came_back=False)

    if is_told_only:
        # As GoCardless does: the notice says that something happened, and asking says what.
        async def query_refund(_order: RefundOrder) -> RefundResult:
            return came_back

        monkeypatch.setattr(world.provider, "query_refund", query_refund)
        unknown = replace(late, status=OrderStatus.UNKNOWN, amount=None)
        for serial in range(2):
            notice = Notice(
                notice_id=f"EV{serial}",
                kind=NoticeKind.REFUND_FAILED,
                occurred_at=world.clock.now(),
                result=unknown,
            )
            await notices.receive_notice(world.context, "fake", notice)
    else:
        for result in (came_back, came_back, late):
            await refunds.settle(world.context, refund.operator_id, refund.id, result)

    [row] = await world.rows("SELECT state, failure_code FROM refunds")
    assert dict(row) == {"state": "failed", "failure_code": "expired_or_canceled_card"}
    assert await world.balances() == {
        ("provider:fake", "CNY"): 1000,
        ("receivable", "CNY"): -300,
        ("revenue", "CNY"): -700,
    }
    async with world.context.database.begin() as unit:
        again = await refunds.retry_refund(unit, refund.operator_id, refund.id, by="desk")
    await refunds.send(world.context, again.operator_id, again.id)
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_its_bill_still_proves_itself(world: LaneWorld) -> None:
    _, bill = await paid_stay(world)
    said = await said_of(world, bill)

    for kind in (OPENED, WON):
        await hear(world, kind, said)
        [newest] = await world.rows("SELECT id FROM bills ORDER BY version DESC LIMIT 1")
        async with world.context.database.begin() as unit:
            proof = await verification.verify(unit, bill.operator_id, newest["id"])
        assert [check for check in proof.checks if check.ok is False] == []

"""Money that goes back: once, never more than came in, and certain before it counts."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from parking.flows.bills import waivers
from parking.flows.bills.bill_basis import BillBasis, recompute
from parking.flows.bills.bill_lines import stored_lines
from parking.flows.payments import charging, notices, prepay, refunds
from parking.flows.payments.correction import Correction, correct_stay
from parking.flows.payments.refunds import lock_paying_attempt, request_refund, retry_refund
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError, ParkingError
from parking.kit.money import Money
from parking.payments import refunds as payment_refunds
from parking.payments import repository
from parking.payments.errors import (
    NothingToRefundError,
    RefundConflictError,
    RefundTooLargeError,
    RefundUnknownError,
)
from parking.payments.fake import Fault, SentNotice
from parking.payments.models import Bill, Refund
from parking.payments.port import (
    DECLINED,
    ChargeResult,
    OrderStatus,
    RefundOrder,
    RefundResult,
)
from parking.payments.service import AmountMismatchError
from parking.payments.versions import lock_newest
from tests.factories.lane_world import RATE_TABLE, LaneWorld

BY = "desk:mei"
REASON = "Barrier opened late"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))


async def paid_stay(world: LaneWorld) -> Bill:
    """Let a driver stay 45 minutes and leave for 10.00; returns the paid bill."""
    await world.permit(await world.add_driver())
    session_id = await world.drive_in()
    world.wait(minutes=45)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "paid")
    async with world.context.database.begin() as unit:
        [bill] = await repository.find_bills(unit, world.entry.operator_id, session_id)
    assert (bill.total_minor, bill.state) == (1000, "paid")
    return bill


async def ask_for(
    world: LaneWorld, bill: Bill, amount_minor: int, *, cause: str = "c1", currency: str = "CNY"
) -> Refund:
    async with world.context.database.begin() as unit:
        amount = Money(amount_minor, currency)
        return await request_refund(unit, bill, amount, cause=cause, reason=REASON, by=BY)


async def order_of(world: LaneWorld, refund: Refund) -> RefundOrder:
    async with world.context.database.begin() as unit:
        attempt = await repository.find_attempt(unit, refund.operator_id, refund.attempt_id)
    assert attempt is not None
    return payment_refunds.order_of(refund, attempt)


async def state_of(world: LaneWorld) -> list[tuple[str, int]]:
    rows = await world.rows("SELECT state, amount_minor FROM refunds ORDER BY requested_at, id")
    return [(row["state"], row["amount_minor"]) for row in rows]


async def refunded_events(world: LaneWorld) -> list[int]:
    rows = await world.rows("SELECT payload FROM outbox WHERE type = 'PaymentRefunded'")
    return [row["payload"]["amount_minor"] for row in rows]


async def assert_untouched(world: LaneWorld) -> None:
    assert await world.count("refunds") == 0
    assert await world.count("bills") == 1
    assert world.provider.captured("CNY") == 1000
    assert await world.balances() == {
        ("provider:fake", "CNY"): 1000,
        ("receivable", "CNY"): 0,
        ("revenue", "CNY"): -1000,
    }


def notice_of(world: LaneWorld, position: int = -1) -> SentNotice:
    return world.provider.notices[position]


async def take_notice(world: LaneWorld, notice: SentNotice) -> None:
    verified = world.provider.verify_notices(notice.headers, notice.body)[0]
    await notices.receive_notice(world.context, world.provider.name, verified)


async def test_a_part_goes_back_and_every_book_agrees(world: LaneWorld) -> None:
    bill = await paid_stay(world)
    refund = await ask_for(world, bill, 300)
    assert await world.balances() == {
        ("provider:fake", "CNY"): 1000,
        # Owed to the driver until the provider has given it back.
        ("receivable", "CNY"): -300,
        ("revenue", "CNY"): -700,
    }
    assert await refunds.send(world.context, refund.operator_id, refund.id) == "succeeded"
    assert await world.balances() == {
        ("provider:fake", "CNY"): 700,
        ("receivable", "CNY"): 0,
        ("revenue", "CNY"): -700,
    }
    assert world.provider.captured("CNY") == 700
    old, new = await world.rows("SELECT * FROM bills ORDER BY version")
    assert (old["state"], old["total_minor"], old["version"]) == ("corrected", 1000, 1)
    assert (new["state"], new["total_minor"], new["version"]) == ("paid", 700, 2)
    assert new["corrects_id"] == old["id"]
    assert new["paid_attempt_id"] == old["paid_attempt_id"] == refund.attempt_id
    assert new["paid_at"] == old["paid_at"]
    assert new["lines"][:-1] == old["lines"]
    assert (new["lines"][-1]["reason"], new["lines"][-1]["amount_minor"]) == ("waived", -300)
    assert sum(line["amount_minor"] for line in new["lines"]) == 700
    assert await refunded_events(world) == [300]
    assert await refunds.send(world.context, refund.operator_id, refund.id) == "succeeded"
    assert await refunded_events(world) == [300]


async def test_the_same_cause_refunds_once(world: LaneWorld) -> None:
    bill = await paid_stay(world)
    first = await ask_for(world, bill, 300)
    # The bill in hand is the old version by now: the cause is found all the same.
    again = await ask_for(world, bill, 300)
    assert again.id == first.id
    assert await state_of(world) == [("sent", 300)]
    assert await world.count("bills") == 2
    with pytest.raises(RefundConflictError):
        await ask_for(world, bill, 301)
    assert await state_of(world) == [("sent", 300)]


@pytest.mark.parametrize(
    ("amount_minor", "currency"), [(1001, "CNY"), (100, "USD"), (10**12, "CNY")]
)
async def test_more_than_the_bill_says_does_not_go_back(
    world: LaneWorld, amount_minor: int, currency: str
) -> None:
    bill = await paid_stay(world)
    with pytest.raises(RefundTooLargeError):
        await ask_for(world, bill, amount_minor, currency=currency)
    await assert_untouched(world)


async def test_a_bill_that_took_no_money_gives_none_back(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=5)
    assert (await world.drive_out()).reason == "zero_due"
    async with world.context.database.begin() as unit:
        [free] = await repository.find_bills(unit, world.entry.operator_id, session_id)
    with pytest.raises(NothingToRefundError):
        await ask_for(world, free, 1)
    assert await world.count("refunds") == 0


async def test_two_rivals_never_give_back_more_than_came_in(world: LaneWorld) -> None:
    bill = await paid_stay(world)
    answers = await asyncio.gather(
        *(ask_for(world, bill, 600, cause=f"rival-{number}") for number in range(4)),
        return_exceptions=True,
    )
    [won] = [answer for answer in answers if isinstance(answer, Refund)]
    refused = [answer for answer in answers if isinstance(answer, ParkingError)]
    assert [type(answer) for answer in refused] == [RefundTooLargeError] * 3
    assert await state_of(world) == [("sent", 600)]
    await refunds.send(world.context, won.operator_id, won.id)
    assert world.provider.captured("CNY") == 400


async def test_a_payment_never_gives_back_more_than_it_took(world: LaneWorld) -> None:
    bill = await paid_stay(world)

    async def store(amount_minor: int, cause: str) -> None:
        async with world.context.database.begin() as unit:
            newest = await lock_newest(unit, bill.operator_id, bill.id)
            attempt = await lock_paying_attempt(unit, newest)
            amount = Money(amount_minor, "CNY")
            await payment_refunds.store(
                unit, newest, attempt, amount, cause=cause, reason=REASON, by=BY
            )

    await store(600, "first")
    with pytest.raises(RefundTooLargeError):
        await store(401, "second")
    await store(400, "third")
    assert sorted(await state_of(world)) == [("sent", 400), ("sent", 600)]


async def prepaid_twice(world: LaneWorld) -> tuple[Bill, Bill]:
    """Let a driver pay 5.00 after 25 minutes and 10.00 after 85, and stay on."""
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    session_id = await world.drive_in()
    for minutes in (25, 60):
        world.wait(minutes=minutes)
        await prepay.prepay(world.context, driver_id, session_id)
    async with world.context.database.begin() as unit:
        older, newer = await repository.find_bills(unit, world.entry.operator_id, session_id)
    assert (older.total_minor, newer.total_minor) == (500, 1000)
    return older, newer


@pytest.mark.parametrize("amounts", [(300, 500), (200, 200)])
async def test_refunds_of_several_bills_are_not_charged_again(
    world: LaneWorld, amounts: tuple[int, int]
) -> None:
    # Of equal amounts and words too.
    for bill, amount_minor in zip(await prepaid_twice(world), amounts, strict=True):
        refund = await ask_for(world, bill, amount_minor)
        assert await refunds.send(world.context, refund.operator_id, refund.id) == "succeeded"
    assert world.provider.captured("CNY") == 1500 - sum(amounts)
    world.wait(minutes=60)
    assert (await world.drive_out()).reason == "paid"
    # 145 minutes cost 25.00, and what was given up of them stays given up.
    assert world.provider.captured("CNY") == 2500 - sum(amounts)
    for row in await world.rows("SELECT basis, lines, total_minor FROM bills"):
        again = recompute(BillBasis.from_json(row["basis"]), RATE_TABLE)
        assert again.due.amount_minor == row["total_minor"]
        assert stored_lines(again.lines) == row["lines"]
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_no_more_is_given_up_than_a_bill_can_say(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waivers, "CREDITS_MAX", 3)
    older, newer = await prepaid_twice(world)
    for cause, bill in (("c1", older), ("c2", newer), ("c3", newer)):
        await ask_for(world, bill, 1, cause=cause)
    for bill in (older, newer):
        with pytest.raises(InvalidInputError):
            await ask_for(world, bill, 1, cause="c4")
    with pytest.raises(InvalidInputError):
        await correct_stay(
            world.context,
            newer.operator_id,
            _session_of(newer),
            Correction(waive=True),
            correction_id="c1",
            by=BY,
            reason=REASON,
        )
    assert await world.count("refunds") == 3
    world.wait(minutes=60)
    assert (await world.drive_out()).reason == "paid"


def _session_of(bill: Bill) -> UUID:
    assert bill.session_id is not None
    return bill.session_id


async def test_rivals_with_one_cause_store_one_refund(world: LaneWorld) -> None:
    bill = await paid_stay(world)
    answers = await asyncio.gather(*(ask_for(world, bill, 400) for _ in range(4)))
    assert len({answer.id for answer in answers}) == 1
    assert await state_of(world) == [("sent", 400)]
    assert await world.count("bills") == 2


@pytest.mark.parametrize(
    "fault", [Fault.LOSE_ANSWER_BEFORE, Fault.LOSE_ANSWER_AFTER, Fault.UNKNOWN]
)
async def test_an_unknown_outcome_is_asked_about_under_the_same_number(
    world: LaneWorld, fault: Fault
) -> None:
    refund = await ask_for(world, await paid_stay(world), 300)
    world.provider.play(fault)
    assert await refunds.send(world.context, refund.operator_id, refund.id) == "unknown"
    assert await refunded_events(world) == []
    assert (await world.balances())["receivable", "CNY"] == -300
    assert await refunds.sweep(world.context) == 0
    world.wait(minutes=1)
    assert await refunds.sweep(world.context) == 1
    assert await state_of(world) == [("succeeded", 300)]
    assert world.provider.captured("CNY") == 700
    assert (await world.balances())["provider:fake", "CNY"] == 700
    world.wait(hours=1)
    assert await refunds.sweep(world.context) == 0


async def test_what_nobody_sent_is_sent_by_the_sweep(world: LaneWorld) -> None:
    await ask_for(world, await paid_stay(world), 300)
    assert await refunds.sweep(world.context) == 0
    world.wait(seconds=2)
    assert await refunds.sweep(world.context) == 1
    assert await state_of(world) == [("succeeded", 300)]


async def test_sending_at_the_same_time_gives_back_once(world: LaneWorld) -> None:
    refund = await ask_for(world, await paid_stay(world), 300)
    states = await asyncio.gather(
        *(refunds.send(world.context, refund.operator_id, refund.id) for _ in range(4))
    )
    assert states == ["succeeded"] * 4
    assert world.provider.captured("CNY") == 700
    assert await refunded_events(world) == [300]
    assert (await world.balances())["provider:fake", "CNY"] == 700


async def test_a_notice_may_come_before_the_answer_and_again(world: LaneWorld) -> None:
    refund = await ask_for(world, await paid_stay(world), 300)
    world.provider.play(Fault.LOSE_ANSWER_AFTER)
    order = await world.provider.refund(await order_of(world, refund))
    assert order.status == "unknown"
    notice = notice_of(world)
    await take_notice(world, notice)
    assert await state_of(world) == [("succeeded", 300)]
    await take_notice(world, notice)
    assert await refunds.send(world.context, refund.operator_id, refund.id) == "succeeded"
    assert await refunded_events(world) == [300]
    assert world.provider.captured("CNY") == 700


async def test_a_notice_about_another_amount_is_not_believed(world: LaneWorld) -> None:
    refund = await ask_for(world, await paid_stay(world), 300)
    await world.provider.refund(await order_of(world, refund))
    verified = world.provider.verify_notices(notice_of(world).headers, notice_of(world).body)[0]
    assert isinstance(verified.result, RefundResult)
    for wrong in (
        replace(verified.result, amount=Money(301, "CNY")),
        replace(verified.result, amount=Money(300, "USD")),
        replace(verified.result, charge_number="another"),
    ):
        with pytest.raises(AmountMismatchError):
            await notices.receive_notice(
                world.context, world.provider.name, replace(verified, result=wrong)
            )
    assert await state_of(world) == [("sent", 300)]
    assert (await world.balances())["provider:fake", "CNY"] == 1000
    # Nor is a charge's notice about a refund's number, or one about nobody's.
    charge = ChargeResult(number=refund.number, status=OrderStatus.SUCCEEDED)
    nobody = replace(verified.result, number="1")
    for stray in (charge, nobody):
        await notices.receive_notice(
            world.context, world.provider.name, replace(verified, result=stray)
        )
    assert await state_of(world) == [("sent", 300)]


async def test_an_answer_that_cannot_be_believed_is_asked_about_ever_later(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask_for(world, await paid_stay(world), 300)

    async def lie(order: RefundOrder) -> RefundResult:
        amount = Money(order.amount.amount_minor + 1, order.amount.currency)
        return RefundResult(
            number=order.number,
            charge_number=order.charge.number,
            status=OrderStatus.SUCCEEDED,
            amount=amount,
        )

    monkeypatch.setattr(world.provider, "refund", lie)
    monkeypatch.setattr(world.provider, "query_refund", lie)
    waits: list[float] = []
    for _ in range(7):
        world.wait(minutes=10)
        assert await refunds.sweep(world.context) == 1
        [row] = await world.rows("SELECT next_query_at FROM refunds")
        waits.append((row["next_query_at"] - world.clock.now()).total_seconds())
    assert waits == [0.5, 1, 2, 5, 15, 30, 30]
    assert await state_of(world) == [("sent", 300)]
    assert (await world.balances())["receivable", "CNY"] == -300


async def test_a_failure_leaves_the_books_right_and_can_be_sent_again(world: LaneWorld) -> None:
    bill = await paid_stay(world)
    refund = await ask_for(world, bill, 300)
    world.provider.play(Fault.DECLINE)
    assert await refunds.send(world.context, refund.operator_id, refund.id) == "failed"
    [row] = await world.rows("SELECT state, failure_code FROM refunds")
    assert row == {"state": "failed", "failure_code": DECLINED}
    assert await world.balances() == {
        ("provider:fake", "CNY"): 1000,
        ("receivable", "CNY"): -300,
        ("revenue", "CNY"): -700,
    }
    assert await refunded_events(world) == []

    async def retry(unit: UnitOfWork) -> Refund:
        return await retry_refund(unit, refund.operator_id, refund.id, by="desk:lin")

    async with world.context.database.begin() as unit:
        second = await retry(unit)
    async with world.context.database.begin() as unit:
        assert (await retry(unit)).id == second.id
    assert second.number != refund.number
    assert await world.count("bills") == 2
    assert await refunds.send(world.context, second.operator_id, second.id) == "succeeded"
    assert world.provider.captured("CNY") == 700
    assert (await world.balances())["receivable", "CNY"] == 0
    with pytest.raises(NothingToRefundError):
        async with world.context.database.begin() as unit:
            await retry_refund(unit, second.operator_id, second.id, by=BY)


async def test_another_operator_finds_no_refund(world: LaneWorld) -> None:
    refund = await ask_for(world, await paid_stay(world), 300)
    world.provider.play(Fault.DECLINE)
    await refunds.send(world.context, refund.operator_id, refund.id)
    other: UUID = uuid4()
    with pytest.raises(RefundUnknownError):
        async with world.context.database.begin() as unit:
            await retry_refund(unit, other, refund.id, by=BY)
    with pytest.raises(ParkingError):
        async with world.context.database.begin() as unit:
            await lock_newest(unit, other, refund.bill_id)
    assert await state_of(world) == [("failed", 300)]

"""Money under failure: an unknown outcome is asked about, never guessed, never paid twice."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from parking.flows.pay_link import pay_token
from parking.flows.payments import charging, checkout, mandates, notices, prepay, settlement
from parking.flows.payments.prepay import PrepaymentStatus
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.payments.errors import (
    AuthorizationUnavailableError,
    NothingDueError,
    PaymentInProgressError,
    PaymentUnavailableError,
)
from parking.payments.fake import Fault
from parking.payments.port import ChargeResult, OrderStatus, SentOrder
from parking.sessions.errors import SessionUnknownError
from tests.factories.lane_world import PLATE, LaneWorld, read_of
from tests.factories.providers import add_provider
from tests.factories.sent_orders import sent


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))


async def inside(world: LaneWorld, *, minutes: float = 45) -> tuple[UUID, UUID]:
    """Bring a bound, permitted driver's car inside; returns driver and session."""
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    session_id = await world.drive_in()
    world.wait(minutes=minutes)
    return driver_id, session_id


@pytest.mark.parametrize(
    "fault", [Fault.LOSE_ANSWER_BEFORE, Fault.LOSE_ANSWER_AFTER, Fault.BAD_ANSWER_SIGNATURE]
)
async def test_lost_answer_is_asked_about_and_charged_once(world: LaneWorld, fault: Fault) -> None:
    await inside(world)
    world.provider.play(fault)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "paid")
    assert world.provider.captured("CNY") == 1000
    assert await world.count("payment_attempts") == 1
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_accepted_order_keeps_the_gate_shut_until_it_settles(world: LaneWorld) -> None:
    await inside(world)
    world.provider.play(Fault.ACCEPT)
    presentation_id = await world.arrive(world.exit)
    decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert (decision.action, decision.reason, decision.command) == ("wait", "charging", None)
    assert await world.gate.pending_commands(world.exit, presentation_id) == []
    [attempt] = await world.rows("SELECT number, state FROM payment_attempts")
    assert attempt["state"] == "accepted"
    world.provider.settle(attempt["number"], OrderStatus.SUCCEEDED)
    world.wait(minutes=10)
    assert await settlement.sweep(world.context) == 1
    [command] = await world.gate.pending_commands(world.exit, presentation_id)
    assert command.ttl_ms == 5000
    assert await settlement.sweep(world.context) == 0
    assert world.provider.captured("CNY") == 1000


async def test_guaranteed_order_opens_at_once_and_a_later_failure_is_owed(
    world: LaneWorld,
) -> None:
    await inside(world)
    world.provider.play(Fault.ACCEPT_GUARANTEED)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "guaranteed")
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    [bill] = await world.rows("SELECT state FROM bills")
    assert bill["state"] == "issued"
    world.provider.settle(attempt["number"], OrderStatus.FAILED, "declined")
    world.wait(minutes=10)
    await settlement.sweep(world.context)
    [bill] = await world.rows("SELECT state FROM bills")
    assert bill["state"] == "owed"
    assert (await world.balances())["receivable", "CNY"] == 1000


async def test_guarantee_that_comes_after_the_acceptance_opens_the_gate(world: LaneWorld) -> None:
    await inside(world)
    world.provider.play(Fault.ACCEPT)
    presentation_id = await world.arrive(world.exit)
    decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert (decision.action, decision.command) == ("wait", None)
    [attempt] = await world.rows("SELECT operator_id, id, number FROM payment_attempts")
    asked = await world.provider.query(sent(attempt["number"], Money(1000, "CNY")))
    for _ in range(3):
        await settlement.settle(
            world.context, attempt["operator_id"], attempt["id"], replace(asked, guaranteed=True)
        )
    [command] = await world.gate.pending_commands(world.exit, presentation_id)
    assert command.presentation_id == presentation_id
    assert await world.count("gate_commands") == 2
    [presentation] = await world.rows(
        "SELECT action, reason FROM presentations WHERE id = :id", id=presentation_id
    )
    assert presentation == {"action": "open", "reason": "guaranteed"}
    changes = await world.rows("SELECT id FROM outbox WHERE type = 'SessionBillChanged'")
    assert len(changes) == 1


async def test_an_answer_about_another_amount_is_asked_about_ever_later(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await inside(world)
    world.provider.play(Fault.ACCEPT)
    await world.decide(world.exit, await world.arrive(world.exit), read_of(PLATE))

    async def lie(order: SentOrder) -> ChargeResult:
        more = Money(order.amount.amount_minor + 1, order.amount.currency)
        return ChargeResult(number=order.number, status=OrderStatus.SUCCEEDED, amount=more)

    monkeypatch.setattr(world.provider, "query", lie)
    [before] = await world.rows("SELECT queries FROM payment_attempts")
    for _ in range(6):
        world.wait(minutes=10)
        assert await settlement.sweep(world.context) == 1
    [attempt] = await world.rows(
        "SELECT state, queries, next_query_at, problem FROM payment_attempts"
    )
    assert (attempt["state"], attempt["queries"]) == ("accepted", before["queries"] + 6)
    assert attempt["problem"] == "amount_mismatch"
    assert (attempt["next_query_at"] - world.clock.now()).total_seconds() == 300
    assert (await world.balances())["receivable", "CNY"] == 1000


async def test_wrong_amount_settles_nothing(world: LaneWorld) -> None:
    await inside(world)
    world.provider.play(Fault.WRONG_AMOUNT)
    presentation_id = await world.arrive(world.exit)
    decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
    # The wrong answer is not believed; the question that follows it is answered rightly.
    assert (decision.action, decision.reason) == ("open", "paid")
    assert await world.count("payment_attempts") == 1
    assert world.provider.captured("CNY") == 1000


async def test_second_mandate_pays_where_the_first_declines(world: LaneWorld) -> None:
    driver_id, _ = await inside(world)
    second = await world.permit(driver_id)
    world.provider.play(Fault.DECLINE)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "paid")
    attempts = await world.rows("SELECT state, mandate_id FROM payment_attempts ORDER BY sent_at")
    assert sorted(attempt["state"] for attempt in attempts) == ["failed", "succeeded"]
    [paid] = [attempt for attempt in attempts if attempt["state"] == "succeeded"]
    assert paid["mandate_id"] == second
    assert world.provider.captured("CNY") == 1000


async def test_revoked_mandate_is_not_charged_at_the_next_gate(world: LaneWorld) -> None:
    driver_id, _ = await inside(world)
    [mandate] = await mandates.list_mandates(world.context, driver_id)
    await mandates.revoke(world.context, driver_id, mandate.id)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("pay", "payment_due")
    assert world.provider.captured("CNY") == 0
    assert await world.count("payment_attempts") == 0


async def test_mandate_with_a_limit_is_not_charged_beyond_it(world: LaneWorld) -> None:
    driver_id, _ = await inside(world)
    await world.rows_changed(
        "UPDATE mandates SET amount_minor_max = 999, currency = 'CNY' WHERE driver_id = :id",
        id=driver_id,
    )
    assert (await world.drive_out()).reason == "payment_due"
    assert world.provider.captured("CNY") == 0


async def test_killed_bridge_is_taken_over_with_the_same_number(world: LaneWorld) -> None:
    await inside(world)
    presentation_id = await world.arrive(world.exit)
    provider = world.provider
    killed = asyncio.Event()

    async def die(_: object) -> None:
        killed.set()
        await asyncio.sleep(60)

    charge = provider.charge
    provider.charge = die  # pyright: ignore[reportAttributeAccessIssue] - the process dies here
    task = asyncio.create_task(world.decide(world.exit, presentation_id, read_of(PLATE)))
    await killed.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    provider.charge = charge
    [before] = await world.rows("SELECT number, state FROM payment_attempts")
    assert before["state"] == "sent"
    decision = await world.gate.resume(world.exit, presentation_id)
    assert decision is not None
    assert (decision.action, decision.reason) == ("open", "paid")
    [after] = await world.rows("SELECT number, state FROM payment_attempts")
    assert (after["number"], after["state"]) == (before["number"], "succeeded")
    assert provider.captured("CNY") == 1000


async def test_prepaid_car_leaves_within_grace_without_another_charge(world: LaneWorld) -> None:
    driver_id, session_id = await inside(world)
    paid = await prepay.prepay(world.context, driver_id, session_id)
    assert (paid.status, paid.amount.amount_minor) == (PrepaymentStatus.SUCCEEDED, 1000)
    with pytest.raises(NothingDueError):
        await prepay.prepay(world.context, driver_id, session_id)
    world.wait(minutes=15)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "zero_due")
    assert decision.display.lines[1] == "Paid 10.00 CNY"
    assert world.provider.captured("CNY") == 1000


async def test_prepaid_car_pays_only_the_difference_after_the_grace(world: LaneWorld) -> None:
    driver_id, session_id = await inside(world)
    await prepay.prepay(world.context, driver_id, session_id)
    world.wait(minutes=16)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "paid")
    assert world.provider.captured("CNY") == 1500
    bills = await world.rows("SELECT total_minor, lines FROM bills ORDER BY id")
    assert [bill["total_minor"] for bill in bills] == [1000, 500]
    for bill in bills:
        assert sum(line["amount_minor"] for line in bill["lines"]) == bill["total_minor"]
        assert bill["lines"][-1]["running_total_minor"] == bill["total_minor"]
    assert bills[1]["lines"][-1]["reason"] == "paid_before"
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_open_payment_page_is_closed_when_the_account_can_pay(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=15)
    token = pay_token(world.context.vault, world.exit.operator_id, session_id)
    await checkout.start(world.context, token)
    # The page of 5 CNY stays open while the stay grows to 10 CNY, and the driver signs up.
    await world.permit(await world.add_driver())
    world.wait(minutes=30)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "paid")
    attempts = await world.rows(
        "SELECT kind, state, amount_minor FROM payment_attempts ORDER BY sent_at"
    )
    assert [tuple(attempt.values()) for attempt in attempts] == [
        ("checkout", "failed", 500),
        ("mandate", "succeeded", 1000),
    ]
    assert world.provider.captured("CNY") == 1000
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_page_paid_late_gives_no_free_hours(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=15)
    token = pay_token(world.context.vault, world.exit.operator_id, session_id)
    await checkout.start(world.context, token)
    world.wait(minutes=25)
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    assert world.provider.pay(attempt["number"])
    sent = world.provider.notices[-1]
    notice = world.provider.verify_notices(sent.headers, sent.body)[0]
    await notices.receive_notice(world.context, "fake", notice)
    page = await checkout.bill_of(world.context, token)
    assert (page.paid.amount_minor, page.due.amount_minor) == (500, 500)


async def test_prepay_of_another_drivers_session_is_refused(world: LaneWorld) -> None:
    _, session_id = await inside(world)
    stranger = await world.add_driver("沪B12345")
    await world.permit(stranger)
    for driver_id in (stranger, new_id(world.clock.now())):
        with pytest.raises(SessionUnknownError):
            await prepay.prepay(world.context, driver_id, session_id)
    assert world.provider.captured("CNY") == 0
    assert await world.count("bills") == 0


async def test_page_cannot_pay_what_the_account_is_being_charged_for(world: LaneWorld) -> None:
    _, session_id = await inside(world)
    world.provider.play(Fault.ACCEPT)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of(PLATE))
    token = pay_token(world.context.vault, world.exit.operator_id, session_id)
    assert (await checkout.bill_of(world.context, token)).state == "in_progress"
    with pytest.raises(PaymentInProgressError):
        await checkout.start(world.context, token)
    assert await world.count("payment_attempts") == 1


async def test_paid_page_after_the_car_left_says_so(world: LaneWorld) -> None:
    _, session_id = await inside(world)
    await world.drive_out()
    token = pay_token(world.context.vault, world.exit.operator_id, session_id)
    page = await checkout.bill_of(world.context, token)
    assert (page.state, page.due.amount_minor, page.paid.amount_minor) == ("left", 0, 1000)
    with pytest.raises(NothingDueError):
        await checkout.start(world.context, token)


async def test_notice_with_another_amount_or_number_changes_nothing(world: LaneWorld) -> None:
    await inside(world)
    world.provider.play(Fault.ACCEPT)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of(PLATE))
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    world.provider.settle(attempt["number"], OrderStatus.SUCCEEDED)
    sent = world.provider.notices[-1]
    notice = world.provider.verify_notices(sent.headers, sent.body)[0]
    result = replace(notice.result, number="f" * 32)  # pyright: ignore[reportCallIssue] - a charge
    await notices.receive_notice(world.context, "fake", replace(notice, result=result))
    [attempt] = await world.rows("SELECT state FROM payment_attempts")
    assert attempt["state"] == "accepted"
    assert (await world.balances())["receivable", "CNY"] == 1000


async def test_another_providers_notice_moves_nothing(world: LaneWorld) -> None:
    add_provider(world, "wechat")
    await inside(world)
    world.provider.play(Fault.ACCEPT)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of(PLATE))
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    world.provider.settle(attempt["number"], OrderStatus.SUCCEEDED)
    sent = world.provider.notices[-1]
    notice = world.provider.verify_notices(sent.headers, sent.body)[0]
    with pytest.raises(notices.NoticeForeignError):
        await notices.receive_notice(world.context, "wechat", notice)
    [attempt] = await world.rows("SELECT state FROM payment_attempts")
    assert attempt["state"] == "accepted"
    assert (await world.balances())["receivable", "CNY"] == 1000
    assert await world.count("provider_notices") == 0


async def test_staff_open_leaves_the_bill_owed(world: LaneWorld) -> None:
    await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of(PLATE))
    await world.barrier(world.exit, presentation_id, "manual_open", "opened", "passed")
    [bill] = await world.rows("SELECT state FROM bills")
    assert bill["state"] == "owed"
    assert (await world.balances())["receivable", "CNY"] == 1000


async def test_ledger_row_cannot_be_changed(world: LaneWorld) -> None:
    await inside(world)
    await world.drive_out()
    for statement in (
        "UPDATE ledger_transfers SET amount_minor = 1",
        "DELETE FROM ledger_transfers",
    ):
        with pytest.raises(Exception, match="rows are never changed or deleted"):
            await world.rows_changed(statement)
    assert await world.count("ledger_transfers") == 2


async def test_page_paid_without_a_notice_opens_the_gate_within_seconds(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of(PLATE))
    token = pay_token(world.context.vault, world.exit.operator_id, session_id)
    await checkout.start(world.context, token)
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    for _ in range(3):
        world.wait(seconds=11)
        assert await settlement.sweep(world.context) == 1
    assert world.provider.pay(attempt["number"])
    world.wait(seconds=11)
    assert await settlement.sweep(world.context) == 1
    [command] = await world.gate.pending_commands(world.exit, presentation_id)
    assert command.presentation_id == presentation_id


async def test_page_that_expires_after_staff_opened_leaves_the_bill_owed(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of(PLATE))
    await checkout.start(
        world.context, pay_token(world.context.vault, world.exit.operator_id, session_id)
    )
    await world.barrier(world.exit, presentation_id, "manual_open", "opened", "passed")
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    world.provider.settle(attempt["number"], OrderStatus.FAILED, "expired")
    world.wait(minutes=1)
    await settlement.sweep(world.context)
    [bill] = await world.rows("SELECT state FROM bills")
    assert bill["state"] == "owed"


async def test_without_a_provider_nothing_is_stored(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=45)
    bare = replace(world.context, providers={}, checkout_provider=None)
    token = pay_token(bare.vault, world.exit.operator_id, session_id)
    with pytest.raises(PaymentUnavailableError):
        await checkout.start(bare, token)
    assert await world.count("payment_attempts") == 0
    with pytest.raises(AuthorizationUnavailableError):
        await mandates.authorize(bare, await world.add_driver())


async def test_attempt_of_a_missing_provider_does_not_stop_the_sweep(world: LaneWorld) -> None:
    await inside(world)
    world.provider.play(Fault.ACCEPT)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of(PLATE))
    world.wait(minutes=10)
    bare = replace(world.context, providers={})
    assert await settlement.sweep(bare) == 0
    [attempt] = await world.rows("SELECT state, number FROM payment_attempts")
    assert attempt["state"] == "accepted"
    world.provider.settle(attempt["number"], OrderStatus.SUCCEEDED)
    world.wait(minutes=10)
    await settlement.sweep(world.context)
    assert (await world.balances())["receivable", "CNY"] == 0

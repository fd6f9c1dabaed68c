"""What drivers and operators are promised in particular cases, each held to its exact value."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from uuid import UUID

import pytest

from parking.flows.lane_types import BarrierEvent, PresentationState
from parking.flows.pay_link import pay_token
from parking.flows.payments import charging, checkout, mandates, notices, settlement
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.lanes.models import CommandState
from parking.payments import mandates as permissions
from parking.payments.errors import AuthorizationUnavailableError, PaymentUnavailableError
from parking.payments.fake import Fault
from parking.payments.port import (
    AgreementState,
    AgreementStatus,
    ChargeOrder,
    ChargeResult,
    Notice,
    OrderStatus,
    ProviderRefusedError,
)
from parking.payments.service import AmountMismatchError
from sesame.periodic import periodic_tasks
from tests.factories.lane_world import PLATE, LaneWorld, read_of


@pytest.fixture(autouse=True)
def _no_questions_at_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", ())


async def inside(world: LaneWorld, *, minutes: float = 45) -> UUID:
    """Bring the car of a driver inside who pays by mandate; returns the mandate."""
    driver_id = await world.add_driver()
    mandate_id = await world.permit(driver_id)
    await world.drive_in()
    world.wait(minutes=minutes)
    return mandate_id


def last_notice(world: LaneWorld) -> Notice:
    sent = world.provider.notices[-1]
    return world.provider.verify_notices(sent.headers, sent.body)[0]


async def hear(world: LaneWorld, notice: Notice) -> None:
    await notices.receive_notice(world.context, "fake", notice)


async def one(world: LaneWorld, sql: str) -> tuple[object, ...]:
    """Return the only row of a query."""
    [row] = await world.rows(sql)
    return tuple(row.values())


async def test_waiting_at_the_gate_for_the_provider_costs_nothing(world: LaneWorld) -> None:
    await inside(world, minutes=59)
    presentation_id = await world.arrive(world.exit)
    world.wait(minutes=2)  # the third half hour begins while the plate is read
    world.provider.play(Fault.ACCEPT)
    assert (await world.decide(world.exit, presentation_id, read_of(PLATE))).action == "wait"
    assert await one(world, "SELECT state, total_minor FROM bills") == ("issued", 1000)
    world.wait(minutes=2)
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    world.provider.settle(attempt["number"], OrderStatus.FAILED, "declined")
    await hear(world, last_notice(world))
    decision = await world.gate.resume(world.exit, presentation_id)
    assert decision is not None
    assert (decision.action, decision.display.lines[1]) == ("pay", "10.00 CNY")
    assert await one(world, "SELECT state, total_minor FROM bills") == ("issued", 1000)


async def test_stay_begins_when_the_car_came_not_when_it_was_read(world: LaneWorld) -> None:
    await world.permit(await world.add_driver())
    # The lane's word is believed for five minutes before it is heard.
    for plate, reported_after, believed in ((PLATE, 3, 3), ("沪B12345", 6, 5)):
        event = world.event(world.entry)
        world.wait(minutes=reported_after)
        presentation_id = new_id(world.clock.now())
        entered_at = world.clock.now() - timedelta(minutes=believed)
        await world.gate.present(world.entry, event, presentation_id, PresentationState.OCCUPIED)
        world.wait(minutes=2)
        decision = await world.decide(world.entry, presentation_id, read_of(plate))
        assert decision.action == "open"
        rows = await world.rows("SELECT entered_at FROM sessions ORDER BY id DESC LIMIT 1")
        assert rows == [{"entered_at": entered_at}]
    world.wait(minutes=18)
    # 31 minutes since the first car came, 26 since the arm rose for it.
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == 1000


async def test_order_the_provider_never_saw_dies_with_its_mandate(world: LaneWorld) -> None:
    mandate_id = await inside(world)
    world.provider.play(Fault.LOSE_ANSWER_BEFORE)
    presentation_id = await world.arrive(world.exit)
    assert (await world.decide(world.exit, presentation_id, read_of(PLATE))).action == "wait"
    [attempt] = await world.rows("SELECT state, driver_id FROM payment_attempts")
    assert attempt["state"] == "unknown"
    # Only here: the provider has not heard of it yet, and would still take the money.
    async with world.context.database.begin() as unit:
        await permissions.revoke(unit, attempt["driver_id"], mandate_id)
    world.wait(minutes=1)
    assert await settlement.sweep(world.context) == 1
    assert world.provider.captured("CNY") == 0
    assert await one(world, "SELECT state, failure_code FROM payment_attempts") == (
        "failed",
        "closed",
    )
    assert await one(world, "SELECT state, live_attempt_id FROM bills") == ("issued", None)
    decision = await world.gate.resume(world.exit, presentation_id)
    assert decision is not None
    assert (decision.action, decision.command) == ("pay", None)


async def test_agreement_ended_at_the_provider_is_charged_no_more(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.drive_in()
    for status in (AgreementStatus.CANCELLED, AgreementStatus.EXPIRED):
        mandate_id = await world.permit(driver_id)
        world.wait(minutes=20)
        before = await mandates.find_mandate(world.context, driver_id, mandate_id)
        assert before is not None
        assert before.state == "active"
        [row] = await world.rows(
            "SELECT agreement_reference FROM mandates WHERE id = :id", id=mandate_id
        )
        await world.provider.cancel_agreement(row["agreement_reference"])
        notice = last_notice(world)
        assert isinstance(notice.result, AgreementState)
        await hear(world, replace(notice, result=replace(notice.result, status=status)))
        after = await mandates.find_mandate(world.context, driver_id, mandate_id)
        assert after is not None
        assert (after.state, after.revoked_at) == ("revoked", world.clock.now())
    assert (await world.drive_out()).reason == "payment_due"
    assert await world.count("payment_attempts") == 0


async def test_notice_of_another_amount_settles_nothing(world: LaneWorld) -> None:
    await inside(world)
    world.provider.play(Fault.ACCEPT)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of(PLATE))
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    world.provider.settle(attempt["number"], OrderStatus.SUCCEEDED)
    notice = last_notice(world)
    assert isinstance(notice.result, ChargeResult)
    for amount in (Money(1, "CNY"), Money(1001, "CNY"), Money(1000, "EUR")):
        with pytest.raises(AmountMismatchError, match=r"^amount: expected 10\.00 CNY$"):
            await hear(world, replace(notice, result=replace(notice.result, amount=amount)))
    assert await one(world, "SELECT state, finished_at FROM payment_attempts") == ("accepted", None)
    assert await one(world, "SELECT state, paid_at FROM bills") == ("issued", None)
    assert await world.balances() == {("receivable", "CNY"): 1000, ("revenue", "CNY"): -1000}
    assert await world.gate.pending_commands(world.exit, presentation_id) == []
    await hear(world, notice)
    assert len(await world.gate.pending_commands(world.exit, presentation_id)) == 1


async def test_provider_is_asked_at_once_after_a_notice_of_another_amount(world: LaneWorld) -> None:
    await inside(world)
    world.provider.play(Fault.ACCEPT)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of(PLATE))
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    world.provider.settle(attempt["number"], OrderStatus.SUCCEEDED)
    notice = last_notice(world)
    assert isinstance(notice.result, ChargeResult)
    wrong = replace(notice, result=replace(notice.result, amount=Money(1001, "CNY")))
    # However often it is repeated, a car that stands there does not wait for it.
    for _ in range(3):
        with pytest.raises(AmountMismatchError):
            await hear(world, wrong)
    assert await settlement.sweep(world.context) == 1
    assert await one(world, "SELECT state, problem FROM payment_attempts") == ("succeeded", None)
    assert len(await world.gate.pending_commands(world.exit, presentation_id)) == 1


async def test_accepted_order_to_open_is_never_rejected_afterwards(world: LaneWorld) -> None:
    presentation_id = await world.arrive(world.entry)
    decision = await world.decide(world.entry, presentation_id, read_of(PLATE))
    assert decision.command is not None
    command_id = decision.command.command_id
    await world.gate.command_answered(world.entry, command_id, CommandState.ACCEPTED, None)
    answered_at = world.clock.now()
    world.wait(seconds=1)
    await world.gate.command_answered(world.entry, command_id, CommandState.REJECTED, "expired")
    assert await one(world, "SELECT id, state, rejection, answered_at FROM gate_commands") == (
        command_id,
        "accepted",
        None,
        answered_at,
    )
    # A rejected order is followed by a fresh one, which would open for the next car.
    assert await world.gate.pending_commands(world.entry, presentation_id) == []
    assert await world.count("gate_commands") == 1


async def test_gate_stays_shut_for_a_car_that_left_while_it_was_charged(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await inside(world)
    world.provider.play(Fault.ACCEPT_GUARANTEED)
    presentation_id = await world.arrive(world.exit)
    charge = world.provider.charge

    async def reverse_meanwhile(order: ChargeOrder) -> ChargeResult:
        await world.clear(world.exit, presentation_id)
        return await charge(order)

    monkeypatch.setattr(world.provider, "charge", reverse_meanwhile)
    decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert (decision.action, decision.command) == ("wait", None)
    assert await world.gate.pending_commands(world.exit, presentation_id) == []
    assert await world.count("gate_commands") == 1  # the entry's


async def test_gate_stays_shut_for_a_car_that_pays_after_it_reversed(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    assert (await world.decide(world.exit, presentation_id, read_of(PLATE))).action == "pay"
    await checkout.start(
        world.context, pay_token(world.context.vault, world.exit.operator_id, session_id)
    )
    await world.clear(world.exit, presentation_id)
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    assert world.provider.pay(attempt["number"])
    await hear(world, last_notice(world))
    assert await one(world, "SELECT state FROM bills") == ("paid",)
    assert await world.gate.pending_commands(world.exit, presentation_id) == []
    decision = await world.gate.resume(world.exit, presentation_id)
    assert decision is not None
    assert (decision.action, decision.reason, decision.command) == ("wait", "car_gone", None)
    assert await world.count("gate_commands") == 1  # the entry's


async def test_car_that_left_an_exit_unseen_leaves_by_another_after_ten_minutes(
    world: LaneWorld,
) -> None:
    await world.drive_in()
    world.wait(minutes=45)
    unseen = await world.arrive(world.exit)
    assert (await world.decide(world.exit, unseen, read_of(PLATE))).action == "pay"
    world.wait(minutes=9, seconds=59)
    early = await world.arrive(world.second_exit)
    decision = await world.decide(world.second_exit, early, read_of(PLATE))
    assert (decision.action, decision.reason) == ("refuse", "leaving_elsewhere")
    assert await one(world, "SELECT exit_presentation_id FROM sessions") == (unseen,)
    assert await one(world, "SELECT presentation_id FROM bills") == (unseen,)
    world.wait(seconds=1)
    late = await world.arrive(world.second_exit)
    decision = await world.decide(world.second_exit, late, read_of(PLATE))
    assert (decision.action, decision.display.lines[1]) == ("pay", "10.00 CNY")
    assert await one(world, "SELECT exit_presentation_id FROM sessions") == (late,)
    # The exit that lost the car has no say any more.
    decision = await world.gate.resume(world.exit, unseen)
    assert decision is not None
    assert (decision.action, decision.reason) == ("refuse", "leaving_elsewhere")
    assert await world.gate.pending_commands(world.exit, unseen) == []
    assert await one(world, "SELECT exit_presentation_id FROM sessions") == (late,)
    assert await one(world, "SELECT presentation_id FROM bills") == (late,)
    resumed = await world.gate.resume(world.second_exit, late)
    assert resumed is not None
    assert resumed.action == "pay"


async def test_exit_that_was_opened_for_a_stay_opens_no_more_once_it_left_by_another(
    world: LaneWorld,
) -> None:
    await inside(world)
    first = await world.arrive(world.exit)
    assert (await world.decide(world.exit, first, read_of(PLATE))).action == "open"
    [command] = await world.gate.pending_commands(world.exit, first)
    world.wait(minutes=11)
    second = await world.arrive(world.second_exit)
    assert (await world.decide(world.second_exit, second, read_of(PLATE))).action == "open"
    assert await world.gate.pending_commands(world.exit, first) == []
    [order] = await world.rows(
        "SELECT issued_at FROM gate_commands WHERE id = :id", id=command.command_id
    )
    assert order["issued_at"] == command.issued_at


async def test_car_that_backs_out_of_an_exit_leaves_by_another_at_once(world: LaneWorld) -> None:
    await inside(world)
    first = await world.arrive(world.exit)
    assert (await world.decide(world.exit, first, read_of(PLATE))).reason == "paid"
    await world.barrier(world.exit, first, "opened", "backed_out")
    assert await one(world, "SELECT state, exit_presentation_id, left_at FROM sessions") == (
        "active",
        None,
        None,
    )
    second = await world.arrive(world.second_exit)
    decision = await world.decide(world.second_exit, second, read_of(PLATE))
    assert (decision.action, decision.reason) == ("open", "zero_due")
    assert world.provider.captured("CNY") == 1000
    passed = BarrierEvent(world.event(world.second_exit), "passed", second, None)
    await world.gate.record_barrier_event(world.second_exit, passed)
    assert await one(world, "SELECT state FROM sessions") == ("left",)


async def test_bill_whose_page_the_provider_refused_can_be_paid_again(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of(PLATE))
    token = pay_token(world.context.vault, world.exit.operator_id, session_id)
    with monkeypatch.context() as patched:
        patched.setattr(world.provider, "start_checkout", refuse)
        with pytest.raises(PaymentUnavailableError):
            await checkout.start(world.context, token)
    attempt_sql = "SELECT state, failure_code FROM payment_attempts"
    assert await one(world, attempt_sql) == ("failed", "closed")
    assert await one(world, "SELECT state, live_attempt_id FROM bills") == ("issued", None)
    page = await checkout.bill_of(world.context, token)
    assert (page.state, page.due.amount_minor) == ("due", 1000)
    url = await checkout.start(world.context, token)
    [attempt] = await world.rows("SELECT number FROM payment_attempts WHERE state = 'sent'")
    assert url == f"https://fake.invalid/pay/{attempt['number']}"
    assert world.provider.pay(attempt["number"])
    await hear(world, last_notice(world))
    assert len(await world.gate.pending_commands(world.exit, presentation_id)) == 1
    assert await one(world, "SELECT state, attempts FROM bills") == ("paid", 2)


async def test_authorization_that_did_not_start_leaves_no_mandate(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_id = await world.add_driver()
    world.provider.play(Fault.LOSE_ANSWER_BEFORE)
    with pytest.raises(AuthorizationUnavailableError):
        await mandates.authorize(world.context, driver_id)
    with monkeypatch.context() as patched:
        patched.setattr(world.provider, "start_agreement", refuse)
        with pytest.raises(AuthorizationUnavailableError):
            await mandates.authorize(world.context, driver_id)
    assert await mandates.list_mandates(world.context, driver_id) == []
    rows = await world.rows("SELECT state, agreement_reference FROM mandates")
    assert [tuple(row.values()) for row in rows] == [("revoked", None)] * 2
    mandate_id = await world.permit(driver_id)
    [mandate] = await mandates.list_mandates(world.context, driver_id)
    assert (mandate.id, mandate.state) == (mandate_id, "active")


async def refuse(_: object) -> NoReturn:
    raise ProviderRefusedError("risk")


async def test_gates_work_for_three_months_without_a_worker(world: LaneWorld) -> None:
    world.clock.advance(datetime(2041, 11, 30, 23, tzinfo=UTC) - world.clock.now())
    before = await partitions(world)
    [make] = [task.call for task in periodic_tasks(world.context) if task.name == "partitions"]
    await make()
    made = await partitions(world) - before
    [tables] = await world.rows("SELECT count(*) AS n FROM pg_partitioned_table")
    assert len(made) == 4 * tables["n"]
    assert {name for name in made if name.startswith("bills_")} == {
        "bills_2041_11",
        "bills_2041_12",
        "bills_2042_01",
        "bills_2042_02",
    }
    world.clock.advance(datetime(2042, 2, 28, 22, tzinfo=UTC) - world.clock.now())
    await inside(world)
    assert (await world.drive_out()).reason == "paid"
    assert await world.count("bills_2042_02") == 1


async def partitions(world: LaneWorld) -> set[str]:
    rows = await world.rows(
        "SELECT relname AS name FROM pg_class WHERE relispartition AND relkind = 'r'"
    )
    return {row["name"] for row in rows}

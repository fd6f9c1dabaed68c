"""Leaving now and paying later: within a limit, collected afterwards, once."""

import asyncio
from uuid import UUID

import pytest

from parking.flows.pay_link import pay_token
from parking.flows.payments import (
    charging,
    checkout,
    collection,
    owed_payment,
    settlement,
    write_off,
)
from parking.flows.payments.cross_place import PaidHow
from parking.flows.proof.bill_proof import prove
from parking.payments import credit
from parking.payments import service as payments
from parking.payments.credit_models import CreditRequirement
from parking.payments.errors import PaymentUnavailableError
from parking.payments.fake import Fault
from parking.payments.port import OrderStatus
from tests.factories.credit import allow_credit, credit_of
from tests.factories.lane_world import PLATE, LaneWorld, read_of
from tests.factories.providers import add_provider


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))


async def inside(world: LaneWorld, plate: str = PLATE, *, minutes: float = 45) -> UUID:
    """Bring a permitted driver's car in; returns the driver."""
    driver_id = await world.add_driver(plate)
    await world.permit(driver_id)
    await world.drive_in(plate)
    world.wait(minutes=minutes)
    return driver_id


async def bill_state(world: LaneWorld) -> str:
    [bill] = await world.rows("SELECT state FROM bills")
    return str(bill["state"])


async def test_a_declined_driver_leaves_on_credit_and_is_charged_afterwards(
    world: LaneWorld,
) -> None:
    await allow_credit(world)
    driver_id = await inside(world)
    world.provider.play(Fault.DECLINE)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "credit")
    assert decision.display.lines == (PLATE, "10.00 CNY later", "Goodbye")
    assert await bill_state(world) == "owed"
    assert await credit_of(world, driver_id) == (1000, 1000)
    assert await world.accounts() == {f"receivable:{driver_id}": 1000, "revenue": -1000}
    assert await collection.sweep(world.context) == 0
    world.wait(hours=1, minutes=1)
    assert await collection.sweep(world.context) == 1
    assert await bill_state(world) == "paid"
    assert await credit_of(world, driver_id) == (0, 0)
    assert await world.count("owed_bills") == 0
    assert world.provider.captured("CNY") == 1000
    assert await world.accounts() == {"provider:fake": 1000, "revenue": -1000}
    world.wait(days=30)
    assert await collection.sweep(world.context) == 0


async def test_without_the_operators_leave_nobody_pays_later(world: LaneWorld) -> None:
    for is_allowed in (False, True):
        if is_allowed:
            await allow_credit(world, is_open=False)
        await inside(world, f"京A0000{int(is_allowed)}")
        world.provider.play(Fault.DECLINE)
        decision = await world.drive_out(f"京A0000{int(is_allowed)}")
        assert (decision.action, decision.reason) == ("pay", "payment_due")
    assert await world.count("credit_accounts") == 0
    assert await world.count("gate_commands") == 2


@pytest.mark.parametrize("first_minor", [999, 1000])
async def test_the_limit_is_exact(world: LaneWorld, first_minor: int) -> None:
    await allow_credit(world, first_minor=first_minor)
    await inside(world)
    world.provider.play(Fault.DECLINE)
    decision = await world.drive_out()
    assert decision.action == ("open" if first_minor == 1000 else "pay")


async def test_the_limit_grows_with_bills_paid_in_time(world: LaneWorld) -> None:
    await allow_credit(world, first_minor=0, step_minor=600, most_minor=1100)
    driver_id = await inside(world)
    await world.drive_out()
    for _ in range(3):
        await world.drive_in()
        world.wait(minutes=45)
        assert (await world.drive_out()).reason == "paid"
    await world.drive_in()
    world.wait(minutes=45)
    world.provider.play(Fault.DECLINE)
    assert (await world.drive_out()).reason == "credit"
    assert await credit_of(world, driver_id) == (1000, 1000)
    [account] = await world.rows("SELECT limit_minor FROM credit_accounts")
    assert account["limit_minor"] == 1100


@pytest.mark.parametrize(
    ("requirement", "action"),
    [
        (CreditRequirement.MANDATE, "open"),
        (CreditRequirement.HISTORY, "pay"),
        (CreditRequirement.EITHER, "open"),
        (CreditRequirement.BOTH, "pay"),
    ],
)
async def test_a_mandate_or_a_history_is_asked_for_as_the_policy_says(
    world: LaneWorld, requirement: CreditRequirement, action: str
) -> None:
    await allow_credit(world, requirement=requirement, history_bills=1)
    await inside(world)
    world.provider.play(Fault.DECLINE)
    assert (await world.drive_out()).action == action


async def test_unknown_opens_on_credit_and_settles_once(world: LaneWorld) -> None:
    await allow_credit(world)
    driver_id = await inside(world)
    world.provider.play(Fault.ACCEPT)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "credit")
    assert await bill_state(world) == "owed"
    [attempt] = await world.rows("SELECT number, state FROM payment_attempts")
    assert attempt["state"] == "accepted"
    world.wait(hours=2)
    # The charge of the gate is still under way: nothing is charged besides it.
    await collection.sweep(world.context)
    assert await world.count("payment_attempts") == 1
    world.provider.settle(attempt["number"], OrderStatus.SUCCEEDED)
    for _ in range(2):
        world.wait(minutes=10)
        await settlement.sweep(world.context)
    assert await bill_state(world) == "paid"
    assert await credit_of(world, driver_id) == (0, 0)
    assert world.provider.captured("CNY") == 1000
    assert await world.count("owed_bills") == 0
    assert await world.count("gate_commands") == 2


async def test_a_late_failure_after_credit_is_tried_again_with_backoff(world: LaneWorld) -> None:
    await allow_credit(world)
    driver_id = await inside(world)
    world.provider.play(Fault.ACCEPT)
    await world.drive_out()
    world.wait(hours=2)
    await collection.sweep(world.context)
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    world.provider.settle(attempt["number"], OrderStatus.FAILED, "declined")
    world.wait(minutes=10)
    await settlement.sweep(world.context)
    assert await bill_state(world) == "owed"
    [listed] = await world.rows("SELECT tries, next_try_at, awaited_attempt_id FROM owed_bills")
    assert (listed["tries"], listed["awaited_attempt_id"]) == (1, None)
    tried = 1
    for hours in (1, 24, 72, 168, 336):
        world.provider.play(Fault.DECLINE)
        world.wait(hours=hours, minutes=5)
        assert await collection.sweep(world.context) == 1
        assert await collection.sweep(world.context) == 0
        tried += 1
    [listed] = await world.rows("SELECT tries, next_try_at FROM owed_bills")
    assert listed == {"tries": tried, "next_try_at": None}
    told = await world.rows("SELECT payload FROM outbox WHERE type = 'CollectionFailed'")
    assert sorted(row["payload"]["is_last_try"] for row in told) == [False] * 5 + [True]
    assert await credit_of(world, driver_id) == (1000, 1000)


async def test_two_exits_at_once_never_exceed_the_limit(world: LaneWorld) -> None:
    await allow_credit(world, first_minor=1500)
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    plates = [PLATE, "京A00001", "京A00002"]
    for plate in plates:
        await world.drive_in(plate)
    await world.rows_changed("UPDATE sessions SET driver_id = :id", id=driver_id)
    await world.rows_changed(
        "INSERT INTO plate_bindings (plate_index, id, driver_id, proof, bound_at)"
        " SELECT plate_index, id, :id, 'lane_code', now() FROM sessions WHERE plate_index NOT IN"
        " (SELECT plate_index FROM plate_bindings)",
        id=driver_id,
    )
    world.wait(minutes=45)
    world.provider.play(Fault.DECLINE, Fault.DECLINE, Fault.DECLINE)
    lanes = [world.exit, world.second_exit, world.exit]
    cars = [await world.arrive(lane) for lane in lanes[:2]]
    decisions = await asyncio.gather(
        *(
            world.decide(lane, car, read_of(plate))
            for lane, car, plate in zip(lanes[:2], cars, plates[:2], strict=True)
        )
    )
    assert sorted(one.reason for one in decisions) == ["credit", "payment_due"]
    assert await credit_of(world, driver_id) == (1000, 1000)


async def test_a_car_that_backs_out_uses_no_credit(world: LaneWorld) -> None:
    await allow_credit(world)
    driver_id = await inside(world)
    world.provider.play(Fault.DECLINE)
    car = await world.arrive(world.exit)
    assert (await world.decide(world.exit, car, read_of(PLATE))).reason == "credit"
    assert await credit_of(world, driver_id) == (1000, 1000)
    await world.barrier(world.exit, car, "opened", "backed_out")
    assert await credit_of(world, driver_id) == (0, 0)
    assert await bill_state(world) == "issued"
    await world.clear(world.exit, car)
    world.wait(minutes=40)
    world.provider.play(Fault.DECLINE)
    assert (await world.drive_out()).reason == "credit"
    assert await credit_of(world, driver_id) == (1500, 1500)
    assert (await world.accounts())[f"receivable:{driver_id}"] == 1500


async def test_arrears_keep_the_gate_shut(world: LaneWorld) -> None:
    await allow_credit(world, first_minor=10_000)
    driver_id = await inside(world)
    world.provider.play(*[Fault.DECLINE] * 12)
    await world.drive_out()
    for days, action in ((1, "open"), (30, "pay")):
        world.wait(days=days)
        await world.drive_in()
        world.wait(minutes=45)
        assert (await world.drive_out()).action == action
    assert await credit_of(world, driver_id) == (2000, 2000)


async def test_frozen_credit_opens_no_gate(world: LaneWorld) -> None:
    await allow_credit(world)
    driver_id = await inside(world)
    async with world.context.database.begin() as unit:
        key = (world.entry.operator_id, driver_id, "CNY")
        assert await credit.freeze(unit, *key, reason=credit.CHARGED_BACK)
    world.provider.play(Fault.DECLINE)
    assert (await world.drive_out()).action == "pay"
    async with world.context.database.begin() as unit:
        assert await credit.thaw(unit, *key)


async def test_a_write_off_freezes_credit_and_a_later_payment_undoes_it(world: LaneWorld) -> None:
    await allow_credit(world)
    driver_id = await inside(world)
    world.provider.play(Fault.DECLINE)
    await world.drive_out()
    [bill] = await world.rows("SELECT id FROM bills")
    operator_id = world.entry.operator_id
    given = {"reason": "cannot be found", "by": "Ada"}
    first = await write_off.write_off(world.context, operator_id, bill["id"], **given)
    given_up = await write_off.write_off(world.context, operator_id, bill["id"], **given)
    assert given_up.id == first.id
    assert (given_up.amount_minor, given_up.written_off_by) == (1000, "Ada")
    assert await bill_state(world) == "written_off"
    assert await world.accounts() == {"written_off": 1000, "revenue": -1000}
    assert await credit_of(world, driver_id) == (0, 0)
    assert await world.count("owed_bills") == 0
    [account] = await world.rows("SELECT frozen_reason FROM credit_accounts")
    assert account["frozen_reason"] == "written_off"
    world.wait(days=2)
    assert await collection.sweep(world.context) == 0
    page = await owed_payment.pay(world.context, driver_id, operator_id, bill["id"])
    assert page.status == PaidHow.CHECKOUT
    [attempt] = await world.rows("SELECT number FROM payment_attempts WHERE kind = 'checkout'")
    assert await is_proven(world, bill["id"])
    world.provider.settle(attempt["number"], OrderStatus.SUCCEEDED)
    world.wait(minutes=1)
    await settlement.sweep(world.context)
    assert await bill_state(world) == "paid"
    assert await world.accounts() == {"provider:fake": 1000, "revenue": -1000}
    assert await is_proven(world, bill["id"])


async def is_proven(world: LaneWorld, bill_id: UUID) -> bool:
    async with world.context.database.begin() as unit:
        return (await prove(world.context, unit, world.entry.operator_id, bill_id)).is_verified


async def test_pages_that_are_given_up_keep_no_bill_from_being_collected(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payments, "PAGES_PER_BILL_MAX", 2)
    add_provider(world, "other")
    await allow_credit(world)
    await world.permit(await world.add_driver())
    session_id = await world.drive_in()
    world.wait(minutes=45)
    world.provider.play(Fault.DECLINE)
    assert (await world.drive_out()).reason == "credit"
    token = pay_token(world.context.vault, world.entry.operator_id, session_id)
    await checkout.start(world.context, token, "fake")
    await checkout.start(world.context, token, "other")
    with pytest.raises(PaymentUnavailableError, match="too many"):
        await checkout.start(world.context, token, "fake")
    # The page before was closed all the same.
    [live] = await world.rows("SELECT live_attempt_id FROM bills")
    assert live["live_attempt_id"] is None
    world.wait(hours=2)
    with monkeypatch.context() as patched:
        # Where nothing can be tried any more, staff hear of it.
        patched.setattr(payments, "ATTEMPTS_PER_BILL_MAX", 3)
        await collection.sweep(world.context)
        [listed] = await world.rows("SELECT tries, next_try_at FROM owed_bills")
        assert dict(listed) == {"tries": 0, "next_try_at": None}
    await world.rows_changed("UPDATE owed_bills SET next_try_at = owed_at")
    await collection.sweep(world.context)
    assert world.provider.captured("CNY") == 1000

"""Which mandate a gate charges, within every limit, while there is time."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from parking.flows.payments import charging, deadline, mandates, prepay, settlement
from parking.flows.payments.mandates import Wish
from parking.flows.payments.prepay import PrepaymentStatus
from parking.payments.fake import FakeProvider, Fault
from parking.payments.mandate_terms import Limits
from parking.payments.port import AccountKind, ChargeOrder, ChargeResult, OrderStatus
from tests.factories.lane_world import PLATE, LaneWorld, read_of
from tests.factories.providers import add_provider

SECOND_PLATE = "京A11111"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))


async def permit(world: LaneWorld, driver_id: UUID, provider: FakeProvider, **more: object) -> UUID:
    wish = replace(Wish(provider=provider.name), **more)
    return await world.permit(driver_id, wish, provider=provider)


async def binding_of(world: LaneWorld, driver_id: UUID, plate: str = PLATE) -> UUID:
    for row in await world.rows(
        "SELECT binding_id, plate_sealed FROM driver_plates WHERE driver_id = :id", id=driver_id
    ):
        if world.context.vault.open(row["plate_sealed"], context="plate") == plate:
            key: UUID = row["binding_id"]
            return key
    raise LookupError(plate)


async def own_plate(world: LaneWorld, driver_id: UUID, plate: str) -> None:
    """Give a driver one more plate."""
    other = await world.add_driver(plate)
    for table in ("plate_bindings", "driver_plates"):
        await world.rows_changed(
            f"UPDATE {table} SET driver_id = :new WHERE driver_id = :old",  # noqa: S608
            new=driver_id,
            old=other,
        )


async def tried(world: LaneWorld) -> list[tuple[str, str]]:
    rows = await world.rows("SELECT provider, state FROM payment_attempts ORDER BY id")
    return [(row["provider"], row["state"]) for row in rows]


async def test_the_drivers_order_is_followed_past_definitive_failures(world: LaneWorld) -> None:
    wechat, card = add_provider(world, "wechat"), add_provider(world, "stripe")
    driver_id = await world.add_driver()
    first = await permit(world, driver_id, world.provider)
    second = await permit(world, driver_id, wechat)
    third = await permit(world, driver_id, card)
    await mandates.reorder(world.context, driver_id, [third, second, first])
    await world.drive_in()
    world.wait(minutes=45)
    card.play(Fault.DECLINE)
    wechat.play(Fault.DECLINE)
    assert (await world.drive_out()).reason == "paid"
    assert sorted(await tried(world)) == [
        ("fake", "succeeded"),
        ("stripe", "failed"),
        ("wechat", "failed"),
    ]
    sent = await world.rows("SELECT mandate_id FROM payment_attempts")
    assert {row["mandate_id"] for row in sent} == {first, second, third}
    assert world.provider.captured("CNY") == 1000


async def test_an_unknown_outcome_is_no_reason_to_try_the_next(world: LaneWorld) -> None:
    wechat = add_provider(world, "wechat")
    driver_id = await world.add_driver()
    await permit(world, driver_id, wechat)
    await permit(world, driver_id, world.provider)
    await world.drive_in()
    world.wait(minutes=45)
    wechat.play(Fault.UNKNOWN)
    decision = await world.decide(world.exit, await world.arrive(world.exit), read_of(PLATE))
    assert (decision.action, decision.command) == ("wait", None)
    assert [provider for provider, _ in await tried(world)] == ["wechat"]
    assert world.provider.captured("CNY") == 0


async def test_a_provider_that_is_not_set_up_here_is_passed_over(world: LaneWorld) -> None:
    wechat = add_provider(world, "wechat")
    driver_id = await world.add_driver()
    await permit(world, driver_id, wechat)
    await permit(world, driver_id, world.provider)
    await world.drive_in()
    world.wait(minutes=45)
    world.context = replace(world.context, providers={"fake": world.provider})
    world.gate = type(world.gate)(world.context)
    assert (await world.drive_out()).reason == "paid"
    assert await tried(world) == [("fake", "succeeded")]


async def test_what_cannot_be_charged_at_a_gate_is_not(world: LaneWorld) -> None:
    bank = add_provider(world, "gocardless", account=AccountKind.BANK, settles_at_gate=False)
    etc = add_provider(world, "etc", needs_plate=True, needs_antenna=True)
    euros = add_provider(world, "stripe", currencies=frozenset({"EUR"}))
    small = add_provider(world, "alipay", charge_minor_max=999)
    driver_id = await world.add_driver()
    for provider in (bank, euros, small):
        await permit(world, driver_id, provider)
    await permit(world, driver_id, etc, binding_id=await binding_of(world, driver_id))
    session_id = await world.drive_in()
    world.wait(minutes=45)
    prepaid = await prepay.prepay(world.context, driver_id, session_id)
    assert prepaid.status is PrepaymentStatus.CHECKOUT
    assert (await world.drive_out()).reason == "payment_due"
    assert {kind for kind, _ in await tried(world)} == {"fake"}
    for provider in (bank, etc, euros, small):
        assert provider.captured("CNY") == 0


async def test_a_plates_mandate_pays_for_its_car_alone(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await own_plate(world, driver_id, SECOND_PLATE)
    key = await binding_of(world, driver_id, SECOND_PLATE)
    scoped = await permit(world, driver_id, world.provider, binding_id=key)
    for plate, reason in ((PLATE, "payment_due"), (SECOND_PLATE, "paid")):
        await world.drive_in(plate)
        world.wait(minutes=45)
        assert (await world.drive_out(plate)).reason == reason
    [row] = await world.rows("SELECT mandate_id, state FROM payment_attempts")
    assert (row["mandate_id"], row["state"]) == (scoped, "succeeded")


async def two_cars_at_exits(world: LaneWorld, driver_id: UUID) -> list[str]:
    """Bring two cars of a driver in, and let both leave at the same moment."""
    for plate in (PLATE, SECOND_PLATE):
        await world.drive_in(plate)
    world.wait(minutes=45)
    arrived = [await world.arrive(lane) for lane in (world.exit, world.second_exit)]
    decisions = await asyncio.gather(
        world.decide(world.exit, arrived[0], read_of(PLATE)),
        world.decide(world.second_exit, arrived[1], read_of(SECOND_PLATE)),
    )
    del driver_id
    return sorted(decision.reason for decision in decisions)


@pytest.mark.parametrize("whose", ["driver", "provider", "count"])
@pytest.mark.parametrize("turn", range(3))
async def test_two_cars_at_once_stay_within_the_limit_of_a_day(
    world: LaneWorld, whose: str, turn: int
) -> None:
    del turn
    driver_id = await world.add_driver()
    await own_plate(world, driver_id, SECOND_PLATE)
    limits = Limits()
    if whose == "driver":
        limits, provider = Limits(day_minor_max=1999, currency="CNY"), world.provider
    elif whose == "provider":
        provider = add_provider(world, "wechat", day_minor_max=1999)
    else:
        provider = add_provider(world, "wechat", day_charges_max=1)
    await permit(world, driver_id, provider, limits=limits)
    assert await two_cars_at_exits(world, driver_id) == ["paid", "payment_due"]
    assert provider.captured("CNY") == 1000
    assert await world.count("payment_attempts") == 1


async def test_without_a_limit_of_a_day_two_cars_are_charged_at_once(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await own_plate(world, driver_id, SECOND_PLATE)
    await permit(world, driver_id, world.provider)
    assert await two_cars_at_exits(world, driver_id) == ["paid", "paid"]


async def leave_after(world: LaneWorld, minutes: float) -> str:
    await world.drive_in()
    world.wait(minutes=minutes)
    return (await world.drive_out()).reason


async def test_a_failed_charge_leaves_the_day_as_it_was(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    limits = Limits(day_minor_max=1000, currency="CNY")
    await permit(world, driver_id, world.provider, limits=limits)
    await world.drive_in()
    world.wait(minutes=45)
    world.provider.play(Fault.DECLINE)
    presentation_id = await world.arrive(world.exit)
    assert (await world.decide(world.exit, presentation_id, read_of(PLATE))).action == "pay"
    assert await world.count("mandate_uses") == 0
    await world.rows_changed("UPDATE bills SET attempts = 0, state = 'paid', paid_at = now()")
    await world.barrier(world.exit, presentation_id, "opened", "passed")
    await world.clear(world.exit, presentation_id)
    assert await leave_after(world, 45) == "paid"
    assert await leave_after(world, 45) == "payment_due"
    assert await world.count("mandate_uses") == 1


async def test_the_day_begins_anew_at_the_places_midnight(world: LaneWorld) -> None:
    # 23:30 in Shanghai, where the place is.
    now = world.clock.now()
    late = datetime(now.year, now.month, now.day, 15, 30, tzinfo=UTC)
    world.clock.advance(late + timedelta(days=late < now) - now)
    driver_id = await world.add_driver()
    limits = Limits(day_minor_max=1000, currency="CNY")
    await permit(world, driver_id, world.provider, limits=limits)
    world.wait(minutes=-45)
    assert await leave_after(world, 44) == "paid"
    assert await leave_after(world, 45) == "paid"
    assert await leave_after(world, 45) == "payment_due"


async def test_raising_a_limit_is_seen_by_the_car_that_waits(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    low = Limits(charge_minor_max=500, currency="CNY")
    mandate_id = await permit(world, driver_id, world.provider, limits=low)
    await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    assert (await world.decide(world.exit, presentation_id, read_of(PLATE))).action == "pay"
    high = Limits(charge_minor_max=1000, currency="CNY")
    _, terms = await mandates.change_limits(world.context, driver_id, mandate_id, high)
    assert terms is not None
    assert await world.gate.pending_commands(world.exit, presentation_id) == []
    digest = terms.digest(world.context.vault, "en")
    await mandates.change_limits(world.context, driver_id, mandate_id, high, digest)
    assert len(await world.gate.pending_commands(world.exit, presentation_id)) == 1


async def test_when_the_time_is_up_the_display_asks_and_the_rest_goes_on_after(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = add_provider(world, "wechat")
    driver_id = await world.add_driver()
    await permit(world, driver_id, slow)
    await permit(world, driver_id, world.provider)
    await world.drive_in()
    world.wait(minutes=45)
    asked: list[float] = []
    charge = slow.charge

    async def decline_late(order: ChargeOrder) -> ChargeResult:
        asked.append(order.deadline_s)
        # Whoever waits has waited long enough by now.
        monkeypatch.setattr(deadline, "perf_counter", lambda: 1e9)
        slow.play(Fault.DECLINE)
        return await charge(order)

    monkeypatch.setattr(slow, "charge", decline_late)
    presentation_id = await world.arrive(world.exit)
    decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert (decision.action, decision.reason) == ("pay", "payment_due")
    assert decision.display.qr is not None
    assert asked == [charging.CHARGE_DEADLINE_S]
    assert await tried(world) == [("wechat", "failed")]
    # Whoever looks again goes on with the driver's next mandate.
    assert len(await world.gate.pending_commands(world.exit, presentation_id)) == 1
    assert sorted(await tried(world)) == [("fake", "succeeded"), ("wechat", "failed")]


async def test_the_next_mandate_has_only_the_time_that_is_left(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = add_provider(world, "wechat")
    driver_id = await world.add_driver()
    await permit(world, driver_id, slow)
    await permit(world, driver_id, world.provider)
    await world.drive_in()
    world.wait(minutes=45)
    now_s = 100.0
    asked: list[float] = []
    charges = {slow: slow.charge, world.provider: world.provider.charge}
    monkeypatch.setattr(deadline, "perf_counter", lambda: now_s)

    async def decline_late(order: ChargeOrder) -> ChargeResult:
        nonlocal now_s
        asked.append(order.deadline_s)
        now_s += 4.5
        slow.play(Fault.DECLINE)
        return await charges[slow](order)

    async def take(order: ChargeOrder) -> ChargeResult:
        asked.append(order.deadline_s)
        return await charges[world.provider](order)

    monkeypatch.setattr(slow, "charge", decline_late)
    monkeypatch.setattr(world.provider, "charge", take)
    assert (await world.drive_out()).reason == "paid"
    assert asked == [charging.CHARGE_DEADLINE_S, deadline.GATE_DEADLINE_S - 4.5]


async def test_a_bank_is_asked_about_its_debit_in_hours_and_about_a_lost_answer_at_once(
    world: LaneWorld,
) -> None:
    bank = add_provider(world, "gocardless", account=AccountKind.BANK, settles_at_gate=False)
    driver_id = await world.add_driver()
    await permit(world, driver_id, bank)
    await world.drive_in()
    world.wait(minutes=45)
    await world.drive_out()
    [bill] = await world.rows("SELECT operator_id, id FROM bills")
    bank.play(Fault.UNKNOWN)
    attempt = await charging.charge_bill(
        world.context, bill["operator_id"], bill["id"], is_waited_for=False
    )
    assert attempt is not None
    assert attempt.state == "accepted"
    waits: list[int] = []
    for _ in range(5):
        [row] = await world.rows("SELECT next_query_at FROM payment_attempts")
        waits.append(round((row["next_query_at"] - world.clock.now()).total_seconds()))
        world.clock.advance(row["next_query_at"] - world.clock.now())
        assert await settlement.sweep(world.context) == 1
    assert waits[-3:] == [21600] * 3
    assert min(waits) >= 600
    bank.settle(attempt.number, OrderStatus.SUCCEEDED)
    world.wait(hours=7)
    await settlement.sweep(world.context)
    assert await tried(world) == [("gocardless", "succeeded")]

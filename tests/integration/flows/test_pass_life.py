"""A pass over the months: notices, renewals, refusals, lapses, cancellations."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from parking.flows.binding import unbind
from parking.flows.passes import pass_changes, pass_products, pass_renewal
from parking.flows.payments import charging, settlement
from parking.kit.money import Money
from parking.passes import repository
from parking.passes.errors import PassEndedError, PassUnknownError
from parking.payments.errors import PaymentInProgressError
from parking.payments.fake import Fault
from parking.payments.port import OrderStatus
from tests.factories.lane_world import LaneWorld
from tests.factories.pass_desk import PRICE_MINOR, SHANGHAI, PassDesk


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0,))


@pytest.fixture
def desk(world: LaneWorld) -> PassDesk:
    return PassDesk(world)


def local(at: datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%m-%d %H:%M")


async def bought(desk: PassDesk, *, quantity: int | None = None) -> dict[str, Any]:
    driver_id = await desk.buyer()
    product = await desk.add_product(quantity=quantity)
    return await desk.right(await desk.buy(driver_id, product))


async def test_a_pass_from_the_31st_over_a_leap_day(world: LaneWorld, desk: PassDesk) -> None:
    driver_id = await desk.buyer()
    product = await desk.add_product()
    world.clock.advance(datetime(2027, 12, 31, 4, tzinfo=UTC) - world.clock.now())
    right_id = await desk.buy(driver_id, product)
    ends: list[str] = []
    for month in range(1, 6):
        await desk.wait_until(date(2028, month, 1))
        ends.append(local((await desk.right(right_id))["paid_until"]))
    assert ends == ["01-31 00:00", "02-29 00:00", "03-31 00:00", "04-30 00:00", "05-31 00:00"]
    assert (await desk.right(right_id))["periods"] == 5
    assert await desk.charges() == [("succeeded", PRICE_MINOR)] * 5
    assert world.provider.captured("CNY") == 5 * PRICE_MINOR
    told = await desk.told()
    assert (told.count("PassRenewed"), told.count("PassRenewalUpcoming")) == (4, 4)


async def test_the_notice_comes_once_and_names_the_price(world: LaneWorld, desk: PassDesk) -> None:
    right = await bought(desk)
    ends = right["paid_until"].astimezone(SHANGHAI).date()
    operator_id, product_id = right["operator_id"], right["specification_id"]
    await desk.wait_until(ends - timedelta(days=3), hour=8, minute=59)
    assert await desk.told() == ["PassPurchased"]
    await pass_products.change_price(world.context, operator_id, product_id, Money(35_000, "CNY"))
    world.wait(minutes=1)
    await asyncio.gather(*(pass_renewal.sweep(world.context) for _ in range(3)))
    await desk.wait_until(ends - timedelta(days=1))
    assert await desk.told() == ["PassPurchased", "PassRenewalUpcoming"]
    [event] = await world.rows("SELECT payload FROM outbox WHERE type = 'PassRenewalUpcoming'")
    assert event["payload"]["amount_minor"] == 35_000
    assert event["payload"]["before_minor"] == 30_000
    # Raised again after the notice: the price that was told is the one that is charged.
    await pass_products.change_price(world.context, operator_id, product_id, Money(90_000, "CNY"))
    await desk.wait_until(ends, hour=1)
    assert await desk.charges() == [("succeeded", 30_000), ("succeeded", 35_000)]
    assert (await desk.right(right["id"]))["price_minor"] == 35_000


async def test_a_refused_renewal_is_tried_on_the_named_days_and_then_lapses(
    world: LaneWorld, desk: PassDesk
) -> None:
    right = await bought(desk, quantity=1)
    ends = right["paid_until"].astimezone(SHANGHAI).date()
    world.provider.play(*[Fault.DECLINE] * 3)
    tries: list[tuple[str, str, int]] = []
    for day in range(6):
        for hour in (1, 10):
            await desk.wait_until(ends + timedelta(days=day), hour=hour)
            row = await desk.right(right["id"])
            tries.append((f"{day}/{hour}", row["state"], len(await desk.charges()) - 1))
    assert tries == [
        ("0/1", "grace", 1),
        ("0/10", "grace", 1),
        ("1/1", "grace", 1),
        ("1/10", "grace", 2),
        ("2/1", "grace", 2),
        ("2/10", "grace", 2),
        ("3/1", "grace", 2),
        ("3/10", "grace", 3),
        ("4/1", "grace", 3),
        ("4/10", "grace", 3),
        ("5/1", "lapsed", 3),
        ("5/10", "lapsed", 3),
    ]
    assert await desk.told() == [
        "PassPurchased",
        "PassRenewalUpcoming",
        *["PassRenewalFailed"] * 3,
        "PassLapsed",
    ]
    row = await desk.right(right["id"])
    assert (row["periods"], local(row["ended_at"])[-5:], row["next_step_at"]) == (1, "00:00", None)
    [sold] = await world.rows("SELECT sold FROM right_specifications")
    assert sold["sold"] == 0
    states = await world.rows("SELECT state FROM bills ORDER BY id")
    assert [bill["state"] for bill in states] == ["paid", "void"]
    assert world.provider.captured("CNY") == PRICE_MINOR


async def test_a_retry_in_the_grace_pays_for_the_period_from_its_start(
    world: LaneWorld, desk: PassDesk
) -> None:
    right = await bought(desk)
    ends = right["paid_until"].astimezone(SHANGHAI).date()
    world.provider.play(Fault.DECLINE)
    await desk.wait_until(ends + timedelta(days=1), hour=1)
    await world.drive_in()
    world.wait(hours=5)
    assert (await world.drive_out()).reason == "zero_due"
    await desk.wait_until(ends + timedelta(days=2))
    row = await desk.right(right["id"])
    assert (row["state"], row["periods"], row["tries"]) == ("active", 2, 0)
    month_later = row["paid_until"].astimezone(SHANGHAI).date()
    assert (month_later.day, month_later - ends >= timedelta(days=28)) == (ends.day, True)
    assert await desk.charges() == [
        ("succeeded", PRICE_MINOR),
        ("failed", PRICE_MINOR),
        ("succeeded", PRICE_MINOR),
    ]


async def test_two_workers_charge_a_renewal_once(world: LaneWorld, desk: PassDesk) -> None:
    right = await bought(desk)
    key = (right["operator_id"], right["id"])
    await desk.wait_until(right["paid_until"].astimezone(SHANGHAI).date() - timedelta(days=1))
    world.wait(days=1, minutes=1)
    # Not by the lease, which already keeps workers apart: all of them are at the same pass.
    await asyncio.gather(*(pass_renewal.advance(world.context, *key) for _ in range(5)))
    assert await desk.charges() == [("succeeded", PRICE_MINOR)] * 2
    assert (await desk.right(right["id"]))["periods"] == 2
    assert (await desk.told()).count("PassRenewed") == 1


async def test_two_workers_count_a_refused_renewal_once(world: LaneWorld, desk: PassDesk) -> None:
    right = await bought(desk)
    key = (right["operator_id"], right["id"])
    await desk.wait_until(right["paid_until"].astimezone(SHANGHAI).date() - timedelta(days=1))
    world.wait(days=1, minutes=1)
    world.provider.play(*[Fault.DECLINE] * 5)
    await asyncio.gather(*(pass_renewal.advance(world.context, *key) for _ in range(5)))
    row = await desk.right(right["id"])
    assert (row["state"], row["tries"]) == ("grace", 1)
    assert (await desk.told()).count("PassRenewalFailed") == 1
    assert world.provider.captured("CNY") == PRICE_MINOR


@pytest.mark.parametrize("status", [OrderStatus.SUCCEEDED, OrderStatus.FAILED])
async def test_an_unknown_renewal_is_never_charged_twice(
    world: LaneWorld, desk: PassDesk, status: OrderStatus
) -> None:
    right = await bought(desk)
    ends = right["paid_until"].astimezone(SHANGHAI).date()
    await desk.wait_until(ends - timedelta(days=1))
    world.provider.play(Fault.ACCEPT)
    # Days in which the provider does not know: nobody charges again, and the pass stays valid.
    await desk.wait_until(ends + timedelta(days=7))
    assert await desk.charges() == [("succeeded", PRICE_MINOR), ("accepted", PRICE_MINOR)]
    assert await desk.state(right["id"]) == "active"
    with pytest.raises(PaymentInProgressError):
        await pass_changes.cancel(world.context, right["driver_id"], right["id"], immediately=True)
    [attempt] = await world.rows("SELECT number FROM payment_attempts WHERE state = 'accepted'")
    world.provider.settle(attempt["number"], status)
    await settlement.sweep(world.context)
    world.wait(minutes=5)
    await desk.work()
    row = await desk.right(right["id"])
    if status is OrderStatus.SUCCEEDED:
        assert (row["state"], row["periods"]) == ("active", 2)
        assert world.provider.captured("CNY") == 2 * PRICE_MINOR
    else:
        # The grace had passed when the refusal was known: it lapses without another charge.
        assert (row["state"], row["periods"]) == ("lapsed", 1)
        assert world.provider.captured("CNY") == PRICE_MINOR
    assert len(await desk.charges()) == 2


async def test_workers_that_were_away_through_the_grace_charge_nothing(
    world: LaneWorld, desk: PassDesk
) -> None:
    right = await bought(desk)
    world.wait(days=60)
    await desk.work()
    assert await desk.state(right["id"]) == "lapsed"
    assert await desk.charges() == [("succeeded", PRICE_MINOR)]


async def test_more_passes_than_one_batch_renew_in_one_sweep(
    world: LaneWorld, desk: PassDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "DUE_PASSES_MAX", 2)
    driver_id = await desk.buyer()
    product = await desk.add_product()
    for number in range(5):
        await desk.buy(driver_id, product, f"k{number}")
    [row] = await world.rows("SELECT DISTINCT paid_until FROM assigned_rights")
    world.clock.advance(row["paid_until"] - world.clock.now() + timedelta(minutes=1))
    assert await pass_renewal.sweep(world.context) >= 5
    renewed = await world.rows("SELECT 1 FROM assigned_rights WHERE periods = 2")
    assert len(renewed) == 5
    assert world.provider.captured("CNY") == 10 * PRICE_MINOR


async def test_a_pass_without_renewal_ends_with_its_period(
    world: LaneWorld, desk: PassDesk
) -> None:
    right = await bought(desk)
    driver_id = right["driver_id"]
    for _ in range(2):
        await pass_changes.set_renewal(world.context, driver_id, right["id"], renews=False)
    ends = right["paid_until"].astimezone(SHANGHAI).date()
    await desk.wait_until(ends, hour=1)
    row = await desk.right(right["id"])
    assert (row["state"], row["ended_at"]) == ("ended", right["paid_until"])
    assert await desk.told() == ["PassPurchased", "PassChanged", "PassLapsed"]
    assert await desk.charges() == [("succeeded", PRICE_MINOR)]
    with pytest.raises(PassEndedError):
        await pass_changes.set_renewal(world.context, driver_id, right["id"], renews=True)


async def test_cancelling_with_the_period_and_thinking_again(
    world: LaneWorld, desk: PassDesk
) -> None:
    right = await bought(desk)
    driver_id = right["driver_id"]
    for _ in range(2):
        done = await pass_changes.cancel(world.context, driver_id, right["id"], immediately=False)
        assert done.refund_minor == 0
    assert await desk.told() == ["PassPurchased", "PassCancelled"]
    await pass_changes.set_renewal(world.context, driver_id, right["id"], renews=True)
    ends = right["paid_until"].astimezone(SHANGHAI).date()
    await desk.wait_until(ends, hour=1)
    assert (await desk.right(right["id"]))["periods"] == 2


async def test_cancelling_at_once_pays_the_unused_days_back(
    world: LaneWorld, desk: PassDesk
) -> None:
    right = await bought(desk)
    driver_id = right["driver_id"]
    begins = desk.today()
    days = (right["paid_until"].astimezone(SHANGHAI).date() - begins).days
    await desk.wait_until(begins + timedelta(days=9), hour=12)
    unused = (2 * PRICE_MINOR * (days - 10) + days) // (2 * days)
    done = await pass_changes.cancel(world.context, driver_id, right["id"], immediately=True)
    assert done.refund_minor == unused
    again = await pass_changes.cancel(world.context, driver_id, right["id"], immediately=True)
    assert again.refund_minor == 0
    refunds = await world.rows("SELECT state, amount_minor FROM refunds")
    assert [(row["state"], row["amount_minor"]) for row in refunds] == [("succeeded", unused)]
    assert world.provider.captured("CNY") == PRICE_MINOR - unused
    balances = await world.balances()
    assert balances["receivable", "CNY"] == 0
    assert balances["provider:fake", "CNY"] == PRICE_MINOR - unused
    assert sum(balances.values()) == 0
    assert await desk.state(right["id"]) == "cancelled"
    await desk.wait_until(begins + timedelta(days=70))
    assert len(await desk.charges()) == 1


async def test_a_payment_that_is_known_after_the_revocation_goes_back(
    world: LaneWorld, desk: PassDesk
) -> None:
    right = await bought(desk)
    ends = right["paid_until"].astimezone(SHANGHAI).date()
    await desk.wait_until(ends - timedelta(days=1))
    world.provider.play(Fault.ACCEPT)
    await desk.wait_until(ends, hour=1)
    await pass_changes.revoke(
        world.context, right["operator_id"], right["id"], by="Ada", reason="misused"
    )
    [attempt] = await world.rows("SELECT number FROM payment_attempts WHERE state = 'accepted'")
    assert world.provider.pay(attempt["number"])
    world.wait(minutes=5)
    await settlement.sweep(world.context)
    world.wait(minutes=5)
    await desk.work()
    row = await desk.right(right["id"])
    assert (row["state"], row["periods"], row["next_step_at"]) == ("revoked", 1, None)
    assert world.provider.captured("CNY") == PRICE_MINOR
    assert sum((await world.balances()).values()) == 0


async def test_another_drivers_pass_answers_like_none(world: LaneWorld, desk: PassDesk) -> None:
    right = await bought(desk)
    thief = await world.add_driver("AB1")
    [plate] = await desk.bindings(thief)
    context, right_id = world.context, right["id"]
    for attempt in (
        pass_changes.cancel(context, thief, right_id, immediately=True),
        pass_changes.set_renewal(context, thief, right_id, renews=False),
        pass_changes.transfer(context, thief, right_id, binding_id=plate, replaces=None),
    ):
        with pytest.raises(PassUnknownError):
            await attempt
    with pytest.raises(PassUnknownError):
        await pass_changes.revoke(context, thief, right_id, by="Eve", reason="mine")
    assert await desk.right(right_id) == right


async def test_an_unbound_plate_leaves_its_drivers_pass(world: LaneWorld, desk: PassDesk) -> None:
    right = await bought(desk)
    driver_id = right["driver_id"]
    [binding_id] = await desk.bindings(driver_id)
    for _ in range(2):
        await unbind(world.context, driver_id, binding_id)
    await world.drive_in()
    assert await world.count("right_spaces") == 0
    plates = await world.rows("SELECT removed_at FROM right_plates")
    assert [row["removed_at"] for row in plates] == [world.clock.now()]
    assert await desk.state(right["id"]) == "active"

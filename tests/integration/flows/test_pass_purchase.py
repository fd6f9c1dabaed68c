"""Buying a pass: charged once, valid when paid, and nothing moved on a refusal."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from parking.flows.passes import pass_changes, pass_products, pass_purchase
from parking.flows.payments import charging, settlement
from parking.kit.database import ConflictError
from parking.kit.errors import InvalidInputError, ParkingError
from parking.kit.money import Money
from parking.passes.errors import (
    PassLimitReachedError,
    PassMandateMissingError,
    PassNotOnSaleError,
    PassPlateUnknownError,
    PassPriceChangedError,
    PassProductUnknownError,
    PassRequestReusedError,
    PassSoldOutError,
)
from parking.payments.fake import Fault
from parking.places import service as places
from tests.factories.lane_world import PLATE, LaneWorld
from tests.factories.pass_desk import PRICE_MINOR, PassDesk


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0,))


@pytest.fixture
def desk(world: LaneWorld) -> PassDesk:
    return PassDesk(world)


async def test_a_purchase_is_charged_once_and_opens_gates(world: LaneWorld, desk: PassDesk) -> None:
    driver_id = await desk.buyer()
    product = await desk.add_product()
    right_id = await desk.buy(driver_id, product)
    right = await desk.right(right_id)
    assert (right["state"], right["periods"], right["paid_minor"]) == ("active", 1, PRICE_MINOR)
    assert right["starts_at"] == world.clock.now()
    assert await desk.charges() == [("succeeded", PRICE_MINOR)]
    # Nothing else of the driver's is due: the second purchase under the key is the same one.
    assert await desk.buy(driver_id, product) == right_id
    assert world.provider.captured("CNY") == PRICE_MINOR
    assert await desk.told() == ["PassPurchased"]
    assert await world.balances() == {
        ("provider:fake", "CNY"): PRICE_MINOR,
        ("receivable", "CNY"): 0,
        ("revenue", "CNY"): -PRICE_MINOR,
    }
    [bill] = await world.rows("SELECT * FROM bills")
    assert (bill["pass_id"], bill["session_id"], bill["state"]) == (right_id, None, "paid")
    [line] = bill["lines"]
    assert (line["reason"], line["amount_minor"], line["note"]) == ("pass_period", 30_000, "Month")
    await world.drive_in()
    world.wait(hours=7)
    decision = await world.drive_out()
    assert (decision.action, decision.reason) == ("open", "zero_due")
    assert world.provider.captured("CNY") == PRICE_MINOR


async def test_a_prorated_month_costs_its_share_and_then_the_whole(
    world: LaneWorld, desk: PassDesk
) -> None:
    driver_id = await desk.buyer()
    product = await desk.add_product(is_prorated=True)
    first = desk.today().replace(day=1)
    middle = (first + timedelta(days=32)).replace(day=11)
    right_id = await desk.buy(driver_id, product, first_day=middle)
    after = (middle + timedelta(days=32)).replace(day=1)
    days = (after - middle.replace(day=1)).days
    share = (2 * PRICE_MINOR * (days - 10) + days) // (2 * days)
    assert world.provider.captured("CNY") == share
    await desk.wait_until(after, hour=1)
    assert await desk.charges() == [("succeeded", share), ("succeeded", PRICE_MINOR)]
    right = await desk.right(right_id)
    assert (right["periods"], right["paid_minor"]) == (2, PRICE_MINOR)


async def test_a_declined_purchase_fails_and_frees_its_place(
    world: LaneWorld, desk: PassDesk
) -> None:
    driver_id = await desk.buyer()
    product = await desk.add_product(quantity=1)
    world.provider.play(Fault.DECLINE)
    right_id = await desk.buy(driver_id, product)
    assert await desk.state(right_id) == "failed"
    assert await desk.charges() == [("failed", PRICE_MINOR)]
    assert [row["state"] for row in await world.rows("SELECT state FROM bills")] == ["void"]
    assert await desk.told() == ["PassPurchaseFailed"]
    assert {balance for _, balance in (await world.balances()).items()} == {0}
    # The same key stays the failed purchase; a new one buys.
    assert await desk.buy(driver_id, product) == right_id
    again = await desk.buy(driver_id, product, "k2")
    assert await desk.state(again) == "active"
    await world.drive_in()
    assert await world.count("right_spaces") == 1


async def test_the_next_mandate_pays_where_the_first_is_declined(
    world: LaneWorld, desk: PassDesk
) -> None:
    driver_id = await desk.buyer()
    world.wait(seconds=1)
    await world.permit(driver_id)
    world.provider.play(Fault.DECLINE)
    right_id = await desk.buy(driver_id, await desk.add_product())
    assert await desk.state(right_id) == "active"
    # Both were sent in the same millisecond: their order is not told.
    assert sorted(await desk.charges()) == [("failed", PRICE_MINOR), ("succeeded", PRICE_MINOR)]


async def test_an_unknown_outcome_is_pending_until_it_is_known(
    world: LaneWorld, desk: PassDesk
) -> None:
    driver_id = await desk.buyer()
    product = await desk.add_product()
    # Paid at the provider, but neither the answer nor the first query comes through.
    world.provider.play(Fault.ACCEPT)
    right_id = await desk.buy(driver_id, product)
    assert await desk.state(right_id) == "pending"
    await world.drive_in()
    world.wait(minutes=45)
    # It opens no gate: the car is a temporary user until the payment is certain.
    assert await world.count("right_spaces") == 0
    world.wait(minutes=5)
    await desk.work()
    assert await desk.state(right_id) == "pending"
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    assert world.provider.pay(attempt["number"])
    await settlement.sweep(world.context)
    assert await desk.state(right_id) == "active"
    assert await desk.charges() == [("succeeded", PRICE_MINOR)]
    assert await desk.told() == ["PassPurchased"]


async def test_a_purchase_that_is_refused_later_fails(world: LaneWorld, desk: PassDesk) -> None:
    driver_id = await desk.buyer()
    product = await desk.add_product(quantity=1)
    world.provider.play(Fault.ACCEPT)
    right_id = await desk.buy(driver_id, product)
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    world.wait(minutes=5)
    world.provider.settle(attempt["number"], settlement.OrderStatus.FAILED)
    await settlement.sweep(world.context)
    world.wait(minutes=5)
    await desk.work()
    assert await desk.state(right_id) == "failed"
    assert await desk.charges() == [("failed", PRICE_MINOR)]
    [row] = await world.rows("SELECT sold FROM right_specifications")
    assert row["sold"] == 0


async def refusals(
    world: LaneWorld, desk: PassDesk
) -> list[tuple[type[ParkingError], Callable[[], Awaitable[object]]]]:
    driver_id = await desk.buyer()
    poor = await world.add_driver("AB1")
    other = await world.add_driver("AB2")
    product = await desk.add_product()
    withdrawn = await desk.add_product(is_on_sale=False)
    ended = await desk.add_product(valid_until=desk.today())
    [theirs] = await desk.bindings(other)
    async with world.context.database.begin() as unit:
        stranger = places.add_operator(unit, "Elsewhere")
    order = await desk.order(driver_id, product)

    def buy(**changes: Any) -> Callable[[], Awaitable[object]]:  # noqa: ANN401 - of PassOrder
        return lambda: desk.buy(driver_id, product, **changes)

    return [
        (PassNotOnSaleError, lambda: desk.buy(driver_id, withdrawn)),
        (PassNotOnSaleError, lambda: desk.buy(driver_id, ended)),
        (PassMandateMissingError, lambda: desk.buy(poor, product)),
        (PassPlateUnknownError, buy(binding_ids=[theirs])),
        (PassProductUnknownError, buy(operator_id=stranger.id)),
        (PassPriceChangedError, buy(price=Money(29_999, "CNY"))),
        (PassPriceChangedError, buy(price=Money(PRICE_MINOR, "EUR"))),
        (InvalidInputError, buy(binding_ids=[])),
        (InvalidInputError, buy(binding_ids=[*order.binding_ids, *order.binding_ids])),
        (InvalidInputError, buy(first_day=desk.today() - timedelta(days=1))),
        (InvalidInputError, buy(first_day=desk.today() + timedelta(days=63))),
        (InvalidInputError, buy(request_key="")),
        (InvalidInputError, buy(request_key="k" * 65)),
    ]


async def test_a_refused_purchase_moves_nothing(world: LaneWorld, desk: PassDesk) -> None:
    cases = await refusals(world, desk)
    for expected, attempt in cases:
        with pytest.raises(expected):
            await attempt()
    for table in ("assigned_rights", "driver_rights", "right_plates", "bills", "payment_attempts"):
        assert await world.count(table) == 0
    assert [row["sold"] for row in await world.rows("SELECT sold FROM right_specifications")] == [
        0,
        0,
        0,
    ]


async def test_a_key_is_one_purchase_of_one_product(world: LaneWorld, desk: PassDesk) -> None:
    driver_id = await desk.buyer()
    product, other = await desk.add_product(), await desk.add_product(name="Year")
    bought = await desk.buy(driver_id, product)
    with pytest.raises(PassRequestReusedError):
        await desk.buy(driver_id, other)
    with pytest.raises(PassRequestReusedError):
        await desk.buy(driver_id, product, first_day=desk.today() + timedelta(days=1))
    assert await desk.buy(driver_id, product, first_day=desk.today()) == bought
    assert world.provider.captured("CNY") == PRICE_MINOR


async def test_two_want_the_last_pass_and_one_gets_it(world: LaneWorld, desk: PassDesk) -> None:
    product = await desk.add_product(quantity=1)
    buyers = [await desk.buyer(plate) for plate in ("AB1", "AB2", "AB3")]
    outcomes = await asyncio.gather(
        *(desk.buy(driver_id, product) for driver_id in buyers), return_exceptions=True
    )
    assert sum(isinstance(outcome, PassSoldOutError) for outcome in outcomes) == 2
    assert await desk.charges() == [("succeeded", PRICE_MINOR)]
    assert world.provider.captured("CNY") == PRICE_MINOR
    [row] = await world.rows("SELECT sold FROM right_specifications")
    assert row["sold"] == 1


async def test_tapping_twice_in_the_same_moment_charges_once(
    world: LaneWorld, desk: PassDesk
) -> None:
    driver_id = await desk.buyer()
    product = await desk.add_product()
    outcomes = await asyncio.gather(
        *(desk.buy(driver_id, product) for _ in range(4)), return_exceptions=True
    )
    bought = {outcome for outcome in outcomes if not isinstance(outcome, BaseException)}
    assert len(bought) == 1
    assert all(
        isinstance(outcome, ConflictError)
        for outcome in outcomes
        if isinstance(outcome, BaseException)
    )
    assert await desk.charges() == [("succeeded", PRICE_MINOR)]
    assert (await world.count("assigned_rights"), await world.count("bills")) == (1, 1)


async def test_a_driver_holds_twenty_passes_and_no_more(world: LaneWorld, desk: PassDesk) -> None:
    driver_id = await world.add_driver(PLATE)
    product = await desk.add_product(price=Money(0, "CNY"))
    for number in range(19):
        await desk.buy(driver_id, product, f"k{number}")
    outcomes = await asyncio.gather(
        *(desk.buy(driver_id, product, f"last{number}") for number in range(3)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, PassLimitReachedError) for outcome in outcomes) == 2
    assert await world.count("assigned_rights") == 20


async def test_a_free_pass_needs_no_authorization(world: LaneWorld, desk: PassDesk) -> None:
    driver_id = await world.add_driver(PLATE)
    product = await desk.add_product(price=Money(0, "CNY"))
    assert await desk.state(await desk.buy(driver_id, product)) == "active"
    assert await desk.charges() == []


async def test_a_withdrawn_product_is_sold_no_more_and_its_passes_stay(
    world: LaneWorld, desk: PassDesk
) -> None:
    driver_id = await desk.buyer()
    product = await desk.add_product()
    right_id = await desk.buy(driver_id, product)
    operator_id = product.operator_id
    for _ in range(2):
        await pass_products.put_on_sale(world.context, operator_id, product.id, is_on_sale=False)
    assert await pass_products.list_on_sale(world.context, operator_id, world.entry.place_id) == []
    with pytest.raises(PassNotOnSaleError):
        await desk.buy(driver_id, product, "k2")
    right = await desk.right(right_id)
    await desk.wait_until(right["paid_until"].astimezone().date() + timedelta(days=2))
    assert (await desk.right(right_id))["periods"] == 2


async def test_a_crash_between_the_commit_and_the_charge_is_resumed_by_the_same_request(
    world: LaneWorld, desk: PassDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_id = await desk.buyer()
    product = await desk.add_product()

    async def die(*_: object) -> None:
        raise OSError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(pass_purchase.charging, "charge_bill", die)
        with pytest.raises(OSError, match="killed here"):
            await desk.buy(driver_id, product)
    right_id = await desk.buy(driver_id, product)
    assert await desk.state(right_id) == "active"
    assert await desk.charges() == [("succeeded", PRICE_MINOR)]


async def test_a_crash_that_nobody_repeats_is_given_up(
    world: LaneWorld, desk: PassDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_id = await desk.buyer()
    product = await desk.add_product(quantity=1)

    async def die(*_: object) -> None:
        raise OSError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(pass_purchase.charging, "charge_bill", die)
        with pytest.raises(OSError, match="killed here"):
            await desk.buy(driver_id, product)
    world.wait(minutes=3)
    await desk.work()
    [right] = await world.rows("SELECT state FROM assigned_rights")
    assert right["state"] == "failed"
    assert await desk.charges() == []
    [row] = await world.rows("SELECT sold FROM right_specifications")
    assert row["sold"] == 0


async def test_staff_grant_and_revoke(world: LaneWorld, desk: PassDesk) -> None:
    product = await desk.add_product(is_on_sale=False, plates_max=2, spaces=2)
    last_day = desk.today() + timedelta(days=9)
    operator_id = product.operator_id
    right_id = await pass_changes.grant(
        world.context,
        operator_id,
        product.id,
        plate_texts=["ab-1", PLATE],
        first_day=None,
        last_day=last_day,
        by="Ada",
        reason="lives next door",
    )
    right = await desk.right(right_id)
    assert (right["state"], right["driver_id"], right["decided_by"]) == ("active", None, "Ada")
    await world.drive_in("AB1")
    world.wait(hours=5)
    assert (await world.drive_out("AB1")).reason == "zero_due"
    await world.drive_in()
    world.wait(hours=2)
    for _ in range(2):
        await pass_changes.revoke(
            world.context, operator_id, right_id, by="Bo", reason="moved away"
        )
    right = await desk.right(right_id)
    assert (right["state"], right["decided_by"], right["reason"]) == ("revoked", "Bo", "moved away")
    # The two hours before the revocation stay free; from then on the stay costs what it costs.
    world.wait(minutes=45)
    decision = await world.drive_out()
    assert decision.action == "pay"
    bills = await world.rows("SELECT total_minor FROM bills WHERE state = 'issued'")
    assert [bill["total_minor"] for bill in bills] == [1000]
    assert await desk.charges() == []

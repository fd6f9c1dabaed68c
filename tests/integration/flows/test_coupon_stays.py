"""Coupons of stays and bills: reserved, used, given back; budgets and the ledger add up."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from parking.coupons.errors import CouponNotUsableError, CouponUnknownError
from parking.flows.coupons import attaching, choosing, granting, settling
from parking.flows.coupons.attaching import AttachWatch
from parking.flows.payments import prepay, refunds
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.payments import repository as payments
from parking.tariffs import service as tariffs
from tests.factories.lane_world import RATE_TABLE, LaneWorld
from tests.integration.flows.test_coupon_races import define

BUDGET = {"budget_minor": 1_000, "amount_minor_max": 500, "driver_max": 9}


@pytest.fixture
async def paying(world: LaneWorld) -> UUID:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    return driver_id


async def give(world: LaneWorld, definition_id: UUID, driver_id: UUID) -> UUID:
    async with world.context.database.begin() as unit:
        given = await granting.grant_coupon(
            unit,
            world.entry.operator_id,
            definition_id,
            driver_id,
            source="staff",
            source_id=new_id(unit.now()),
        )
    assert given is not None
    return given


async def coupons(world: LaneWorld) -> list[tuple[str, int, int]]:
    rows = await world.rows(
        "SELECT state, held_minor, discount_minor FROM driver_coupons ORDER BY id"
    )
    return [(row["state"], row["held_minor"], row["discount_minor"]) for row in rows]


async def definition(world: LaneWorld) -> tuple[int, int, int]:
    """Return claims, reserved and spent, which must be what the coupons say."""
    [row] = await world.rows("SELECT * FROM coupon_definitions")
    [sums] = await world.rows(
        "SELECT coalesce(sum(held_minor), 0) AS held, coalesce(sum(discount_minor), 0) AS spent,"
        " count(*) FILTER (WHERE state IN ('available', 'reserved', 'used')) AS claims"
        " FROM driver_coupons"
    )
    found = (row["claims"], row["reserved_minor"], row["spent_minor"])
    assert found == (sums["claims"], sums["held"], sums["spent"])
    accounts = await world.accounts()
    assert sum(accounts.values()) == 0
    assert accounts.get(f"coupon_budget:{row['id']}", 0) == row["spent_minor"]
    return found


async def bill_of(world: LaneWorld, session_id: UUID) -> Any:  # noqa: ANN401
    async with world.context.database.begin() as unit:
        return (await payments.find_bills(unit, world.entry.operator_id, session_id))[-1]


async def test_an_entry_reserves_it_the_bill_uses_it_and_a_refund_returns_it(
    world: LaneWorld, paying: UUID
) -> None:
    await give(world, await define(world, **BUDGET), paying)
    watch = AttachWatch(world.context)
    session_id = await world.drive_in()
    assert (await watch.sweep(), await watch.sweep()) == (1, 0)
    assert await coupons(world) == [("reserved", 500, 0)]
    assert await definition(world) == (1, 500, 0)
    assert await settling.sweep(world.context) == 0
    world.wait(minutes=85)
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == 1000
    assert (await settling.sweep(world.context), await settling.sweep(world.context)) == (1, 0)
    assert await coupons(world) == [("used", 0, 500)]
    assert await definition(world) == (1, 0, 500)
    assert (await world.accounts())["revenue"] == -1500
    bill = await bill_of(world, session_id)
    async with world.context.database.begin() as unit:
        part, rest = Money(400, "CNY"), Money(600, "CNY")
        await refunds.request_refund(unit, bill, part, cause="a", reason="late", by="Ada")
    assert await definition(world) == (1, 0, 500)
    async with world.context.database.begin() as unit:
        await refunds.request_refund(unit, bill, rest, cause="b", reason="late", by="Ada")
    assert await coupons(world) == [("available", 0, 0)]
    assert await definition(world) == (1, 0, 0)
    world.wait(seconds=5)
    await world.drive_in()
    assert await watch.sweep() == 1
    assert await coupons(world) == [("reserved", 500, 0)]


@pytest.mark.parametrize(
    "limit",
    [
        {"place_ids": ["0197a000-0000-7000-8000-000000000000"]},
        {"currency": "EUR"},
        {"stay_number": 2},
        {"budget_minor": 1_000},
    ],
    ids=lambda limit: next(iter(limit)),
)
async def test_one_that_is_not_for_this_stay_is_left_alone(
    world: LaneWorld, paying: UUID, limit: dict[str, Any]
) -> None:
    await give(world, await define(world, **limit), paying)
    await world.drive_in()
    assert await AttachWatch(world.context).sweep() == 0
    assert await coupons(world) == [("available", 0, 0)]


async def test_the_second_stay_uses_what_is_for_it(world: LaneWorld, paying: UUID) -> None:
    await give(world, await define(world, stay_number=2), paying)
    watch = AttachWatch(world.context)
    await world.drive_in()
    world.wait(minutes=85)
    await world.drive_out()
    assert await watch.sweep() == 0
    world.wait(minutes=30)
    await world.drive_in()
    assert await watch.sweep() == 1


async def test_a_stay_that_costs_nothing_gives_it_back(world: LaneWorld, paying: UUID) -> None:
    session_id = await world.drive_in()
    await give(world, await define(world, **BUDGET), paying)
    assert await AttachWatch(world.context).sweep() == 1
    world.wait(minutes=2)
    assert (await world.drive_out()).action == "open"
    assert await settling.sweep(world.context) == 1
    assert await coupons(world) == [("available", 0, 0)]
    assert await definition(world) == (1, 0, 0)
    [row] = await world.rows("SELECT circumstances FROM sessions WHERE id = :id", id=session_id)
    assert row["circumstances"] == {}


async def test_what_is_paid_before_leaving_is_spent_and_grows_with_the_stay(
    world: LaneWorld, paying: UUID
) -> None:
    limits = {"budget_minor": 2000, "amount_minor_max": 800}
    terms: dict[str, Any] = {"kind": "percent", "value": 50, **limits}
    await give(world, await define(world, **terms), paying)
    session_id = await world.drive_in()
    assert await AttachWatch(world.context).sweep() == 1
    world.wait(minutes=50)
    await prepay.prepay(world.context, paying, session_id)
    assert await settling.sweep(world.context) == 1
    assert await settling.sweep(world.context) == 0
    assert await coupons(world) == [("reserved", 300, 500)]
    assert await definition(world) == (1, 300, 500)
    world.wait(minutes=180)
    assert (await world.drive_out()).reason == "paid"
    await settling.sweep(world.context)
    assert await coupons(world) == [("used", 0, 800)]
    assert await definition(world) == (1, 0, 800)


async def test_many_at_once_never_promise_more_than_the_budget(world: LaneWorld) -> None:
    definition_id = await define(world, **BUDGET)
    stays: list[UUID] = []
    for number in range(5):
        plate = f"京A0000{number}"
        driver_id = await world.add_driver(plate)
        await give(world, definition_id, driver_id)
        stays.append(await world.drive_in(plate))
        world.wait(seconds=1)
    operator_id = world.entry.operator_id
    done = await asyncio.gather(
        *(attaching.attach_to(world.context, operator_id, one) for one in stays)
    )
    assert sum(done) == 2
    assert await definition(world) == (5, 1_000, 0)


async def test_attaching_at_once_reserves_it_once(world: LaneWorld, paying: UUID) -> None:
    await give(world, await define(world, **BUDGET), paying)
    first = await world.drive_in()
    operator_id = world.entry.operator_id
    done = await asyncio.gather(
        *(attaching.attach_to(world.context, operator_id, first) for _ in range(4))
    )
    assert sum(done) == 1
    [row] = await world.rows("SELECT circumstances FROM sessions")
    assert len(row["circumstances"]["coupons"]) == 1


async def test_an_account_that_goes_returns_what_it_held(world: LaneWorld, paying: UUID) -> None:
    definition_id = await define(world, **BUDGET)
    await give(world, definition_id, paying)
    await world.drive_in()
    assert await AttachWatch(world.context).sweep() == 1
    world.wait(seconds=1)
    await give(world, definition_id, paying)
    assert await definition(world) == (2, 500, 0)
    async with world.context.database.begin() as unit:
        await settling.give_up_all(unit, paying)
    assert [state for state, _, _ in await coupons(world)] == ["revoked", "revoked"]
    assert await definition(world) == (0, 0, 0)


async def test_a_car_that_comes_back_uses_it_once(world: LaneWorld, paying: UUID) -> None:
    async with world.context.database.begin() as unit:
        await tariffs.publish(
            unit,
            world.entry.operator_id,
            world.entry.place_id,
            currency="CNY",
            body=RATE_TABLE | {"reentry_merge_minutes": 30},
        )
    world.wait(seconds=1)
    await give(world, await define(world, kind="free", value=None, **BUDGET), paying)
    await world.drive_in()
    watch = AttachWatch(world.context)
    assert await watch.sweep() == 1
    world.wait(minutes=50)
    assert (await world.drive_out()).reason == "paid"
    world.wait(minutes=5)
    await give(world, (await world.rows("SELECT id FROM coupon_definitions"))[0]["id"], paying)
    await world.drive_in()
    assert await watch.sweep() == 0
    world.wait(minutes=20)
    assert (await world.drive_out()).reason == "paid"
    await settling.sweep(world.context)
    # 75 minutes come to 1,500: 500 by the coupon, 500 at the first exit, 500 at the second.
    assert world.provider.captured("CNY") == 1000
    assert sorted(await coupons(world)) == [("available", 0, 0), ("used", 0, 500)]
    assert await definition(world) == (2, 0, 500)


async def test_a_driver_pins_or_holds_back_what_a_running_stay_has(
    world: LaneWorld, paying: UUID
) -> None:
    coupon_id = await give(world, await define(world, **BUDGET), paying)
    context, operator_id = world.context, world.entry.operator_id
    with pytest.raises(CouponNotUsableError):
        await choosing.choose_coupon(context, paying, operator_id, coupon_id, "held")
    await world.drive_in()
    assert await attaching.attach_for(context, operator_id, paying) == 1
    with pytest.raises(CouponUnknownError):
        await choosing.choose_coupon(context, operator_id, operator_id, coupon_id, "held")
    view = await choosing.choose_coupon(context, paying, operator_id, coupon_id, "held")
    assert view.row.choice == "held"
    world.wait(minutes=50)
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == 1000
    await settling.sweep(context)
    assert await coupons(world) == [("available", 0, 0)]
    views = await choosing.page_of_coupons(context, paying, first=2, before=None)
    assert [(each.row.id, each.definition.name) for each in views] == [(coupon_id, "Spring")]
    assert await choosing.page_of_coupons(context, paying, first=2, before=coupon_id) == []

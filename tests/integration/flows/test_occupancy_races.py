"""Counts of kept and public spaces while corrections, cars and rival bridges come in at once."""

import asyncio
from typing import Any
from uuid import UUID

from parking.flows import occupancy_desk
from parking.flows.lane import LaneFlows
from parking.flows.lane_types import (
    BarrierEvent,
    Heading,
    ObservationMethod,
    ReadSource,
    ReadState,
    TrackedCar,
)
from parking.lanes.errors import EventOutOfOrderError
from parking.occupancy import repository as occupancy_rows
from parking.occupancy.repository import Counted
from parking.passes.models import RightSpecification
from tests.factories.blocked import until_blocked
from tests.factories.lane_world import PLATE, LaneWorld, read_of
from tests.factories.pass_desk import PassDesk

SECOND = "沪C55555"
STRANGER = "京B10001"
# An event that comes before the one before it is sent again.
TRIES_MAX = 100
CAMERA = ReadSource(ObservationMethod.CAMERA, "camera-1")
BETTER = TrackedCar(Heading.TOWARDS, ReadState.UPDATED, "271")


async def keep_one_space(world: LaneWorld) -> RightSpecification:
    """Sell a pass for two plates, and keep one space for it."""
    desk = PassDesk(world)
    driver_id = await desk.buyer(PLATE, SECOND)
    product = await desk.add_product(spaces=2, plates_max=2)
    await desk.buy(driver_id, product)
    await occupancy_desk.keep_spaces(
        world.context, world.entry.operator_id, world.entry.area_id, product.id, spaces=1
    )
    return product


async def counts(world: LaneWorld) -> tuple[int, int]:
    """Return how many cars stand in public and in kept spaces, which are as many as the stays."""
    pools = await world.rows(
        "SELECT specification_id IS NULL AS is_public, occupied, below_zero FROM space_pools"
    )
    assert [pool["below_zero"] for pool in pools] == [0] * len(pools)
    stays = await world.rows(
        "SELECT count(*) FILTER (WHERE pool_id IS NULL) AS public, count(pool_id) AS kept "
        "FROM open_sessions"
    )
    public = sum(pool["occupied"] for pool in pools if pool["is_public"])
    kept = sum(pool["occupied"] for pool in pools if not pool["is_public"])
    assert stays == [{"public": public, "kept": kept}]
    return public, kept


async def better(world: LaneWorld, car: UUID, plate: str) -> None:
    event = world.event(world.entry)
    for _ in range(TRIES_MAX):
        try:
            await world.gate.record_observation(
                world.entry, event, car, read_of(plate), "camera-1", BETTER
            )
        except EventOutOfOrderError:
            continue
        return
    raise AssertionError("the event before it was never committed")


async def test_of_two_cars_at_once_one_gets_the_last_kept_space(world: LaneWorld) -> None:
    await keep_one_space(world)
    lanes = (world.entry, world.second_entry)
    cars = [await world.arrive(lane) for lane in lanes]
    decisions = await asyncio.gather(
        *(
            world.decide(lane, car, read_of(plate))
            for lane, car, plate in zip(lanes, cars, (PLATE, SECOND), strict=True)
        )
    )
    assert [decision.action for decision in decisions] == ["open", "open"]
    assert await counts(world) == (1, 1)


async def test_a_correction_within_one_pass_keeps_the_space(world: LaneWorld) -> None:
    await keep_one_space(world)
    car = await world.arrive(world.entry)
    await world.gate.decide(world.entry, car, read_of(SECOND, 0.91), CAMERA)
    assert await counts(world) == (0, 1)
    await better(world, car, PLATE)
    assert await counts(world) == (0, 1)
    [review] = await world.rows("SELECT kind FROM misread_reviews")
    assert review == {"kind": "corrected"}


async def test_a_correction_moves_a_stay_between_kept_and_public_spaces(world: LaneWorld) -> None:
    await keep_one_space(world)
    car = await world.arrive(world.entry)
    await world.gate.decide(world.entry, car, read_of(STRANGER, 0.91), CAMERA)
    assert await counts(world) == (1, 0)
    await better(world, car, PLATE)
    assert await counts(world) == (0, 1)
    await world.barrier(world.entry, car, "opened", "passed")
    await world.clear(world.entry, car)
    world.wait(minutes=2)
    other = await world.arrive(world.entry)
    await world.gate.decide(world.entry, other, read_of(SECOND, 0.91), CAMERA)
    assert await counts(world) == (1, 1)
    await better(world, other, STRANGER)
    assert await counts(world) == (1, 1)


async def test_a_correction_while_the_car_backs_out_leaves_nothing_counted(
    world: LaneWorld,
) -> None:
    await keep_one_space(world)
    for _ in range(4):
        car = await world.arrive(world.entry)
        await world.gate.decide(world.entry, car, read_of(STRANGER, 0.91), CAMERA)
        await world.barrier(world.entry, car, "opened")
        told = BarrierEvent(world.event(world.entry), "backed_out", car, None)
        await asyncio.gather(
            world.gate.record_barrier_event(world.entry, told),
            better(world, car, PLATE),
        )
        await world.clear(world.entry, car)
        assert await counts(world) == (0, 0)
        world.wait(minutes=1)


async def test_two_bridges_that_tell_of_one_car_count_it_once(world: LaneWorld) -> None:
    rivals = [world.gate, LaneFlows(world.context)]
    car = await world.arrive(world.entry)
    told = BarrierEvent(world.event(world.entry), "passed", car, None)
    await asyncio.gather(*(gate.record_barrier_event(world.entry, told) for gate in rivals))
    [pool] = await world.rows("SELECT occupied, below_zero FROM space_pools")
    assert pool == {"occupied": 1, "below_zero": 0}
    assert await world.count("misread_reviews") == 1


async def test_who_waits_for_the_last_kept_space_does_not_get_it_after_another(
    world: LaneWorld,
) -> None:
    product = await keep_one_space(world)
    place = (world.entry.operator_id, world.entry.area_id)

    async def come_second() -> Counted | None:
        async with world.context.database.begin() as unit:
            return await occupancy_rows.enter_reserved(unit, *place, [product.id])

    async with world.context.database.begin() as unit:
        first = await occupancy_rows.enter_reserved(unit, *place, [product.id])
        late = asyncio.create_task(come_second())
        await until_blocked(world, late)
    assert first is not None
    assert await late is None
    assert await world.rows(
        "SELECT occupied FROM space_pools WHERE id = :id", id=first.pool_id
    ) == [{"occupied": 1}]


async def test_a_count_waits_for_the_car_that_is_being_counted(world: LaneWorld) -> None:
    await world.drive_in(STRANGER)
    place = (world.entry.operator_id, world.entry.area_id)
    async with world.context.database.begin() as unit:
        await occupancy_rows.enter_public(unit, *place, is_inside=True)
        counting = asyncio.create_task(
            occupancy_desk.set_count(
                world.context, *place, occupied=None, by="Ada", reason="counted"
            )
        )
        await until_blocked(world, counting)
    count = await counting
    assert (count.occupied_before, count.occupied_after, count.sessions) == (2, 1, 1)


async def pool(world: LaneWorld, pool_id: UUID) -> dict[str, Any]:
    [row] = await world.rows(
        "SELECT spaces, occupied, is_full, reopen_free FROM space_pools WHERE id = :id", id=pool_id
    )
    return row


async def fill_up(world: LaneWorld) -> None:
    """Let the public spaces be full, and the area keep its entries closed."""
    await world.rows_changed(
        "UPDATE space_pools SET occupied = spaces, is_full = true, keeps_closed = true"
        " WHERE specification_id IS NULL"
    )


async def test_a_car_that_is_let_in_stays_in_whatever_spaces_its_right_plate_has(
    world: LaneWorld,
) -> None:
    await keep_one_space(world)
    await fill_up(world)
    car = await world.arrive(world.entry)
    decision = await world.gate.decide(world.entry, car, read_of(PLATE, 0.91), CAMERA)
    assert decision.action == "open"
    await better(world, car, STRANGER)
    pools = await world.rows(
        "SELECT occupied, spaces, overflowed FROM space_pools ORDER BY specification_id NULLS FIRST"
    )
    assert pools == [
        {"occupied": 5, "spaces": 4, "overflowed": 1},
        {"occupied": 0, "spaces": 1, "overflowed": 0},
    ]
    assert await world.rows("SELECT pool_id FROM open_sessions") == [{"pool_id": None}]


async def test_a_car_that_comes_into_a_full_area_without_a_stay_is_counted(
    world: LaneWorld,
) -> None:
    await keep_one_space(world)
    await fill_up(world)
    car = await world.arrive(world.entry)
    await world.barrier(world.entry, car, "manual_open", "passed")
    assert (await pool(world, world.entry.area_id))["occupied"] == 5
    assert await world.count("open_sessions") == 0


async def test_a_sign_still_goes_out_where_fewer_spaces_are_left_than_it_waited_for(
    world: LaneWorld,
) -> None:
    product = await keep_one_space(world)
    place = (world.entry.operator_id, world.entry.area_id)
    await occupancy_desk.set_sign(world.context, *place, keeps_closed=True, reopen_free=3)
    await occupancy_desk.keep_spaces(world.context, *place, product.id, spaces=4)
    await world.drive_in(STRANGER)
    assert await pool(world, place[1]) == {
        "occupied": 1,
        "spaces": 1,
        "is_full": True,
        "reopen_free": 1,
    }
    world.wait(minutes=5)
    assert (await world.drive_out(STRANGER)).action == "open"
    assert (await pool(world, place[1]))["is_full"] is False


async def test_a_car_that_comes_waits_for_the_count_that_is_being_set(world: LaneWorld) -> None:
    await world.drive_in(STRANGER)
    place = (world.entry.operator_id, world.entry.area_id)

    async def come() -> None:
        async with world.context.database.begin() as unit:
            await occupancy_rows.enter_public(unit, *place, is_inside=True)

    async with world.context.database.begin() as unit:
        [set_now] = await occupancy_rows.lock_pools(unit, *place)
        coming = asyncio.create_task(come())
        await until_blocked(world, coming)
        set_now.occupied = 4
    await coming
    assert (await pool(world, place[1]))["occupied"] == 5


async def test_a_car_that_was_turned_away_and_left_does_not_come_in_later(
    world: LaneWorld,
) -> None:
    await world.drive_in(STRANGER)
    await fill_up(world)
    car = await world.arrive(world.entry)
    assert (await world.decide(world.entry, car, read_of(PLATE))).reason == "full"
    await world.clear(world.entry, car)
    await world.rows_changed("UPDATE space_pools SET occupied = 1, is_full = false")
    assert await world.gate.pending_commands(world.entry, car) == []
    assert await world.count("sessions") == 1
    assert (await pool(world, world.entry.area_id))["occupied"] == 1


async def test_a_car_that_follows_another_out_is_counted_until_somebody_ends_its_stay(
    world: LaneWorld,
) -> None:
    await world.drive_in(STRANGER)
    leaving = await world.arrive(world.exit)
    await world.barrier(world.exit, leaving, "tailgate")
    assert (await pool(world, world.entry.area_id))["occupied"] == 1
    await world.barrier(world.entry, leaving, "tailgate")
    assert (await pool(world, world.entry.area_id))["occupied"] == 2

"""Cars with a reservation that come early, late, under another plate, by a pass, or unseen."""

from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest

from parking.flows import occupancy_desk
from parking.flows.offers import life, reserving
from parking.kit.errors import InvalidInputError
from parking.offers.errors import ReservationClosedError
from tests.factories.bound_plates import bind_plate
from tests.factories.lane_world import PLATE, LaneWorld, read_of
from tests.factories.offline_lane import OfflineLaneBox
from tests.factories.pass_desk import PassDesk
from tests.factories.reservations import add_pool, counts, reserve, state_of
from tests.integration.flows.test_occupancy import STRANGERS, come
from tests.integration.flows.test_read_correction import UPDATED, WRONG, come_in
from tests.integration.flows.test_reservations import small

MINUTE = timedelta(minutes=1)
SECOND = "沪C55555"


async def history(world: LaneWorld) -> tuple[int, int]:
    """Return how often drivers came to a pool, and how often not."""
    [row] = await world.rows("SELECT shown, missed FROM right_pools")
    return row["shown"], row["missed"]


async def told(world: LaneWorld) -> list[str]:
    rows = await world.rows("SELECT type FROM outbox WHERE type LIKE 'Reservation%' ORDER BY id")
    return [str(row["type"]) for row in rows]


async def test_who_comes_before_the_space_is_kept_has_come(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    pool_id = await add_pool(world, kept_ahead_s=600, grace_s=600)
    reserved = await reserve(world, driver_id, pool_id, in_minutes=30)
    await world.drive_in()
    world.wait(minutes=20)
    await life.sweep(world.context)
    assert await counts(world) == {"occupied": 1, "kept": 1, "waiting": 1, "standing": 0}
    world.wait(minutes=20)
    await life.sweep(world.context)
    assert await state_of(world, reserved.id) == "arrived"
    assert await counts(world) == {"occupied": 1, "kept": 0, "waiting": 0, "standing": 1}
    assert await history(world) == (1, 0)
    assert await told(world) == ["ReservationConfirmed", "ReservationUpcoming"]
    assert (await world.drive_out()).action == "open"
    assert await state_of(world, reserved.id) == "left"


async def test_a_car_that_stood_there_before_is_not_the_one_that_was_waited_for(
    world: LaneWorld,
) -> None:
    driver_id = await world.add_driver()
    pool_id = await add_pool(world, grace_s=600)
    await world.drive_in()
    world.wait(minutes=1)
    reserved = await reserve(world, driver_id, pool_id)
    world.wait(minutes=10)
    await life.sweep(world.context)
    assert await state_of(world, reserved.id) == "no_show"
    assert await history(world) == (0, 1)


async def full_until(world: LaneWorld, driver_id: UUID) -> tuple[UUID, UUID]:
    """Let one reservation stand until another's window begins, and its driver come early."""
    pool_id = await add_pool(world)
    await small(world, spaces=1)
    other = await world.add_driver(STRANGERS[0])
    await world.permit(other)
    await reserve(world, other, pool_id, minutes=60)
    assert await come(world, STRANGERS[0]) == "entered"
    reserved = await reserve(world, driver_id, pool_id, in_minutes=60)
    world.wait(minutes=50)
    await life.sweep(world.context)
    car = await world.arrive(world.entry)
    assert (await world.decide(world.entry, car, read_of(PLATE))).reason == "full"
    assert await world.gate.pending_commands(world.entry, car) == []
    assert await state_of(world, reserved.id) == "confirmed"
    return reserved.id, car


async def test_who_comes_early_waits_for_the_space_that_is_left_in_time(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    reservation_id, car = await full_until(world, driver_id)
    world.wait(minutes=5)
    assert (await world.drive_out(STRANGERS[0])).action == "open"
    assert len(await world.gate.pending_commands(world.entry, car)) == 1
    assert await state_of(world, reservation_id) == "arrived"
    assert await counts(world) == {"occupied": 1, "kept": 0, "waiting": 0, "standing": 1}


async def test_who_waits_until_the_window_begins_has_found_no_space(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    reservation_id, car = await full_until(world, driver_id)
    world.wait(minutes=11)
    for _ in range(2):
        assert await world.gate.pending_commands(world.entry, car) == []
        await life.sweep(world.context)
    assert await state_of(world, reservation_id) == "failed"
    assert (await told(world)).count("ReservationFailed") == 1


async def test_a_corrected_plate_takes_its_own_drivers_space(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    pool_id = await add_pool(world)
    reserved = await reserve(world, driver_id, pool_id)
    car = await come_in(world, WRONG)
    await world.gate.record_observation(
        world.entry, world.event(world.entry), car, read_of(PLATE), "camera-1", UPDATED
    )
    assert await state_of(world, reserved.id) == "arrived"
    assert await counts(world) == {"occupied": 1, "kept": 0, "waiting": 0, "standing": 1}


async def test_a_car_that_a_lane_without_network_let_in_has_come(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    pool_id = await add_pool(world, grace_s=600)
    reserved = await reserve(world, driver_id, pool_id)
    entering = OfflineLaneBox(world, world.entry)
    entering.visit(PLATE, world.clock.now() + MINUTE)
    world.wait(minutes=11)
    await life.sweep(world.context)
    assert await state_of(world, reserved.id) == "no_show"
    await entering.send()
    assert await state_of(world, reserved.id) == "arrived"
    assert await counts(world) == {"occupied": 1, "kept": 0, "waiting": 0, "standing": 1}
    assert await history(world) == (1, 0)
    [row] = await world.rows("SELECT ended_at FROM reservations")
    assert row["ended_at"] is None


async def test_one_that_came_too_late_without_network_has_not(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    pool_id = await add_pool(world, grace_s=600)
    reserved = await reserve(world, driver_id, pool_id)
    entering = OfflineLaneBox(world, world.entry)
    entering.visit(PLATE, world.clock.now() + 10 * MINUTE)
    world.wait(minutes=11)
    await life.sweep(world.context)
    await entering.send()
    assert await state_of(world, reserved.id) == "no_show"
    assert await counts(world) == {"occupied": 1, "kept": 0, "waiting": 0, "standing": 0}


async def test_a_pass_without_a_free_space_does_not_cost_the_promised_one(
    world: LaneWorld,
) -> None:
    desk = PassDesk(world)
    driver_id = await desk.buyer(PLATE, SECOND)
    product = await desk.add_product(spaces=2, plates_max=2)
    await desk.buy(driver_id, product)
    operator_id, area_id = world.entry.operator_id, world.entry.area_id
    await occupancy_desk.keep_spaces(world.context, operator_id, area_id, product.id, spaces=1)
    assert await come(world, SECOND) == "entered"
    world.wait(minutes=1)
    pool_id = await add_pool(world)
    await world.rows_changed(
        "UPDATE space_pools SET spaces = 2, reopen_free = 2, keeps_closed = true"
        " WHERE specification_id IS NULL"
    )
    reserved = await reserve(world, driver_id, pool_id)
    assert await come(world, STRANGERS[0]) == "entered"
    assert await come(world, PLATE) == "entered"
    assert await state_of(world, reserved.id) == "arrived"
    [public] = await world.rows(
        "SELECT occupied, kept FROM space_pools WHERE specification_id IS NULL"
    )
    assert public == {"occupied": 2, "kept": 0}


async def test_spaces_are_not_promised_to_a_pass_and_to_drivers(world: LaneWorld) -> None:
    desk = PassDesk(world)
    product = await desk.add_product(spaces=2, plates_max=2)
    operator_id, area_id = world.entry.operator_id, world.entry.area_id
    keep = partial(occupancy_desk.keep_spaces, world.context, operator_id, area_id, product.id)
    await keep(spaces=2)
    with pytest.raises(InvalidInputError, match="at most 3"):
        await add_pool(world, spaces=4)
    await add_pool(world, spaces=2)
    with pytest.raises(InvalidInputError, match="0 to 3"):
        await keep(spaces=4)
    await keep(spaces=3)
    with pytest.raises(InvalidInputError, match="at most 0"):
        await add_pool(world, name="More", spaces=1)
    [public] = await world.rows("SELECT spaces FROM space_pools WHERE specification_id IS NULL")
    assert public == {"spaces": 2}
    assert [row["spaces"] for row in await world.rows("SELECT spaces FROM right_pools")] == [2]


async def test_who_backs_out_has_not_arrived(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await reserve(world, driver_id, await add_pool(world))
    car = await world.arrive(world.entry)
    await world.decide(world.entry, car, read_of(PLATE))
    await world.barrier(world.entry, car, "opened", "backed_out")
    [row] = await world.rows("SELECT state, arrived_at, session_id FROM reservations")
    assert row == {"state": "confirmed", "arrived_at": None, "session_id": None}


@pytest.mark.parametrize("change", ["unbound_at = bound_at", "frozen_until = :later"])
async def test_a_plate_that_is_not_surely_the_drivers_opens_nothing(
    world: LaneWorld, change: str
) -> None:
    driver_id = await world.add_driver()
    reserved = await reserve(world, driver_id, await add_pool(world))
    await small(world, spaces=1)
    await life.sweep(world.context)
    await world.rows_changed("UPDATE space_pools SET is_full = true")
    values = {"later": world.clock.now() + MINUTE} if ":later" in change else {}
    await world.rows_changed(f"UPDATE plate_bindings SET {change}", **values)  # noqa: S608 - ours
    assert await come(world, PLATE) == "full"
    assert await state_of(world, reserved.id) == "confirmed"
    assert await counts(world) == {"occupied": 0, "kept": 1, "waiting": 1, "standing": 0}


async def test_of_a_drivers_two_cars_the_second_is_anybodys(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    async with world.context.database.begin() as unit:
        bind_plate(unit, driver_id, SECOND)
    reserved = await reserve(world, driver_id, await add_pool(world))
    await small(world, spaces=1)
    assert await come(world, SECOND) == "entered"
    assert await come(world, PLATE) == "full"
    assert await state_of(world, reserved.id) == "arrived"
    with pytest.raises(ReservationClosedError):
        await reserving.cancel(world.context, driver_id, world.entry.operator_id, reserved.id)
    assert await counts(world) == {"occupied": 1, "kept": 0, "waiting": 0, "standing": 1}

"""Cars with a reservation that come early, late, under another plate, by a pass, or unseen."""

from datetime import timedelta
from uuid import UUID

from parking.flows.offers import life
from tests.factories.lane_world import PLATE, LaneWorld, read_of
from tests.factories.offline_lane import OfflineLaneBox
from tests.factories.reservations import add_pool, counts, reserve, state_of
from tests.integration.flows.test_occupancy import STRANGERS, come
from tests.integration.flows.test_read_correction import UPDATED, WRONG, come_in
from tests.integration.flows.test_reservations import small

MINUTE = timedelta(minutes=1)


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

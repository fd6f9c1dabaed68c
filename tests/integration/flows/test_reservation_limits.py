"""What bounds promised spaces: nothing is promised of what was not read, or beyond what is read."""

import pytest

from parking.flows.offers import guarantee, life, pools
from parking.kit.errors import InvalidInputError
from parking.offers import repository
from parking.offers.errors import NoSpaceLeftError, TooManyReservationsError
from tests.factories.lane_world import LaneWorld
from tests.factories.reservations import add_pool, reserve
from tests.integration.flows.test_reservations import add_other_place


async def test_what_was_not_read_is_not_taken_for_free(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_id = await world.add_driver()
    pool_id = await add_pool(world, spaces=5)
    await reserve(world, driver_id, pool_id, in_minutes=60)
    monkeypatch.setattr(repository, "WINDOWS_READ_MAX", 2)
    await reserve(world, driver_id, pool_id, in_minutes=60)
    with pytest.raises(NoSpaceLeftError):
        await reserve(world, driver_id, pool_id, in_minutes=60)
    assert await world.count("reservations") == 2


async def test_an_operator_has_no_more_pools_than_are_read(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "POOLS_MAX", 1)
    await add_pool(world)
    with pytest.raises(InvalidInputError, match="at most 1 of an operator"):
        await add_pool(world, name="Mornings")
    assert len(await pools.list_pools(world.context, world.entry.operator_id)) == 1


async def test_a_place_that_nobody_ever_came_to_is_named_as_well(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    reserved = await reserve(world, driver_id, await add_pool(world))
    await add_other_place(world)
    await world.rows_changed("DELETE FROM space_pools WHERE kept = 0")
    async with world.context.database.begin() as unit:
        await guarantee.fail(unit, world.entry.operator_id, reserved.id)
    await life.sweep(world.context)
    [told] = await world.rows("SELECT payload FROM outbox WHERE type = 'ReservationFailed'")
    assert told["payload"]["other_place"] == "Hillside"


async def test_who_does_not_come_has_fewer_to_reserve_for_a_day(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    pool_id = await add_pool(world, spaces=5, grace_s=600)
    for _ in range(3):
        await reserve(world, driver_id, pool_id)
    world.wait(minutes=11)
    await life.sweep(world.context)
    with pytest.raises(TooManyReservationsError):
        await reserve(world, driver_id, pool_id)
    [pool] = await world.rows("SELECT missed, waiting, kept FROM right_pools")
    assert pool == {"missed": 3, "waiting": 0, "kept": 0}
    # Nobody else pays for it.
    other_id = await world.add_driver("京D00001")
    await reserve(world, other_id, pool_id)
    world.wait(hours=24)
    await reserve(world, driver_id, pool_id)


async def test_a_window_is_one_that_a_car_can_come_in(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    pool_id = await add_pool(world)
    with pytest.raises(InvalidInputError, match="600 to 86400 seconds"):
        await reserve(world, driver_id, pool_id, minutes=9)
    with pytest.raises(InvalidInputError, match="300 to 86400"):
        await add_pool(world, name="At once", grace_s=299)
    assert await world.count("reservations") == 0

"""Counts of kept and public spaces while corrections, cars and rival bridges come in at once."""

import asyncio
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
from parking.passes.models import RightSpecification
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

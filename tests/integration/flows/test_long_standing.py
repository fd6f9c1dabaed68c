"""A car that stands at its gate while its lane tells of a great many other things."""

from parking.flows.lane_types import Heading, ReadState, TrackedCar
from tests.factories.lane_world import PLATE, LaneWorld, read_of

FLAPPING = ("obstructed",) * 60
BETTER = TrackedCar(Heading.TOWARDS, ReadState.UPDATED, "271")


async def test_a_car_whose_arm_rose_long_ago_keeps_its_stay_when_it_leaves_the_loop(
    world: LaneWorld,
) -> None:
    car = await world.arrive(world.entry)
    assert (await world.decide(world.entry, car, read_of(PLATE))).action == "open"
    await world.barrier(world.entry, car, "opened", *FLAPPING)
    await world.clear(world.entry, car)
    await world.barrier(world.entry, car, "passed")
    assert await world.rows("SELECT state, left_at FROM sessions") == [
        {"state": "active", "left_at": None}
    ]
    assert await world.count("open_sessions") == 1
    assert await world.count("misread_reviews") == 0


async def test_a_car_that_passed_long_ago_is_corrected_by_nobody_but_staff(
    world: LaneWorld,
) -> None:
    car = await world.arrive(world.entry)
    await world.decide(world.entry, car, read_of(PLATE, 0.91))
    await world.barrier(world.entry, car, "opened", "passed", *FLAPPING)
    [before] = await world.rows("SELECT plate_index FROM sessions")
    event = world.event(world.entry)
    await world.gate.record_observation(
        world.entry, event, car, read_of("京A88781"), "camera-1", BETTER
    )
    assert await world.rows("SELECT plate_index FROM sessions") == [before]
    assert await world.rows("SELECT kind, detail FROM misread_reviews") == [
        {"kind": "correction_refused", "detail": {"why_not": "passed"}}
    ]

"""Cars that a gate let through by itself are counted, with a stay and without one."""

from datetime import datetime, timedelta

from parking.flows.offline import reconcile
from tests.factories.lane_world import PLATE, LaneWorld, read_of
from tests.factories.offline_lane import OfflineLaneBox

MINUTE = timedelta(minutes=1)
OTHER = "京B22222"


async def count(world: LaneWorld) -> tuple[int, int]:
    """Return how many are counted in, and how often somebody left whom nobody had counted."""
    [row] = await world.rows(
        "SELECT occupied, below_zero FROM space_pools WHERE id = :area", area=world.entry.area_id
    )
    return row["occupied"], row["below_zero"]


async def states(world: LaneWorld) -> list[tuple[str, str | None, bool]]:
    rows = await world.rows(
        "SELECT state, review, is_counted FROM offline_passages ORDER BY came_at, id"
    )
    return [(row["state"], row["review"], row["is_counted"]) for row in rows]


async def left_without_stay(world: LaneWorld, at: datetime) -> None:
    """Let a car leave whose entry nobody told of, and give its entry's lane up."""
    leaving = OfflineLaneBox(world, world.exit)
    leaving.visit(OTHER, at)
    await leaving.send()
    world.wait(minutes=11)
    assert await reconcile.sweep(world.context) == 1


async def test_a_car_that_left_and_fits_no_stay_is_counted_out_once(world: LaneWorld) -> None:
    await world.drive_in()
    at = world.clock.now() + MINUTE
    world.wait(minutes=30)
    leaving = OfflineLaneBox(world, world.exit)
    leaving.visit(OTHER, at)
    told = list(leaving.events)
    await leaving.send()
    # Its entry's lane may still tell of it.
    assert await count(world) == (1, 0)
    for _ in range(2):
        world.wait(minutes=11)
        await reconcile.sweep(world.context)
        leaving.events = list(told)
        await leaving.send()
        assert await count(world) == (0, 0)
    assert await states(world) == [("unmatched", "no_session", True)]


async def test_one_that_passes_only_after_it_was_given_up_is_counted_then(
    world: LaneWorld,
) -> None:
    await world.drive_in()
    leaving = OfflineLaneBox(world, world.exit)
    leaving.visit(OTHER, world.clock.now() + MINUTE)
    world.wait(minutes=2)
    await leaving.send(4)
    world.wait(minutes=11)
    assert await reconcile.sweep(world.context) == 1
    assert (await count(world), await states(world)) == (
        (1, 0),
        [("unmatched", "no_session", False)],
    )
    await leaving.send()
    assert (await count(world), await states(world)) == (
        (0, 0),
        [("unmatched", "no_session", True)],
    )


async def test_an_entry_that_is_told_of_later_after_all_is_in_and_out(world: LaneWorld) -> None:
    await world.drive_in()
    start = world.clock.now()
    entering = OfflineLaneBox(world, world.second_entry)
    entering.visit(OTHER, start + MINUTE)
    world.wait(minutes=30)
    await left_without_stay(world, start + 20 * MINUTE)
    assert await count(world) == (0, 0)
    await entering.send()
    assert await count(world) == (1, 0)
    assert await states(world) == [("applied", None, False), ("applied", "no_session", False)]
    stays = await world.rows("SELECT state FROM sessions ORDER BY state")
    assert [row["state"] for row in stays] == ["active", "left"]


async def test_two_visits_that_are_told_of_in_the_wrong_order_leave_nobody_inside(
    world: LaneWorld,
) -> None:
    start = world.clock.now()
    first_in, first_out = (
        OfflineLaneBox(world, world.entry),
        OfflineLaneBox(world, world.exit),
    )
    second_in, second_out = (
        OfflineLaneBox(world, world.second_entry),
        OfflineLaneBox(world, world.second_exit),
    )
    first_in.visit(PLATE, start)
    first_out.visit(PLATE, start + 20 * MINUTE)
    second_in.visit(PLATE, start + 40 * MINUTE)
    second_out.visit(PLATE, start + 60 * MINUTE)
    world.wait(hours=2)
    await first_in.send()
    await second_out.send()
    assert await count(world) == (0, 0)
    await second_in.send()
    assert await count(world) == (1, 0)
    await first_out.send()
    world.wait(minutes=11)
    await reconcile.sweep(world.context)
    assert await count(world) == (0, 0)
    assert await states(world) == [
        ("applied", None, False),
        ("unmatched", "no_session", True),
        ("unmatched", "overlaps_a_stay", True),
        ("applied", None, False),
    ]


async def test_a_car_without_a_plate_is_counted_as_it_passes(world: LaneWorld) -> None:
    await world.drive_in()
    at = world.clock.now() + MINUTE
    world.wait(minutes=30)
    leaving = OfflineLaneBox(world, world.exit)
    leaving.visit(None, at)
    await leaving.send()
    assert await count(world) == (0, 0)
    world.wait(minutes=11)
    await reconcile.sweep(world.context)
    assert await count(world) == (0, 0)
    assert await states(world) == [("unmatched", "no_plate", False)]


async def test_where_nobody_was_counted_an_entry_that_is_told_of_later_leaves_nobody(
    world: LaneWorld,
) -> None:
    start = world.clock.now()
    entering = OfflineLaneBox(world, world.second_entry)
    entering.visit(OTHER, start + MINUTE)
    world.wait(minutes=30)
    # The area counts, and counts nobody: its only car backed out again.
    car = await world.arrive(world.entry)
    await world.decide(world.entry, car, read_of(PLATE))
    await world.barrier(world.entry, car, "backed_out")
    assert await count(world) == (0, 0)
    await left_without_stay(world, start + 20 * MINUTE)
    assert await count(world) == (0, 1)
    await entering.send()
    assert await count(world) == (0, 1)
    assert await states(world) == [("applied", None, False), ("applied", "no_session", False)]

"""What gates decided without network and does not fit stands in the staff's queue, once."""

from datetime import timedelta

from parking.flows.offline import reconcile
from parking.offline import rules
from tests.factories.lane_world import PLATE, LaneWorld
from tests.factories.offline_lane import OfflineLaneBox


async def test_an_exit_that_fits_no_stay_is_for_staff_and_counts_nobody_twice(
    world: LaneWorld,
) -> None:
    await world.drive_in("京C55555")
    box = OfflineLaneBox(world, world.exit)
    box.visit(PLATE, world.clock.now() + timedelta(minutes=5))
    world.wait(hours=1)
    await box.send()
    assert await world.count("misread_reviews") == 0
    world.wait(seconds=rules.SETTLE_AFTER.total_seconds() + 1)
    for _ in range(2):
        await reconcile.sweep(world.context)
    rows = await world.rows(
        "SELECT kind, lane_id, detail ->> 'why_not' AS why FROM misread_reviews"
    )
    assert rows == [{"kind": "offline", "lane_id": world.exit.lane_id, "why": "no_session"}]


async def test_a_car_that_came_and_left_without_network_is_counted_in_and_out_once(
    world: LaneWorld,
) -> None:
    came = world.clock.now()
    entry, leaving = OfflineLaneBox(world, world.entry), OfflineLaneBox(world, world.exit)
    entry.visit(PLATE, came)
    leaving.visit(PLATE, came + timedelta(minutes=95))
    world.wait(hours=5)
    await entry.send()
    count = "SELECT occupied, below_zero FROM space_pools"
    assert await world.rows(count) == [{"occupied": 1, "below_zero": 0}]
    await leaving.send()
    assert await world.rows(count) == [{"occupied": 0, "below_zero": 0}]
    assert await world.count("misread_reviews") == 0

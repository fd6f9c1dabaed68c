"""A plate of which lanes told more than can be looked at: what comes now is billed like any."""

from datetime import timedelta

from parking.flows.offline import reconcile
from parking.offline import rules
from parking.offline.repository import WAITING_MAX
from tests.factories.lane_world import PLATE, LaneWorld
from tests.factories.offline_lane import OfflineLaneBox

MORE = WAITING_MAX + 1


async def test_exits_that_nobody_told_the_entries_of_hide_no_later_stay(world: LaneWorld) -> None:
    leaving = OfflineLaneBox(world, world.exit)
    leaving.visit(PLATE, world.clock.now() - timedelta(hours=20))
    await leaving.send()
    await world.rows_changed(
        "INSERT INTO offline_passages SELECT (jsonb_populate_record(passage, jsonb_build_object("
        "'id', overlay(passage.id::text PLACING lpad(number::text, 12, '0') FROM 25)))).* "
        "FROM offline_passages AS passage CROSS JOIN generate_series(1, :count) AS number",
        count=MORE,
    )
    world.wait(minutes=1)
    await reconcile.sweep(world.context)
    world.wait(seconds=rules.SETTLE_AFTER.total_seconds())
    for _ in range(2):
        await reconcile.sweep(world.context)
        world.wait(seconds=rules.LOOK_AGAIN_AFTER.total_seconds())
    assert await world.rows("SELECT DISTINCT state FROM offline_passages") == [
        {"state": "unmatched"}
    ]

    came = world.clock.now()
    coming = OfflineLaneBox(world, world.entry)
    coming.visit(PLATE, came)
    leaving.visit(PLATE, came + timedelta(hours=1))
    world.wait(hours=2)
    await leaving.send()
    await coming.send()

    assert await world.rows("SELECT state, entered_at FROM sessions") == [
        {"state": "left", "entered_at": came}
    ]
    assert await world.rows("SELECT state, total_minor FROM bills") == [
        {"state": "owed", "total_minor": 1000}
    ]


async def test_an_exit_was_of_no_car_that_came_in_after_it(world: LaneWorld) -> None:
    leaving = OfflineLaneBox(world, world.exit)
    leaving.visit("京AB8731", world.clock.now())
    world.wait(minutes=1)
    await leaving.send()
    await world.drive_in(PLATE)
    world.wait(seconds=rules.SETTLE_AFTER.total_seconds())
    await reconcile.sweep(world.context)
    assert await world.rows("SELECT state, review FROM offline_passages") == [
        {"state": "unmatched", "review": "no_session"}
    ]
    assert await world.rows("SELECT state, exit_presentation_id FROM sessions") == [
        {"state": "active", "exit_presentation_id": None}
    ]

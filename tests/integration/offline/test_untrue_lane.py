"""A gate whose box fell into the wrong hands: what it says of the past moves little money."""

from datetime import timedelta

import pytest

from parking.flows.lane_types import BarrierEvent, LaneEvent
from parking.flows.reviews import review_decision
from parking.kit.ids import new_id
from parking.lanes.errors import PresentationForeignError
from tests.factories.lane_world import PLATE, LaneWorld, read_of
from tests.factories.offline_lane import OfflineLaneBox

OTHER = "京B54321"
LIVE = timedelta(minutes=5)


async def test_a_lane_decides_nothing_about_the_car_in_another_lane(world: LaneWorld) -> None:
    await world.drive_in()
    world.wait(hours=2)
    waiting = await world.arrive(world.second_exit)
    decision = await world.decide(world.second_exit, waiting, read_of(PLATE))
    assert decision.action == "pay"
    box = OfflineLaneBox(world, world.exit)
    box.decide(world.clock.now(), waiting, PLATE)

    with pytest.raises(PresentationForeignError):
        await box.send()

    assert await world.gate.pending_commands(world.second_exit, waiting) == []
    [row] = await world.rows("SELECT action FROM presentations WHERE id = :id", id=waiting)
    assert row["action"] == "pay"
    assert await world.count("offline_passages") == 0
    [stay] = await world.rows("SELECT state FROM sessions")
    assert stay["state"] == "leaving"


async def test_staff_decide_anew_on_no_car_that_another_lane_told_of(world: LaneWorld) -> None:
    await world.drive_in()
    waiting = await world.arrive(world.second_exit)
    decision = await world.decide(world.second_exit, waiting, read_of(OTHER))
    assert decision.action == "refuse"
    await world.barrier(world.exit, waiting, "passed")
    [review] = await world.rows("SELECT id FROM misread_reviews WHERE kind = 'undecided_passage'")

    verdict = await review_decision.correct_plate(
        world.context, world.exit.operator_id, review["id"], plate=PLATE, by="Ada", reason="seen"
    )

    assert verdict.lane_action is None
    [row] = await world.rows("SELECT action, reason FROM presentations WHERE id = :id", id=waiting)
    assert row == {"action": "refuse", "reason": "no_session"}
    assert await world.gate.pending_commands(world.second_exit, waiting) == []


async def test_a_stay_does_not_begin_before_its_lane_was_heard_of(world: LaneWorld) -> None:
    world.wait(hours=5)
    heard_at = world.clock.now()
    await world.drive_in(OTHER)
    world.wait(minutes=30)
    box = OfflineLaneBox(world, world.entry)
    box.visit(PLATE, heard_at - timedelta(hours=4))

    await box.send()

    rows = await world.rows("SELECT entered_at FROM sessions ORDER BY entered_at")
    assert [row["entered_at"] for row in rows] == [heard_at - LIVE, heard_at]
    [passage] = await world.rows("SELECT came_at, review FROM offline_passages")
    assert (passage["came_at"], passage["review"]) == (heard_at - LIVE, "clock_unknown")


async def test_a_stay_does_not_end_before_its_lane_was_heard_of(world: LaneWorld) -> None:
    await world.drive_in()
    entered_at = world.clock.now()
    world.wait(hours=3)
    await world.arrive(world.exit)
    box = OfflineLaneBox(world, world.exit)
    box.visit(PLATE, entered_at + timedelta(minutes=1))

    await box.send()

    [bill] = await world.rows("SELECT total_minor, priced_until FROM bills")
    assert bill["priced_until"] == entered_at + timedelta(hours=3) - LIVE
    assert bill["total_minor"] == 3000
    [stay] = await world.rows("SELECT entered_at, left_at, state FROM sessions")
    assert (stay["state"], stay["left_at"] >= stay["entered_at"]) == ("left", True)


async def test_a_car_that_waited_since_before_the_lane_was_heard_of_keeps_its_time(
    world: LaneWorld,
) -> None:
    await world.drive_in(OTHER)
    world.wait(minutes=10)
    came_at = world.clock.now()
    box = OfflineLaneBox(world, world.entry)
    presentation_id = box.come(came_at)
    await box.send()
    world.wait(hours=1)
    box.decide(world.clock.now(), presentation_id, PLATE)

    await box.send()

    [passage] = await world.rows("SELECT came_at, state, review FROM offline_passages")
    assert (passage["came_at"], passage["state"], passage["review"]) == (came_at, "applied", None)


async def test_a_car_that_had_gone_is_left_for_staff(world: LaneWorld) -> None:
    presentation_id = await world.arrive(world.entry)
    await world.clear(world.entry, presentation_id)
    world.wait(hours=4)
    box = OfflineLaneBox(world, world.entry)
    box.decide(world.clock.now(), presentation_id, PLATE)

    await box.send()

    [passage] = await world.rows("SELECT state, review, next_try_at FROM offline_passages")
    assert passage == {"state": "withdrawn", "review": "gone", "next_try_at": None}
    assert await world.count("sessions") == 0
    assert await world.count("misread_reviews") == 1


async def test_no_stay_ends_before_it_began(world: LaneWorld) -> None:
    await world.drive_in()
    presentation_id = await world.arrive(world.exit)
    decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert decision.action == "open"
    passed = world.event(world.exit)
    long_ago = passed.occurred_at - timedelta(days=200)
    event = LaneEvent(new_id(long_ago), passed.seq, long_ago)

    await world.gate.record_barrier_event(
        world.exit, BarrierEvent(event, "passed", presentation_id, None)
    )

    [stay] = await world.rows("SELECT entered_at, left_at FROM sessions")
    assert stay["left_at"] == stay["entered_at"]

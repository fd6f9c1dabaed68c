"""What keeps a stay's plate as it is, whoever says that it is another one."""

from typing import Any
from uuid import UUID

import pytest

from parking.flows.lane_types import (
    Heading,
    Lane,
    ObservationMethod,
    ReadSource,
    ReadState,
    TrackedCar,
)
from parking.flows.reviews import review_decision
from parking.reviews.errors import CorrectionRefusedError
from tests.factories.lane_world import PLATE, LaneWorld, read_of
from tests.factories.pass_desk import PassDesk

WRONG = "京A88781"
CAMERA = ReadSource(ObservationMethod.CAMERA, "camera-1")
GUESS = ReadSource(ObservationMethod.ANPR, "weights-1", is_fallback=True)
BETTER = TrackedCar(Heading.TOWARDS, ReadState.UPDATED, "271")


async def correct(world: LaneWorld, lane: Lane, car: UUID, plate: str, confidence: float) -> None:
    read = read_of(plate, confidence)
    await world.gate.record_observation(lane, world.event(lane), car, read, "camera-1", BETTER)


async def stays(world: LaneWorld) -> list[dict[str, Any]]:
    return await world.rows("SELECT plate_index, state, version FROM sessions ORDER BY id")


async def doubts(world: LaneWorld) -> list[tuple[str, str | None]]:
    rows = await world.rows("SELECT kind, detail FROM misread_reviews ORDER BY kind")
    return [(row["kind"], row["detail"].get("why_not")) for row in rows]


@pytest.mark.parametrize(
    ("at_first", "plate", "confidence", "doubt"),
    [
        pytest.param(0.91, PLATE, 0.91, [], id="as sure"),
        pytest.param(0.7, PLATE, 0.8, [("correction_refused", "not_surer")], id="unsure"),
        pytest.param(0.91, "---", 0.99, [], id="no plate"),
    ],
)
async def test_a_read_that_is_not_sure_enough_corrects_nothing(
    world: LaneWorld, at_first: float, plate: str, confidence: float, doubt: list[tuple[str, str]]
) -> None:
    car = await world.arrive(world.entry)
    decision = await world.gate.decide(world.entry, car, read_of(WRONG, at_first), CAMERA)
    assert decision.action == "open"
    before = await stays(world)
    await correct(world, world.entry, car, plate, confidence)
    assert await stays(world) == before
    assert await doubts(world) == doubt


@pytest.mark.parametrize("is_decided", [True, False])
async def test_no_lane_corrects_the_car_of_another(world: LaneWorld, *, is_decided: bool) -> None:
    car = await world.arrive(world.entry)
    if is_decided:
        await world.gate.decide(world.entry, car, read_of(WRONG, 0.91), CAMERA)
    await world.arrive(world.second_entry)
    before = await stays(world)
    await correct(world, world.second_entry, car, PLATE, 0.99)
    assert await stays(world) == before
    assert await doubts(world) == []
    rows = await world.rows("SELECT has_newer_read FROM presentations WHERE id = :id", id=car)
    assert rows == [{"has_newer_read": False}]


async def test_what_is_no_plate_is_not_decided_on_however_sure(world: LaneWorld) -> None:
    car = await world.arrive(world.entry)
    await correct(world, world.entry, car, PLATE, 0.95)
    await correct(world, world.entry, car, "UNKNOWN??", 0.99)
    decision = await world.gate.decide(world.entry, car, read_of(WRONG, 0.91), CAMERA)
    assert (decision.action, decision.display.lines[0]) == ("open", PLATE)


async def test_what_is_no_plate_hides_no_plate_from_a_restarted_bridge(world: LaneWorld) -> None:
    car = await world.arrive(world.entry)
    await correct(world, world.entry, car, PLATE, 0.95)
    await correct(world, world.entry, car, "---", 0.99)
    resumed = await world.gate.resume(world.entry, car)
    assert resumed is not None
    assert (resumed.action, resumed.display.lines[0]) == ("open", PLATE)


async def guess_in(world: LaneWorld) -> UUID:
    """Let a car in as one of WRONG, doubtfully; returns the review."""
    car = await world.arrive(world.entry)
    await world.gate.decide(world.entry, car, read_of(WRONG, 0.7), GUESS)
    await world.barrier(world.entry, car, "opened", "passed")
    await world.clear(world.entry, car)
    [review] = await world.rows("SELECT id FROM misread_reviews")
    review_id: UUID = review["id"]
    return review_id


async def refused(world: LaneWorld, review_id: UUID, why_not: str) -> None:
    """Assert that staff cannot put the stay right, and that nothing moves."""
    before = await stays(world)
    with pytest.raises(CorrectionRefusedError, match=rf"\({why_not}\)"):
        await review_decision.correct_plate(
            world.context,
            world.entry.operator_id,
            review_id,
            plate=PLATE,
            by="Ada",
            reason="seen",
        )
    assert await stays(world) == before
    assert await world.rows("SELECT state FROM misread_reviews WHERE id = :id", id=review_id) == [
        {"state": "open"}
    ]
    assert await world.count("review_actions") == 0


async def test_a_stay_that_stands_at_an_exit_is_not_corrected(world: LaneWorld) -> None:
    review_id = await guess_in(world)
    world.wait(minutes=5)
    leaving = await world.arrive(world.exit)
    assert (await world.decide(world.exit, leaving, read_of(WRONG))).reason == "zero_due"
    await refused(world, review_id, "not_inside")


async def test_a_stay_that_was_asked_for_money_and_turned_back_is_not_corrected(
    world: LaneWorld,
) -> None:
    review_id = await guess_in(world)
    world.wait(hours=1)
    leaving = await world.arrive(world.exit)
    assert (await world.decide(world.exit, leaving, read_of(WRONG))).action == "pay"
    await world.barrier(world.exit, leaving, "backed_out")
    await world.clear(world.exit, leaving)
    assert [stay["state"] for stay in await stays(world)] == ["active"]
    await refused(world, review_id, "billed")
    assert await world.rows("SELECT state, total_minor FROM bills") == [
        {"state": "issued", "total_minor": 1000}
    ]


async def test_a_stay_that_continues_an_earlier_one_is_not_corrected(world: LaneWorld) -> None:
    review_id = await guess_in(world)
    await world.rows_changed(
        'UPDATE sessions SET circumstances = circumstances || \'{"continues_from": "2026"}\''
    )
    await refused(world, review_id, "continues_earlier_stay")


async def test_a_pass_covers_its_own_car_after_another_one_was_taken_for_it(
    world: LaneWorld,
) -> None:
    desk = PassDesk(world)
    product = await desk.add_product(spaces=1)
    await desk.buy(await desk.buyer(PLATE), product)
    other = await world.arrive(world.entry)
    await world.gate.decide(world.entry, other, read_of(PLATE, 0.91), CAMERA)
    await correct(world, world.entry, other, WRONG, 0.99)
    assert await doubts(world) == [("corrected", None)]
    await world.barrier(world.entry, other, "opened", "passed")
    await world.clear(world.entry, other)
    world.wait(minutes=1)
    await world.drive_in(PLATE)
    world.wait(hours=1)
    assert (await world.drive_out(PLATE)).reason == "zero_due"
    assert (await world.drive_out(WRONG)).action == "pay"

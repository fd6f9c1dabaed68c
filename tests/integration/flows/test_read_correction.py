"""A camera corrects itself: the stay gets the right plate while nothing has followed from it."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from parking.flows.lane_types import (
    Heading,
    Lane,
    LaneEvent,
    ObservationMethod,
    ReadSource,
    ReadState,
    TrackedCar,
)
from parking.flows.proof import verification
from parking.sessions import service as sessions
from parking.sessions.models import Session
from tests.factories.lane_world import PLATE, LaneWorld, read_of

WRONG = "京A88781"
CAMERA = ReadSource(ObservationMethod.CAMERA, "camera-1")
UPDATED = TrackedCar(Heading.TOWARDS, ReadState.UPDATED, "271")


async def update(
    world: LaneWorld,
    lane: Lane,
    car: UUID,
    *,
    plate: str = PLATE,
    confidence: float = 0.99,
    said: TrackedCar = UPDATED,
) -> LaneEvent:
    event = world.event(lane)
    read = read_of(plate, confidence)
    await world.gate.record_observation(lane, event, car, read, "camera-1", said)
    return event


async def come_in(world: LaneWorld, plate: str = WRONG, confidence: float = 0.91) -> UUID:
    car = await world.arrive(world.entry)
    decision = await world.gate.decide(world.entry, car, read_of(plate, confidence), CAMERA)
    assert decision.action == "open"
    return car


async def plates(world: LaneWorld) -> list[str]:
    """Return the plates of the stays, in the order in which they began."""
    async with world.context.database.begin() as unit:
        rows = await world.rows("SELECT operator_id, id FROM sessions ORDER BY id")
        found = [await unit.session.get(Session, (row["operator_id"], row["id"])) for row in rows]
        return [sessions.plate_of(unit, session) for session in found if session is not None]


async def reviews(world: LaneWorld) -> list[tuple[str, Any]]:
    rows = await world.rows("SELECT kind, detail FROM misread_reviews ORDER BY opened_at, kind")
    return [(row["kind"], row["detail"].get("why_not")) for row in rows]


async def test_the_stay_gets_the_right_plate_before_the_car_has_passed(world: LaneWorld) -> None:
    driver_id = await world.add_driver(PLATE)
    other_id = await world.add_driver(WRONG)
    car = await come_in(world)
    await update(world, world.entry, car)
    assert await plates(world) == [PLATE]
    [stay] = await world.rows("SELECT driver_id FROM sessions")
    assert stay == {"driver_id": driver_id}
    assert await world.rows("SELECT driver_id FROM driver_stays") == [stay]
    told = await world.rows(
        "SELECT type, payload ->> 'driver_id' AS driver_id FROM outbox ORDER BY version"
    )
    assert [(row["type"], row["driver_id"]) for row in told] == [
        ("SessionEntered", str(other_id)),
        ("SessionCancelled", str(other_id)),
        ("SessionEntered", str(driver_id)),
    ]
    assert await reviews(world) == [("corrected", None)]
    await world.barrier(world.entry, car, "opened", "passed")
    world.wait(hours=1)
    await world.permit(driver_id)
    assert (await world.drive_out(PLATE)).reason == "paid"
    assert await world.count("bills") == 1


async def test_a_correction_that_comes_again_changes_nothing(world: LaneWorld) -> None:
    car = await come_in(world)
    event = await update(world, world.entry, car)
    before = await world.rows("SELECT version, plate_index FROM sessions")
    read = read_of(PLATE)
    await world.gate.record_observation(world.entry, event, car, read, "camera-1", UPDATED)
    again = await update(world, world.entry, car)
    assert again.seq == event.seq + 1
    assert await world.rows("SELECT version, plate_index FROM sessions") == before
    assert await world.count("misread_reviews") == 1
    assert await world.count("observations") == 2


@pytest.mark.parametrize(
    ("said", "confidence"),
    [
        (TrackedCar(Heading.TOWARDS, ReadState.NEW), 0.99),
        (TrackedCar(Heading.TOWARDS, ReadState.LOST), 0.99),
        (TrackedCar(Heading.AWAY, ReadState.UPDATED), 0.99),
        (TrackedCar(Heading.TOWARDS, ReadState.UPDATED, is_backfill=True), 0.99),
        (UPDATED, 0.9),
    ],
)
async def test_what_is_no_better_read_of_the_car_changes_nothing(
    world: LaneWorld, said: TrackedCar, confidence: float
) -> None:
    car = await come_in(world)
    await update(world, world.entry, car, said=said, confidence=confidence)
    assert await plates(world) == [WRONG]
    assert await reviews(world) == []


async def test_a_read_that_is_hardly_surer_is_for_staff(world: LaneWorld) -> None:
    car = await come_in(world, confidence=0.95)
    await update(world, world.entry, car, confidence=0.99)
    assert await plates(world) == [WRONG]
    assert await reviews(world) == [("correction_refused", "not_surer")]


async def test_once_the_car_has_passed_a_person_decides(world: LaneWorld) -> None:
    car = await come_in(world)
    await world.barrier(world.entry, car, "opened", "passed")
    await update(world, world.entry, car)
    assert await plates(world) == [WRONG]
    assert await reviews(world) == [("correction_refused", "passed")]


async def test_a_plate_that_is_inside_already_does_not_come_in_twice(world: LaneWorld) -> None:
    await world.drive_in(PLATE)
    world.wait(minutes=1)
    car = await come_in(world)
    await update(world, world.entry, car)
    assert await plates(world) == [PLATE, WRONG]
    assert await reviews(world) == [("correction_refused", "inside_already")]


async def test_at_an_exit_a_correction_charges_nobody(world: LaneWorld) -> None:
    driver_id = await world.add_driver(WRONG)
    await world.permit(driver_id)
    await world.drive_in(WRONG)
    world.wait(hours=1)
    car = await world.arrive(world.exit)
    await world.gate.decide(world.exit, car, read_of(WRONG, 0.91), CAMERA)
    bills = await world.rows("SELECT id, state, total_minor FROM bills")
    await update(world, world.exit, car)
    assert await world.rows("SELECT id, state, total_minor FROM bills") == bills
    assert await world.count("payment_attempts") == 1
    assert await reviews(world) == [("correction_refused", "exit")]


async def test_a_correction_before_the_decision_is_what_is_decided_on(world: LaneWorld) -> None:
    car = await world.arrive(world.entry)
    await update(world, world.entry, car, confidence=0.96)
    decision = await world.gate.decide(world.entry, car, read_of(WRONG, 0.91), CAMERA)
    assert decision.display.lines[0] == PLATE
    assert await plates(world) == [PLATE]
    assert await reviews(world) == []


async def test_a_less_sure_correction_before_the_decision_is_not(world: LaneWorld) -> None:
    car = await world.arrive(world.entry)
    await update(world, world.entry, car, confidence=0.6)
    decision = await world.gate.decide(world.entry, car, read_of(WRONG, 0.91), CAMERA)
    assert decision.display.lines[0] == WRONG


async def test_decision_and_correction_at_once_end_with_the_right_plate(world: LaneWorld) -> None:
    for turn in range(6):
        car = await world.arrive(world.entry)
        plate = f"京A8{turn}731"
        deciding = world.gate.decide(world.entry, car, read_of(WRONG, 0.91), CAMERA)
        correcting = update(world, world.entry, car, plate=plate)
        await asyncio.gather(*((deciding, correcting) if turn % 2 else (correcting, deciding)))
        assert (await plates(world))[-1] == plate
        await world.barrier(world.entry, car, "opened", "passed")
        world.wait(seconds=1)


async def test_a_restarted_bridge_does_not_let_a_car_in_that_drove_away(world: LaneWorld) -> None:
    car = await world.arrive(world.entry)
    towards = TrackedCar(Heading.TOWARDS)
    await update(world, world.entry, car, said=towards)
    await update(world, world.entry, car, said=TrackedCar(Heading.AWAY))
    assert await world.gate.resume(world.entry, car) is None
    assert await world.count("gate_commands") == 0
    await update(world, world.entry, car, said=towards)
    resumed = await world.gate.resume(world.entry, car)
    assert resumed is not None
    assert resumed.action == "open"


async def test_a_car_that_drives_away_is_refused_whoever_asks(world: LaneWorld) -> None:
    car = await world.arrive(world.entry)
    source = ReadSource(ObservationMethod.CAMERA, "camera-1", Heading.AWAY)
    decision = await world.gate.decide(world.entry, car, read_of(PLATE), source)
    assert (decision.action, decision.reason) == ("refuse", "wrong_way")
    assert await world.count("sessions") == 0
    assert await world.count("gate_commands") == 0


async def test_a_wrong_plate_that_ended_another_stay_is_for_staff(world: LaneWorld) -> None:
    await world.drive_in(WRONG)
    world.wait(hours=2)
    car = await come_in(world)
    await update(world, world.entry, car)
    assert await plates(world) == [WRONG, WRONG]
    assert await reviews(world) == [("correction_refused", "ended_earlier_stay")]


async def test_a_bill_of_a_corrected_stay_can_still_be_verified(world: LaneWorld) -> None:
    car = await come_in(world)
    await update(world, world.entry, car)
    await world.barrier(world.entry, car, "opened", "passed")
    world.wait(hours=1)
    await world.drive_out(PLATE)
    [bill] = await world.rows("SELECT id FROM bills")
    async with world.context.database.begin() as unit:
        report = await verification.verify(unit, world.entry.operator_id, bill["id"])
    assert [check.name for check in report.checks if check.ok is False] == []


async def test_what_a_guess_decided_is_left_to_staff_once(world: LaneWorld) -> None:
    guess = ReadSource(ObservationMethod.ANPR, "weights-1", is_fallback=True)
    car = await world.arrive(world.entry)
    for _ in range(2):
        await world.gate.decide(world.entry, car, read_of(PLATE, 0.7), guess)
    world.wait(minutes=1)
    leaving = await world.arrive(world.exit)
    await world.gate.decide(world.exit, leaving, read_of("京C55555", 0.99), CAMERA)
    world.wait(minutes=1)
    unread = await world.arrive(world.second_entry)
    for _ in range(2):
        await world.gate.report_unreadable(world.second_entry, unread)
    await world.clear(world.second_entry, unread)
    world.wait(minutes=1)
    shabby = await world.arrive(world.second_entry)
    await world.gate.decide(world.second_entry, shabby, read_of("京D55555", 0.3), CAMERA)
    rows = await world.rows("SELECT kind, presentation_id FROM misread_reviews ORDER BY id")
    assert [(row["kind"], row["presentation_id"]) for row in rows] == [
        ("unsure_read", car),
        ("no_session", leaving),
        ("not_readable", unread),
        ("not_readable", shabby),
    ]

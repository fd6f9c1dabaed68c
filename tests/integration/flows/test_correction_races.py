"""A stay that is found by its plate, and is another car's by the time that it is locked."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import pytest

from parking.flows.lane_types import ObservationMethod, ReadSource
from parking.flows.reviews import review_decision
from parking.kit.database import UnitOfWork
from parking.sessions import repository as session_rows
from parking.sessions.models import OpenSession
from tests.factories.lane_world import PLATE, LaneWorld, read_of

WRONG = "沪C55555"
NEARLY_WRONG = "沪C5555S"
GUESS = ReadSource(ObservationMethod.ANPR, "weights-1", is_fallback=True)


async def guess_in(world: LaneWorld) -> None:
    """Let the car of PLATE in as one of WRONG, doubtfully."""
    car = await world.arrive(world.entry)
    await world.gate.decide(world.entry, car, read_of(WRONG, 0.7), GUESS)
    await world.barrier(world.entry, car, "opened", "passed")
    await world.clear(world.entry, car)
    world.wait(minutes=40)


def between(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Awaitable[object]]) -> None:
    """Let `act` commit between the first finding of an open stay and its locking."""
    find_open = session_rows.find_open
    acts = [act]

    async def found_before(
        unit: UnitOfWork, operator_id: UUID, place_id: UUID, plate_index: UUID
    ) -> OpenSession | None:
        found = await find_open(unit, operator_id, place_id, plate_index)
        if acts:
            await acts.pop()()
        return found

    monkeypatch.setattr(session_rows, "find_open", found_before)


def staff_correct(world: LaneWorld) -> Callable[[], Awaitable[object]]:
    async def act() -> None:
        [review] = await world.rows("SELECT id FROM misread_reviews")
        await review_decision.correct_plate(
            world.context,
            world.entry.operator_id,
            review["id"],
            plate=PLATE,
            by="Ada",
            reason="seen",
        )

    return act


async def test_an_exit_charges_no_stay_that_was_corrected_while_it_looked(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.permit(await world.add_driver(PLATE))
    await guess_in(world)
    leaving = await world.arrive(world.exit)
    between(monkeypatch, staff_correct(world))
    decision = await world.decide(world.exit, leaving, read_of(WRONG))
    assert (decision.action, decision.reason) == ("refuse", "no_session")
    assert await world.count("bills") == 0
    assert await world.count("payment_attempts") == 0
    assert await world.rows("SELECT state, exit_presentation_id FROM sessions") == [
        {"state": "active", "exit_presentation_id": None}
    ]


async def test_an_exit_charges_no_stay_that_is_no_longer_like_what_it_read(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.permit(await world.add_driver(PLATE))
    await guess_in(world)
    leaving = await world.arrive(world.exit)
    list_open, acts = session_rows.list_open, [staff_correct(world)]

    async def listed_before(
        unit: UnitOfWork, operator_id: UUID, place_id: UUID
    ) -> Sequence[tuple[UUID, bytes]]:
        found = await list_open(unit, operator_id, place_id)
        if acts:
            await acts.pop()()
        return found

    monkeypatch.setattr(session_rows, "list_open", listed_before)
    decision = await world.decide(world.exit, leaving, read_of(NEARLY_WRONG))
    assert not acts
    assert (decision.action, decision.reason) == ("refuse", "no_session")
    assert await world.count("bills") == 0
    assert await world.count("payment_attempts") == 0
    assert await world.rows("SELECT state, exit_presentation_id FROM sessions") == [
        {"state": "active", "exit_presentation_id": None}
    ]


async def test_an_entry_sets_no_stay_aside_that_was_corrected_while_it_looked(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await guess_in(world)
    coming = await world.arrive(world.second_entry)
    between(monkeypatch, staff_correct(world))
    decision = await world.decide(world.second_entry, coming, read_of(WRONG))
    assert decision.action == "open"
    assert await world.rows("SELECT state FROM sessions ORDER BY entered_at") == [
        {"state": "active"},
        {"state": "active"},
    ]
    assert await world.count("bills") == 0


async def test_an_entry_ends_no_stay_again_that_ended_while_it_looked(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.permit(await world.add_driver(PLATE))
    await world.drive_in(PLATE)
    world.wait(hours=1)
    leaving = await world.arrive(world.exit)
    assert (await world.decide(world.exit, leaving, read_of(PLATE))).reason == "paid"
    await world.barrier(world.exit, leaving, "opened")
    world.wait(hours=1)
    coming = await world.arrive(world.entry)
    between(monkeypatch, lambda: world.barrier(world.exit, leaving, "passed"))
    decision = await world.decide(world.entry, coming, read_of(PLATE))
    assert decision.action == "open"
    assert await world.rows("SELECT state FROM sessions ORDER BY entered_at") == [
        {"state": "left"},
        {"state": "active"},
    ]
    assert await world.rows("SELECT state, total_minor FROM bills") == [
        {"state": "paid", "total_minor": 1000}
    ]
    told = await world.rows("SELECT type FROM outbox WHERE type = 'SessionEnded'")
    assert len(told) == 1

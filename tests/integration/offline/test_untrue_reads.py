"""The read that an offline decision names must be its own lane's, of its own car, and sure."""

from uuid import UUID

import pytest

from parking.flows.lane_types import Lane, OfflineDecision
from parking.kit.ids import id_time
from tests.factories.lane_world import PLATE, LaneWorld, read_of


async def read(world: LaneWorld, lane: Lane, car: UUID, confidence: float = 0.97) -> UUID:
    event = world.event(lane)
    await world.gate.record_observation(lane, event, car, read_of(PLATE, confidence), "camera-1")
    return event.event_id


async def open_for(world: LaneWorld, car: UUID, observation_id: UUID) -> None:
    decision = OfflineDecision(
        event=world.event(world.entry),
        presentation_id=car,
        command_id=None,
        is_open=True,
        reason="fallback",
        observation_id=observation_id,
        policy_version=1,
        risk_minor=0,
        occupied_at=id_time(car),
        clock_uncertainty_ms=500,
    )
    await world.gate.record_offline_decision(world.entry, decision)


@pytest.mark.parametrize("whose", ["another lane's", "another car's", "unsure", "unknown"])
async def test_a_read_that_does_not_count_begins_no_stay(world: LaneWorld, whose: str) -> None:
    earlier = await world.arrive(world.entry)
    told = {
        "another car's": await read(world, world.entry, earlier),
        "unknown": earlier,
    }
    world.wait(minutes=1)
    car = await world.arrive(world.entry)
    told["another lane's"] = await read(world, world.second_entry, car)
    told["unsure"] = await read(world, world.entry, car, 0.3)
    await open_for(world, car, told[whose])
    assert await world.rows("SELECT state, review, plate_index FROM offline_passages") == [
        {"state": "unmatched", "review": "no_plate", "plate_index": None}
    ]
    assert await world.count("sessions") == 0
    [doubt] = await world.rows("SELECT kind, plate_sealed, detail FROM misread_reviews")
    assert doubt == {
        "kind": "offline",
        "plate_sealed": None,
        "detail": {"why_not": "no_plate", "decided": "fallback"},
    }


async def test_the_lanes_own_sure_read_of_the_car_begins_its_stay(world: LaneWorld) -> None:
    car = await world.arrive(world.entry)
    await open_for(world, car, await read(world, world.entry, car))
    assert await world.rows("SELECT state, review FROM offline_passages") == [
        {"state": "applied", "review": None}
    ]
    assert await world.rows("SELECT state, entry_presentation_id FROM sessions") == [
        {"state": "active", "entry_presentation_id": car}
    ]

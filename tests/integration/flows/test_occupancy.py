"""Cars counted in and out of an area: exact at the last space, whatever happens at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import pytest

from parking.flows.lane import LaneFlows
from parking.flows.lane_types import BarrierEvent, Direction, Lane
from parking.kit.clock import ManualClock
from parking.kit.database import Database
from parking.kit.ids import new_id
from parking.places import service as places
from parking.places.models import IdentifiedArea
from tests.factories.lane_world import PLATE, VAULT, LaneWorld, read_of
from tests.factories.statements import collected

STRANGERS = [f"京B{number:05}" for number in range(10_000, 10_060)]


async def pool(world: LaneWorld, area_id: UUID | None = None) -> dict[str, object]:
    [row] = await world.rows(
        "SELECT spaces, occupied, is_full, below_zero, overflowed FROM space_pools WHERE id = :id",
        id=area_id or world.entry.area_id,
    )
    return row


async def keep_closed(world: LaneWorld, *, spaces: int, reopen_free: int = 1) -> None:
    await world.drive_in()
    await world.rows_changed(
        "UPDATE space_pools SET spaces = :spaces, reopen_free = :free, keeps_closed = true",
        spaces=spaces,
        free=reopen_free,
    )


async def come(world: LaneWorld, plate: str, lane: Lane | None = None) -> str:
    """Bring a car to the entry and through it, if the gate opens; returns why or why not."""
    lane = lane or world.entry
    presentation_id = await world.arrive(lane)
    decision = await world.decide(lane, presentation_id, read_of(plate))
    if decision.action == "open":
        await world.barrier(lane, presentation_id, "opened", "passed")
    await world.clear(lane, presentation_id)
    return decision.reason


async def test_a_car_counts_from_its_entry_to_its_exit(world: LaneWorld) -> None:
    await world.drive_in()
    counted = {"spaces": 5, "occupied": 1, "is_full": False, "below_zero": 0, "overflowed": 0}
    assert await pool(world) == counted
    world.wait(minutes=5)
    assert (await world.drive_out()).action == "open"
    assert await pool(world) == counted | {"occupied": 0}


async def test_a_car_that_backs_out_counts_for_nothing(world: LaneWorld) -> None:
    presentation_id = await world.arrive(world.entry)
    await world.decide(world.entry, presentation_id, read_of(PLATE))
    assert (await pool(world))["occupied"] == 1
    await world.barrier(world.entry, presentation_id, "opened", "backed_out")
    await world.clear(world.entry, presentation_id)
    assert (await pool(world))["occupied"] == 0
    away = await world.arrive(world.entry)
    await world.decide(world.entry, away, read_of(PLATE))
    await world.clear(world.entry, away)
    assert (await pool(world))["occupied"] == 0


async def test_a_report_that_comes_again_counts_once(world: LaneWorld) -> None:
    presentation_id = await world.arrive(world.entry)
    report = BarrierEvent(world.event(world.entry), "passed", presentation_id, None)
    for _ in range(2):
        await world.gate.record_barrier_event(world.entry, report)
    assert (await pool(world))["occupied"] == 1
    [review] = await world.rows("SELECT kind, state, presentation_id FROM misread_reviews")
    assert review == {
        "kind": "undecided_passage",
        "state": "open",
        "presentation_id": presentation_id,
    }


async def test_cars_without_a_stay_count_by_the_passages_alone(world: LaneWorld) -> None:
    presentation_id = await world.arrive(world.entry)
    await world.barrier(world.entry, presentation_id, "manual_open", "passed", "tailgate")
    assert (await pool(world))["occupied"] == 2
    for left in (1, 0, 0):
        leaving = await world.arrive(world.exit)
        await world.barrier(world.exit, leaving, "manual_open", "passed")
        assert (await pool(world))["occupied"] == left
    assert (await pool(world))["below_zero"] == 1


async def test_a_car_that_passes_after_its_stay_was_cancelled_counts_again(
    world: LaneWorld,
) -> None:
    presentation_id = await world.arrive(world.entry)
    await world.decide(world.entry, presentation_id, read_of(PLATE))
    await world.clear(world.entry, presentation_id)
    assert (await pool(world))["occupied"] == 0
    await world.barrier(world.entry, presentation_id, "passed")
    assert (await pool(world))["occupied"] == 1
    assert await world.count("open_sessions") == 0
    [review] = await world.rows("SELECT kind FROM misread_reviews")
    assert review == {"kind": "undecided_passage"}


async def test_a_sign_alone_lets_cars_in_and_says_that_there_are_too_many(
    world: LaneWorld,
) -> None:
    await world.drive_in()
    await world.rows_changed("UPDATE space_pools SET spaces = 2")
    assert [await come(world, plate) for plate in STRANGERS[:3]] == ["entered"] * 3
    assert await pool(world) == {
        "spaces": 2,
        "occupied": 4,
        "is_full": True,
        "below_zero": 0,
        "overflowed": 2,
    }


async def test_a_full_area_lets_nobody_in_and_leaves_no_trace_of_who_came(
    world: LaneWorld,
) -> None:
    await keep_closed(world, spaces=1)
    await world.rows_changed("UPDATE space_pools SET is_full = true")
    before = [await world.count(name) for name in ("sessions", "open_sessions", "gate_commands")]
    presentation_id = await world.arrive(world.entry)
    events = await world.count("outbox")
    decision = await world.decide(world.entry, presentation_id, read_of(STRANGERS[0]))
    assert (decision.action, decision.reason, decision.command) == ("refuse", "full", None)
    assert decision.display.lines == ("Full", "No free spaces")
    after = [await world.count(name) for name in ("sessions", "open_sessions", "gate_commands")]
    assert (before, await world.count("outbox")) == (after, events)
    again = await world.decide(world.entry, presentation_id, read_of(STRANGERS[0]))
    assert (again.action, again.reason) == ("refuse", "full")
    assert (await pool(world))["occupied"] == 1


async def test_the_sign_does_not_flicker(world: LaneWorld) -> None:
    await keep_closed(world, spaces=4, reopen_free=2)
    for plate in STRANGERS[:3]:
        assert await come(world, plate) == "entered"
    signs = [(await pool(world))["is_full"]]
    world.wait(minutes=5)
    await world.drive_out(STRANGERS[0])
    signs.append((await pool(world))["is_full"])
    assert await come(world, STRANGERS[9]) == "full"
    await world.drive_out(STRANGERS[1])
    signs.append((await pool(world))["is_full"])
    assert await come(world, STRANGERS[9]) == "entered"
    assert signs == [True, True, False]
    told = await world.rows("SELECT type, payload FROM outbox WHERE type = 'SignChanged'")
    lanes = {f"sesame:{{lane:{lane.lane_id}}}" for lane in (world.entry, world.second_entry)}
    assert [set(row["payload"]["channels"]) for row in told] == [lanes, lanes]


async def test_who_waits_at_a_full_entry_comes_in_when_a_car_leaves(world: LaneWorld) -> None:
    await keep_closed(world, spaces=1)
    await world.rows_changed("UPDATE space_pools SET is_full = true")
    presentation_id = await world.arrive(world.entry)
    await world.decide(world.entry, presentation_id, read_of(STRANGERS[0]))
    assert list(await world.gate.pending_commands(world.entry, presentation_id)) == []
    world.wait(minutes=2)
    await world.drive_out()
    [order] = await world.gate.pending_commands(world.entry, presentation_id)
    [again] = await world.gate.pending_commands(world.entry, presentation_id)
    assert order.command_id == again.command_id
    assert (await pool(world))["occupied"] == 1
    assert await world.count("open_sessions") == 1


async def test_of_two_who_wait_for_one_space_one_comes_in(world: LaneWorld) -> None:
    await keep_closed(world, spaces=1)
    await world.rows_changed("UPDATE space_pools SET is_full = true")
    waiting = [(lane, await world.arrive(lane)) for lane in (world.entry, world.second_entry)]
    for plate, (lane, car) in zip(STRANGERS, waiting, strict=False):
        assert (await world.decide(lane, car, read_of(plate))).reason == "full"
    world.wait(minutes=2)
    await world.drive_out()
    orders = await asyncio.gather(
        *(world.gate.pending_commands(lane, car) for lane, car in waiting)
    )
    assert sorted(len(one) for one in orders) == [0, 1]
    assert (await pool(world))["occupied"] == 1
    assert await world.count("open_sessions") == 1


async def test_cars_that_come_and_go_at_once_are_all_counted(world: LaneWorld) -> None:
    inside = STRANGERS[:4]
    for plate in inside:
        await come(world, plate)
    world.wait(minutes=2)
    leaving = [(lane, await world.arrive(lane)) for lane in (world.exit, world.second_exit)]
    for plate, (lane, car) in zip(inside, leaving, strict=False):
        assert (await world.decide(lane, car, read_of(plate))).action == "open"
    coming = [(lane, await world.arrive(lane)) for lane in (world.entry, world.second_entry)]
    await asyncio.gather(
        *(world.barrier(lane, car, "opened", "passed") for lane, car in leaving),
        *(
            world.decide(lane, car, read_of(plate))
            for plate, (lane, car) in zip(STRANGERS[10:], coming, strict=False)
        ),
    )
    # One who is inside already shows its plate at the entry: its old stay ends, a new one begins.
    world.wait(minutes=1)
    await come(world, inside[3])
    assert await world.count("open_sessions") == 4
    assert (await pool(world))["occupied"] == 4


@asynccontextmanager
async def many_lanes(
    world: LaneWorld, url: str, count: int
) -> AsyncGenerator[tuple[LaneFlows, list[Lane]]]:
    """Give the world's area more entries, and connections for all of them at once."""
    clock = world.clock
    assert isinstance(clock, ManualClock)
    database = Database(url, clock=clock, vault=VAULT, connections_max=16)
    gate = LaneFlows(replace(world.context, database=database))
    try:
        async with database.begin() as unit:
            area = await unit.session.get(
                IdentifiedArea, (world.entry.operator_id, world.entry.area_id)
            )
            assert area is not None
            made = [
                places.add_lane(unit, area, name=f"E{number}", direction=Direction.ENTRY)
                for number in range(count)
            ]
        lanes = [await gate.authenticate(new.lane.id, new.device_token) for new in made]
        for lane in lanes:
            await gate.connect(lane, "bridge-1")
        yield gate, lanes
    finally:
        await database.close()


async def test_fifty_cars_at_once_for_ten_spaces(world: LaneWorld, database_url: str) -> None:
    await keep_closed(world, spaces=11)
    async with many_lanes(world, database_url, 50) as (gate, lanes):
        rivals = replace(world, gate=gate)
        came = [await rivals.arrive(lane) for lane in lanes]
        decisions = await asyncio.gather(
            *(
                rivals.decide(lane, presentation_id, read_of(plate))
                for lane, presentation_id, plate in zip(lanes, came, STRANGERS, strict=False)
            )
        )
    reasons = [decision.reason for decision in decisions]
    assert (reasons.count("entered"), reasons.count("full")) == (10, 40)
    assert await pool(world) == {
        "spaces": 11,
        "occupied": 11,
        "is_full": True,
        "below_zero": 0,
        "overflowed": 0,
    }
    assert await world.count("open_sessions") == 11
    assert len(await world.rows("SELECT id FROM gate_commands")) == 11


async def test_counting_adds_no_round_trip_to_an_entry(world: LaneWorld) -> None:
    """One statement to count, the last before the commit; one less to write the presentation."""
    presentation_id = await world.arrive(world.entry)
    with collected(world.context.database) as seen:
        await world.decide(world.entry, presentation_id, read_of(PLATE))
    assert len(seen) == 10
    assert [number for number, text in enumerate(seen) if "space_pools" in text] == [9]
    await world.barrier(world.entry, presentation_id, "opened", "passed")
    world.wait(minutes=5)
    leaving = await world.arrive(world.exit)
    with collected(world.context.database) as seen:
        await world.decide(world.exit, leaving, read_of(PLATE))
    assert len(seen) == 17
    assert not [text for text in seen if "space_pools" in text]


@pytest.mark.parametrize("specification", ["here", "elsewhere"])
async def test_an_id_of_a_pool_is_no_right_to_it(world: LaneWorld, specification: str) -> None:
    await keep_closed(world, spaces=1)
    await world.rows_changed("UPDATE space_pools SET is_full = true")
    await world.rows_changed(
        "INSERT INTO space_pools SELECT operator_id, :id, place_id, area_id, :kept_for, 3, 0,"
        " false, 1, true, 0, 0, counted_at, NULL, NULL, 0 FROM space_pools",
        id=new_id(world.clock.now()),
        kept_for=new_id(world.clock.now()),
    )
    assert await come(world, STRANGERS[0]) == "full", specification

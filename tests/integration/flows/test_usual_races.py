"""The events of a usual car while somebody else has its rows: each waits, and adds to them.

A statement that waited for a row goes on with the row as it is then, and keeps all or nothing.
"""

import asyncio
from collections.abc import Awaitable
from uuid import UUID

from parking.flows.lane_types import BarrierEvent, PresentationState
from parking.kit.ids import new_id
from parking.lanes import repository as lanes
from parking.sessions import repository as sessions
from tests.factories.lane_world import PLATE, LaneWorld, read_of

WAITING = (
    "SELECT count(*) AS n FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
POLLS_MAX = 500


async def waits(world: LaneWorld, call: Awaitable[int]) -> asyncio.Future[int]:
    """Begin a call that has to wait for a row, and return once it does."""
    begun = asyncio.ensure_future(call)
    for _ in range(POLLS_MAX):
        if (await world.rows(WAITING))[0]["n"]:
            return begun
        assert not begun.done()
        await asyncio.sleep(0.01)
    raise AssertionError("it waits for nothing")


async def decided(world: LaneWorld) -> UUID:
    """Let a car in that still stands at the entry."""
    car = await world.arrive(world.entry)
    await world.decide(world.entry, car, read_of(PLATE))
    return car


async def test_an_opening_goes_on_from_the_version_that_it_waited_for(world: LaneWorld) -> None:
    car = await decided(world)
    [stay] = await world.rows("SELECT id, version FROM sessions")
    assert stay["version"] == 1
    opened = BarrierEvent(world.event(world.entry), "opened", car, None)
    async with world.context.database.begin() as unit:
        session = await sessions.lock_session(unit, world.entry.operator_id, stay["id"])
        assert session is not None
        session.version += 1
        unit.session.add(session)
        begun = await waits(world, world.gate.record_barrier_event(world.entry, opened))
    assert await begun == opened.event.seq
    assert await world.rows("SELECT version FROM sessions") == [{"version": 3}]
    told = await world.rows("SELECT version FROM outbox WHERE type = 'GateOpened'")
    assert told == [{"version": 3}]


async def test_a_car_that_leaves_keeps_what_was_decided_on_it_meanwhile(world: LaneWorld) -> None:
    car, lane = await decided(world), world.entry
    await world.barrier(lane, car, "opened", "passed")
    left = world.event(lane)
    async with world.context.database.begin() as unit:
        presentation = await lanes.lock_presentation(unit, lane.operator_id, car)
        assert presentation is not None
        presentation.reason = "changed"
        unit.session.add(presentation)
        begun = await waits(world, world.gate.present(lane, left, car, PresentationState.CLEARED))
    assert await begun == left.seq
    rows = await world.rows("SELECT state, reason, cleared_at FROM presentations")
    assert rows == [{"state": "cleared", "reason": "changed", "cleared_at": left.occurred_at}]


async def test_a_car_that_comes_ends_the_one_before_that_was_being_decided_on(
    world: LaneWorld,
) -> None:
    car, lane = await decided(world), world.entry
    world.wait(seconds=1)
    came, after = world.event(lane), new_id(world.clock.now())
    async with world.context.database.begin() as unit:
        presentation = await lanes.lock_presentation(unit, lane.operator_id, car)
        assert presentation is not None
        presentation.reason = "changed"
        unit.session.add(presentation)
        begun = await waits(
            world, world.gate.present(lane, came, after, PresentationState.OCCUPIED)
        )
    assert await begun == came.seq
    rows = await world.rows("SELECT id, state, reason, cleared_at FROM presentations ORDER BY id")
    assert rows == [
        {"id": car, "state": "cleared", "reason": "changed", "cleared_at": came.occurred_at},
        {"id": after, "state": "occupied", "reason": None, "cleared_at": None},
    ]

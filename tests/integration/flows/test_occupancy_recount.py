"""Counts set to the open stays by night: once a day, exactly, and written down."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from parking.flows import occupancy_desk
from parking.flows.occupancy_recount import recount_due
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.occupancy import repository
from parking.occupancy.errors import PoolUnknownError
from parking.occupancy.repository import DueRecount
from tests.factories.lane_world import LaneWorld

SHANGHAI = ZoneInfo("Asia/Shanghai")
NIGHT = 3


def wait_until(world: LaneWorld, hour: int, minute: int = 10) -> None:
    """Move on to the next time at which clocks at the place show this."""
    now = world.clock.now()
    local = now.astimezone(SHANGHAI)
    then = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    world.clock.advance((then if then > local else then + timedelta(days=1)) - local)


async def recounted_at(world: LaneWorld, hour: int | None) -> None:
    await occupancy_desk.set_recount(
        world.context, world.entry.operator_id, world.entry.area_id, hour
    )


async def drift(world: LaneWorld, cars: int) -> None:
    """Let cars in by hand: they are counted, and have no stay."""
    for _ in range(cars):
        presentation_id = await world.arrive(world.entry)
        await world.barrier(world.entry, presentation_id, "manual_open", "passed")
        await world.clear(world.entry, presentation_id)


async def occupied(world: LaneWorld) -> int:
    [row] = await world.rows("SELECT occupied FROM space_pools")
    return int(row["occupied"])


async def counts(world: LaneWorld) -> list[tuple[int, int, int, str, str]]:
    rows = await world.rows(
        "SELECT occupied_before, occupied_after, sessions, counted_by, reason "
        "FROM occupancy_counts ORDER BY id"
    )
    return [
        (
            row["occupied_before"],
            row["occupied_after"],
            row["sessions"],
            row["counted_by"],
            row["reason"],
        )
        for row in rows
    ]


async def test_a_count_that_drifted_is_set_to_the_open_stays_and_the_sign_goes_out(
    world: LaneWorld,
) -> None:
    await world.drive_in()
    await drift(world, 4)
    await recounted_at(world, NIGHT)
    [before] = await world.rows("SELECT occupied, is_full FROM space_pools")
    assert before == {"occupied": 5, "is_full": True}
    wait_until(world, NIGHT)
    assert await recount_due(world.context) == 1
    [after] = await world.rows("SELECT occupied, is_full FROM space_pools")
    assert after == {"occupied": 1, "is_full": False}
    assert await counts(world) == [(5, 1, 1, "nightly recount", "set to the open stays")]
    signs = await world.rows("SELECT id FROM outbox WHERE type = 'SignChanged'")
    assert len(signs) == 2


async def test_it_is_done_once_a_day_by_one_however_many_ask(world: LaneWorld) -> None:
    await drift(world, 2)
    await recounted_at(world, NIGHT)
    wait_until(world, NIGHT)
    done = await asyncio.gather(*(recount_due(world.context) for _ in range(4)))
    assert sorted(done) == [0, 0, 0, 1]
    await drift(world, 1)
    world.wait(minutes=15)
    assert await recount_due(world.context) == 0
    assert await occupied(world) == 1
    wait_until(world, NIGHT)
    assert await recount_due(world.context) == 1
    assert [row[:3] for row in await counts(world)] == [(2, 0, 0), (1, 0, 0)]


async def test_who_found_an_area_due_before_another_did_it_leaves_it_alone(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await drift(world, 2)
    await recounted_at(world, NIGHT)
    wait_until(world, NIGHT)
    find = repository.list_due_recounts

    async def find_late(unit: UnitOfWork, **asked: Any) -> list[DueRecount]:  # noqa: ANN401
        found = await find(unit, **asked)
        monkeypatch.undo()
        assert await recount_due(world.context) == 1
        await drift(world, 1)
        return found

    monkeypatch.setattr(repository, "list_due_recounts", find_late)
    assert await recount_due(world.context) == 0
    assert (await occupied(world), len(await counts(world))) == (1, 1)


async def test_a_count_that_is_right_leaves_nothing_in_the_records(world: LaneWorld) -> None:
    await world.drive_in()
    await recounted_at(world, NIGHT)
    wait_until(world, NIGHT)
    assert await recount_due(world.context) == 0
    assert (await occupied(world), await counts(world)) == (1, [])


@pytest.mark.parametrize(
    ("hour", "minute", "is_due"),
    [(2, 59, False), (3, 0, True), (5, 59, True), (6, 0, False), (15, 0, False)],
)
async def test_the_hour_is_that_of_the_place(
    world: LaneWorld, hour: int, minute: int, *, is_due: bool
) -> None:
    await drift(world, 1)
    await recounted_at(world, NIGHT)
    wait_until(world, hour, minute)
    assert await recount_due(world.context) == int(is_due)
    assert await occupied(world) == int(not is_due)


async def test_an_area_is_left_alone_where_nobody_asked_for_it(world: LaneWorld) -> None:
    await drift(world, 1)
    wait_until(world, NIGHT)
    assert await recount_due(world.context) == 0
    await recounted_at(world, NIGHT)
    await recounted_at(world, None)
    assert await recount_due(world.context) == 0
    assert (await occupied(world), await counts(world)) == (1, [])


async def test_cars_that_come_meanwhile_are_counted_all_the_same(world: LaneWorld) -> None:
    await drift(world, 2)
    await recounted_at(world, NIGHT)
    wait_until(world, NIGHT)
    await asyncio.gather(recount_due(world.context), world.drive_in())
    assert await occupied(world) == await world.count("open_sessions") == 1


async def test_what_makes_no_sense_is_refused(world: LaneWorld) -> None:
    for hour in (-1, 24):
        with pytest.raises(InvalidInputError, match="hour"):
            await recounted_at(world, hour)
    with pytest.raises(PoolUnknownError):
        await occupancy_desk.set_recount(world.context, world.entry.operator_id, UUID(int=1), NIGHT)
    assert await world.count("space_pools") == 0

"""Versions of a place's rate table: when each is in force, and rivals who publish at once."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.tariffs import service
from parking.tariffs.models import RateTableVersion
from tests.factories.lane_world import RATE_TABLE, LaneWorld

RIVALS = 8


def _body(value: int) -> dict[str, Any]:
    line = {"kind": "increment", "value": value, "block": 30, "from": 0}
    return RATE_TABLE | {"collections": [{"lines": [line]}]}


async def _publish(
    world: LaneWorld, body: dict[str, Any], effective_at: datetime | None = None
) -> RateTableVersion:
    async with world.context.database.begin() as unit:
        return await service.publish(
            unit,
            world.entry.operator_id,
            world.entry.place_id,
            currency="CNY",
            body=body,
            effective_at=effective_at,
        )


async def _in_force(unit: UnitOfWork, world: LaneWorld, at: datetime) -> int:
    lane = world.entry
    return (await service.in_force(unit, lane.operator_id, lane.place_id, at)).version


async def _listed(world: LaneWorld) -> list[tuple[int, datetime | None, bool]]:
    async with world.context.database.begin() as unit:
        versions = await service.list_versions(unit, world.entry.operator_id, world.entry.place_id)
    return [(item.version.version, item.ends_at, item.is_replaced) for item in versions]


async def test_each_version_is_in_force_until_the_next_one_begins(world: LaneWorld) -> None:
    now = world.clock.now()
    week, month = now + timedelta(days=7), now + timedelta(days=30)
    await _publish(world, _body(700), month)
    await _publish(world, _body(600), week)
    await _publish(world, _body(800), month)
    async with world.context.database.begin() as unit:
        found = [
            await _in_force(unit, world, at)
            for at in (now, week - timedelta(seconds=1), week, month - timedelta(seconds=1), month)
        ]
    # Of two that begin together the higher number applies.
    assert found == [1, 1, 3, 3, 4]
    assert await _listed(world) == [
        (4, None, False),
        (3, month, False),
        (2, None, True),
        (1, week, False),
    ]


async def test_a_stay_keeps_the_version_of_its_entry(world: LaneWorld) -> None:
    first = await world.drive_in()
    later = await _publish(world, _body(600), world.clock.now() + timedelta(minutes=5))
    world.wait(minutes=5)
    second = await world.drive_in("粤B12345")
    rows = await world.rows("SELECT id, rate_table_id FROM sessions")
    kept = {row["id"]: row["rate_table_id"] for row in rows}
    assert kept[second] == later.id
    assert kept[first] != later.id


async def test_publishing_again_adds_nothing(world: LaneWorld) -> None:
    tomorrow = world.clock.now() + timedelta(days=1)
    first = await _publish(world, _body(600), tomorrow)
    assert (await _publish(world, _body(600), tomorrow)).id == first.id
    # Also when the date has come meanwhile: a repeated request is no new one in the past.
    world.wait(days=2)
    assert (await _publish(world, _body(600), tomorrow)).id == first.id
    assert (await _publish(world, _body(600))).id == first.id
    assert await world.count("rate_tables") == 2
    changed = await _publish(world, _body(601))
    assert (changed.version, changed.effective_at) == (3, world.clock.now())


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (timedelta(seconds=-1), "a time that is not in the past"),
        (timedelta(days=5 * 366, seconds=1), "at most 1830 days ahead"),
    ],
)
async def test_no_version_begins_in_the_past_or_absurdly_late(
    world: LaneWorld, ahead: timedelta, expected: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await _publish(world, _body(600), world.clock.now() + ahead)
    assert (refused.value.field, refused.value.expected) == ("effective_at", expected)
    assert await world.count("rate_tables") == 1


async def test_the_first_version_may_begin_in_the_past(world: LaneWorld) -> None:
    await world.rows_changed("DELETE FROM rate_tables")
    yesterday = world.clock.now() - timedelta(days=1)
    assert (await _publish(world, _body(600), yesterday)).effective_at == yesterday


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": "EUR"}, "rate_table.currency"),
        ({"grace": -1}, "rate_table.grace"),
        ({"name": "x" * (service.BODY_BYTES_MAX + 1)}, "rate_table"),
    ],
)
async def test_a_bad_table_is_refused_by_name(
    world: LaneWorld, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await _publish(world, RATE_TABLE | changes)
    assert refused.value.field == field
    assert await world.count("rate_tables") == 1


async def test_rivals_who_publish_at_once_get_numbers_without_a_gap(world: LaneWorld) -> None:
    at = world.clock.now() + timedelta(days=1)
    made = await asyncio.gather(*(_publish(world, _body(100 + n), at) for n in range(RIVALS)))
    assert sorted(version.version for version in made) == list(range(2, 2 + RIVALS))


async def test_rivals_who_publish_the_same_get_the_same_version(world: LaneWorld) -> None:
    at = world.clock.now() + timedelta(days=1)
    made = await asyncio.gather(*(_publish(world, _body(600), at) for _ in range(RIVALS)))
    assert len({version.id for version in made}) == 1
    assert await world.count("rate_tables") == 2

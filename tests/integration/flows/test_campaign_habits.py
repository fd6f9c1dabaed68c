"""Campaigns to whoever is expected: with both consents, on the right day, and to nobody else."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from parking.drivers import consents
from parking.drivers.consent_models import ConsentKind
from parking.drivers.consent_texts import VERSIONS
from parking.habits.repository import add_visit
from parking.kit.errors import InvalidInputError
from tests.factories.campaign_world import ZONE, CampaignWorld, open_campaign_world

HABITS = ConsentKind.HABITS


@pytest.fixture
async def world(database_url: str, valkey_url: str) -> AsyncGenerator[CampaignWorld]:
    async with open_campaign_world(database_url, valkey_url) as opened:
        yield opened


async def come_weekly(world: CampaignWorld, driver_ids: list[UUID], *, days_ahead: int) -> None:
    """Let drivers have come on that weekday for twelve weeks, with their consent to learn."""
    for driver_id in driver_ids:
        async with world.context.database.begin() as unit:
            await consents.give(unit, driver_id, HABITS, text_version=VERSIONS[HABITS])
            for weeks_ago in range(12, 0, -1):
                came_at = world.clock.now() + timedelta(days=days_ahead, weeks=-weeks_ago)
                key = (world.operator_id, world.place_id, driver_id)
                assert await add_visit(unit, key, came_at, came_at.replace(hour=18))


def expected(world: CampaignWorld, **changes: object) -> dict[str, Any]:
    return {"placeId": str(world.place_id), "daysAhead": 1, "percentMin": 50, **changes}


async def told(world: CampaignWorld) -> set[UUID]:
    rows = await world.rows("SELECT driver_id FROM campaign_sends WHERE state = 'sent'")
    return {row["driver_id"] for row in rows}


@pytest.mark.parametrize("way", ["filter", "trigger"])
async def test_only_who_is_expected_tomorrow_and_allows_both_is_told(
    world: CampaignWorld, way: str
) -> None:
    regular, today, silent, private, stranger = await world.add_drivers(5)
    await come_weekly(world, [regular, silent, private], days_ahead=1)
    await come_weekly(world, [today], days_ahead=0)
    async with world.context.database.begin() as unit:
        await consents.withdraw(unit, silent, ConsentKind.MARKETING)
        # What was learned is left here on purpose: the consent alone keeps it from use.
        await consents.withdraw(unit, private, HABITS)
    changes: dict[str, Any] = {"filter": expected(world, kind="habit")}
    if way == "trigger":
        at = {"kind": "before_visit", "at": "10:01", "timezone": ZONE}
        changes = {"trigger": expected(world, **at)}
    await world.run_campaign(**changes)
    world.clock.advance(timedelta(minutes=2))
    assert await world.sweep() == 1
    assert await told(world) == {regular}
    assert stranger not in await told(world)


async def test_a_visit_that_nobody_can_tell_is_refused(world: CampaignWorld) -> None:
    with pytest.raises(InvalidInputError, match="daysAhead: expected at most 6"):
        await world.run_campaign(filter=expected(world, kind="habit", daysAhead=7))
    assert await world.rows("SELECT id FROM campaigns") == []

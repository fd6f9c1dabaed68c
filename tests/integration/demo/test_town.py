"""The demo's ground: kept over runs, completed where an earlier version's folder lacks some."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest_asyncio

from parking.kit.clock import SystemClock
from parking.kit.database import Database
from parking.places import positions
from parking.places import service as places
from sesame.demo.town import ANTENNA, LAKESIDE, NEUMARKT, PLANS, Town, TownPlace, settle
from tests.factories.identity import VAULT


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    opened = Database(database_url, clock=SystemClock(), vault=VAULT, connections_max=2)
    yield opened
    await opened.close()


async def test_town_is_kept_and_completed(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "town.json"
    town = await settle(database, path)
    assert [place.key for place in town.places] == [plan.key for plan in PLANS]
    assert await settle(database, path) == town

    earlier = Town(places=tuple(place for place in town.places if place.key != NEUMARKT))
    path.write_text(earlier.model_dump_json(), encoding="utf-8")
    completed = await settle(database, path)
    assert completed.places[:-1] == earlier.places
    assert _shape(completed.places[-1]) == _shape(town.place(NEUMARKT))
    assert await settle(database, path) == completed


async def test_the_etc_antenna_is_above_one_exit(database: Database, tmp_path: Path) -> None:
    place = (await settle(database, tmp_path / "town.json")).place(LAKESIDE)
    async with database.begin() as unit:
        above = {
            lane.key: await places.antenna_above(unit, place.operator_id, lane.lane_id)
            for lane in place.lanes
        }
    assert above == {"lakeside-entry": None, "lakeside-exit": ANTENNA}


async def test_every_place_is_on_the_map(database: Database, tmp_path: Path) -> None:
    town = await settle(database, tmp_path / "town.json")
    keys = [(place.operator_id, place.place_id) for place in town.places]
    async with database.begin() as unit:
        found = await positions.find_whereabouts(unit, keys)
    degrees = [(found[key].position.latitude, found[key].position.longitude) for key in keys]
    assert degrees == [plan.degrees for plan in PLANS]


def _shape(place: TownPlace) -> tuple[str, str, str, int]:
    return (place.key, place.operator, place.currency, len(place.lanes))

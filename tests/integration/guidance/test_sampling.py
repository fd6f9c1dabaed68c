"""Counting pools once an hour, and what follows from it: at most once, and nothing made up."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from api.global_ids import encode_id
from parking.flows.guidance.sampling import sample_due
from tests.factories.api import ApiWorld
from tests.factories.lane_world import LaneWorld

HOUR: Final = timedelta(hours=1)
WEEK: Final = timedelta(weeks=1)
OUT_OF_BOUNDS: Final = (
    (0, timedelta(), "hours"),
    (49, timedelta(), "hours"),
    (1, timedelta(days=8), "from"),
    (1, timedelta(minutes=-6), "from"),
)
FORECAST: Final = """
query ($place: ID!, $from: DateTime, $hours: Int!) {
  availabilityForecast(placeId: $place, from: $from, hours: $hours) {
    name spaces freeNow hours { at free { expected low high weeks } }
  }
}
"""


async def hours(world: LaneWorld) -> list[tuple[int, int, float]]:
    rows = await world.rows(
        "SELECT hour_of_week, samples, mean FROM hour_patterns ORDER BY sampled_at"
    )
    return [(row["hour_of_week"], row["samples"], row["mean"]) for row in rows]


async def occupy(world: LaneWorld, cars: int) -> None:
    await world.rows_changed("UPDATE space_pools SET occupied = :cars", cars=cars)


def hour_there(world: LaneWorld) -> int:
    """Return the hour of the week in Shanghai, which knows no summer time."""
    local = world.clock.now() + 8 * HOUR
    return local.weekday() * 24 + local.hour


async def ask(
    api: ApiWorld, token: str, *, hours: int, begins_at: datetime | None = None
) -> dict[str, Any]:
    lane = api.lanes.entry
    variables = {
        "place": encode_id("Place", lane.operator_id, lane.place_id),
        "hours": hours,
        "from": None if begins_at is None else begins_at.isoformat(),
    }
    return await api.post(FORECAST, variables, token=token)


async def free(api: ApiWorld, driver_id: UUID, *, hours: int) -> list[dict[str, int] | None]:
    body = await ask(api, await api.token_of(driver_id), hours=hours)
    [area] = body["data"]["availabilityForecast"]
    return [hour["free"] for hour in area["hours"]]


async def test_a_pool_is_sampled_once_an_hour_in_its_middle(api: ApiWorld) -> None:
    world = api.lanes
    await world.drive_in()
    hour = hour_there(world)
    # On the hour it is too early.
    assert await sample_due(world.context) == 0
    world.clock.advance(timedelta(minutes=15))
    assert await sample_due(world.context) == 1
    assert await hours(world) == [(hour, 1, 0.2)]
    # Of the same hour there is no second one, whenever it is asked for.
    for minutes in (0, 16, 15):
        world.clock.advance(timedelta(minutes=minutes))
        assert await sample_due(world.context) == 0
    await occupy(world, 9)
    world.clock.advance(timedelta(minutes=30))
    assert await sample_due(world.context) == 1
    # More cars than spaces are a full place.
    assert await hours(world) == [(hour, 1, 0.2), ((hour + 1) % 168, 1, 1.0)]


async def test_workers_that_come_together_sample_a_pool_once(api: ApiWorld) -> None:
    world = api.lanes
    await world.drive_in()
    world.clock.advance(timedelta(minutes=30))
    sampled = await asyncio.gather(*(sample_due(world.context) for _ in range(3)))
    assert sum(sampled) == 1
    assert await hours(world) == [(hour_there(world), 1, 0.2)]


async def test_a_clock_that_was_years_ahead_for_a_moment_stops_no_sampling(api: ApiWorld) -> None:
    world = api.lanes
    await world.drive_in()
    world.clock.advance(timedelta(minutes=30))
    hour = hour_there(world)
    world.clock.advance(100 * WEEK)
    assert await sample_due(world.context) == 1
    world.clock.advance(-100 * WEEK)
    await occupy(world, 3)
    assert await sample_due(world.context) == 1
    # A worker whose clock is a minute behind samples nothing twice.
    world.clock.advance(-timedelta(minutes=1))
    assert await sample_due(world.context) == 0
    assert await hours(world) == [(hour, 2, 0.4)]


async def test_after_four_weeks_the_hour_is_forecast_and_no_other(api: ApiWorld) -> None:
    world = api.lanes
    driver_id, _ = await api.add_driver()
    await world.drive_in()
    world.clock.advance(timedelta(minutes=30))
    for cars in (1, 2, 1, 2):
        assert await free(api, driver_id, hours=2) == [None, None]
        for more in range(2):
            await occupy(world, cars + more)
            assert await sample_due(world.context) == 1
            world.clock.advance(HOUR)
        world.clock.advance(WEEK - 2 * HOUR)
    world.clock.advance(-HOUR)
    await occupy(world, 0)
    # 1, 2, 1 and 2 cars of 5, the newer ones counting more; how far it is off now nobody knows.
    usual = {"expected": 3, "low": 2, "high": 5, "weeks": 4}
    assert await free(api, driver_id, hours=3) == [None, usual, None]
    world.clock.advance(HOUR)
    # Now is what is counted now.
    now = {"expected": 5, "low": 5, "high": 5, "weeks": 4}
    assert await free(api, driver_id, hours=2) == [now, None]


async def test_what_is_asked_for_is_bounded(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    for hours, ahead, field in OUT_OF_BOUNDS:
        begins_at = api.lanes.clock.now() + ahead
        [error] = (await ask(api, token, hours=hours, begins_at=begins_at))["errors"]
        assert error["extensions"]["code"] == "INVALID_INPUT"
        assert error["message"].startswith(f"{field}: expected ")

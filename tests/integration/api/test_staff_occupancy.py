"""How full a place is, for drivers and staff; counts that people set; spaces kept for passes."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from api.global_ids import encode_id
from parking.flows import occupancy_desk
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE, read_of
from tests.factories.pass_desk import PassDesk

PATH = "/staff/graphql"
STRANGERS = [f"京B{number:05}" for number in range(10_000, 10_020)]
POOL = "id keptFor spaces occupied free sessions belowZero overflowed"
SHOW = f"query Show($id: ID!) {{ occupancy(placeId: $id) {{ areaId name supply isFull keepsClosed reopenFree public {{ {POOL} }} reserved {{ {POOL} }} }} }}"  # noqa: E501
COUNTS = (
    "query Counts($id: ID!) { occupancyCounts(poolId: $id) { before after sessions by reason } }"
)
REFUSALS = "... on Refusal { code } ... on InvalidInput { field }"
SET = f'mutation Set($id: ID!, $occupied: Int, $reason: String! = "counted") {{ setOccupancy(input: {{poolId: $id, occupied: $occupied, reason: $reason}}) {{ __typename ... on OccupancyCounted {{ before after }} {REFUSALS} }} }}'  # noqa: E501
SIGN = f"mutation Sign($id: ID!, $closed: Boolean! = true, $reopen: Int! = 1) {{ setFullSign(input: {{areaId: $id, keepsClosed: $closed, reopenFree: $reopen}}) {{ __typename ... on PoolSet {{ isFull keepsClosed reopenFree }} {REFUSALS} }} }}"  # noqa: E501
KEEP = f"mutation Keep($id: ID!, $product: ID!, $spaces: Int!) {{ keepSpaces(input: {{areaId: $id, productId: $product, spaces: $spaces}}) {{ __typename ... on PoolSet {{ spaces }} {REFUSALS} }} }}"  # noqa: E501
AVAILABILITY = "query Room($id: ID!) { availability(placeId: $id) { name spaces free isFull } }"


async def do(api: ApiWorld, query: str, token: str | None, **variables: Any) -> Any:  # noqa: ANN401 - JSON
    data = await api.ask(query, variables, token=token, path=PATH)
    return next(iter(data.values()))


@pytest.fixture
def ada(api: ApiWorld) -> str:
    return api.tokens.issue_staff(api.lanes.entry.operator_id, "Ada")[0]


def place_id(api: ApiWorld) -> str:
    return encode_id("Place", api.lanes.entry.operator_id, api.lanes.entry.place_id)


async def area(api: ApiWorld, token: str) -> dict[str, Any]:
    [found] = await do(api, SHOW, token, id=place_id(api))
    return found


async def come(api: ApiWorld, plate: str) -> str:
    world = api.lanes
    car = await world.arrive(world.entry)
    decision = await world.decide(world.entry, car, read_of(plate))
    if decision.action == "open":
        await world.barrier(world.entry, car, "opened", "passed")
    await world.clear(world.entry, car)
    world.wait(seconds=1)
    return decision.reason


async def test_drivers_and_staff_see_how_much_room_there_is(api: ApiWorld, ada: str) -> None:
    _, driver = await api.add_driver()
    empty = await api.ask(AVAILABILITY, {"id": place_id(api)}, token=driver)
    assert empty["availability"] == [{"name": "B1", "spaces": 5, "free": 5, "isFull": False}]
    for plate in STRANGERS[:6]:
        assert await come(api, plate) == "entered"
    full = await api.ask(AVAILABILITY, {"id": place_id(api)}, token=driver)
    assert full["availability"] == [{"name": "B1", "spaces": 5, "free": 0, "isFull": True}]
    shown = (await area(api, ada))["public"]
    assert (shown["occupied"], shown["sessions"], shown["overflowed"]) == (6, 6, 1)
    body = await api.post(AVAILABILITY, {"id": place_id(api)})
    assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_count_is_set_with_name_and_reason_and_cannot_be_changed(
    api: ApiWorld, ada: str
) -> None:
    await come(api, PLATE)
    found = await area(api, ada)
    pool_id = found["public"]["id"]
    for occupied, reason, field in (
        (-1, "x", "occupied"),
        (100_001, "x", "occupied"),
        (1, " ", "reason"),
    ):
        refused = await do(api, SET, ada, id=pool_id, occupied=occupied, reason=reason)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)
    assert await api.lanes.count("occupancy_counts") == 0
    assert (await do(api, SET, ada, id=pool_id, occupied=5))["after"] == 5
    assert (await area(api, ada))["isFull"] is True
    api.lanes.wait(seconds=1)
    back = await do(api, SET, ada, id=pool_id, reason="night round")
    assert back == {"__typename": "OccupancyCounted", "before": 5, "after": 1}
    assert (await area(api, ada))["isFull"] is False
    counts = await do(api, COUNTS, ada, id=pool_id)
    assert [(one["before"], one["after"], one["sessions"]) for one in counts] == [
        (5, 1, 1),
        (1, 5, 1),
    ]
    assert counts[0]["by"] == f"{api.lanes.entry.operator_id}:Ada"
    told = await api.lanes.rows("SELECT type FROM outbox WHERE type = 'SignChanged'")
    assert len(told) == 2
    with pytest.raises(DBAPIError, match="rows are never changed or deleted"):
        await api.lanes.rows_changed("UPDATE occupancy_counts SET counted_by = 'Eve'")


async def test_strangers_neither_see_nor_set(api: ApiWorld, ada: str) -> None:
    await come(api, PLATE)
    found = await area(api, ada)
    eve = api.tokens.issue_staff(uuid4(), "Eve")[0]
    _, driver = await api.add_driver("ZZ99999")
    product = encode_id("PassProduct", api.lanes.entry.operator_id, uuid4())
    acts = (
        (SET, {"id": found["public"]["id"], "occupied": 0}),
        (SIGN, {"id": found["areaId"]}),
        (KEEP, {"id": found["areaId"], "product": product, "spaces": 1}),
    )
    for query, variables in acts:
        assert (await do(api, query, eve, **variables))["code"] == "POOL_UNKNOWN"
        for token in (driver, None):
            assert (await do(api, query, token, **variables))["code"] == "UNAUTHENTICATED"
    assert (await do(api, KEEP, ada, **acts[2][1]))["code"] == "POOL_UNKNOWN"
    assert await do(api, SHOW, eve, id=place_id(api)) == []
    assert await do(api, COUNTS, eve, id=found["public"]["id"]) == []
    assert (await area(api, ada))["public"] == found["public"]


async def test_who_has_a_space_kept_comes_in_when_the_public_ones_are_full(
    api: ApiWorld, ada: str
) -> None:
    world = api.lanes
    driver_id, _ = await api.add_driver(PLATE)
    await world.permit(driver_id)
    desk = PassDesk(world)
    product = await desk.add_product()
    await desk.buy(driver_id, product)
    area_id = (await area(api, ada))["areaId"]
    product_id = encode_id("PassProduct", product.operator_id, product.id)
    refused = await do(api, KEEP, ada, id=area_id, product=product_id, spaces=6)
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "spaces")
    assert (await do(api, KEEP, ada, id=area_id, product=product_id, spaces=2))["spaces"] == 2
    assert (await do(api, SIGN, ada, id=area_id, reopen=4))["field"] == "reopenFree"
    assert (await do(api, SIGN, ada, id=area_id))["keepsClosed"] is True

    came = [await come(api, plate) for plate in STRANGERS[:4]]
    assert came == ["entered"] * 3 + ["full"]
    assert await come(api, PLATE) == "entered"
    found = await area(api, ada)
    assert (found["public"]["spaces"], found["public"]["occupied"]) == (3, 3)
    [kept] = found["reserved"]
    assert (kept["keptFor"], kept["spaces"], kept["occupied"], kept["sessions"]) == (
        "Month",
        2,
        1,
        1,
    )
    smaller = await do(api, KEEP, ada, id=area_id, product=product_id, spaces=0)
    assert smaller["field"] == "spaces"

    await world.drive_out(PLATE)
    found = await area(api, ada)
    assert (found["public"]["occupied"], found["reserved"][0]["occupied"]) == (3, 0)
    assert (await do(api, KEEP, ada, id=area_id, product=product_id, spaces=0))["spaces"] == 0
    assert await come(api, STRANGERS[3]) == "entered"


async def test_a_pass_beyond_the_kept_spaces_takes_a_public_one(api: ApiWorld, ada: str) -> None:
    world = api.lanes
    driver_id, _ = await api.add_driver(PLATE)
    await world.permit(driver_id)
    desk = PassDesk(world)
    product = await desk.add_product(spaces=2, plates_max=2)
    await desk.bind(driver_id, STRANGERS[0])
    await desk.buy(driver_id, product)
    operator_id, area_id = world.entry.operator_id, world.entry.area_id
    await occupancy_desk.keep_spaces(world.context, operator_id, area_id, product.id, spaces=1)
    assert [await come(api, plate) for plate in (PLATE, STRANGERS[0])] == ["entered"] * 2
    found = await area(api, ada)
    assert (found["public"]["occupied"], found["reserved"][0]["occupied"]) == (1, 1)


async def test_a_count_set_while_cars_come_loses_none_of_them(api: ApiWorld, ada: str) -> None:
    world = api.lanes
    await come(api, PLATE)
    cars = [await world.arrive(lane) for lane in (world.entry, world.second_entry)]
    pool_id = (await area(api, ada))["public"]["id"]
    await asyncio.gather(
        do(api, SET, ada, id=pool_id),
        world.decide(world.entry, cars[0], read_of(STRANGERS[0])),
        world.decide(world.second_entry, cars[1], read_of(STRANGERS[1])),
    )
    await do(api, SET, ada, id=pool_id)
    shown = (await area(api, ada))["public"]
    assert (shown["occupied"], shown["sessions"]) == (3, 3)

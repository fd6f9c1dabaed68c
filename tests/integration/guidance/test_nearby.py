"""Places near by: in their order, page by page, by an index, with few statements."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, cast
from uuid import UUID

import pytest
from sqlalchemy import QueuePool, text

from parking.flows.guidance import expected, nearby, nearby_rows
from parking.flows.guidance.nearby import NearbyAsk, NearbyOrder, PlannedStay
from parking.flows.guidance.planned_price import PriceFactor
from parking.kit.geography import Position, distance_m
from parking.kit.money import Money
from parking.places import positions
from parking.places.positions import Entrance, EntranceUse, Whereabouts
from parking.tariffs import service as tariffs
from parking.tariffs.rules import PricedStay, price
from tests.factories.api import ApiWorld
from tests.factories.ground import BUND, add_place, add_row_of_places
from tests.factories.lane_world import RATE_TABLE, LaneWorld
from tests.factories.pass_desk import PassDesk
from tests.factories.statements import collected

QUERY: Final = """
query ($near: GeoPositionInput!, $radius: Int! = 2000, $stay: PlannedStayInput, $free: Int,
    $order: NearbyOrder! = DISTANCE, $worth: MoneyInput, $first: Int! = 20, $after: String,
    $vehicle: QuotedVehicleInput) {
  nearbyPlaces(near: $near, radiusM: $radius, stay: $stay, freeMin: $free, order: $order,
      minuteWorth: $worth, first: $first, after: $after, vehicle: $vehicle) {
    edges { cursor node {
      place { name } position { latitude longitude } address distanceM walkingMinutes spaces freeNow
      entrances { name use position { latitude longitude } }
      expected { expected low high weeks } total { amountMinor currency } coveredBy { name }
      price { amount { amountMinor currency } low { amountMinor } high { amountMinor } dependsOn }
      navigation { geo apple google amap baidu }
    } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
TARIFFS: Final = """
query ($near: GeoPositionInput!, $stay: PlannedStayInput) {
  nearbyPlaces(near: $near, stay: $stay) { edges { node { place { tariff { version } } } } }
}
"""
HERE: Final = {"latitude": BUND.latitude, "longitude": BUND.longitude}
OUT_OF_BOUNDS: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    ({"near": {"latitude": 91, "longitude": 0}}, "near.latitude"),
    ({"near": {"latitude": 0, "longitude": -181}}, "near.longitude"),
    ({"radius": 0}, "radiusM"),
    ({"radius": 50_001}, "radiusM"),
    ({"free": -1}, "freeMin"),
    ({"first": 0}, "first"),
    ({"first": 101}, "first"),
    ({"order": "PRICE"}, "stay"),
    ({"after": "bm90aGluZw"}, "after"),
    ({"after": "é"}, "after"),
    ({"worth": {"amountMinor": -1, "currency": "CNY"}}, "minuteWorth.amountMinor"),
    ({"worth": {"amountMinor": 1, "currency": "yuan"}}, "minuteWorth.currency"),
)
STAYS_OUT_OF_BOUNDS: Final = (
    (0, timedelta(), "stay.minutes"),
    (31 * 1440 + 1, timedelta(), "stay.minutes"),
    (60, timedelta(minutes=-6), "stay.from"),
    (60, timedelta(days=32), "stay.from"),
)
# On both sides of the antimeridian, and all around a pole.
ENDS: Final = (
    (Position.of(-17, 179.999), [Position.of(-17, -179.999), Position.of(-17, 179.99)]),
    (Position.of(89.999, 10), [Position.of(89.999, -170), Position.of(90, 0)]),
    (Position.of(-90, 0), [Position.of(-89.995, 123), Position.of(-89.99, -60)]),
)


def stay(api: ApiWorld, minutes: int = 90, *, ahead: timedelta = timedelta()) -> dict[str, Any]:
    return {"from": (api.lanes.clock.now() + ahead).isoformat(), "minutes": minutes}


async def find(api: ApiWorld, *, token: str | None = None, **asked: object) -> dict[str, Any]:
    answer = await api.ask(QUERY, {"near": HERE} | asked, token=token)
    return answer["nearbyPlaces"]


def names(page: Mapping[str, Any]) -> list[str]:
    return [edge["node"]["place"]["name"] for edge in page["edges"]]


async def set_taken(world: LaneWorld, place_id: UUID, cars: int) -> None:
    """Let so many spaces be taken, one of them by a reservation."""
    await world.rows_changed(
        "INSERT INTO space_pools (operator_id, id, place_id, area_id, spaces, occupied, kept,"
        " is_full, reopen_free, keeps_closed, below_zero, overflowed, counted_at)"
        " SELECT operator_id, id, place_id, id, supply, :cars - 1, 1, false, 1, false, 0, 0, now()"
        " FROM identified_areas WHERE place_id = :place_id",
        cars=cars,
        place_id=place_id,
    )


async def test_a_place_near_by_says_all_there_is_to_know(api: ApiWorld) -> None:
    door = Entrance("Lift", Position.of(31.2404, 121.49), EntranceUse.PEDESTRIANS)
    ramp = Entrance("Ramp", Position.of(31.2412, 121.49), EntranceUse.VEHICLES)
    async with api.lanes.context.database.begin() as unit:
        await add_place(
            unit,
            api.lanes.entry.operator_id,
            "Tower",
            Position.of(31.2410, 121.49),
            entrances=(door, ramp),
        )
    page = await find(api, stay=stay(api))
    [edge] = page["edges"]
    assert page["pageInfo"]["hasNextPage"] is False
    node = edge["node"]
    links = node.pop("navigation")
    # Where cars go in.
    assert links["geo"] == "geo:31.241200,121.490000"
    assert node == {
        "place": {"name": "Tower"},
        "position": {"latitude": 31.241, "longitude": 121.49},
        "address": "Tower Road 1",
        "entrances": [
            {
                "name": "Lift",
                "use": "PEDESTRIANS",
                "position": {"latitude": 31.2404, "longitude": 121.49},
            },
            {
                "name": "Ramp",
                "use": "VEHICLES",
                "position": {"latitude": 31.2412, "longitude": 121.49},
            },
        ],
        "distanceM": 111,
        # From the lift, 44.478 m away: 48.2 s.
        "walkingMinutes": 1,
        "spaces": 10,
        "freeNow": 10,
        "expected": None,
        "price": {
            "amount": {"amountMinor": 1500, "currency": "CNY"},
            "low": {"amountMinor": 1500},
            "high": {"amountMinor": 1500},
            "dependsOn": [],
        },
        "total": None,
        "coveredBy": None,
    }


async def test_pages_by_distance_have_no_gap_and_nothing_twice(api: ApiWorld) -> None:
    made = await add_row_of_places(api.lanes, 7)
    # Two at the very same position, which only their ids tell apart.
    async with api.lanes.context.database.begin() as unit:
        for name in ("Twin", "Other twin"):
            await add_place(unit, api.lanes.entry.operator_id, name, Position.of(31.2425, 121.49))
    await set_taken(api.lanes, made[1], 10)
    whole = names(await find(api))
    assert whole[:2] == ["Place 0", "Place 2"]
    assert len(whole) == len(set(whole)) == 8
    for order in ("DISTANCE", "PRICE"):
        seen: list[str] = []
        after = None
        while True:
            page = await find(api, first=3, after=after, order=order, stay=stay(api))
            seen += names(page)
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert seen == whole, order


async def test_a_full_place_is_left_out_for_who_comes_now(api: ApiWorld) -> None:
    near, far = await add_row_of_places(api.lanes, 2)
    await set_taken(api.lanes, near, 12)
    await set_taken(api.lanes, far, 6)
    assert names(await find(api)) == ["Place 1"]
    assert names(await find(api, free=4)) == ["Place 1"]
    assert names(await find(api, free=5)) == []
    assert names(await find(api, free=0)) == ["Place 0", "Place 1"]
    # In three hours it may have room again.
    later = await find(api, stay=stay(api, ahead=timedelta(hours=3)))
    assert names(later) == ["Place 0", "Place 1"]
    assert [edge["node"]["freeNow"] for edge in later["edges"]] == [0, 4]


async def test_an_area_that_lets_nobody_in_has_no_space(api: ApiWorld) -> None:
    near, far = await add_row_of_places(api.lanes, 2)
    await set_taken(api.lanes, near, 8)
    await set_taken(api.lanes, far, 8)
    # A full sign alone keeps nobody out.
    await api.lanes.rows_changed("UPDATE space_pools SET is_full = true, reopen_free = 5")
    closed = "UPDATE space_pools SET keeps_closed = true WHERE place_id = :place_id"
    await api.lanes.rows_changed(closed, place_id=near)
    assert names(await find(api)) == ["Place 1"]
    page = await find(api, free=0)
    assert [edge["node"]["freeNow"] for edge in page["edges"]] == [0, 2]
    context, now = api.lanes.context, api.lanes.clock.now()
    operator_id = api.lanes.entry.operator_id
    for place_id, free in ((near, 0), (far, 2)):
        [area] = await expected.show(context, operator_id, place_id, begins_at=now, hours=1)
        assert area.free == free


async def test_the_cheapest_and_the_least_in_all_come_first(api: ApiWorld) -> None:
    dear = {**RATE_TABLE, "timezone": "Europe/Berlin", "currency": "EUR"}
    cheap = {
        "timezone": "Asia/Shanghai",
        "currency": "CNY",
        "collections": [{"lines": [{"kind": "flat", "value": 1000}]}],
    }
    async with api.lanes.context.database.begin() as unit:
        operator_id = api.lanes.entry.operator_id
        for name, latitude, table in (
            ("Near", 31.2405, RATE_TABLE),
            ("Euro", 31.2410, dear),
            ("Cheap", 31.2460, cheap),
        ):
            place = Position.of(latitude, 121.49)
            await add_place(unit, operator_id, name, place, rate_table=table)
    assert names(await find(api)) == ["Near", "Euro", "Cheap"]
    by_price = await find(api, order="PRICE", stay=stay(api))
    # 10.00 before 15.00; euros are not compared.
    assert names(by_price) == ["Cheap", "Near", "Euro"]
    worth = {"amountMinor": 20, "currency": "CNY"}
    cheapest = await find(api, order="TOTAL", stay=stay(api), worth=worth)
    # Cheap is 667.17 m away, 723 s on foot, there and back 482 fen; Near 55.6 m, 61 s and 41 fen.
    assert names(cheapest) == ["Cheap", "Near", "Euro"]
    totals = [edge["node"]["total"] for edge in cheapest["edges"]]
    assert totals == [
        {"amountMinor": 1482, "currency": "CNY"},
        {"amountMinor": 1541, "currency": "CNY"},
        None,
    ]
    worth = {"amountMinor": 30, "currency": "CNY"}
    assert names(await find(api, order="TOTAL", stay=stay(api), worth=worth)) == [
        "Near",
        "Cheap",
        "Euro",
    ]


async def test_a_price_that_hangs_on_the_vehicle_is_a_range_with_its_reasons(
    api: ApiWorld,
) -> None:
    table = {
        **RATE_TABLE,
        "variants": [
            {
                "name": "Electric",
                "eligibility": {"ev": True},
                "collections": [{"lines": [{"kind": "flat", "value": 300}]}],
            },
            {
                "name": "Lorries",
                "eligibility": {"vehicle_classes": ["truck"]},
                "collections": [{"lines": [{"kind": "flat", "value": 2500}]}],
            },
        ],
    }
    async with api.lanes.context.database.begin() as unit:
        await add_place(unit, api.lanes.entry.operator_id, "Tower", BUND, rate_table=table)
    [edge] = (await find(api, stay=stay(api)))["edges"]
    assert edge["node"]["price"] == {
        "amount": {"amountMinor": 1500, "currency": "CNY"},
        "low": {"amountMinor": 300},
        "high": {"amountMinor": 2500},
        "dependsOn": [PriceFactor.VEHICLE_CLASS.name, PriceFactor.EV.name],
    }
    [edge] = (await find(api, stay=stay(api), vehicle={"isEv": True}))["edges"]
    assert edge["node"]["price"] == {
        "amount": {"amountMinor": 300, "currency": "CNY"},
        "low": {"amountMinor": 300},
        "high": {"amountMinor": 300},
        "dependsOn": [],
    }


async def test_a_drivers_pass_is_named_and_nobody_elses(api: ApiWorld) -> None:
    world, desk = api.lanes, PassDesk(api.lanes)
    place_id = world.entry.place_id
    where = Whereabouts(BUND)
    async with world.context.database.begin() as unit:
        await positions.set_whereabouts(unit, world.entry.operator_id, place_id, where, by="Lee")
    await add_row_of_places(world, 1)
    driver_id = await desk.buyer()
    await desk.buy(driver_id, await desk.add_product())
    other = await world.add_driver("ZZ1")
    for asker, cover in ((driver_id, {"name": "Month"}), (other, None), (None, None)):
        token = None if asker is None else await api.token_of(asker)
        page = await find(api, token=token, stay=stay(api))
        covers = {
            edge["node"]["place"]["name"]: edge["node"]["coveredBy"] for edge in page["edges"]
        }
        assert covers == {"Riverside": cover, "Place 0": None}
    ask = NearbyAsk(near=BUND, stay=PlannedStay(world.clock.now(), 90), driver_id=driver_id)
    with collected(world.context.database) as statements:
        await nearby.find_nearby(world.context, ask, first=50)
    # The rate tables are known by now; the driver's passes are three statements.
    assert len(statements) == 6


async def test_many_places_take_the_statements_of_few(api: ApiWorld) -> None:
    world = api.lanes
    driver_id, _ = await api.add_driver()
    counted: list[int] = []
    for more, places in ((2, 2), (20, 22)):
        await add_row_of_places(world, more, step=100)
        for order in NearbyOrder:
            tariffs._versions.clear()  # pyright: ignore[reportPrivateUsage]
            ask = NearbyAsk(
                near=BUND,
                stay=PlannedStay(world.clock.now(), 90),
                order=order,
                minute_worth=Money(10, "CNY"),
                driver_id=driver_id,
            )
            with collected(world.context.database) as statements:
                page = await nearby.find_nearby(world.context, ask, first=50)
            assert len(page.places) == places
            counted.append(len(statements))
    # The nearest, their rate tables, their areas, their usual hours, and the driver's passes.
    assert counted == [5] * 6


async def test_no_connection_waits_while_prices_are_compared(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_row_of_places(api.lanes, 2)
    database = api.lanes.context.database
    pool = cast("QueuePool", database._engine.pool)  # pyright: ignore[reportPrivateUsage]
    held: list[int] = []

    def priced(*args: Any, **named: Any) -> PricedStay:  # noqa: ANN401 - as `price`
        held.append(pool.checkedout())
        return price(*args, **named)

    monkeypatch.setattr(nearby, "price", priced)
    stay = PlannedStay(api.lanes.clock.now(), 90)
    ask = NearbyAsk(near=BUND, stay=stay, order=NearbyOrder.PRICE)
    assert len((await nearby.find_nearby(api.lanes.context, ask, first=5)).places) == 2
    assert held == [0, 0]


async def test_the_tariffs_of_many_places_are_one_statement_more(api: ApiWorld) -> None:
    await add_row_of_places(api.lanes, 6)
    tariffs._versions.clear()  # pyright: ignore[reportPrivateUsage]
    with collected(api.lanes.context.database) as statements:
        answer = await api.ask(TARIFFS, {"near": HERE})
    assert [edge["node"]["place"]["tariff"] for edge in answer["nearbyPlaces"]["edges"]] == [
        {"version": 1}
    ] * 6
    # The nearest, and what is in force at all of them.
    assert len(statements) == 2


async def test_the_index_finds_them_among_many(api: ApiWorld) -> None:
    world = api.lanes
    await world.rows_changed(
        "INSERT INTO places (operator_id, id, name, timezone, currency, created_at)"
        " SELECT operator_id, gen_random_uuid(), 'Far', timezone, currency, created_at"
        " FROM places, generate_series(1, 5000)"
    )
    await world.rows_changed(
        "INSERT INTO place_positions SELECT operator_id, id,"
        " hashtext(CAST(id AS text)) % 80000000, hashtext(name || CAST(id AS text)) % 170000000,"
        " '', '[]', created_at, 'Lee' FROM places"
    )
    await world.rows_changed("ANALYZE place_positions")
    values = nearby_rows.values_of(BUND, 2000) | {
        "free_min": 0,
        "arrives_at": world.clock.now(),
        "after_mm": -1,
        "after_operator": UUID(int=0),
        "after_place": UUID(int=0),
        "rows": 20,
    }
    async with world.context.database.begin() as unit:
        plan = await unit.run(text(f"EXPLAIN {nearby_rows.NEAREST}"), values)
        told = "\n".join(row[0] for row in plan)
    assert "ix_place_positions_point" in told
    assert "Seq Scan on place_positions" not in told
    # Places are looked up in their order, until the page is full: not all, to be sorted then.
    assert told.index("Nested Loop") < told.index("Sort Key")


async def test_the_ends_of_the_world_are_near_by(api: ApiWorld) -> None:
    async with api.lanes.context.database.begin() as unit:
        for center, others in ENDS:
            for number, position in enumerate(others):
                name = f"{center.latitude} {number}"
                await add_place(unit, api.lanes.entry.operator_id, name, position)
    for center, others in ENDS:
        near = {"latitude": center.latitude, "longitude": center.longitude}
        found = (await find(api, near=near))["edges"]
        metres = [distance_m(center, one) for one in others]
        nearest = sorted(range(len(others)), key=metres.__getitem__)
        assert [edge["node"]["place"]["name"] for edge in found] == [
            f"{center.latitude} {number}" for number in nearest
        ]
        assert [edge["node"]["distanceM"] for edge in found] == [
            round(metres[number]) for number in nearest
        ]


async def test_what_is_out_of_bounds_is_named(api: ApiWorld) -> None:
    for asked, field in OUT_OF_BOUNDS:
        body = await api.post(QUERY, {"near": HERE} | asked)
        [error] = body["errors"]
        assert error["extensions"]["code"] == "INVALID_INPUT"
        assert error["message"].startswith(f"{field}: expected "), asked
    for minutes, ahead, field in STAYS_OUT_OF_BOUNDS:
        body = await api.post(QUERY, {"near": HERE, "stay": stay(api, minutes, ahead=ahead)})
        assert body["errors"][0]["message"].startswith(f"{field}: expected "), (minutes, ahead)


async def test_a_cursor_of_another_order_is_refused_and_a_bad_token_too(api: ApiWorld) -> None:
    await add_row_of_places(api.lanes, 2)
    cursor = (await find(api, first=1))["pageInfo"]["endCursor"]
    asked = {"near": HERE, "after": cursor, "order": "PRICE", "stay": stay(api)}
    body = await api.post(QUERY, asked)
    assert body["errors"][0]["message"].startswith("after: expected ")
    refused = await api.post(QUERY, {"near": HERE}, token="bad")
    assert refused["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"

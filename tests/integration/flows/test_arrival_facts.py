"""What an entry looks at in one statement, and that it never skips what there is."""

from dataclasses import asdict, replace
from datetime import timedelta
from uuid import UUID

import pytest

from parking.flows import arrival_facts
from parking.flows.arrival_facts import ArrivalFacts
from parking.kit.ids import new_id
from parking.places.errors import PlaceUnknownError
from parking.plates import service as plates
from parking.plates import vehicles
from parking.plates.vehicles import VehicleEntry
from parking.sessions.service import session_id_of
from parking.tariffs import service as tariffs
from parking.tariffs.errors import RateTableMissingError
from tests.factories.lane_world import PLATE, RATE_TABLE, LaneWorld, read_of
from tests.factories.statements import collected

DEPARTED = (
    "INSERT INTO departures (operator_id, place_id, plate_index, session_id, left_at, merge_until)"
    " VALUES (:operator_id, :place_id, :plate_index, :id, :now, :now)"
)
USED = (
    "INSERT INTO allowance_uses"
    " (operator_id, place_id, plate_index, allowance, period, used_s, updated_at)"
    " VALUES (:operator_id, :place_id, :plate_index, 'EV hour', '2026-01-01', 60, :now)"
)
NOTHING = {
    "has_stay": False,
    "is_inside": False,
    "is_known": False,
    "has_traces": False,
    "has_pass": False,
    "is_claimed": False,
}


async def facts_of(world: LaneWorld, presentation_id: UUID | None = None) -> ArrivalFacts:
    index = plates.plate_index(world.context.vault, PLATE)
    async with world.context.database.begin() as unit:
        return await arrival_facts.find(
            unit, world.entry, presentation_id or new_id(unit.now()), index
        )


def flags(facts: ArrivalFacts) -> dict[str, bool]:
    return {name: value for name, value in asdict(facts).items() if isinstance(value, bool)}


async def leave(world: LaneWorld, what: str) -> None:
    """Let the plate have one thing."""
    sql = {"departure": DEPARTED, "allowance": USED}.get(what)
    lane, now = world.entry, world.clock.now()
    values = {
        "operator_id": lane.operator_id,
        "place_id": lane.place_id,
        "plate_index": plates.plate_index(world.context.vault, PLATE),
        "id": new_id(now),
        "now": now,
    }
    if sql is not None:
        used = {name: value for name, value in values.items() if f":{name}" in sql}
        await world.rows_changed(sql, **used)
    elif what == "binding":
        await world.add_driver()
    elif what == "stay":
        await world.drive_in()
    else:
        async with world.context.database.begin() as unit:
            if what == "claim":
                await plates.claim_plate(unit, new_id(now), PLATE)
            else:
                record = VehicleEntry(PLATE, vehicle_class="truck")
                await vehicles.record_vehicles(unit, lane.operator_id, [record], by="Ann")


async def test_a_stranger_has_nothing_but_the_place(world: LaneWorld) -> None:
    facts = await facts_of(world)
    assert flags(facts) == NOTHING
    assert (facts.place_name, facts.timezone, facts.currency) == (
        "Riverside",
        "Asia/Shanghai",
        "CNY",
    )


@pytest.mark.parametrize(
    ("what", "flag"),
    [
        ("binding", "is_known"),
        ("record", "is_known"),
        ("departure", "has_traces"),
        ("allowance", "has_traces"),
        ("claim", "is_claimed"),
        ("stay", "is_inside"),
    ],
)
async def test_what_a_plate_has_is_named(world: LaneWorld, what: str, flag: str) -> None:
    await leave(world, what)
    assert flags(await facts_of(world)) == NOTHING | {flag: True}


async def test_the_stay_that_a_car_caused_is_named(world: LaneWorld) -> None:
    car = await world.arrive(world.entry)
    await world.decide(world.entry, car, read_of(PLATE))
    facts = await facts_of(world, car)
    assert flags(facts) == NOTHING | {"is_inside": True, "has_stay": True}
    assert await world.rows("SELECT id FROM sessions") == [{"id": session_id_of(car)}]


async def test_a_stay_that_is_set_aside_leaves_what_it_took(world: LaneWorld) -> None:
    """It was not there when the facts were asked for: the entry itself made it."""
    lane, hour = world.entry, {"name": "hour", "minutes": 60, "per": "calendar_day"}
    async with world.context.database.begin() as unit:
        body = RATE_TABLE | {"allowances": [hour]}
        await tariffs.publish(unit, lane.operator_id, lane.place_id, currency="CNY", body=body)
    world.wait(seconds=1)
    await world.drive_in()
    world.wait(minutes=40)
    await world.drive_in()
    stays = await world.rows("SELECT state, circumstances FROM sessions ORDER BY entered_at")
    assert [stay["state"] for stay in stays] == ["unresolved", "active"]
    [(name, used)] = stays[1]["circumstances"]["allowances_used_s"].items()
    assert (name, list(used.values())) == ("hour", [2400])


async def test_the_rate_table_is_the_one_in_force(world: LaneWorld) -> None:
    """The newest of those that began at the same moment, and none that begins later."""
    lane = world.entry
    for later in (timedelta(minutes=2), timedelta(minutes=1), timedelta(minutes=1), timedelta(3)):
        async with world.context.database.begin() as unit:
            await tariffs.publish(
                unit,
                lane.operator_id,
                lane.place_id,
                currency="CNY",
                body=RATE_TABLE,
                effective_at=unit.now() + later,
            )
    seen: set[UUID] = set()
    for _ in range(4):
        async with world.context.database.begin() as unit:
            expected = await tariffs.id_in_force(unit, lane.operator_id, lane.place_id, unit.now())
        assert (await facts_of(world)).rate_table_id == expected
        seen.add(expected)
        world.wait(minutes=1)
    assert len(seen) == 3


async def test_a_place_without_rates_lets_nobody_in(world: LaneWorld) -> None:
    await world.rows_changed("DELETE FROM rate_tables")
    car = await world.arrive(world.entry)
    with pytest.raises(RateTableMissingError):
        await world.decide(world.entry, car, read_of(PLATE))
    assert await world.count("sessions") == 0
    assert await world.count("gate_commands") == 0


async def test_a_place_that_is_not_there_is_named(world: LaneWorld) -> None:
    world.entry = replace(world.entry, place_id=new_id(world.clock.now()))
    with pytest.raises(PlaceUnknownError):
        await facts_of(world)


@pytest.mark.parametrize(
    ("what", "statements"),
    [("record", 11), ("departure", 12), ("allowance", 11), ("claim", 13)],
)
async def test_only_what_a_plate_has_is_asked_for(
    world: LaneWorld, what: str, statements: int
) -> None:
    await leave(world, what)
    car = await world.arrive(world.entry)
    with collected(world.context.database) as seen:
        decision = await world.decide(world.entry, car, read_of(PLATE))
    assert decision.action == "open"
    assert len(seen) == statements

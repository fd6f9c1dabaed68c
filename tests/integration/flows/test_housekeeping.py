"""What is forgotten, and what is not."""

from parking.flows.housekeeping import purge_expired
from parking.plates import service as plates
from parking.tariffs import service as tariffs
from tests.factories.lane_world import RATE_TABLE, LaneWorld


async def test_expired_claims_and_codes_go_and_bindings_stay(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    async with world.context.database.begin() as unit:
        await plates.claim_plate(unit, driver_id, "沪B12345")
    await world.drive_in("沪B12345")
    assert (await world.count("binding_claims"), await world.count("lane_codes")) == (1, 1)
    world.wait(days=7)
    assert (await purge_expired(world.context.database))["lane_codes"] == 0
    world.wait(days=2)
    purged = await purge_expired(world.context.database)
    assert (purged["binding_claims"], purged["lane_codes"]) == (1, 1)
    assert (await world.count("binding_claims"), await world.count("lane_codes")) == (0, 0)
    assert await world.count("plate_bindings") == 1
    assert await world.count("sessions") == 1


async def test_traces_of_stays_go_after_their_time(world: LaneWorld) -> None:
    allowance = {"name": "first half hour", "minutes": 30}
    async with world.context.database.begin() as unit:
        await tariffs.publish(
            unit,
            world.entry.operator_id,
            world.entry.place_id,
            currency="CNY",
            body=RATE_TABLE | {"grace": 0, "reentry_merge": 60, "allowances": [allowance]},
        )
    world.wait(seconds=1)
    await world.drive_in()
    world.wait(minutes=20)
    await world.drive_out()
    world.wait(days=7)
    purged = await purge_expired(world.context.database)
    assert (purged["departures"], purged["allowance_uses"]) == (0, 0)
    world.wait(hours=2)
    purged = await purge_expired(world.context.database)
    assert (purged["departures"], purged["allowance_uses"]) == (1, 1)
    assert await world.count("sessions") == 1

"""What is forgotten, and what is not."""

from parking.flows.housekeeping import purge_expired
from parking.plates import service as plates
from tests.factories.lane_world import LaneWorld


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

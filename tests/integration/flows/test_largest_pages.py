"""The largest page that a driver may ask for, and the one row more that tells of another page."""

import pytest

from api.config import PAGE_SIZE_MAX
from parking.drivers import stays
from parking.drivers.models import DriverStay
from parking.kit.ids import new_id
from tests.factories.lane_world import LaneWorld

MORE = PAGE_SIZE_MAX + 1


@pytest.mark.parametrize("behind_newest", [False, True])
async def test_the_largest_page_of_stays_tells_whether_another_follows(
    world: LaneWorld, *, behind_newest: bool
) -> None:
    driver_id = await world.add_driver("京A88731")
    operator_id, now = new_id(world.clock.now()), world.clock.now()
    ids = sorted((new_id(now) for _ in range(MORE)), reverse=True)
    async with world.context.database.begin() as unit:
        for session_id in ids:
            unit.session.add(
                DriverStay(
                    driver_id=driver_id,
                    session_id=session_id,
                    operator_id=operator_id,
                    entered_at=now,
                )
            )
    async with world.context.database.begin() as unit:
        after = ids[0] if behind_newest else None
        found = await stays.list_page(unit, driver_id, first=MORE, after=after)
    assert [stay.session_id for stay in found] == ids[behind_newest:]

from collections.abc import AsyncGenerator

import pytest

from tests.factories.lane_world import LaneWorld, open_lane_world


@pytest.fixture
async def world(database_url: str, valkey_url: str) -> AsyncGenerator[LaneWorld]:
    async with open_lane_world(database_url, valkey_url) as opened:
        yield opened

"""Waiting until a transaction waits for another one: only PostgreSQL knows."""

import asyncio
from typing import Any, Final

from tests.factories.lane_world import LaneWorld

LIMIT_S: Final = 10
_WAITING: Final = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def until_blocked(world: LaneWorld, task: asyncio.Task[Any]) -> None:
    """Return when `task` waits for a lock; fails where it ends without having waited."""
    async with asyncio.timeout(LIMIT_S):
        while not await world.rows(_WAITING):
            assert not task.done(), task
            await asyncio.sleep(0.01)

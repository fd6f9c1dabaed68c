"""The process that queues a campaign is killed in the middle of a chunk, and another goes on."""

import asyncio
import base64
import json
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from parking.campaigns.models import RunState
from parking.campaigns.queueing import CAPS_LOCK
from parking.flows.campaigns.queueing_run import RunKey, queue_run
from tests.factories.campaign_world import CampaignWorld, open_campaign_world

DRIVERS: Final = 60
CHUNK_ROWS: Final = 10
TIMEOUT_S: Final = 60
_POLL_S: Final = 0.02
_KEYS: Final = {
    "SESAME_FIELD_KEY": base64.b64encode(b"f" * 32).decode(),
    "SESAME_INDEX_KEY": base64.b64encode(b"i" * 32).decode(),
}
_WAITING: Final = (
    "SELECT 1 AS n FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
)


@asynccontextmanager
async def queueing(key: RunKey, environment: Mapping[str, str]) -> AsyncGenerator[Process]:
    """Let a process queue the run."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sesame.bench.campaign.queueing_process",
        *(str(each) for each in (key.operator_id, key.campaign_id, key.run_id)),
        str(CHUNK_ROWS),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_it_waits(world: CampaignWorld) -> None:
    """Return once a process stands in the middle of a chunk, before the lock of the caps."""
    while True:
        if await world.rows(_WAITING):
            return
        await asyncio.sleep(_POLL_S)


async def test_nobody_is_queued_twice_after_a_kill(database_url: str, valkey_url: str) -> None:
    environment = {"DATABASE_URL": database_url, "REDIS_URL": valkey_url, **_KEYS}
    async with open_campaign_world(database_url, valkey_url) as world:
        await world.add_drivers(DRIVERS)
        campaign = await world.run_campaign()
        run = await world.begin_run(campaign)
        key = RunKey(world.operator_id, campaign.id, run.id)
        state = await queue_run(world.context, key, chunk_rows=CHUNK_ROWS, chunks_max=2)
        assert state is RunState.QUEUEING
        async with world.context.database.begin() as unit:
            await unit.run(CAPS_LOCK)
            async with queueing(key, environment) as process:
                await until_it_waits(world)
                process.kill()
                await process.wait()
        assert await world.states(campaign) == {"queued": 2 * CHUNK_ROWS}
        async with queueing(key, environment) as process:
            assert process.stdout is not None
            told: list[dict[str, Any]] = [json.loads(line) async for line in process.stdout]
        assert told[-1]["state"] == "queued"
        # It went on where the last commit ended.
        assert told[0]["looked_at"] == 3 * CHUNK_ROWS
        assert await world.states(campaign) == {"queued": DRIVERS}
        [row] = await world.rows(
            "SELECT run.looked_at, run.queued, campaign.queued_messages, campaign.committed_minor"
            " FROM campaign_runs AS run JOIN campaigns AS campaign ON campaign.id = run.campaign_id"
        )
        assert row == {
            "looked_at": DRIVERS,
            "queued": DRIVERS,
            "queued_messages": DRIVERS,
            "committed_minor": 5 * DRIVERS,
        }

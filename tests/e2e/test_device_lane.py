"""A camera that nobody here wrote posts by curl, and the lane's relay is pulsed: once, or not."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from parking.kit.clock import SystemClock
from tests.e2e.device_lane import device_lane, needs_curl, read_body
from tests.e2e.stage import Stage

pytestmark = [pytest.mark.asyncio(loop_scope="package"), needs_curl]


async def test_a_posted_read_opens_once_and_repetitions_and_old_reads_do_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    async with device_lane(stage, tmp_path) as lane:
        body = read_body("DV101AA")
        await lane.arrive()
        assert await lane.post(body) == 200
        await lane.opened(1)
        assert await lane.post(body) == 200
        old = SystemClock().now() - timedelta(hours=1)
        assert await lane.post(read_body("DV999ZZ", old, is_late=True)) == 200
        await lane.leave()
        await lane.committed("observation", "pulsed", "late observation", "cleared", "passed")
        assert lane.pulses == 1
        [entered] = await stage.rows(
            "SELECT count(DISTINCT session_id) AS stays FROM presentations WHERE lane_id = :id",
            id=lane.lane_id,
        )
        assert entered["stays"] == 1


async def test_while_the_bridge_or_the_database_is_down_reads_are_taken_and_told_later_in_order(
    stage: Stage, tmp_path: Path
) -> None:
    postgres = stage.town.stack.postgres
    async with device_lane(stage, tmp_path) as lane:
        await asyncio.to_thread(postgres.kill)
        await lane.arrive()
        assert await lane.post(read_body("DV201AA")) == 200
        await lane.leave()
        await lane.arrive()
        assert await lane.post(read_body("DV202BB")) == 200
        assert lane.pulses == 0
        await asyncio.to_thread(postgres.restart)
        # The first car has gone: nothing opens for it. The second still stands there.
        await lane.opened(1)
        await lane.committed(
            "occupied", "observation", "cleared", "occupied", "observation", "pulsed"
        )
        stage.kill("gates")
        await lane.leave()
        await lane.arrive()
        assert await lane.post(read_body("DV203CC")) == 200
        await lane.opened(2)
        await lane.committed("cleared", "passed", "occupied", "observation", "pulsed")


async def test_a_killed_agent_loses_no_read_that_it_took_and_opens_once(
    stage: Stage, tmp_path: Path
) -> None:
    async with device_lane(stage, tmp_path) as lane:
        async with stage.frozen("gates"):
            await lane.arrive()
            assert await lane.post(read_body("DV301AA")) == 200
            await lane.kill()
        await lane.start()
        # Whether the read had reached the lane's journal or only the agent's store: it is told.
        await lane.read_committed()
        await lane.leave()
        await lane.arrive()
        before = lane.pulses
        assert await lane.post(read_body("DV302BB")) == 200
        await lane.opened(before + 1)
        assert before <= 1

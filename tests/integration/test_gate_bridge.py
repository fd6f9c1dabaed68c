"""A lane through the bridge: real sockets, real Valkey, a domain in memory."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.integration.gate_stage import PLATE, Stage, eventually, open_stage


@pytest.fixture
async def stage(valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with open_stage(valkey_url, tmp_path) as opened:
        yield opened


async def test_a_car_is_read_decided_on_once_and_let_through(stage: Stage) -> None:
    async with stage.play() as lane:
        presentation_id = await lane.present_car(stage.picture())
        assert await lane.wait_free(10)
        await eventually(lambda: len(stage.service.events) == 6)

    assert stage.service.decide_calls == [(presentation_id, PLATE)]
    assert lane.barrier.pulses == 1
    assert [event[2] for event in stage.service.events] == [
        "occupied",
        "opening",
        "opened",
        "cleared",
        "passed",
        "closed",
    ]
    assert [event[0] for event in stage.service.events] == [1, 2, 3, 4, 5, 6]
    [timings] = stage.timings
    assert set(timings.steps_ms) == {"store", "decode", "detect", "read", "match", "commit", "send"}

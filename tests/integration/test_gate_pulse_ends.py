"""A pulse that has begun ends, and is written down, whatever becomes of whoever asked for it."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from gate_bridge.agent import lane_work
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.lane_work import LaneWork
from gate_bridge.agent.simulation import Motion
from gate_bridge.wire.actions import CommandStatus
from parking.flows.lane_types import CommandState
from tests.integration.gate_stage import eventually, open_stage
from tests.integration.test_gate_link import network_of

# The contact is closed, and the relay has not said so yet.
SLOW = Motion(relay_after_s=0.4, pass_s=30.0)


async def test_a_connection_that_ends_in_the_middle_of_a_pulse_does_not_end_the_pulse(
    valkey_url: str, tmp_path: Path
) -> None:
    async with (
        open_stage(valkey_url, tmp_path) as stage,
        network_of(stage, SLOW) as (network, lane),
    ):
        presentation_id = await lane.present_car(stage.picture())
        await eventually(lambda: lane.barrier.pulses == 1)
        assert stage.reported("order") == []
        network.cut()
        await eventually(lambda: len(stage.reported("order")) == 2)
        await eventually(lambda: len(stage.service.answers) == 1)
        said = [
            (order["presentation_id"], order["status"], order["repeated"])
            for order in stage.reported("order")
        ]
        # Of the connection that ended, and of the one over which the same order came again.
        assert said == [
            (str(presentation_id), "accepted", False),
            (str(presentation_id), "accepted", True),
        ]
        assert list(stage.service.answers.values()) == [(CommandState.ACCEPTED, None)]
        assert lane.barrier.pulses == 1


async def test_an_agent_that_stops_waits_for_the_pulse_that_is_under_way(
    valkey_url: str, tmp_path: Path
) -> None:
    async with open_stage(valkey_url, tmp_path) as stage:
        async with stage.play(SLOW) as lane:
            await lane.present_car(stage.picture())
            await eventually(lambda: lane.barrier.pulses == 1)
        [command_id] = stage.service.commands
        assert await stored_status(tmp_path, command_id) is CommandStatus.ACCEPTED
        assert [order["status"] for order in stage.reported("order")] == ["accepted"]


async def stored_status(folder: Path, command_id: UUID) -> CommandStatus | None:
    journal = await Journal.open(folder / "journal.sqlite")
    try:
        stored = await journal.command(command_id)
        assert stored is not None
        return stored.status
    finally:
        await journal.close()


async def test_work_goes_on_without_its_caller_and_is_waited_for_through_every_cancellation() -> (
    None
):
    work, may_end, ended = LaneWork(), asyncio.Event(), asyncio.Event()

    async def pulse() -> None:
        await may_end.wait()
        ended.set()

    caller = asyncio.create_task(work.end(pulse()))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    closing = asyncio.create_task(work.close())
    for _ in range(3):
        await asyncio.sleep(0)
        closing.cancel()
    await asyncio.sleep(0)
    assert not closing.done()
    may_end.set()
    await asyncio.gather(closing, return_exceptions=True)
    assert (ended.is_set(), closing.cancelled()) == (True, True)


async def test_work_that_never_ends_is_stopped_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_work, "END_S_MAX", 0.01)
    work = LaneWork()
    stuck = asyncio.create_task(work.end(asyncio.Event().wait()))
    await asyncio.sleep(0)
    await work.close()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    assert work.is_closing

"""`sesame gates` against a real database."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from parking.flows.fleet.reading import read_fleet
from parking.flows.lane_types import AgentCondition, LaneReport
from parking.kit.ids import new_id
from parking.lanes.models import CommandState, GateCommand
from sesame import gates_report
from sesame.commands.gates import gates_app
from tests.factories.lane_world import LaneWorld, open_lane_world, read_of


@pytest.fixture(autouse=True)
def settings(command_settings: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def urls(database_url: str, valkey_url: str) -> tuple[str, str]:
    return database_url, valkey_url


def run(*words: str) -> Result:
    return CliRunner().invoke(gates_app, words, catch_exceptions=False)


def told(*words: str) -> dict[str, Any]:
    return json.loads(run(*words, "--json").stdout)


async def furnish(world: LaneWorld) -> None:
    """Let the exit be connected and well, and the second exit have been lost."""
    now = world.clock.now()
    well = LaneReport(
        operator_id=world.exit.operator_id,
        lane_id=world.exit.lane_id,
        session_epoch=2,
        bridge="bridge-1",
        agent_version="agent/1",
        connected_at=now,
        last_seen_at=now,
        condition=AgentCondition(
            queue_depth=0, clock_offset_ms=3, clock_uncertainty_ms=1, barrier="down"
        ),
    )
    lost = replace(well, lane_id=world.second_exit.lane_id, ended_at=now, close_code=1006)
    await world.gate.report_health([well, lost])


async def test_the_fleet_is_read_with_its_problems(urls: tuple[str, str]) -> None:
    async with open_lane_world(*urls) as world:
        await furnish(world)
        fleet = await read_fleet(world.context)
        states = {lane.lane_id: (lane.state, lane.problems) for lane in fleet.lanes}
        assert states == {
            world.exit.lane_id: ("connected", ()),
            world.second_exit.lane_id: ("disconnected", ("disconnected",)),
            world.entry.lane_id: ("never", ("never_connected",)),
            world.second_entry.lane_id: ("never", ("never_connected",)),
        }
        assert fleet.lanes[-1].lane_id == world.exit.lane_id, "what is fine comes last"
        nobody = new_id(world.clock.now())
        assert (await read_fleet(world.context, operator_id=nobody)).lanes == ()
        own = await read_fleet(world.context, operator_id=world.exit.operator_id)
        assert {lane.operator_id for lane in own.lanes} == {world.exit.operator_id}
        world.clock.advance(timedelta(seconds=61))
        later = {lane.lane_id: lane.state for lane in (await read_fleet(world.context)).lanes}
        assert later[world.exit.lane_id] == "not_seen", "its bridge was killed"


async def test_an_order_without_an_answer_is_counted_for_an_hour(urls: tuple[str, str]) -> None:
    async with open_lane_world(*urls) as world:
        presentation_id = await world.arrive(world.entry)
        decision = await world.decide(world.entry, presentation_id, read_of("京A88731"))
        assert decision.command is not None

        async def unanswered() -> dict[UUID, int]:
            fleet = await read_fleet(world.context)
            return {
                lane.lane_id: lane.commands_unanswered
                for lane in fleet.lanes
                if lane.commands_unanswered
            }

        assert await unanswered() == {}, "an answer may be on its way"
        world.clock.advance(timedelta(seconds=10))
        assert await unanswered() == {world.entry.lane_id: 1}
        async with world.context.database.begin() as unit:
            row = await unit.session.get_one(
                GateCommand, (world.entry.operator_id, decision.command.command_id)
            )
            row.state = CommandState.ISSUED
        await world.gate.command_answered(
            world.entry, decision.command.command_id, CommandState.ACCEPTED, None
        )
        assert await unanswered() == {}


def test_the_command_prints_json_and_ends_with_the_verdict(urls: tuple[str, str]) -> None:
    async def lanes() -> None:
        async with open_lane_world(*urls) as world:
            await furnish(world)

    asyncio.run(lanes())
    everything = told()
    assert everything["lanes_total"] == 4
    assert everything["lanes_with_problems"] == len(told("--problems")["lanes"])
    assert told("--place", "no such place")["lanes"] == []
    assert run().exit_code == 0
    assert run("--check", "--json").exit_code == 1
    missed = run("--check", "--place", "no such place")
    assert missed.exit_code == 1, "monitoring of a misspelt place must not be content"
    assert missed.stdout == "No place with lanes has this id, or this in its name.\n"
    place_id = everything["lanes"][0]["place_id"]
    assert told("--place", place_id)["lanes_total"] == 4


async def test_a_line_of_the_table_fits_a_narrow_terminal(urls: tuple[str, str]) -> None:
    async with open_lane_world(*urls) as world:
        await furnish(world)
        fleet = await read_fleet(world.context)
    for width in (80, 120):
        console = Console(width=width, record=True, file=None, quiet=False, force_terminal=False)
        with console.capture() as capture:
            console.print(gates_report.show(fleet, width))
        lines = capture.get().splitlines()
        assert lines[0] == "1 of 4 connected · 1 bridge · 3 with problems"
        assert max(map(len, lines)) <= width
        assert ("Barrier" in capture.get()) == (width == 120)
        assert "never connected" in capture.get()
        assert "fine" in capture.get()

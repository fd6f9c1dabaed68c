"""`sesame staff`: who works for an operator, from the first one on."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner

from parking.flows.staff import member_desk
from parking.kit.errors import InvalidInputError, ParkingError
from parking.staff.audit import ActFilter
from parking.staff.errors import StaffMemberExistsError
from sesame.commands.staff import COMMAND_NAME, staff_app
from tests.factories.lane_world import open_lane_world


@pytest.fixture(autouse=True)
def settings(command_settings: None) -> None:
    """Let the commands find the test's database."""


async def run(*words: object) -> Any:  # noqa: ANN401 - JSON
    told = [str(word) for word in words]
    result = await asyncio.to_thread(CliRunner().invoke, staff_app, [*told, "--json"])
    if isinstance(result.exception, ParkingError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def test_members_come_and_go_and_each_act_is_kept(database_url: str, valkey_url: str) -> None:
    async with open_lane_world(database_url, valkey_url) as world:
        operator, place = world.entry.operator_id, world.entry.place_id
        add = ("add", "--operator", operator, "--name", "Ada", "--email", "Ada@Example.org")
        ada = await run(*add, "--role", "admin")
        assert {**ada, "member": ""} == {
            "member": "",
            "name": "Ada",
            "email": "ada@example.org",
            "roles": ["admin"],
            "places": None,
            "ended_at": None,
        }
        with pytest.raises(StaffMemberExistsError):
            await run(*add, "--role", "viewer")
        who = ("--operator", operator, "--member", ada["member"])
        changed = await run(
            "set-roles", *who, "--role", "viewer", "--role", "finance", "--place", place
        )
        assert (changed["roles"], changed["places"]) == (["viewer", "finance"], [str(place)])
        with pytest.raises(InvalidInputError):
            await run("set-roles", *who, "--role", "viewer", "--place", uuid4())
        ended = await run("end", *who)
        assert ended["ended_at"] is not None
        assert await run("list", "--operator", operator) == {"members": [ended]}
        kept = await member_desk.trail(world.context, operator, ActFilter(), first=9, before=None)
        assert sorted((one.action, one.outcome.value, one.code) for one in kept) == [
            ("staff add", "done", None),
            ("staff add", "refused", "STAFF_MEMBER_EXISTS"),
            ("staff end", "done", None),
            ("staff set-roles", "done", None),
            ("staff set-roles", "refused", "INVALID_INPUT"),
        ]
        assert {one.name for one in kept} == {COMMAND_NAME}
        [first] = [one for one in kept if one.action == "staff end"]
        assert first.arguments == {"memberId": ada["member"]}
        assert first.before is not None
        assert UUID(first.before["member"]) == UUID(ada["member"])

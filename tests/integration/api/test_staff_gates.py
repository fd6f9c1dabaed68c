"""Staff see how their own operator's gates are, page by page, and change nothing by it."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.global_ids import encode_id
from parking.flows.fleet.reading import read_fleet
from parking.flows.lane_types import AgentCondition, DeviceSignal, LaneReport
from parking.places import service as places
from parking.places.models import Direction
from sesame.gates_report import report
from tests.factories.api import ApiWorld

PATH = "/staff/graphql"
FIELDS = "laneId laneName placeId placeName direction state problems bridge sessionEpoch agentVersion connectedAt lastSeenAt disconnectedAt closeCode clockOffsetMs clockUncertaintyMs queueDepth oldestQueuedAt commandsUnanswered certificateExpiresAt barrier policyVersion devices { name lastSignalAt clockOffsetMs }"  # noqa: E501
LIST = f"query List($place: ID, $only: Boolean! = false, $first: Int! = 20, $after: String) {{ gates(placeId: $place, onlyProblems: $only, first: $first, after: $after) {{ takenAt lanesTotal lanesWithProblems isWhole states {{ state lanes }} problems {{ problem lanes }} nodes {{ {FIELDS} }} pageInfo {{ hasNextPage hasPreviousPage endCursor }} }} }}"  # noqa: E501


@dataclass(frozen=True)
class Stage:
    """Two operators' gates: one of the first is well, one was lost, two were never there.

    Attributes:
        ada: Staff of the first operator.
        eve: Staff of the second one.
        foreign_place: Of the second operator.
    """

    api: ApiWorld
    ada: str
    eve: str
    foreign_place: str


@pytest.fixture
async def stage(api: ApiWorld) -> Stage:
    world = api.lanes
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
            queue_depth=0,
            clock_offset_ms=-3,
            clock_uncertainty_ms=1,
            barrier="down",
            policy_version="12",
            devices=(DeviceSignal("camera-1", now, 250),),
        ),
    )
    lost = replace(well, lane_id=world.second_exit.lane_id, ended_at=now, close_code=1006)
    await world.gate.report_health([well, lost])
    async with world.context.database.begin() as unit:
        other = places.add_operator(unit, "Hillside Parking")
        await unit.session.flush()
        place = places.add_place(
            unit, other.id, name="Hillside", timezone="Asia/Shanghai", currency="CNY"
        )
        await unit.session.flush()
        area = places.add_area(unit, place, name="B1", supply=5)
        await unit.session.flush()
        places.add_lane(unit, area, name="Foreign", direction=Direction.ENTRY)
    ada, _ = api.tokens.issue_staff(world.exit.operator_id, "Ada")
    eve, _ = api.tokens.issue_staff(other.id, "Eve")
    return Stage(api, ada, eve, encode_id("Place", other.id, place.id))


async def gates(stage: Stage, token: str, **variables: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return (await stage.api.ask(LIST, variables, token=token, path=PATH))["gates"]


def names(page: dict[str, Any]) -> list[str]:
    return [gate["laneName"] for gate in page["nodes"]]


async def test_staff_see_what_the_command_shows_of_their_own_gates(stage: Stage) -> None:
    world = stage.api.lanes
    page = await gates(stage, stage.ada)
    fleet = await read_fleet(world.context, operator_id=world.exit.operator_id)
    told = report(fleet)
    assert (page["lanesTotal"], page["lanesWithProblems"], page["isWhole"]) == (4, 3, True)
    assert {one["state"].lower(): one["lanes"] for one in page["states"]} == told["states"]
    assert {one["problem"].lower(): one["lanes"] for one in page["problems"]} == told["problems"]
    assert names(page) == ["Entry", "Entry 2", "Exit", "Exit 2"]
    now = world.clock.now().isoformat()
    assert page["takenAt"] == now
    assert page["nodes"][2] == {
        "laneId": encode_id("AccessLane", world.exit.operator_id, world.exit.lane_id),
        "laneName": "Exit",
        "placeId": encode_id("Place", world.exit.operator_id, world.exit.place_id),
        "placeName": "Riverside",
        "direction": "EXIT",
        "state": "CONNECTED",
        "problems": [],
        "bridge": "bridge-1",
        "sessionEpoch": 2,
        "agentVersion": "agent/1",
        "connectedAt": now,
        "lastSeenAt": now,
        "disconnectedAt": None,
        "closeCode": None,
        "clockOffsetMs": -3,
        "clockUncertaintyMs": 1,
        "queueDepth": 0,
        "oldestQueuedAt": None,
        "commandsUnanswered": 0,
        "certificateExpiresAt": None,
        "barrier": "down",
        "policyVersion": "12",
        "devices": [{"name": "camera-1", "lastSignalAt": now, "clockOffsetMs": 250}],
    }
    # Nothing that the command tells of a lane is missing; it says the operator besides.
    [lane] = [one for one in told["lanes"] if one["lane"] == "Exit"]
    assert len(lane) - len({"operator_id", "operator"}) == len(page["nodes"][2])
    lost = page["nodes"][3]
    assert (lost["state"], lost["problems"]) == ("DISCONNECTED", ["DISCONNECTED"])
    assert (lost["disconnectedAt"], lost["closeCode"]) == (now, 1006)


async def test_the_list_comes_in_pages_that_miss_nobody(stage: Stage) -> None:
    first = await gates(stage, stage.ada, first=2, only=True)
    assert (names(first), first["pageInfo"]["hasNextPage"]) == (["Entry", "Entry 2"], True)
    after = first["pageInfo"]["endCursor"]
    rest = await gates(stage, stage.ada, first=2, only=True, after=after)
    assert names(rest) == ["Exit 2"]
    assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)
    assert (rest["lanesTotal"], rest["lanesWithProblems"]) == (4, 3)
    # The lane before the page has been mended meanwhile.
    world = stage.api.lanes
    now = world.clock.now()
    mended = LaneReport(
        operator_id=world.second_entry.operator_id,
        lane_id=world.second_entry.lane_id,
        session_epoch=1,
        bridge="bridge-1",
        agent_version="agent/1",
        connected_at=now,
        last_seen_at=now,
    )
    await world.gate.report_health([mended])
    again = await gates(stage, stage.ada, first=2, only=True, after=after)
    assert names(again) == ["Exit 2"]
    empty = await gates(stage, stage.ada, first=0)
    assert (empty["nodes"], empty["pageInfo"]["endCursor"]) == ([], None)


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"first": -1}, "first"),
        ({"first": 101}, "first"),
        ({"after": "x"}, "after"),
        ({"after": encode_id("GateCursor", UUID(int=1))}, "after"),
        ({"place": "x"}, "placeId"),
        ({"place": encode_id("AccessLane", UUID(int=1), UUID(int=2))}, "placeId"),
    ],
)
async def test_what_cannot_be_asked_for_is_named(
    stage: Stage, variables: dict[str, Any], field: str
) -> None:
    body = await stage.api.post(LIST, variables, token=stage.ada, path=PATH)
    assert body["data"] is None
    [error] = body["errors"]
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert error["extensions"]["field"] == field


async def test_another_operators_staff_see_their_own_gates_only(stage: Stage) -> None:
    world = stage.api.lanes
    assert names(await gates(stage, stage.eve)) == ["Foreign"]
    own = encode_id("Place", world.exit.operator_id, world.exit.place_id)
    for token, place in ((stage.eve, own), (stage.ada, stage.foreign_place)):
        page = await gates(stage, token, place=place)
        assert (page["nodes"], page["lanesTotal"], page["lanesWithProblems"]) == ([], 0, 0)
        assert {one["lanes"] for one in (*page["states"], *page["problems"])} == {0}
    # Nor by saying that the place is theirs, nor by a cursor of others.
    eves = (await gates(stage, stage.eve))["nodes"][0]["placeId"]
    assert eves == stage.foreign_place
    theirs = encode_id("Place", uuid4(), world.exit.place_id)
    assert (await gates(stage, stage.eve, place=theirs))["nodes"] == []
    cursor = (await gates(stage, stage.ada, first=1))["pageInfo"]["endCursor"]
    body = await stage.api.post(LIST, {"after": cursor}, token=stage.eve, path=PATH)
    assert (body["data"], body["errors"][0]["extensions"]["field"]) == (None, "after")
    nobody, _ = stage.api.tokens.issue_staff(uuid4(), "Mallory")
    assert (await gates(stage, nobody))["nodes"] == []


async def test_drivers_and_strangers_see_no_gate(stage: Stage) -> None:
    _, driver = await stage.api.add_driver()
    for token in (driver, None, "x"):
        body = await stage.api.post(LIST, token=token, path=PATH)
        assert body["data"] is None
        assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    crossed = await stage.api.post("{ gates { lanesTotal } }", token=driver)
    assert "Cannot query field 'gates'" in crossed["errors"][0]["message"]

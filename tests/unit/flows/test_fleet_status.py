"""What is wrong with a lane, from what is known of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from parking.flows.fleet.status import Contact, LaneState, LaneStatus, Problem
from parking.lanes.health import AgentCondition, DeviceSignal
from parking.places.models import Direction

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CONTACT = Contact(
    session_epoch=7,
    bridge="bridge-1",
    agent_version="agent/1",
    connected_at=NOW - timedelta(hours=1),
    last_seen_at=NOW - timedelta(seconds=60),
    ended_at=None,
    close_code=None,
)
WELL = AgentCondition(queue_depth=0, clock_offset_ms=10_000, clock_uncertainty_ms=2, barrier="down")
FINE = LaneStatus(
    operator_id=UUID(int=1),
    operator="Riverside",
    place_id=UUID(int=2),
    place="Quay",
    lane_id=UUID(int=3),
    lane="East",
    direction=Direction.EXIT,
    contact=CONTACT,
    condition=WELL,
    certificate_expires_at=NOW + timedelta(days=14, seconds=1),
    commands_unanswered=0,
    taken_at=NOW,
)
AGO_61_S = NOW - timedelta(seconds=61)


def with_contact(**changes: datetime) -> LaneStatus:
    return replace(FINE, contact=replace(CONTACT, **changes))


def with_condition(**changes: object) -> LaneStatus:
    return replace(FINE, condition=replace(WELL, **changes))


def test_a_lane_at_every_limit_is_fine() -> None:
    devices = (DeviceSignal("camera", NOW - timedelta(hours=24)), DeviceSignal("relay", None))
    lane = with_condition(oldest_queued_at=NOW - timedelta(seconds=60), devices=devices)
    assert (lane.state, lane.problems) == (LaneState.CONNECTED, ())


@pytest.mark.parametrize(
    ("lane", "problem"),
    [
        (replace(FINE, contact=None), Problem.NEVER_CONNECTED),
        (with_contact(ended_at=NOW), Problem.DISCONNECTED),
        (with_contact(last_seen_at=AGO_61_S), Problem.NOT_SEEN),
        (replace(FINE, certificate_expires_at=NOW), Problem.CERTIFICATE_EXPIRED),
        (replace(FINE, commands_unanswered=1), Problem.COMMANDS_UNANSWERED),
        (with_condition(clock_offset_ms=None), Problem.CLOCK_UNKNOWN),
        (with_condition(clock_offset_ms=-10_001), Problem.CLOCK_OFF),
        (with_condition(queue_depth=1, oldest_queued_at=AGO_61_S), Problem.QUEUE_WAITS),
        (
            replace(
                with_contact(connected_at=NOW - timedelta(hours=1, seconds=1)),
                condition=replace(WELL, devices=(DeviceSignal("camera", None),)),
            ),
            Problem.DEVICE_SILENT,
        ),
        (
            with_condition(devices=(DeviceSignal("camera", NOW - timedelta(hours=24, seconds=1)),)),
            Problem.DEVICE_SILENT,
        ),
        (
            replace(FINE, certificate_expires_at=NOW + timedelta(days=14)),
            Problem.CERTIFICATE_EXPIRES,
        ),
    ],
)
def test_each_problem_is_found_alone(lane: LaneStatus, problem: Problem) -> None:
    assert lane.problems == (problem,)


def test_a_lost_agent_is_not_judged_by_what_it_said_before() -> None:
    lane = replace(with_condition(clock_offset_ms=99_999, queue_depth=9), commands_unanswered=2)
    lost = replace(lane, contact=replace(CONTACT, ended_at=NOW))
    assert lost.problems == (Problem.DISCONNECTED, Problem.COMMANDS_UNANSWERED)


def test_an_agent_that_says_nothing_of_itself_is_not_accused() -> None:
    assert replace(FINE, condition=AgentCondition()).problems == ()


def test_the_worst_comes_first() -> None:
    lanes = [
        replace(FINE, lane="b"),
        replace(FINE, lane="a"),
        replace(FINE, lane="c", commands_unanswered=1),
        replace(FINE, lane="d", contact=None),
    ]
    assert [lane.lane for lane in sorted(lanes, key=lambda lane: lane.rank)] == ["d", "c", "a", "b"]

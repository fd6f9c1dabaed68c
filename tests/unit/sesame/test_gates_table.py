"""The table of lanes on terminals of every width: whole columns, or none."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from rich.console import Console

from parking.flows.fleet.reading import Fleet
from parking.flows.fleet.status import Contact, LaneStatus
from parking.flows.lane_types import AgentCondition, Direction
from sesame import gates_report

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)


def lane(number: int, operator: str, place: str) -> LaneStatus:
    return LaneStatus(
        operator_id=UUID(int=number),
        operator=operator,
        place_id=UUID(int=number),
        place=place,
        lane_id=UUID(int=number),
        lane="Einfahrt Nord",
        direction=Direction.ENTRY,
        contact=Contact(
            session_epoch=1,
            bridge="bridge-1",
            agent_version="agent/1",
            connected_at=AT,
            last_seen_at=AT,
            ended_at=None,
            close_code=None,
        ),
        condition=AgentCondition(queue_depth=0, clock_offset_ms=-17, barrier="down"),
        certificate_expires_at=AT + timedelta(days=61),
        commands_unanswered=0,
        taken_at=AT,
    )


ONE = lane(1, "Parkhausbetriebe Musterstadt", "Hafenparkhaus am Fluss mit langem Namen")
OTHER = lane(2, "Blue Heron", "Small Yard")


def shown(width: int, *lanes: LaneStatus) -> list[str]:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(gates_report.show(Fleet(AT, lanes, is_whole=True), width))
    return capture.get().splitlines()


def columns(lines: list[str]) -> list[str]:
    head = next(line for line in lines if "Lane" in line)
    return head.split()


@pytest.mark.parametrize("lanes", [(ONE,), (ONE, OTHER)])
@pytest.mark.parametrize("width", [60, 72, 80, 109, 110, 149, 150, 200])
def test_a_figure_is_shown_in_full_or_with_its_column_left_out(
    width: int, lanes: tuple[LaneStatus, ...]
) -> None:
    lines = shown(width, *lanes)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    names = columns(lines)
    assert ("Cert." in names) == ("61 d" in text)
    assert ("Clock" in names) == ("-17 ms" in text)
    assert "fine" in text


def test_a_usual_terminal_shows_every_figure_of_two_operators() -> None:
    every = ["Operator", "Lane", "Problem", "Seen", "Clock", "Queue", "Orders", "Cert."]
    assert columns(shown(80, ONE, OTHER)) == every
    assert columns(shown(60, ONE, OTHER)) == every[:6]
    assert columns(shown(40, ONE, OTHER)) == every[:3]

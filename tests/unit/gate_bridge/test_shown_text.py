"""What a device or a gate sends is shown, and moves no terminal."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from rich.console import Console
from structlog.testing import capture_logs

from gate_bridge.agent.site.refusal_log import RefusalLog
from gate_bridge.agent.site.seldom_log import printable
from parking.flows.fleet.reading import Fleet
from parking.flows.fleet.status import Contact, LaneStatus
from parking.flows.lane_types import AgentCondition, DeviceSignal, Direction
from sesame import gates_report


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("/devices/camera", "/devices/camera"),
        ("/\x1b[2J\r\n", "/?[2J??"),
        ("\u202eevil", "?evil"),
        ("京A88731", "京A88731"),
        ("x" * 50, "x" * 20),
    ],
)
def test_a_text_that_is_shown_holds_nothing_that_moves_a_terminal(sent: str, shown: str) -> None:
    assert printable(sent, 20) == shown


def test_an_address_that_nobody_has_is_logged_without_escapes() -> None:
    with capture_logs() as logged:
        RefusalLog(lambda: 0.0).note("", 404, "/\x1b]0;owned\x07", "10.0.0.7")
    assert [each["path"] for each in logged] == ["/?]0;owned?"]


def test_what_a_gate_says_of_itself_moves_no_terminal() -> None:
    at, some = datetime(2026, 3, 1, 8, tzinfo=UTC), UUID(int=1)
    evil = "\u202e\x1b[31m"
    lane = LaneStatus(
        operator_id=some,
        operator=f"operator{evil}",
        place_id=some,
        place=f"place{evil}",
        lane_id=some,
        lane=f"lane{evil}",
        direction=Direction.ENTRY,
        contact=Contact(
            session_epoch=1,
            bridge=f"bridge{evil}",
            agent_version=f"agent{evil}",
            connected_at=at,
            last_seen_at=at,
            ended_at=None,
            close_code=None,
        ),
        condition=AgentCondition(
            policy_version=evil, barrier="down", devices=(DeviceSignal(f"camera{evil}", at),)
        ),
        certificate_expires_at=None,
        commands_unanswered=0,
        taken_at=at,
    )
    console = Console(width=200, force_terminal=False)
    with console.capture() as capture:
        console.print(gates_report.show(Fleet(at, (lane,), is_whole=True), 200))
    assert not {"\u202e", "\x1b"} & {*capture.get()}
    assert "camera??[31m" in capture.get()

"""What the terminal is told, and that it fits on its screen."""

import pytest
from rich.console import Console

from parking.kit.money import Money
from sesame.demo.director import Outcome
from sesame.demo.feed import Feed, StayView
from sesame.demo.inboxes import Push
from sesame.demo.view import render
from sesame.demo.witness import Books

LANE = "altmarkt-exit"


@pytest.fixture
def feed() -> Feed:
    return Feed()


def test_log_lines_lose_their_time_and_the_length_of_their_ids(feed: Feed) -> None:
    feed.lane_keys = {"a4b0": LANE}
    line = (
        "2026-11-23T04:17:40.95Z [info     ] open_answered      "
        "lane_id=01a2068d-0053-7a79-85b5-92c18152a4b0 reason=None send_ms=16.25 status=accepted"
    )
    feed.on_line("gates", line)
    assert list(feed.log) == [("gates", f"open_answered {LANE} send_ms=16 status=accepted")]


def test_lines_that_the_lanes_show_already_are_left_out(feed: Feed) -> None:
    feed.on_line("gates", "2026-11-23T04:17:40.95Z [info     ] barrier_event kind=opened")
    feed.on_line(LANE, '{"event": "cleared"}')
    feed.on_line("api", "   ")
    assert list(feed.log) == []


def test_lane_shows_its_car_from_the_loop_to_the_road(feed: Feed) -> None:
    feed.on_report(LANE, {"event": "presented"})
    assert (feed.lanes[LANE].car, feed.lanes[LANE].last) == (True, "reading")
    feed.on_report(LANE, {"event": "display", "lines": ["AX417RT", "1.00 EUR"], "qr": "http://x"})
    assert (feed.lanes[LANE].lines, feed.lanes[LANE].qr) == (("AX417RT", "1.00 EUR"), "http://x")
    feed.on_report(LANE, {"event": "order", "status": "rejected", "reason": "expired"})
    assert feed.lanes[LANE].last == "REFUSED: expired"
    feed.on_report(LANE, {"event": "cleared"})
    assert (feed.lanes[LANE].car, feed.lanes[LANE].lines, feed.lanes[LANE].qr) == (False, (), None)


def test_next_round_starts_a_scenario_anew(feed: Feed) -> None:
    feed.on_step("bound_driver", "first")
    feed.on_outcome(Outcome("bound_driver", "Bound", True, 1.0, 3, {}, None))
    assert feed.plays["bound_driver"].outcome is not None
    feed.on_step("bound_driver", "second")
    play = feed.plays["bound_driver"]
    assert (play.step, play.outcome) == ("second", None)


def test_full_screen_fits_120_by_40(feed: Feed) -> None:
    feed.urls = {"API": "http://127.0.0.1:8080"}
    feed.on_step("frozen_gate", "the gate freezes " * 20)
    feed.on_report(LANE, {"event": "connected"})
    feed.on_report(
        LANE, {"event": "display", "lines": ["京A7K392", "1.00 EUR"], "qr": "http://x/pay"}
    )
    feed.stays = [StayView("Altmarkt", "京A7K392", "app", 75, Money(150, "EUR"))] * 9
    held = {"alipay": {"CNY": 40}, "wechat": {"CNY": 25}}
    feed.books = Books({"EUR": 100}, held, held, {"EUR": 50}, {"CNY": 0, "EUR": 0})
    feed.pushes.extend([Push("phone", "GateOpened", "The gate is open", "Goodbye " * 20, "")] * 9)
    feed.processes = {"api": "up", "gates": "down", LANE: "frozen", "alipay": "up", "sms": "down"}
    for _ in range(50):
        feed.on_line("gates", "gate_connected epoch=2 " * 20)
    console = Console(width=120, height=40, record=True, color_system=None, file=None)
    with console.capture() as capture:
        console.print(render(feed), height=40)
    lines = capture.get().rstrip("\n").splitlines()
    assert len(lines) == 40
    text = "\n".join(lines)
    for shown in (
        "京A7K392",
        "1:15",
        "1.50 EUR",
        "and 4 more",
        "to pay: http://x/pay",
        "0.65",
        "1 of 8 st",
    ):
        assert shown in text

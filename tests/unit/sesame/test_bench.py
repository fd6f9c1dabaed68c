"""What figures mean, how a logged exit is split, and what the command takes."""

import json

import pytest
from typer.testing import CliRunner

from parking.kit.errors import InvalidInputError
from sesame.bench.cpu_time import per_exit_ms
from sesame.bench.figures import Spread, spread, spreads
from sesame.bench.machine import use_cores
from sesame.bench.steps import STEPS, ExitTimes, read_line, split
from sesame.cli import app

MEASURED = {
    "store": 4.0,
    "decode": 3.0,
    "detect": 12.0,
    "read": 2.0,
    "match": 2.5,
    "price": 5.5,
    "charge": 8.0,
    "commit": 20.0,
    "decide": 36.0,
    "send": 0.5,
}
LINE = {
    "lane_id": "019e0000-0000-7000-8000-000000000001",
    "presentation_id": "019e0000-0000-7000-8000-000000000002",
    "action": "open",
    "frames": 2,
    "steps_ms": MEASURED,
    "frame_to_open_ms": 61.0,
    "first_frame_to_open_ms": 264.0,
    "event": "presentation_decided",
    "level": "info",
}


def test_percentiles_are_values_that_were_measured() -> None:
    assert spread(range(1, 201)) == Spread(p50=100, p99=198, max=200, mean=100.5)
    assert spread([3.0]) == Spread(p50=3.0, p99=3.0, max=3.0, mean=3.0)
    assert spread([9.0, 1.0, 2.0]) == Spread(p50=2.0, p99=9.0, max=9.0, mean=4.0)
    assert spread([]) is None


def test_a_step_that_an_exit_did_not_take_counts_as_nothing() -> None:
    assert spreads([{"read": 2.0}, {"read": 4.0, "charge": 6.0}]) == {
        "read": Spread(p50=2.0, p99=4.0, max=4.0, mean=3.0),
        "charge": Spread(p50=0.0, p99=6.0, max=6.0, mean=3.0),
    }


def test_steps_add_up_to_the_total() -> None:
    steps = split(MEASURED, 61.0)
    assert tuple(steps) == STEPS
    assert steps["queue"] == 3.5
    assert sum(steps.values()) == 61.0


def test_a_clock_that_is_off_by_a_little_leaves_no_negative_rest() -> None:
    assert split(MEASURED, 57.0)["queue"] == 0.0


def test_a_line_of_the_bridge_is_read() -> None:
    found = read_line(json.dumps(LINE))
    assert found is not None
    assert found == ExitTimes(
        presentation_id=str(LINE["presentation_id"]),
        frames=2,
        total_ms=61.0,
        first_frame_ms=264.0,
        steps_ms=split(MEASURED, 61.0),
    )
    assert found.without_provider_ms == 53.0


def test_a_car_that_was_not_let_out_has_no_total() -> None:
    shut = {**LINE, "action": "pay", "frame_to_open_ms": None, "first_frame_to_open_ms": None}
    found = read_line(json.dumps(shut))
    assert found is not None
    assert (found.total_ms, found.without_provider_ms) == (None, None)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Traceback (most recent call last):",
        '{"event": "gate_connected"}',
        '{"event": "presentation_decided", "steps_ms": {',
        json.dumps({"event": "gate_connected", "note": "presentation_decided"}),
    ],
)
def test_other_lines_are_left_alone(line: str) -> None:
    assert read_line(line) is None


def test_processor_time_is_what_was_used_between_two_looks() -> None:
    before, after = {"gates": 100.0, "gone": 5.0}, {"gates": 400.0, "new": 9.0}
    assert per_exit_ms(before, after, 10) == {"gates": 30.0}


def test_more_cores_than_there_are_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="cores: expected at most"):
        use_cores(100_000)


def test_the_list_names_every_bench() -> None:
    result = CliRunner().invoke(app, ["bench", "--list"])
    assert (result.exit_code, result.stdout) == (
        0,
        (
            "exit: frame at the bridge to order to open, by step, at 1 and at 20 exits a second\n"
            "tariff: quotes of one day and of 30 with their price curves; "
            "open stays that nobody watches\n"
            "charge: what a charge costs without the provider's time, in ms and in round trips\n"
            "money: 2,000 exits over all providers while everything breaks: are all books right\n"
            "gates: 3,000 gates on one bridge: memory, reconnect storm, 50 cars a second\n"
            "graphql: one screen of the app: our API, hand-written Python, and others, in one run\n"
            "subscriptions: 5,000 sockets on one process: memory, how soon one hears, "
            "and 1,000 of one place\n"
            "notifications: 10,000 deductions while FCM fails and workers die: "
            "is every driver told, once\n"
            "campaign: a campaign to 1,000,000 drivers: selected, capped, queued; "
            "killed, and gone on with\n"
            "habits: a week told for 100,000 pairs of driver and place; one visit learned\n"
        ),
    )
    result = CliRunner().invoke(app, ["bench", "--list", "--json"])
    assert list(json.loads(result.stdout)) == [
        "exit",
        "tariff",
        "charge",
        "money",
        "gates",
        "graphql",
        "subscriptions",
        "notifications",
        "campaign",
        "habits",
    ]


def test_a_bench_must_be_named() -> None:
    assert CliRunner().invoke(app, ["bench"]).exit_code == 2


def test_an_unknown_bench_is_refused_by_name() -> None:
    result = CliRunner().invoke(app, ["bench", "entry"])
    assert isinstance(result.exception, InvalidInputError)
    known = "exit, tariff, charge, money, gates, graphql, subscriptions, notifications, campaign"
    assert str(result.exception) == f"NAME: expected one of {known}, habits"

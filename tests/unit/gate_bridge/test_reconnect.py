"""When an agent comes again, and how a bridge spreads those that it sends away."""

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from gate_bridge.agent import backoff, gate_agent
from gate_bridge.agent.backoff import full_jitter_s
from gate_bridge.wire.closing import restart_reason, retry_within_s
from gate_bridge.wire.link import LinkClosedError


@pytest.mark.parametrize(
    ("connections", "within_s"), [(0, 0.0), (149, 0.0), (150, 1.0), (3000, 20.0)]
)
def test_a_restarting_bridge_spreads_its_lanes(connections: int, within_s: float) -> None:
    assert retry_within_s(restart_reason(connections)) == within_s


@pytest.mark.parametrize("reason", ["", "restart", "retry_within_s=x", "retry_within_s=5 or so"])
def test_a_reason_that_says_nothing_of_it(reason: str) -> None:
    assert retry_within_s(reason) == 0.0


@pytest.mark.parametrize(
    ("tries", "hint_s", "bound_s"),
    [(0, 0.0, 0.25), (0, 20.0, 20.0), (3, 1.0, 2.0), (3, 100.0, 30.0), (16, 5.0, 30.0)],
)
def test_a_hint_widens_the_pause_and_never_beyond_its_bound(
    tries: int, hint_s: float, bound_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def largest(_least_s: float, most_s: float) -> float:
        return most_s

    monkeypatch.setattr(backoff.random, "uniform", largest)
    assert full_jitter_s(tries, hint_s=hint_s) == bound_s


@pytest.mark.parametrize(
    ("error", "hint_s"),
    [
        (LinkClosedError(1012, "restart; retry_within_s=7"), 7.0),
        (LinkClosedError(None), 0.0),
        (InvalidStatus(Response(503, "", Headers({"Retry-After": "3"}))), 3.0),
        (InvalidStatus(Response(503, "", Headers({"Retry-After": "-1"}))), 0.0),
        (InvalidStatus(Response(503, "", Headers())), 0.0),
        (OSError(), 0.0),
    ],
)
def test_what_a_bridge_wishes(error: BaseException, hint_s: float) -> None:
    assert gate_agent.hinted_pause_s(error) == hint_s

"""The GraphQL bench: rounds are compared with their neighbours, and answers with each other."""

import json
from io import StringIO
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson
import pytest
from rich.console import Console

from sesame.bench.graphql import contestants
from sesame.bench.graphql.contestants import AD_HOC, PLAIN, POSTGRAPHILE, RAW, TRUSTED
from sesame.bench.graphql.question import shaped, trusted_body
from sesame.bench.graphql.report import Asked, GraphQLReport, print_graphql_report
from sesame.bench.graphql.rows_question import rows_body, shaped_rows
from sesame.bench.machine import Machine

SAID: Final[dict[str, Any]] = {"viewer": {"id": "V", "activeSessions": []}}


def asked(name: str, server_us: list[float], taken_ms: float = 5.0) -> Asked:
    found = Asked(name)
    for each in server_us:
        found.add(100, server_us=each * 100, seconds=0.5, taken_ms=[taken_ms] * 100)
    return found


def report(*servers: Asked, **answers: object) -> GraphQLReport:
    return GraphQLReport(
        machine=Machine("cpu", 2, 0.0, "tmpfs"),
        connections=16,
        asked=servers,
        absent={"postgraphile": "no Node"},
        answers={each.name: SAID for each in servers} | answers,
        seconds=1.0,
    )


def test_rounds_are_compared_with_their_neighbours() -> None:
    # The machine was twice as slow in the second round, for both.
    raw, ours = asked(RAW, [100.0, 200.0, 100.0]), asked(TRUSTED, [250.0, 500.0, 251.0])
    found = report(raw, ours)
    assert (found.times_raw(raw), found.times_raw(ours)) == (1.0, 2.5)
    assert (ours.requests, ours.requests_per_s) == (300, 200.0)
    assert found.meets_target(ours) is True
    assert found.meets_target(raw) is None


def test_a_promise_is_of_the_processor_and_of_the_slowest() -> None:
    raw = asked(RAW, [100.0])
    dear, slow = asked(AD_HOC, [401.0]), asked(AD_HOC, [400.0], taken_ms=30.1)
    assert report(raw, dear).meets_target(dear) is False
    assert report(raw, slow).meets_target(slow) is False
    kept = asked(AD_HOC, [400.0], taken_ms=30.0)
    assert report(raw, kept).meets_target(kept) is True


def test_a_server_that_says_something_else_is_found() -> None:
    raw, plain = asked(RAW, [100.0]), asked(PLAIN, [100.0])
    assert report(raw, plain).is_right
    wrong = report(raw, plain, **{PLAIN: {"viewer": None}})
    assert not wrong.is_right
    written = StringIO()
    print_graphql_report(wrong, Console(file=written, width=200))
    assert "did not all say the same" in written.getvalue()
    assert "postgraphile did not take part: no Node" in written.getvalue()


def test_it_is_one_object_of_json() -> None:
    told = json.loads(json.dumps(report(asked(RAW, [100.0]), asked(TRUSTED, [300.0])).to_json()))
    assert told["servers"][TRUSTED] == {
        "requests": 100,
        "server_us": 300.0,
        "times_raw": 3.0,
        "requests_per_s": 200,
        "latency_ms": {"p50": 5.0, "p99": 5.0, "max": 5.0, "mean": 5.0},
        "meets_target": False,
    }
    assert told["target"] == {"times_raw": {TRUSTED: 2.5, AD_HOC: 4.0}, "p99_ms": 30.0}


def test_the_rows_of_the_join_are_shaped_as_the_answer() -> None:
    stay = {
        "driver_id": "V",
        "stay_id": "S",
        "plate": "AB 1",
        "entered_at": None,
        "state": "ACTIVE",
        "due_minor": 700,
        "name": "Quay",
        "timezone": "UTC",
        "currency": "CNY",
        "starts_at": None,
    }
    rows = [
        {**stay, "reason": "grace", "amount_minor": 0},
        {**stay, "reason": "increment", "amount_minor": 700},
    ]
    found: Any = shaped(rows)
    [session] = found["viewer"]["activeSessions"]
    assert [line["amount"]["amountMinor"] for line in session["bill"]["lines"]] == [0, 700]
    assert session["bill"]["due"] == {"amountMinor": 700}
    assert shaped([{**stay, "stay_id": None}]) == SAID
    assert shaped([]) == {"viewer": None}


def test_a_trusted_document_is_named_as_apollo_does() -> None:
    persisted = {"version": 1, "sha256Hash": "abc"}
    assert orjson.loads(trusted_body("abc")) == {"extensions": {"persistedQuery": persisted}}


def test_rows_are_compared_in_the_shape_of_the_others() -> None:
    driver = UUID(int=1)
    assert orjson.loads(rows_body(driver))["variables"] == {"key": str(driver)}
    place = {"name": "Quay", "timezone": "UTC", "currency": "CNY"}
    stay = {"id": "S", "plate": "AB 1", "enteredAt": "9", "state": "ACTIVE"}
    line = {"reason": "grace", "startsAt": None, "amountMinor": 0}
    rows = {"dueMinor": 7, "billLinesByStayIdList": [line], "placeByPlaceKey": place}
    told = {"driverByKey": {"id": "V", "staysByDriverKeyList": [{**stay, **rows}]}}
    said = {"reason": "grace", "startsAt": None, "amount": {"amountMinor": 0}}
    bill = {"due": {"amountMinor": 7}, "lines": [said]}
    session = {**stay, "bill": bill, "place": place}
    assert shaped_rows(told) == {"viewer": {"id": "V", "activeSessions": [session]}}
    assert shaped_rows({"driverByKey": None}) == {"viewer": None}


@pytest.mark.parametrize("node", [None, "node"])
def test_who_is_absent_is_said_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, node: str | None
) -> None:
    def which(_name: str) -> str | None:
        return node

    monkeypatch.setattr(contestants.shutil, "which", which)
    monkeypatch.setitem(contestants.PEERS_ON_NODE, POSTGRAPHILE, (tmp_path / "a/b/c", "server.js"))
    monkeypatch.setattr(contestants, "PEERS", tmp_path / "a/b/c")
    why = "no Node on this machine" if node is None else "not installed: npm ci --prefix a/b/c"
    assert contestants.why_absent(POSTGRAPHILE) == why

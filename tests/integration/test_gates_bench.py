"""The gates bench itself: a few gates through the real processes, and what it says about them."""

from resource import RLIM_INFINITY

import pytest

from parking.kit.errors import InvalidInputError
from sesame.bench.gates import open_files
from sesame.bench.gates.report import Opens
from tests.integration.test_bench import bench

GATES = 8
CARS = 8


async def test_gates_connect_come_back_and_let_cars_in() -> None:
    code, report = await bench(
        *("gates", "--json", "--tls", "--gates", str(GATES)),
        *("--exits", str(CARS), "--rate", "100"),
    )
    assert (code, report["is_right"], report["tls"]) == (0, True, True)
    assert (report["gates"], report["connected_in_health"]) == (GATES, GATES)
    opened = report["open"]
    assert (opened["cars"], opened["opened"], opened["stale_orders"]) == (CARS, CARS, 0)
    assert opened["first_failures"] == []
    assert 0 < opened["round_trip_ms"]["p50"] <= opened["round_trip_ms"]["p99"]
    assert opened["late_ms"]["p50"] >= 0
    assert {"bridge", "gates_1", "postgres"} <= opened["cores_used"].keys()
    assert report["idle_cores"].keys() == opened["cores_used"].keys()
    storm = report["storm"]
    assert storm["tries_per_gate"] >= 1
    assert 0 < storm["first_connected_s"] <= storm["all_connected_s"]
    for part in (report["bridge"], report["bare"]):
        assert part["connects_per_s"] > 0
        assert part["memory_after_mib"] >= part["memory_before_mib"]


def test_a_limit_of_open_files_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = (1000, 1000)

    def known(_which: int) -> tuple[int, int]:
        return limits

    def changed(_which: int, wanted: tuple[int, int]) -> None:
        nonlocal limits
        limits = wanted

    monkeypatch.setattr(open_files.resource, "getrlimit", known)
    monkeypatch.setattr(open_files.resource, "setrlimit", changed)
    open_files.raise_open_files(800)
    assert limits == (1000, 1000)
    with pytest.raises(InvalidInputError, match=r"gates: expected at most 800: .* 1000 files"):
        open_files.raise_open_files(801)
    limits = (1000, RLIM_INFINITY)
    open_files.raise_open_files(3000)
    assert limits == (3200, RLIM_INFINITY)


@pytest.mark.parametrize(
    ("used_ms", "limit"),
    [
        ({"bridge": 900, "gates_1": 100, "postgres": 100}, "bridge"),
        ({"bridge": 900, "gates_1": 950, "postgres": 100}, "gates_1"),
        ({"bridge": 700, "gates_1": 400, "postgres": 950}, "machine"),
        ({"bridge": 700, "gates_1": 100, "postgres": 950}, "nothing"),
    ],
)
def test_it_says_whether_the_bridge_or_its_own_gates_are_the_limit(
    used_ms: dict[str, float], limit: str
) -> None:
    opens = Opens(
        rate_per_s=10,
        cars=10,
        opened=10,
        stale_orders=0,
        round_trip=None,
        late=None,
        seconds=1.0,
        cpu_each_ms={name: used / 10 for name, used in used_ms.items()},
        first_failures=(),
    )
    assert opens.to_json(2)["limited_by"] == opens.limited_by(2) == limit
    assert opens.to_json(2)["cores_used"]["bridge"] == used_ms["bridge"] / 1000

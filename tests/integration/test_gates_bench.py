"""The gates bench itself: a few gates through the real processes, and what it says about them."""

from resource import RLIM_INFINITY

import pytest

from parking.kit.errors import InvalidInputError
from sesame.bench.gates import open_files
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

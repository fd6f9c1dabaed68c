"""A process that stood still, and what it tells its service manager."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gate_bridge.agent.server_time import steady_seconds
from gate_bridge.agent.service_notice import ServiceNotice
from gate_bridge.agent.stall import StallWatch


class Steady:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has such a clock")
def test_the_steady_clock_counts_while_the_machine_sleeps() -> None:
    before_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    now_s = steady_seconds()
    assert before_s <= now_s <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_a_loop_that_turns_is_settled(steady: Steady) -> None:
    watch = StallWatch(steady)
    for _ in range(20):
        steady.now_s += 0.5
        watch.beat()
        assert not watch.is_settling()


def test_a_thawed_process_settles_before_anything_opens(steady: Steady) -> None:
    watch = StallWatch(steady)
    watch.beat()
    steady.now_s += 25.0
    # Whoever runs first after the thaw is told, before the watch itself has had its turn.
    assert watch.is_settling()
    watch.beat()
    assert watch.is_settling()
    steady.now_s += 0.9
    watch.beat()
    assert watch.is_settling()
    steady.now_s += 0.2
    watch.beat()
    assert not watch.is_settling()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(5)
        yield address, manager


async def test_a_service_manager_hears_that_we_are_ready_and_alive(
    manager: tuple[str, socket.socket],
) -> None:
    address, hears = manager
    notice = ServiceNotice.of({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000"})
    notice.ready()
    assert hears.recv(100) == b"READY=1"
    beating = asyncio.create_task(notice.run())
    for _ in range(3):
        assert await asyncio.to_thread(hears.recv, 100) == b"WATCHDOG=1"
    beating.cancel()
    await asyncio.wait([beating])
    notice.stopping()
    while (heard := hears.recv(100)) == b"WATCHDOG=1":
        pass
    assert heard == b"STOPPING=1"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "30000", "WATCHDOG_PID": str(os.getpid() + 1)},
    ],
)
async def test_without_a_watchdog_nobody_beats(environment: dict[str, str]) -> None:
    async with asyncio.timeout(5):
        await ServiceNotice.of(environment).run()


def test_a_manager_that_went_away_does_no_harm(tmp_path: Path) -> None:
    ServiceNotice.of({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    ServiceNotice.of({}).ready()

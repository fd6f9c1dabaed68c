"""Whether processes live, seen from outside."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

GONE_WAIT_S: Final = 20.0
POLL_S: Final = 0.02


def wait_until_gone(pids: list[int]) -> list[int]:
    """Wait for processes to end; returns those that still live after a bounded time."""
    wait_until(lambda: not any(map(is_alive, pids)))
    return [pid for pid in pids if is_alive(pid)]


def wait_until(condition: Callable[[], bool]) -> bool:
    """Wait for a condition; returns whether it came true within a bounded time."""
    deadline = time.monotonic() + GONE_WAIT_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return condition()


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that has ended but was not collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return not Path("/proc/self").exists()

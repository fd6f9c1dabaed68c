"""Processor time of what is measured: it tells what a busy machine's wall clock does not."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
# Fields of /proc/PID/stat after the name: `man 5 proc` counts them from 1, utime is the 14th.
_UTIME_FIELD: Final = 14 - 3


def cpu_times_ms(process_ids: Mapping[str, int]) -> dict[str, float]:
    """Return what each process and its children have used so far; empty where nobody can tell."""
    if not (_PROC / "self" / "stat").exists():
        return {}
    return {
        name: sum(_used_ms(pid) for pid in (process_id, *_children(process_id)))
        for name, process_id in process_ids.items()
    }


def processor_us(process_id: int) -> float:
    """Return what a process has used so far, its threads with it, to the microsecond.

    Where the system does not count so finely it is told by the tick of its clock.
    """
    try:
        tasks = list((_PROC / str(process_id) / "task").iterdir())
        spent_ns = [(task / "schedstat").read_text(encoding="ascii").split()[0] for task in tasks]
    except OSError:
        return _used_ms(process_id) * 1000
    return sum(map(int, spent_ns)) / 1000


def per_exit_ms(
    before: Mapping[str, float], after: Mapping[str, float], exits: int
) -> dict[str, float]:
    """Return what one exit cost each process between two looks."""
    return {name: (after[name] - before[name]) / max(exits, 1) for name in before if name in after}


def cores_used(
    before: Mapping[str, float], after: Mapping[str, float], seconds: float
) -> dict[str, float]:
    """Return how many cores each process had to itself, on average, between two looks."""
    return {
        name: (after[name] - before[name]) / 1000 / max(seconds, 1e-6)
        for name in before
        if name in after
    }


def _used_ms(process_id: int) -> float:
    try:
        stat = (_PROC / str(process_id) / "stat").read_text(encoding="utf-8")
    except OSError:
        # It ended between the two looks.
        return 0.0
    fields = stat.rpartition(")")[2].split()
    ticks = sum(int(ticks) for ticks in fields[_UTIME_FIELD : _UTIME_FIELD + 2])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def _children(process_id: int) -> Iterable[int]:
    path = _PROC / str(process_id) / "task" / str(process_id) / "children"
    try:
        return [int(child) for child in path.read_text(encoding="ascii").split()]
    except OSError:
        return []

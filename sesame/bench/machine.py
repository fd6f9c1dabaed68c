"""What a measurement was made on."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parking.kit.errors import InvalidInputError

_MOUNTS: Final = Path("/proc/self/mounts")
_CPU_INFO: Final = Path("/proc/cpuinfo")
_MODEL: Final = "model name"


@dataclass(frozen=True, slots=True)
class Machine:
    """What a reader must know to compare figures.

    Attributes:
        load_before: Processes that ran or waited before the bench, over a minute: above 0 it
            shared its cores with others.
        filesystem: Of the temporary data folder; commits on `tmpfs` cost nothing.
    """

    cpu: str
    cores: int
    load_before: float
    filesystem: str


def this_machine(folder: Path) -> Machine:
    """Look at the machine, before the bench loads it."""
    return Machine(
        cpu=_cpu(),
        cores=len(_cores()),
        load_before=round(os.getloadavg()[0], 2),
        filesystem=_filesystem(folder.resolve()),
    )


def use_cores(count: int) -> None:
    """Confine this process and all that it starts to `count` cores.

    Raises:
        InvalidInputError: there are not so many, or this system cannot confine processes.
    """
    cores = _cores()
    if not hasattr(os, "sched_setaffinity"):
        raise InvalidInputError("cores", "a system that can confine processes, such as Linux")
    if count > len(cores):
        raise InvalidInputError("cores", f"at most {len(cores)}, which this process may use")
    os.sched_setaffinity(0, cores[:count])


def _cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _cpu() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == _MODEL:
                return value.strip()
    return platform.processor() or platform.machine()


def _filesystem(folder: Path) -> str:
    """Return the kind of filesystem that holds a folder: that of the longest mount above it."""
    if not _MOUNTS.exists():
        return "unknown"
    kinds = {
        Path(point): kind
        for _, point, kind, *_ in map(str.split, _MOUNTS.read_text(encoding="utf-8").splitlines())
    }
    above = [point for point in kinds if folder.is_relative_to(point)]
    return kinds[max(above, key=lambda point: len(point.parts))] if above else "unknown"

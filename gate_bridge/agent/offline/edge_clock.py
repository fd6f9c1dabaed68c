"""The bridge's time while there is no bridge, and after a restart.

While the machine runs, its steady clock counts on from the last time that the bridge told,
whatever happens to the wall clock. After a reboot only the wall clock is left: one that stands
before where it was is wrong, and so is one that says that the outage took days.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from gate_bridge.agent.server_time import ServerTime, steady_seconds
from parking.kit.clock import Clock

# What a cheap oscillator is off by, with a wide margin: 17 s a day.
DRIFT = 200e-6
DOWNTIME_MAX = timedelta(hours=72)
# A wall clock is set a little from time to time.
SETBACK_MAX = timedelta(seconds=2)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A moment at which the bridge's time was known.

    Attributes:
        steady_s: The machine's steady clock then, which counts from its start.
        wall: Its wall clock then.
        boot_id: Which start of the machine that was.
    """

    bridge_time: datetime
    uncertainty_s: float
    steady_s: float
    wall: datetime
    boot_id: str


@dataclass(frozen=True, slots=True)
class EdgeTime:
    """A time, and how much it is worth.

    Attributes:
        uncertainty_s: How far off it may be; None where nobody can say.
        is_usable: Whether rights may be judged by it.
    """

    at: datetime
    uncertainty_s: float | None
    is_usable: bool


class EdgeClock:
    """Tells the bridge's time as well as the edge can.

    Args:
        clock: The machine's wall clock.
        server_time: What heartbeats say; the best source, while there is a connection.
        steady: Seconds that only go forward, counted from the machine's start.
        boot_id: Names this start of the machine.
    """

    def __init__(
        self,
        clock: Clock,
        server_time: ServerTime,
        *,
        steady: Callable[[], float] = steady_seconds,
        boot_id: str | None = None,
    ) -> None:
        self._clock = clock
        self._server_time = server_time
        self._steady = steady
        self._boot_id = boot_id or read_boot_id()
        self.anchor: Anchor | None = None

    def now(self) -> datetime:
        """Return the best guess."""
        return self.read().at

    def read(self) -> EdgeTime:
        """Return the time with what it is worth."""
        earliest, latest = self._server_time.earliest(), self._server_time.latest()
        if earliest is not None and latest is not None:
            half = (latest - earliest) / 2
            return EdgeTime(earliest + half, half.total_seconds(), is_usable=True)
        wall, anchor = self._clock.now(), self.anchor
        if anchor is None:
            return EdgeTime(wall, None, is_usable=False)
        since_s = self._steady() - anchor.steady_s
        if anchor.boot_id == self._boot_id and since_s >= 0:
            at = anchor.bridge_time + timedelta(seconds=since_s)
            return EdgeTime(at, anchor.uncertainty_s + since_s * DRIFT, is_usable=True)
        gone = wall - anchor.wall
        if -SETBACK_MAX <= gone <= DOWNTIME_MAX:
            # Right if the machine's clock has a battery; how right, nobody can say.
            return EdgeTime(anchor.bridge_time + gone, None, is_usable=True)
        return EdgeTime(max(wall, anchor.bridge_time), None, is_usable=False)

    def take_anchor(self) -> Anchor | None:
        """Remember this moment, if the bridge's time is known; returns what is to be kept."""
        earliest, latest = self._server_time.earliest(), self._server_time.latest()
        if earliest is None or latest is None:
            return None
        half = (latest - earliest) / 2
        self.anchor = Anchor(
            earliest + half,
            half.total_seconds(),
            self._steady(),
            self._clock.now(),
            self._boot_id,
        )
        return self.anchor


def read_boot_id() -> str:
    """Return what names this start of the machine; of this process, where the system has none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid4())

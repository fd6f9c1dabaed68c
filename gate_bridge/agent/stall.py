"""Notices that this process stood still: what it knows of the lane is then of before."""

import asyncio
from collections.abc import Callable

import structlog

from gate_bridge.agent.server_time import steady_seconds

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

BEAT_S = 0.25
# Far more than a busy machine needs between two turns of the loop.
STALL_S_MAX = 2.0
# What waited in sockets while the process stood still is read within this time.
SETTLE_S = 1.0


class StallWatch:
    """Beats in the event loop, and measures by how much it misses a beat.

    A frozen process, a machine that slept and a loop that something blocked look the same. Devices
    went on telling of their contacts meanwhile, and nobody has read it yet.

    Args:
        steady: Seconds of a clock that counts while the machine sleeps.
    """

    def __init__(self, steady: Callable[[], float] = steady_seconds) -> None:
        self._steady = steady
        self._beat_s = steady()
        self._settled_s = self._beat_s

    def is_settling(self) -> bool:
        """Return whether the process stood still just now, and has not caught up since."""
        now_s = self._steady()
        # The first half is for whoever runs before the beat does, right after a thaw.
        return now_s - self._beat_s > STALL_S_MAX or now_s < self._settled_s

    async def run(self, on_stall: Callable[[], None] = lambda: None) -> None:
        """Beat until cancelled; say when the process has stood still."""
        while True:
            if self.beat():
                on_stall()
            await asyncio.sleep(BEAT_S)

    def beat(self) -> bool:
        """Take in that the loop turns; return whether it stood still."""
        now_s = self._steady()
        stood_s = now_s - self._beat_s
        if stood_s > STALL_S_MAX:
            _log.warning("stood_still", seconds=round(stood_s, 1))
            self._settled_s = now_s + SETTLE_S
        self._beat_s = now_s
        return stood_s > STALL_S_MAX

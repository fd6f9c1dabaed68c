"""The bridge's time as the edge knows it, independent of the edge's own wall clock."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

SAMPLES_MAX = 8
ROUND_TRIP_S_MAX = 2.0
SAMPLE_AGE_S_MAX = 900.0


def steady_seconds() -> float:
    """Return a clock that never jumps and also counts while the machine sleeps, where it can."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


@dataclass(frozen=True, slots=True)
class _Sample:
    received_s: float
    round_trip_s: float
    server_time: datetime


class ServerTime:
    """Estimates the bridge's time from round trips.

    The best of the last samples is the one with the shortest round trip: the bridge's time lies
    within half of it. A slow answer says nothing, such as one that was read after a freeze.

    Args:
        steady: Seconds of a clock that only goes forward.
    """

    def __init__(self, steady: Callable[[], float] = steady_seconds) -> None:
        self.steady = steady
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES_MAX)

    def sample(self, sent_s: float, received_s: float, server_time: datetime) -> None:
        """Take in one answer.

        Args:
            sent_s: When the question was sent, by the steady clock.
            received_s: When the answer was read, by the steady clock.
            server_time: What the answer said, aware.
        """
        round_trip_s = received_s - sent_s
        if 0 <= round_trip_s <= ROUND_TRIP_S_MAX:
            self._samples.append(_Sample(received_s, round_trip_s, server_time))

    def forget(self) -> None:
        """Drop every sample: another bridge may have another clock."""
        self._samples.clear()

    def earliest(self) -> datetime | None:
        """Return a time that the bridge's clock has certainly reached, or None while unknown."""
        return self._at(-0.5)

    def latest(self) -> datetime | None:
        """Return a time that the bridge's clock has not passed yet, or None while unknown."""
        return self._at(0.5)

    def now(self) -> datetime | None:
        """Return the best estimate, or None while unknown."""
        return self._at(0.0)

    def _at(self, round_trips: float) -> datetime | None:
        now_s = self.steady()
        known = [item for item in self._samples if now_s - item.received_s <= SAMPLE_AGE_S_MAX]
        if not known:
            return None
        best = min(known, key=lambda item: item.round_trip_s)
        # The answer was on its way for about half of the round trip.
        since_s = now_s - best.received_s + best.round_trip_s * (0.5 + round_trips)
        return best.server_time + timedelta(seconds=since_s)

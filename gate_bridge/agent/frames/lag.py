"""How far a stream is behind what its camera sees, by the stream's own times."""

from collections.abc import Callable

# Clocks of cameras go wrong by much less: the least delay known so far is forgotten at this rate.
DRIFT_S_PER_S = 0.001


class StreamLag:
    """Compares the times in a stream with those at which it arrives.

    Neither the camera's clock nor its zone matters: what counts is by how much longer a picture
    was under way than the fastest one before it.

    Args:
        steady: Seconds of a clock that only goes forward.
    """

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._best_s: float | None = None
        self._at_s = 0.0

    def of(self, stream_s: float | None) -> float:
        """Return the lag of what arrives now, in seconds; nothing is known of it without a time."""
        if stream_s is None:
            return 0.0
        now_s = self._steady()
        delay_s = now_s - stream_s
        if self._best_s is None:
            self._best_s = delay_s
        else:
            forgotten_s = DRIFT_S_PER_S * (now_s - self._at_s)
            self._best_s = min(delay_s, self._best_s + forgotten_s)
        self._at_s = now_s
        return delay_s - self._best_s

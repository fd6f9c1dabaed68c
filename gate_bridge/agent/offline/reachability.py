"""How long the bridge has not been there."""

from collections.abc import Callable

from gate_bridge.agent.server_time import steady_seconds


class Reachability:
    """Counts from the start of the process, or from the end of the last good connection."""

    def __init__(self, steady: Callable[[], float] = steady_seconds) -> None:
        self._steady = steady
        self._lost_at_s: float | None = steady()

    def found(self) -> None:
        """Note that the bridge answered Hello."""
        self._lost_at_s = None

    def lost(self) -> None:
        """Note that the connection ended; failing to connect again changes nothing."""
        if self._lost_at_s is None:
            self._lost_at_s = self._steady()

    def is_lost_for(self, seconds: float) -> bool:
        """Return whether the bridge has been away for at least so long."""
        return self._lost_at_s is not None and self._steady() - self._lost_at_s >= seconds

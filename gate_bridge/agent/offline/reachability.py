"""How long the bridge has not been there, or has committed nothing of what it is told."""

from collections.abc import Callable

from gate_bridge.agent.server_time import steady_seconds


class Reachability:
    """Counts from the start of the process, or from the last moment when the bridge was of use.

    A bridge whose database is away answers heartbeats and takes no event: for the car at the gate
    that is as good as none. Where the agent has nothing to tell, the bridge says so itself.
    """

    def __init__(self, steady: Callable[[], float] = steady_seconds) -> None:
        self._steady = steady
        self._lost_at_s: float | None = steady()
        self._found_at_s = steady()
        self._told_at_s: float | None = None
        self._unable_at_s: float | None = None

    def found(self) -> None:
        """Note that the bridge answered Hello."""
        self._lost_at_s = self._unable_at_s = None
        self._found_at_s = self._steady()

    def lost(self) -> None:
        """Note that the connection ended; failing to connect again changes nothing."""
        if self._lost_at_s is None:
            since_s = self._of_no_use_since_s()
            self._lost_at_s = self._steady() if since_s is None else since_s
        self._told_at_s = self._unable_at_s = None

    def told(self) -> None:
        """Note that the bridge is told something, or was, which it has to commit."""
        if self._told_at_s is None:
            self._told_at_s = self._steady()

    def committed(self) -> None:
        """Note that the bridge has committed something, or done away with it for good."""
        self._told_at_s = self._unable_at_s = None

    def says_unable(self, for_s: float | None) -> None:
        """Note for how long the bridge could not decide, as it says; None: it can."""
        # Before it answered Hello it was another connection's, or another bridge's.
        since_s = None if for_s is None else max(self._steady() - for_s, self._found_at_s)
        self._unable_at_s = since_s

    def is_lost_for(self, seconds: float) -> bool:
        """Return whether the bridge has been away, or of no use, for at least so long."""
        since_s = self._of_no_use_since_s() if self._lost_at_s is None else self._lost_at_s
        return since_s is not None and self._steady() - since_s >= seconds

    def _of_no_use_since_s(self) -> float | None:
        known = [at_s for at_s in (self._told_at_s, self._unable_at_s) if at_s is not None]
        return min(known, default=None)

    def is_found_for(self, seconds: float) -> bool:
        """Return whether the connection has lasted for at least so long."""
        return self._lost_at_s is None and self._steady() - self._found_at_s >= seconds

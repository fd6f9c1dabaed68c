"""A clock that control sets ahead: the next days' settlements, without waiting for the days."""

from datetime import datetime, timedelta

from parking.kit.clock import Clock


class AheadClock:
    """Another clock, and how far this one is ahead of it."""

    def __init__(self, clock: Clock, ahead: timedelta = timedelta(0)) -> None:
        self._clock = clock
        self.ahead = ahead

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        return self._clock.now() + self.ahead

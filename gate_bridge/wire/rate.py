"""A token bucket."""

import time
from collections.abc import Callable


class TokenBucket:
    """Lets `burst` calls through at once and `rate_per_s` in the long run.

    Args:
        rate_per_s: Tokens that come back each second.
        burst: Tokens that fit.
        seconds: A steady clock.
    """

    def __init__(
        self, rate_per_s: float, burst: int, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate_per_s = rate_per_s
        self._burst = burst
        self._seconds = seconds
        self._tokens = float(burst)
        self._at_s = seconds()

    def take(self) -> bool:
        """Take one token if there is one."""
        now_s = self._seconds()
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self.rate_per_s)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

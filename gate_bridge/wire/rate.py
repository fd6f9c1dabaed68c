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

    @property
    def full(self) -> bool:
        """Return whether every token is back."""
        self._refill()
        return self._tokens >= self._burst

    def take(self, tokens: int = 1) -> bool:
        """Take so many tokens, or none if they are not all there."""
        self._refill()
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True

    def _refill(self) -> None:
        now_s = self._seconds()
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self.rate_per_s)
        self._at_s = now_s

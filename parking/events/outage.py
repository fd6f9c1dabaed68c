"""A failure that lasts is logged once when it begins and once when it ends."""

import random
from typing import Final, cast

import structlog

BACKOFF_S_MIN: Final = 0.05
BACKOFF_S_MAX: Final = 2.0
_DOUBLINGS_MAX: Final = 10

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Outage:
    """Counts failures in a row of one thing, and says how long to leave it alone."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failures = 0

    def failed(self, error: BaseException) -> float:
        """Note a failure; returns the seconds to wait."""
        if self._failures == 0:
            cause = _first_cause(error)
            _log.warning("outage_began", what=self._what, error=repr(cause))
        self._failures += 1
        return self.pause_s()

    def pause_s(self) -> float:
        """Return how long to wait: longer with each failure, and never in step with others."""
        doubled = BACKOFF_S_MIN * 2 ** min(self._failures, _DOUBLINGS_MAX)
        # Jitter spreads processes that lost the same server; it needs no secrecy.
        return min(doubled, BACKOFF_S_MAX) * random.uniform(0.5, 1.0)  # noqa: S311

    def ended(self) -> None:
        """Note a success."""
        if self._failures:
            _log.info("outage_ended", what=self._what, failures=self._failures)
        self._failures = 0


def _first_cause(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error

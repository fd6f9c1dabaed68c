"""Whether this bridge can decide: gates that hear that it cannot go by their own policy."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from gate_bridge.port import LaneService
from gate_bridge.retry import call_once
from gate_bridge.wire.errors import CallUnansweredError, WireError
from gate_bridge.wire.offline import UNABLE_S_MAX, Readiness

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# As long as other calls of its kind: a slow database still decides.
_LOOK_TIMEOUT_S: Final = 5.0

Tell = Callable[[Readiness], Awaitable[object]]


class DomainWatch:
    """Looks now and then whether the domain answers, once for all lanes of this process."""

    def __init__(
        self, service: LaneService, look_s: float, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._service = service
        self._look_s = look_s
        self._seconds = seconds
        self._silent_at_s: float | None = None

    def unable_for_s(self) -> float | None:
        """Return for how long the domain has not answered; None while it does."""
        return None if self._silent_at_s is None else self._seconds() - self._silent_at_s

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._look_s)

    async def look(self) -> None:
        """Take in whether the domain answers now."""
        asked_at_s = self._seconds()
        try:
            is_ready = await call_once(self._service.ready, _LOOK_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - whatever failed, it cannot decide now
            _log.warning("readiness_unknown", error=repr(error))
            is_ready = False
        if is_ready != (self._silent_at_s is None):
            _log.warning("bridge_can_decide" if is_ready else "bridge_cannot_decide")
        if is_ready:
            self._silent_at_s = None
        elif self._silent_at_s is None:
            self._silent_at_s = asked_at_s


class ReadinessNotice:
    """What one connection's agent is told of it: with each heartbeat while it is so, and its end.

    An agent that does not know the call refuses it, and nothing else changes.
    """

    def __init__(self, watch: DomainWatch, tell: Tell) -> None:
        self._watch = watch
        self._tell = tell
        self._was_unable = False

    async def heartbeat(self) -> None:
        """Tell, where there is something to tell."""
        unable_for_s = self._watch.unable_for_s()
        if unable_for_s is None and not self._was_unable:
            return
        known_s = None if unable_for_s is None else min(unable_for_s, UNABLE_S_MAX)
        try:
            await self._tell(Readiness(unable_for_s=known_s))
        except (CallUnansweredError, WireError) as error:
            # The next heartbeat tells it.
            _log.info("readiness_not_told", error=str(error))
        else:
            self._was_unable = unable_for_s is not None

"""Connections that went silent are asked for a sign of life, and end without one.

Whoever sends heartbeats is alive: a ping for each of thousands of such gates, and its pong, would
cost as much as the heartbeats themselves.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from gate_bridge.lane import Spawn
from gate_bridge.wire.link import LinkClosedError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOOKS_PER_INTERVAL: Final = 10
# As the library itself closes where no pong comes.
NO_PONG: Final = 1011


class AskedLink(Protocol):
    """A connection that can be asked."""

    @property
    def heard_s(self) -> float:
        """Return when its peer sent the last message, by the steady clock."""
        ...

    async def pong(self) -> None:
        """Send a ping, and wait for its pong.

        Raises:
            LinkClosedError: the connection ended.
        """
        ...

    async def close(self, code: int, reason: str) -> None:
        """End it."""
        ...


@dataclass(eq=False, slots=True)
class _Watched:
    """A connection and when it last showed that it is alive."""

    link: AskedLink
    pong_s: float
    is_asked: bool = False


class Liveness:
    """The connections of one bridge process.

    Args:
        interval_s: After so long a silence a connection is asked, and has as long for its answer.
        spawn: Starts a task that the process owns.
        seconds: A steady clock.
    """

    def __init__(
        self, interval_s: float, spawn: Spawn, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_s = interval_s
        self._spawn = spawn
        self._seconds = seconds
        self._watched: set[_Watched] = set()

    @contextmanager
    def over(self, link: AskedLink) -> Generator[None]:
        """Watch a connection for the length of a block."""
        watched = _Watched(link, self._seconds())
        self._watched.add(watched)
        try:
            yield
        finally:
            self._watched.discard(watched)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s / LOOKS_PER_INTERVAL)
            self.look()

    def look(self) -> None:
        """Ask whoever was silent for too long."""
        silent_since_s = self._seconds() - self._interval_s
        for watched in self._watched:
            alive_s = max(watched.pong_s, watched.link.heard_s)
            if alive_s <= silent_since_s and not watched.is_asked:
                watched.is_asked = True
                self._spawn(self._ask(watched))

    async def _ask(self, watched: _Watched) -> None:
        try:
            async with asyncio.timeout(self._interval_s):
                await watched.link.pong()
        except TimeoutError:
            await watched.link.close(NO_PONG, "no pong")
        except LinkClosedError:
            return
        else:
            watched.pong_s = self._seconds()
        finally:
            watched.is_asked = False

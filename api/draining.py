"""How the process lets go of its clients before it ends."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

Close = Callable[[], Coroutine[None, None, None]]

# Of sockets that close at the same moment: their clients connect again at the same moment.
CLOSED_AT_ONCE_MAX: Final = 50


class Drain:
    """Who is connected, and whether the process is about to end."""

    def __init__(self) -> None:
        self.has_begun = False
        self._sockets: dict[object, Close] = {}

    def join(self, socket: object, close: Close) -> None:
        """Let `close` be called when the process is about to end."""
        self._sockets[socket] = close

    def leave(self, socket: object) -> None:
        """Take back what `join` asked."""
        del self._sockets[socket]

    async def run(self, seconds: float) -> None:
        """Say that the process is not ready, and close the sockets spread over the time.

        A balancer has the time to look; requests are answered until the end.
        """
        self.has_begun = True
        waiting = list(self._sockets)
        starts = range(0, len(waiting), CLOSED_AT_ONCE_MAX) or range(1)
        for start in starts:
            await asyncio.sleep(seconds / len(starts))
            some = waiting[start : start + CLOSED_AT_ONCE_MAX]
            # One that left meanwhile needs no close.
            closes = [self._sockets[socket] for socket in some if socket in self._sockets]
            await asyncio.gather(*(close() for close in closes))

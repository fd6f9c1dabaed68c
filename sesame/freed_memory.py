"""Gives memory back to the system after many sockets have left: the allocator alone keeps it."""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

LOOK_S: Final = 0.25
# Of fewer sockets there is little to give back.
LEFT_MIN: Final = 500
# Of each kind uvloop keeps 250, and asyncio 255.
SPARES_MAX: Final = 255


class FreedMemory:
    """Looks how many sockets there are, and gives back once they are at most half.

    Args:
        count: Returns how many there are.
        give_back: Does it.
    """

    def __init__(self, count: Callable[[], int], give_back: Callable[[], Awaitable[None]]) -> None:
        self._count = count
        self._give_back = give_back
        self._most = 0
        self._last = 0

    async def look(self) -> None:
        """Look once; while they still leave, it is too early."""
        before, self._last = self._last, self._count()
        now = self._last
        self._most = max(self._most, now)
        if now < before or self._most - now < max(LEFT_MIN, now):
            return
        self._most = now
        await self._give_back()

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()


async def give_back() -> None:
    """Free what only the collector can, then whole pages between things that are in use."""
    gc.collect()
    # It keeps the names of thousands of look-ups, made for one each, as `datetime` makes them.
    clear: Any = getattr(sys, "_clear_type_cache", None)
    if clear is not None:
        clear()
    await _renew_spares()
    # Only glibc has it; others give back by themselves, or not at all.
    trim: Any = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def _renew_spares() -> None:
    """Let objects that the loop keeps for its next use be new ones, which lie side by side.

    It keeps those that were freed first, here and there between what all the sockets held, and
    Python gives an area of 1 MiB back only where nothing at all is left in it.
    """
    loop = asyncio.get_running_loop()
    handles: list[asyncio.Handle] = [loop.call_soon(_nothing) for _ in range(2 * SPARES_MAX)]
    timers = [loop.call_later(1e6, _nothing) for _ in range(2 * SPARES_MAX)]
    for timer in timers:
        timer.cancel()
    done: asyncio.Future[None] = loop.create_future()
    waits = [done.__await__() for _ in range(2 * SPARES_MAX)]
    await asyncio.sleep(0)
    for kept in (handles, timers, waits):
        # The last ones are new, and are kept now; then there is no place for the first ones.
        while kept:
            kept.pop()


def _nothing() -> None:
    pass

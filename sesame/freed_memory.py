"""Gives memory back to the system after many sockets have left: the allocator alone keeps it."""

import asyncio
import ctypes
import gc
from collections.abc import Callable
from typing import Any, Final

LOOK_S: Final = 0.5
# Of fewer sockets there is little to give back.
LEFT_MIN: Final = 500


class FreedMemory:
    """Looks how many sockets there are, and gives back once they are at most half.

    Args:
        count: Returns how many there are.
        give_back: Does it.
    """

    def __init__(self, count: Callable[[], int], give_back: Callable[[], None]) -> None:
        self._count = count
        self._give_back = give_back
        self._most = 0
        self._last = 0

    def look(self) -> None:
        """Look once; while they still leave, it is too early."""
        before, self._last = self._last, self._count()
        now = self._last
        self._most = max(self._most, now)
        if now < before or self._most - now < max(LEFT_MIN, now):
            return
        self._most = now
        self._give_back()

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()


def give_back() -> None:
    """Free what only the collector can, then whole pages between things that are in use."""
    gc.collect()
    # Only glibc has it; others give back by themselves, or not at all.
    trim: Any = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

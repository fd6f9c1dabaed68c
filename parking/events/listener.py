"""What one listener has not looked at yet, in bounded space."""

import asyncio
from typing import Final, Protocol
from uuid import UUID

from parking.events.pokes import RESYNC, Poke, Resync
from parking.kit.errors import UnavailableError

PENDING_POKES_MAX: Final = 32


class BusClosedError(UnavailableError):
    """The process is ending."""

    code = "BUS_CLOSED"


class PokeReceiver(Protocol):
    """Whatever a channel's pokes are given to; it must neither wait nor raise."""

    def push(self, poke: Poke) -> None:
        """Take a poke."""
        ...

    def push_resync(self) -> None:
        """Take that pokes may have been missed."""
        ...

    def close(self) -> None:
        """Take that no more will come."""
        ...


class Listener:
    """The pokes of one channel, for one reader, oldest first.

    A slow reader costs nothing: a repeated poke is kept once, and more than PENDING_POKES_MAX
    become one RESYNC, since the reader goes back to PostgreSQL in any case.
    """

    def __init__(self) -> None:
        self._pokes: dict[UUID, Poke] = {}
        self._resync = False
        self._closed = False
        self._ready = asyncio.Event()

    async def next(self) -> Poke | Resync:
        """Wait for the next poke; cancelling the wait loses nothing.

        Raises:
            BusClosedError: the bus was closed.
        """
        await self._ready.wait()
        if self._closed:
            raise BusClosedError("the event bus is closed")
        if self._resync:
            self._resync = False
            found: Poke | Resync = RESYNC
        else:
            found = self._pokes.pop(next(iter(self._pokes)))
        if not self._pokes:
            self._ready.clear()
        return found

    def __aiter__(self) -> "Listener":
        return self

    async def __anext__(self) -> Poke | Resync:
        try:
            return await self.next()
        except BusClosedError:
            raise StopAsyncIteration from None

    def push(self, poke: Poke) -> None:
        """Add a poke; nothing is added while a RESYNC waits, which says as much."""
        if self._resync:
            return
        if len(self._pokes) >= PENDING_POKES_MAX and poke.event_id not in self._pokes:
            self.push_resync()
            return
        self._pokes[poke.event_id] = poke
        self._ready.set()

    def push_resync(self) -> None:
        """Replace what waits by one RESYNC."""
        self._pokes.clear()
        self._resync = True
        self._ready.set()

    def close(self) -> None:
        """Wake the reader for the last time."""
        self._closed = True
        self._ready.set()

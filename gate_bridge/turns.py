"""Work that many connections want at once, done a few at a time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import ClassVar

from parking.kit.errors import ParkingError


class TooManyWaitError(ParkingError):
    """More want a turn than may wait for one: come again later."""

    code: ClassVar[str] = "TOO_MANY_WAIT"
    retryable: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__("too many connect at this moment; try again")


class Turns:
    """Gives turns in the order in which they are asked for.

    Args:
        at_once: How many have a turn at a time.
        waiting_max: How many may wait for one.
        wait_s_max: How long each may wait; None for as long as it takes. A turn for somebody who
            has given up meanwhile is work for nothing, and the next one waits for it.
    """

    def __init__(self, at_once: int, waiting_max: int, wait_s_max: float | None = None) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._waiting_max = waiting_max
        self._wait_s_max = wait_s_max
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for a turn, and have it for the length of the block.

        Raises:
            TooManyWaitError: at once, when so many wait already; or it took too long.
        """
        if self._waiting >= self._waiting_max:
            raise TooManyWaitError
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s_max):
                await self._free.acquire()
        except TimeoutError:
            raise TooManyWaitError from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

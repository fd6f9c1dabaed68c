"""One subscriber of a feed: what its socket was not given yet, in bounded space."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

from parking.kit.tokens import DriverIdentity

Update = TypeVar("Update")


class Watch(Generic[Update]):
    """What one subscriber was not given yet.

    It holds the updates of one reading at most. While it holds any it is busy, and its feed passes
    it over: what it misses by that it reads from PostgreSQL later, in its own time, so that a slow
    reader costs nothing and loses nothing.

    Attributes:
        is_started: Whether it was given anything.
        is_behind: Whether it was passed over.
    """

    def __init__(self, identity: DriverIdentity) -> None:
        self.identity = identity
        self.is_started = False
        self.is_behind = False
        self._pending: deque[Update] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._has_ended = False
        self._error: Exception | None = None

    @property
    def is_busy(self) -> bool:
        """Whether it holds updates that its socket did not take yet."""
        return bool(self._pending)

    def give(self, updates: Iterable[Update]) -> None:
        """Add updates of one reading."""
        if self._pending is None:
            self._pending = deque()
        self._pending.extend(updates)
        if self._pending:
            self.is_started = True
            self._wake()

    def end(self, error: Exception | None = None) -> None:
        """Let nothing more come after what it holds, but the error."""
        if not self._has_ended:
            self._has_ended = True
            self._error = error
            self._wake()

    async def next(self) -> Update | None:
        """Wait for the next update; None at the end.

        Raises:
            Exception: what the watch was ended with.
        """
        while not self._pending:
            if self._has_ended:
                if self._error is not None:
                    raise self._error
                return None
            await self._wait()
        update = self._pending.popleft()
        if not self._pending:
            # An idle socket is to be small.
            self._pending = None
        return update

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

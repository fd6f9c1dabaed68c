"""What everybody who watches one thing shares: its channel, its timer, and each reading.

The truth is read from PostgreSQL each time; a poke only says when. A lost poke costs at most
SUBSCRIPTION_LOOK_S.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from typing import Any, Generic, TypeVar

from api.config import SUBSCRIPTION_LOOK_S, SUBSCRIPTION_RETRY_S
from api.subscriptions.watch import Watch
from parking.events.bus import Bus
from parking.events.pokes import Poke
from parking.kit.errors import UnavailableError

AnyWatch = TypeVar("AnyWatch", bound=Watch[Any])


class Feed(ABC, Generic[AnyWatch]):
    """One thing that is watched, by at least one.

    Args:
        bus: Where it is poked.
        channel: By this.
        on_empty: Called when nobody watches it any more.
        interval_s: It is read no more often than that.
    """

    def __init__(
        self,
        bus: Bus,
        channel: str,
        on_empty: Callable[[], None],
        *,
        interval_s: float = 0.0,
    ) -> None:
        self.watches: set[AnyWatch] = set()
        self._bus = bus
        self._channel = channel
        self._on_empty = on_empty
        self._interval_s = interval_s
        self._is_attached = False
        self._is_wanted = False
        self._read_at_s = -interval_s
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @abstractmethod
    async def read(self) -> float | None:
        """Read what is new and give it to the watches; returns when to look again, in seconds.

        None where it is told when.

        Raises:
            UnavailableError: it cannot be read now.
            ParkingError: it may not be watched any more.
        """

    async def updates(self, watch: AnyWatch) -> AsyncGenerator[Any]:
        """Yield what the watch is given, until it ends.

        Raises:
            ParkingError: why it ended.
        """
        self.watches.add(watch)
        try:
            if not self.welcome(watch):
                self.look()
            while (update := await watch.next()) is not None:
                yield update
                # A frame that waits would keep it: of thousands of sockets that is most of them.
                del update
                if watch.is_behind and not watch.is_busy:
                    watch.is_behind = False
                    self.look()
        finally:
            self._leave(watch)

    def welcome(self, watch: AnyWatch) -> bool:
        """Give a newcomer what is known; returns whether that is as new as a reading."""
        _ = watch
        return False

    def ready_watches(self) -> list[AnyWatch]:
        """Return the watches that take what is read now; the others are to take it later."""
        ready: list[AnyWatch] = []
        for watch in self.watches:
            if watch.is_busy:
                watch.is_behind = True
            else:
                ready.append(watch)
        return ready

    def look(self) -> None:
        """Read soon; many calls in a short time become one reading."""
        if self._task is not None:
            self._is_wanted = True
            return
        loop = asyncio.get_running_loop()
        wait_s = self._read_at_s + self._interval_s - loop.time()
        if wait_s > 0:
            self._look_in(wait_s)
            return
        self._stop_timer()
        self._task = asyncio.create_task(self._look())

    def push(self, poke: Poke) -> None:
        """Look: something happened."""
        _ = poke
        self.look()

    def push_resync(self) -> None:
        """Look: something may have happened."""
        self.look()

    def close(self) -> None:
        """End every watch: the process ends."""
        for watch in self.watches:
            watch.end()

    async def _look(self) -> None:
        try:
            if not self._is_attached:
                # Before the first reading: a change from here on is poked.
                await self._bus.attach(self._channel, self)
                self._is_attached = True
            self._is_wanted = False
            wait_s = await self.read()
        except UnavailableError as error:
            wait_s = SUBSCRIPTION_RETRY_S
            for watch in self.watches:
                # Who has seen something waits an outage out: nothing is lost by it.
                if not watch.is_started:
                    watch.end(error)
        except Exception as error:  # noqa: BLE001 - whoever watches is told, or waits for ever
            wait_s = SUBSCRIPTION_LOOK_S
            for watch in self.watches:
                watch.end(error)
        self._task = None
        self._read_at_s = asyncio.get_running_loop().time()
        if not self.watches:
            return
        if self._is_wanted:
            self.look()
        elif wait_s is not None:
            self._look_in(wait_s)

    def _look_in(self, seconds: float) -> None:
        self._stop_timer()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(seconds, 0.0), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.look()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _leave(self, watch: AnyWatch) -> None:
        self.watches.discard(watch)
        if self.watches:
            return
        self._on_empty()
        self._stop_timer()
        self._bus.detach(self._channel, self)
        if self._task is not None:
            self._task.cancel()

"""One statement for many stays: whether something happened to any of which no poke told.

Each feed looking for itself would be a reading and a price for every stay all the time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, Protocol

from api.config import SUBSCRIPTION_LOOK_S
from parking.flows.changed_stays import ASKED_AT_ONCE_MAX, Known
from parking.kit.errors import UnavailableError

# Rounds in the time in which each feed is asked about once.
ROUNDS: Final = 5


class Watched(Protocol):
    """A feed of a stay."""

    def known(self) -> Known | None:
        """Return what was read last; None while nothing was."""
        ...

    def look(self) -> None:
        """Read soon."""
        ...

    def rest(self) -> None:
        """Go on without reading: nothing happened."""
        ...


class StayRounds:
    """Asks about the feeds that were not read for long, ASKED_AT_ONCE_MAX at a time.

    Args:
        find_changed: Returns of which ones, by their number, another thing is to be told.
    """

    def __init__(
        self, find_changed: Callable[[Sequence[Known]], Awaitable[Collection[int]]]
    ) -> None:
        self._find_changed = find_changed
        self._seen_at_s: dict[Watched, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def note(self, feed: Watched) -> None:
        """Ask about a feed later: it is as new as can be."""
        self._seen_at_s[feed] = asyncio.get_running_loop().time()
        if self._timer is None and self._task is None:
            self._wait()

    def leave(self, feed: Watched) -> None:
        """Ask about it no more; again changes nothing."""
        self._seen_at_s.pop(feed, None)
        if not self._seen_at_s and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(SUBSCRIPTION_LOOK_S / ROUNDS, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._task = asyncio.create_task(self._go_round())

    async def _go_round(self) -> None:
        long_ago_s = SUBSCRIPTION_LOOK_S * (1 - 1 / ROUNDS)
        before_s = asyncio.get_running_loop().time() - long_ago_s
        due = [feed for feed, seen_at_s in self._seen_at_s.items() if seen_at_s <= before_s]
        try:
            for start in range(0, len(due), ASKED_AT_ONCE_MAX):
                await self._ask(due[start : start + ASKED_AT_ONCE_MAX])
        except UnavailableError:
            # Who was not asked about is due in the next round.
            pass
        finally:
            self._task = None
            if self._seen_at_s:
                self._wait()

    async def _ask(self, feeds: Sequence[Watched]) -> None:
        asked = [(feed, known) for feed in feeds if (known := feed.known()) is not None]
        changed = await self._find_changed([known for _, known in asked])
        for number, (feed, _) in enumerate(asked):
            # It may have been left meanwhile.
            if feed not in self._seen_at_s:
                continue
            if number in changed:
                feed.look()
            else:
                self.note(feed)
                feed.rest()

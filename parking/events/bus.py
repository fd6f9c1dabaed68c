"""Pokes between processes, over Valkey. Nothing here is needed to be right, only to be fast."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from redis.asyncio import Redis

from parking.events.buckets import Buckets
from parking.events.listener import BusClosedError, Listener, PokeReceiver
from parking.events.outage import Outage
from parking.events.pokes import RELAY_CHANNEL, RESYNC, Poke, Resync
from parking.events.subscription import BusFullError, Subscription
from parking.events.valkey import VALKEY_FAILURES, open_pipeline, open_valkey
from parking.kit.tasks import end_tasks

__all__ = [
    "RESYNC",
    "Bus",
    "BusClosedError",
    "BusFullError",
    "Listener",
    "Poke",
    "Resync",
    "open_valkey",
]

_WAKE_UP: Final = Poke(UUID(int=0), "EventsDue")


class Bus:
    """One a process and event loop; a Valkey that is away is noticed, logged once, and waited for.

    Args:
        redis: Its pool is used for publishing; the subscription has a connection of its own.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.buckets = Buckets(redis)
        self._subscription = Subscription(redis)
        self._outage = Outage("valkey publishing")
        self._wake_wanted = asyncio.Event()
        self._waker: asyncio.Task[None] | None = None

    async def publish(self, pokes: Sequence[tuple[str, Poke]]) -> bool:
        """Send pokes, each to its channel; returns whether Valkey took them."""
        if not pokes:
            return True
        pipeline = open_pipeline(self._redis)
        for channel, poke in pokes:
            pipeline.publish(channel, poke.to_json())
        try:
            await pipeline.execute()
        except VALKEY_FAILURES as error:
            self._outage.failed(error)
            return False
        self._outage.ended()
        return True

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncGenerator[Listener]:
        """Listen for the length of a block.

        Read PostgreSQL after entering the block: every later change is poked. When Valkey is away
        the block is entered all the same, and a RESYNC comes once it is back.

        Raises:
            BusFullError: this process has as many listeners as it takes.
        """
        listener = Listener()
        try:
            await self.attach(channel, listener)
            yield listener
        finally:
            self.detach(channel, listener)

    async def attach(self, channel: str, receiver: PokeReceiver) -> None:
        """Give a channel's pokes to a receiver until it is detached; otherwise as `listen`.

        Detach it also where this was cancelled or failed.
        """
        await self._subscription.add(channel, receiver)

    def detach(self, channel: str, receiver: PokeReceiver) -> None:
        """Give the receiver no more; again changes nothing."""
        self._subscription.remove(channel, receiver)

    async def wake_relay(self) -> None:
        """Tell the relays that events are due; returns at once, whatever Valkey does.

        For `Database(after_events=…)`: a commit must never wait for Valkey. Many calls in a short
        time become one message.
        """
        if self._waker is None:
            self._waker = asyncio.create_task(self._wake_when_wanted())
        self._wake_wanted.set()

    async def close(self) -> None:
        """End the subscription; the client stays open, for it is not ours."""
        await self._subscription.close()
        if self._waker is not None:
            await end_tasks(self._waker)
            self._waker = None

    async def _wake_when_wanted(self) -> None:
        while True:
            await self._wake_wanted.wait()
            self._wake_wanted.clear()
            if not await self.publish([(RELAY_CHANNEL, _WAKE_UP)]):
                # A lost wake-up costs half a second: the relays look by themselves.
                await asyncio.sleep(self._outage.pause_s())

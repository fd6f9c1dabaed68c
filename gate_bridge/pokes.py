"""Pokes between processes: "look again at this lane". Truth stays in PostgreSQL.

A lost poke costs time, never correctness: a waiting presentation also polls, and an older
connection that was not closed is fenced by its epoch at the edge.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import structlog

from gate_bridge.valkey import VALKEY_FAILURES, Subscription, Valkey
from parking.events.outage import Outage
from parking.events.pokes import Poke, lane_channel

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CONNECTED = "LaneConnected"
"""Type of the poke that a bridge sends; its version is the session epoch."""

_WAIT_S = 1.0
_PAUSE_S = 0.2

OnPoke = Callable[[int | None], None]
"""Called with the epoch of a newer connection, or None for a plain poke."""


class LanePokes:
    """The lane channels of one bridge process, on one connection.

    Args:
        bridge: Name of this process; it listens to a channel of its own, so that the
            subscription is never empty.
    """

    def __init__(self, valkey: Valkey, bridge: str) -> None:
        self._valkey = valkey
        self._own = f"sesame:{{bridge:{bridge}}}"
        self._listeners: dict[str, OnPoke] = {}
        self._to_follow: set[str] = set()
        self._unannounced: dict[str, bytes] = {}
        self._has_news = asyncio.Event()
        self._subscription: Subscription | None = None
        self._outage = Outage("valkey lane pokes")

    def listen(self, lane_id: UUID, on_poke: OnPoke) -> None:
        """Call `on_poke` for every poke of the lane; replaces the lane's earlier listener."""
        self._listeners[lane_channel(lane_id)] = on_poke

    def listen_to(self, channel: str, on_poke: OnPoke) -> None:
        """Call `on_poke` for every poke of a channel of all lanes; before `deliver`."""
        self._listeners[channel] = on_poke

    def forget(self, lane_id: UUID, on_poke: OnPoke) -> None:
        """Stop calling `on_poke`; a newer listener of the lane stays."""
        channel = lane_channel(lane_id)
        if self._listeners.get(channel) == on_poke:
            del self._listeners[channel]

    def follow(self, lane_id: UUID) -> None:
        """Subscribe to the lane's channel soon, or unsubscribe when nobody listens any more.

        Apart from `listen`, so that no lane waits for a Valkey that is away: the loop subscribes
        to every listener when it connects again.
        """
        self._to_follow.add(lane_channel(lane_id))
        self._has_news.set()

    def announce(self, lane_id: UUID, session_epoch: int) -> None:
        """Tell the other bridge processes soon that a newer connection of the lane exists."""
        body = Poke(lane_id, CONNECTED, session_epoch).to_json()
        self._unannounced[lane_channel(lane_id)] = body
        self._has_news.set()

    async def tell(self) -> None:
        """Follow and announce lanes until cancelled: many at a time, after a storm."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            channels, self._to_follow = self._to_follow, set()
            messages, self._unannounced = self._unannounced, {}
            await self._follow_all(channels)
            try:
                await self._valkey.publish_all(messages)
            except VALKEY_FAILURES as error:
                _log.warning("epochs_not_announced", lanes=len(messages), error=repr(error))

    async def _follow_all(self, channels: set[str]) -> None:
        subscription = self._subscription
        if subscription is None:
            return
        wanted = channels & self._listeners.keys()
        with suppress(*VALKEY_FAILURES):
            if wanted:
                await subscription.add(*wanted)
            if channels - wanted:
                await subscription.remove(*(channels - wanted))

    async def deliver(self) -> None:
        """Deliver pokes until cancelled, beside `tell`."""
        while True:
            subscription = self._valkey.subscription()
            try:
                # Visible before the first await: a lane that connects meanwhile adds itself.
                self._subscription = subscription
                await subscription.add(self._own, *self._listeners)
                self._outage.ended()
                # A poke may have been missed while the connection was away.
                self._poke_everyone()
                await self._deliver(subscription)
            except VALKEY_FAILURES as error:
                self._outage.failed(error)
                await asyncio.sleep(_PAUSE_S)
            finally:
                self._subscription = None
                with suppress(*VALKEY_FAILURES):
                    await subscription.close()

    async def _deliver(self, subscription: Subscription) -> None:
        while True:
            message = await subscription.next(_WAIT_S)
            if message is None:
                continue
            channel, body = message
            listener = self._listeners.get(channel)
            if listener is not None:
                listener(_newer_epoch(body))

    def _poke_everyone(self) -> None:
        for listener in list(self._listeners.values()):
            listener(None)


def _newer_epoch(body: bytes) -> int | None:
    try:
        poke = Poke.from_json(body)
    except ValueError:
        return None
    return poke.version if poke.type == CONNECTED else None

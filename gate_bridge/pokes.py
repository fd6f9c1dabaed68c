"""Pokes between processes: "look again at this lane". Truth stays in PostgreSQL.

A lost poke costs time, never correctness: a waiting presentation also polls, and an older
connection that was not closed is fenced by its epoch at the edge.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import orjson
import structlog

from gate_bridge.valkey import VALKEY_FAILURES, Subscription, Valkey

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_WAIT_S = 1.0
_PAUSE_S = 0.2
_ANNOUNCE_TIMEOUT_S = 1.0

OnPoke = Callable[[int | None], None]
"""Called with the epoch of a newer connection, or None for a plain poke."""


def lane_channel(lane_id: UUID) -> str:
    """Return the channel of one lane."""
    return f"sesame:{{lane:{lane_id}}}"


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
        self._subscription: Subscription | None = None

    async def listen(self, lane_id: UUID, on_poke: OnPoke) -> None:
        """Call `on_poke` for every poke of the lane; replaces the lane's earlier listener."""
        channel = lane_channel(lane_id)
        self._listeners[channel] = on_poke
        if self._subscription is not None:
            # Not reached now: the loop subscribes to every listener when it connects again.
            with suppress(*VALKEY_FAILURES):
                await self._subscription.add(channel)

    async def forget(self, lane_id: UUID, on_poke: OnPoke) -> None:
        """Stop calling `on_poke`; a newer listener of the lane stays."""
        channel = lane_channel(lane_id)
        if self._listeners.get(channel) is not on_poke:
            return
        del self._listeners[channel]
        if self._subscription is not None:
            with suppress(*VALKEY_FAILURES):
                await self._subscription.remove(channel)

    async def announce(self, lane_id: UUID, session_epoch: int) -> None:
        """Tell the other bridge processes that a newer connection of the lane exists."""
        body = orjson.dumps({"session_epoch": session_epoch}).decode()
        try:
            async with asyncio.timeout(_ANNOUNCE_TIMEOUT_S):
                await self._valkey.publish(lane_channel(lane_id), body)
        except VALKEY_FAILURES as error:
            _log.warning("epoch_not_announced", lane_id=str(lane_id), error=repr(error))

    async def run(self) -> None:
        """Deliver pokes until cancelled."""
        while True:
            subscription = self._valkey.subscription()
            try:
                # Visible before the first await: a lane that connects meanwhile adds itself.
                self._subscription = subscription
                await subscription.add(self._own, *self._listeners)
                # A poke may have been missed while the connection was away.
                self._poke_everyone()
                await self._deliver(subscription)
            except VALKEY_FAILURES as error:
                _log.warning("pokes_lost", error=repr(error))
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
                listener(_epoch(body))

    def _poke_everyone(self) -> None:
        for listener in list(self._listeners.values()):
            listener(None)


def _epoch(body: bytes) -> int | None:
    with suppress(orjson.JSONDecodeError):
        content: object = orjson.loads(body)
        match content:
            case {"session_epoch": int(epoch)}:
                return epoch
            case _:
                return None
    return None

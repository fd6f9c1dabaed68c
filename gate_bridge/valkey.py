"""The few Valkey commands that the bridge uses, with types.

redis-py annotates its commands for sync and async clients at once, which strict typing cannot
follow; the names that it gets wrong stay inside this file.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, cast

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

VALKEY_FAILURES: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
"""What a server that is away, restarting or loading raises."""

_ANSWER_TIMEOUT_S = 5.0
_CONNECT_TIMEOUT_S = 2.0
_READ_COUNT_MAX = 64

StreamEntry = tuple[bytes, dict[bytes, bytes]]


class _Commands(Protocol):
    """The signatures as they really are on an asyncio client."""

    async def ping(self) -> bool: ...
    async def publish(self, channel: str, message: str | bytes) -> int: ...
    async def xadd(
        self,
        name: str,
        fields: Mapping[str, bytes | str],
        *,
        maxlen: int,
        approximate: bool,
    ) -> bytes: ...
    async def xread(
        self, streams: Mapping[str, bytes], *, count: int, block: int
    ) -> "list[tuple[bytes, list[StreamEntry]]]": ...


class Valkey:
    """One connection pool of the bridge."""

    def __init__(self, url: str) -> None:
        self._client = Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - untyped kwargs
            # With a timeout of its own it would send through `asyncio.wait_for`, which loses
            # cancellations before Python 3.12: here each command has one around it.
            url,
            socket_timeout=None,
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
        )
        self._commands = cast("_Commands", self._client)

    async def ping(self) -> bool:
        """Return whether the server answers."""
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                return bool(await self._commands.ping())
        except VALKEY_FAILURES:
            return False

    async def add(self, stream: str, fields: Mapping[str, bytes | str], length_max: int) -> None:
        """Append to a stream that is trimmed to about `length_max` entries."""
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            await self._commands.xadd(stream, fields, maxlen=length_max, approximate=True)

    async def read(self, stream: str, after: bytes, block_ms: int) -> list[StreamEntry]:
        """Return the entries after `after`, waiting up to `block_ms` for the first."""
        async with asyncio.timeout(_ANSWER_TIMEOUT_S + block_ms / 1000):
            answer = await self._commands.xread(
                {stream: after}, count=_READ_COUNT_MAX, block=block_ms
            )
        return answer[0][1] if answer else []

    async def publish(self, channel: str, message: bytes) -> None:
        """Tell whoever listens at this moment."""
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            await self._commands.publish(channel, message)

    async def publish_all(self, messages: Mapping[str, bytes]) -> None:
        """Tell whoever listens to each channel, with one round trip for all of them."""
        if not messages:
            return
        pipeline = cast("Any", self._client).pipeline(transaction=False)
        for channel, message in messages.items():
            pipeline.publish(channel, message)
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            await pipeline.execute()

    def subscription(self) -> "Subscription":
        """Return a new subscription without channels."""
        return Subscription(cast("Any", self._client).pubsub(ignore_subscribe_messages=True))

    async def close(self) -> None:
        """Close the pool."""
        await self._client.aclose()


class Subscription:
    """Channels that one connection listens to."""

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = cast("Any", pubsub)

    async def add(self, *channels: str) -> None:
        """Listen to more channels."""
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            await self._pubsub.subscribe(*channels)

    async def remove(self, *channels: str) -> None:
        """Stop listening."""
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            await self._pubsub.unsubscribe(*channels)

    async def next(self, timeout_s: float) -> tuple[str, bytes] | None:
        """Return channel and body of the next message, or None after `timeout_s`."""
        # It connects anew where it has to, and would wait for the greeting for good.
        async with asyncio.timeout(_ANSWER_TIMEOUT_S + timeout_s):
            message: dict[str, Any] | None = await self._pubsub.get_message(timeout=timeout_s)
        if message is None:
            return None
        return bytes(message["channel"]).decode(), bytes(message["data"])

    async def close(self) -> None:
        """End the subscription."""
        await self._pubsub.aclose()

"""Points that all processes take from the same buckets, in Valkey."""

import asyncio
from typing import Any, Final, cast

from redis.asyncio import Redis

from parking.events.outage import Outage
from parking.events.valkey import VALKEY_FAILURES

TIMEOUT_S: Final = 0.25
_PREFIX: Final = "points:"
# The times are the callers': a clock that goes back fills nothing, and takes nothing away.
_TAKE: Final = """
local size, per_s, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local least, wanted = tonumber(ARGV[4]), tonumber(ARGV[5])
local held = redis.call('HMGET', KEYS[1], 'points', 'at')
local points, at = tonumber(held[1]) or size, tonumber(held[2]) or now
points = math.min(size, points + math.max(0, now - at) * per_s)
local taken = math.min(wanted, math.floor(points))
if taken < least then taken = 0 end
redis.call('HSET', KEYS[1], 'points', tostring(points - taken), 'at', tostring(math.max(now, at)))
redis.call('PEXPIRE', KEYS[1], math.ceil(1000 * size / per_s))
return {taken, math.ceil(1000 * math.max(0, least - points) / per_s)}
"""


class Buckets:
    """The buckets of one Valkey; while it is away nobody is refused by it."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._outage = Outage("valkey buckets")
        self._quiet_until_s = 0.0

    async def take(
        self, key: str, *, size: int, per_s: float, now_s: float, least: int, wanted: int
    ) -> tuple[int, float] | None:
        """Take points: all that are wanted, or what is there if that is enough, or none.

        Args:
            key: Whose bucket.
            size: What a full one holds.
            per_s: What is filled in each second.
            now_s: The time.
            least: With fewer nothing is taken.
            wanted: With more nothing is taken either.

        Returns:
            How many were taken, and in how many seconds `least` will be there; None while Valkey
            does not answer.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._quiet_until_s:
            return None
        words = (size, per_s, repr(now_s), least, wanted)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                found = await self._redis.eval(_TAKE, 1, _PREFIX + key, *words)
        except VALKEY_FAILURES as error:
            self._quiet_until_s = loop.time() + self._outage.failed(error)
            return None
        self._outage.ended()
        taken, wait_ms = cast("list[int]", found)
        return taken, wait_ms / 1000

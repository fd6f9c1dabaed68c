"""The Valkey side of the worker: frames in, votes and replies out.

redis-py's asyncio client has only partial types: this module is where they are made certain.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from parking.plates.frame_stream import (
    FRAMES_STREAM,
    RECOGNIZER_GROUP,
    REPLIES_EXPIRY_S,
    REPLIES_LENGTH_MAX,
    VOTE_EXPIRY_S,
    FrameReply,
    FrameRequest,
    vote_key,
)
from parking.plates.reads import PlateRead

# A worker that was killed leaves its entry behind: another takes it over after this.
CLAIM_IDLE_MS: Final = 1500
BLOCK_MS: Final = 500
CONNECT_TIMEOUT_S: Final = 2.0
# Longer than the longest block.
ANSWER_TIMEOUT_S: Final = 5.0
VOTE_FRAMES_MAX: Final = 32
# Consumers of workers that are long gone are forgotten, so that their list stays short.
CONSUMER_IDLE_MAX_MS: Final = 3_600_000


class Entry(NamedTuple):
    """One entry of the frame stream.

    Attributes:
        deliveries: How often it was handed to a worker, this time included.
    """

    id: bytes
    fields: Mapping[bytes, bytes]
    deliveries: int


def connect(url: str) -> Redis:
    """Return a client whose every call ends in time."""
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType] # its **kwargs are untyped
        url, socket_connect_timeout=CONNECT_TIMEOUT_S, socket_timeout=ANSWER_TIMEOUT_S
    )


class FrameQueue:
    """The frame stream as one consumer sees it."""

    def __init__(self, client: Redis, consumer: str) -> None:
        self._client: Any = client
        self._consumer = consumer

    async def ensure_group(self) -> None:
        """Make stream and group if they are not there; frames that wait already are kept."""
        try:
            # From the beginning: frames may have come before the group, as after FLUSHALL.
            await self._client.xgroup_create(FRAMES_STREAM, RECOGNIZER_GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        await self._forget_old_consumers()

    async def _forget_old_consumers(self) -> None:
        consumers: list[dict[str, Any]] = await self._client.xinfo_consumers(
            FRAMES_STREAM, RECOGNIZER_GROUP
        )
        for each in consumers:
            # A consumer with pending entries must stay until they are claimed.
            if each["idle"] > CONSUMER_IDLE_MAX_MS and each["pending"] == 0:
                await self._client.xgroup_delconsumer(FRAMES_STREAM, RECOGNIZER_GROUP, each["name"])

    async def claim_abandoned(self) -> Entry | None:
        """Take over the oldest entry that a worker left unanswered."""
        answer: list[Any] = await self._client.xautoclaim(
            FRAMES_STREAM, RECOGNIZER_GROUP, self._consumer, CLAIM_IDLE_MS, count=1
        )
        entries: list[tuple[bytes, Mapping[bytes, bytes]]] = answer[1]
        if not entries:
            return None
        entry_id, fields = entries[0]
        pending: list[dict[str, Any]] = await self._client.xpending_range(
            FRAMES_STREAM, RECOGNIZER_GROUP, min=entry_id, max=entry_id, count=1
        )
        return Entry(entry_id, fields, int(pending[0]["times_delivered"]) if pending else 1)

    async def next_entry(self) -> Entry | None:
        """Wait for a new entry, `BLOCK_MS` at most."""
        answer: list[tuple[bytes, list[tuple[bytes, Mapping[bytes, bytes]]]]]
        answer = await self._client.xreadgroup(
            RECOGNIZER_GROUP, self._consumer, {FRAMES_STREAM: ">"}, count=1, block=BLOCK_MS
        )
        if not answer:
            return None
        entry_id, fields = answer[0][1][0]
        return Entry(entry_id, fields, 1)

    async def add_read(self, request: FrameRequest, read: PlateRead | None) -> list[PlateRead]:
        """Keep the frame's read and return all reads of its presentation.

        Kept before the others are fetched: of two workers with frames of one car, the later one
        sees both. A frame that is delivered twice keeps one read. Beyond `VOTE_FRAMES_MAX`
        frames nothing is kept.
        """
        key, field = _key(request), str(request.frame_id)
        pipeline = self._client.pipeline(transaction=False)
        if read is not None:
            pipeline.hset(key, field, read.model_dump_json())
            pipeline.expire(key, VOTE_EXPIRY_S)
        pipeline.hgetall(key)
        stored: dict[bytes, bytes] = (await pipeline.execute())[-1]
        if len(stored) > VOTE_FRAMES_MAX and read is not None:
            await self._client.hdel(key, field)
            stored.pop(field.encode(), None)
        return _parsed(stored)

    async def reads(self, request: FrameRequest) -> list[PlateRead]:
        """Return the reads of the frame's presentation so far."""
        return _parsed(await self._client.hgetall(_key(request)))

    async def answer(self, entry: Entry, reply_to: str, reply: FrameReply) -> None:
        """Send the reply and take the entry off the stream."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.xadd(reply_to, reply.to_fields(), maxlen=REPLIES_LENGTH_MAX, approximate=True)
        pipeline.expire(reply_to, REPLIES_EXPIRY_S)
        self._remove(pipeline, entry)
        await pipeline.execute()

    async def drop(self, entry: Entry) -> None:
        """Take an entry off the stream that nobody can be told about."""
        pipeline = self._client.pipeline(transaction=False)
        self._remove(pipeline, entry)
        await pipeline.execute()

    def _remove(self, pipeline: Any, entry: Entry) -> None:  # noqa: ANN401 - redis-py's pipeline
        pipeline.xack(FRAMES_STREAM, RECOGNIZER_GROUP, entry.id)
        # Frames are large: an answered one must not wait for the stream's maximum length.
        pipeline.xdel(FRAMES_STREAM, entry.id)


def _key(request: FrameRequest) -> str:
    return vote_key(request.operator_id, request.lane_id, request.presentation_id)


def _parsed(stored: Mapping[bytes, bytes]) -> list[PlateRead]:
    reads: list[PlateRead] = []
    for body in stored.values():
        try:
            reads.append(PlateRead.model_validate_json(body))
        except ValidationError:
            # Written by a worker of another version during an upgrade: the other frames decide.
            continue
    return reads

"""The worker on a real Valkey: what is submitted is answered, whatever happens around it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import pytest

import recognition.frame_queue
from parking.plates.frame_stream import (
    FRAMES_STREAM,
    RECOGNIZER_GROUP,
    FrameReply,
    FrameRequest,
    reads_stream,
    vote_key,
)
from parking.plates.reads import PlateRead
from recognition.detect import Detection
from recognition.errors import PictureError
from recognition.frame_queue import FrameQueue, connect
from recognition.images import corners_of_box
from recognition.pipeline import ReadPlate, Recognition, Recognizer
from recognition.worker import DELIVERIES_MAX, Worker

REPLY_TO: Final = reads_stream("test")
OPERATOR: Final = UUID(int=9)
LANE: Final = UUID(int=8)
PRESENTATION: Final = UUID(int=1)
VOTE_KEY: Final = vote_key(OPERATOR, LANE, PRESENTATION)
ANSWER_WITHIN_S: Final = 10.0


class ScriptedRecognizer(Recognizer):
    """Reads the picture's bytes as the plate's text, so that no network is needed."""

    def __init__(self) -> None:
        self.name = "scripted"

    def recognize(self, data: bytes) -> Recognition:
        if data == b"broken":
            raise RuntimeError("a library fell over")
        if not data.isalnum():
            raise PictureError("image", "a picture")
        if data == b"EMPTY":
            return Recognition((), (), {"decode": 1.0})
        read = PlateRead(text=data.decode(), confidence=0.95)
        plate = ReadPlate(Detection(corners_of_box(0, 0, 9, 3), 1.0), read)
        return Recognition((plate,), (plate.detection,), {"decode": 1.0})


class Bridge:
    """The other side of the streams."""

    def __init__(self, url: str) -> None:
        self.client: Any = connect(url)
        self._last = "0"

    async def submit(
        self, frame: int, image: bytes, lane_id: UUID = LANE, operator_id: UUID = OPERATOR
    ) -> bytes:
        request = FrameRequest(
            operator_id=operator_id,
            lane_id=lane_id,
            presentation_id=PRESENTATION,
            frame_id=UUID(int=frame),
            captured_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
            reply_to=REPLY_TO,
            image=image,
        )
        return await self.client.xadd(FRAMES_STREAM, request.to_fields())

    async def reply(self) -> FrameReply:
        fields = await self._next()
        return FrameReply.from_fields(fields)

    async def _next(self) -> Mapping[bytes, bytes]:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            while True:
                found = await self.client.xread({REPLY_TO: self._last}, count=1, block=200)
                if found:
                    self._last, fields = found[0][1][0]
                    return fields

    async def replies(self) -> int:
        return await self.client.xlen(REPLY_TO)

    async def waiting(self) -> tuple[int, int]:
        """Return how many frames are on the stream, and how many of them are handed out."""
        pending = await self.client.xpending(FRAMES_STREAM, RECOGNIZER_GROUP)
        return await self.client.xlen(FRAMES_STREAM), pending["pending"]


@pytest.fixture
async def bridge(valkey_url: str) -> AsyncIterator[Bridge]:
    bridge = Bridge(valkey_url)
    yield bridge
    await bridge.client.aclose()


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let abandoned entries be claimed soon; the mechanism is the same."""
    monkeypatch.setattr(recognition.frame_queue, "CLAIM_IDLE_MS", 100)
    monkeypatch.setattr(recognition.frame_queue, "BLOCK_MS", 50)
    monkeypatch.setattr("recognition.worker.CLAIM_EVERY_S", 0.05)


@asynccontextmanager
async def working(url: str, name: str = "one") -> AsyncGenerator[None]:
    stop = asyncio.Event()
    client = connect(url)
    worker = Worker(FrameQueue(client, name), ScriptedRecognizer())
    task = asyncio.create_task(worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task
        await client.aclose()


@pytest.mark.usefixtures("short_waits")
async def test_two_frames_of_one_car_agree(valkey_url: str, bridge: Bridge) -> None:
    async with working(valkey_url):
        await bridge.submit(1, b"MKL4731")
        first = await bridge.reply()
        await bridge.submit(2, b"MKL4731")
        second = await bridge.reply()
    assert first.vote is not None
    assert (first.frame_id, first.vote.frames, first.agreed) == (UUID(int=1), 1, False)
    assert second.vote is not None
    assert (second.vote.text, second.vote.confidence, second.agreed) == ("MKL4731", 0.975, True)
    assert (second.model, second.timings_ms, second.error) == ("scripted", {"decode": 1.0}, None)
    assert await bridge.waiting() == (0, 0)


@pytest.mark.usefixtures("short_waits")
async def test_a_frame_of_another_lane_or_operator_is_no_part_of_the_vote(
    valkey_url: str, bridge: Bridge
) -> None:
    async with working(valkey_url):
        await bridge.submit(1, b"MKL4731")
        await bridge.submit(2, b"THIEF1", lane_id=UUID(int=7))
        await bridge.submit(3, b"THIEF1", operator_id=UUID(int=6))
        await bridge.submit(4, b"MKL4731")
        replies = [await bridge.reply() for _ in range(4)]
    assert [
        (reply.lane_id, reply.vote.text, reply.vote.frames, reply.agreed)
        for reply in replies
        if reply.vote
    ] == [
        (LANE, "MKL4731", 1, False),
        (UUID(int=7), "THIEF1", 1, False),
        (LANE, "THIEF1", 1, False),
        (LANE, "MKL4731", 2, True),
    ]


@pytest.mark.usefixtures("short_waits")
async def test_the_vote_outlives_the_worker(valkey_url: str, bridge: Bridge) -> None:
    async with working(valkey_url, "one"):
        await bridge.submit(1, b"MKL4731")
        await bridge.reply()
    async with working(valkey_url, "two"):
        await bridge.submit(2, b"MKL4731")
        assert (await bridge.reply()).agreed is True
    assert 0 < await bridge.client.ttl(VOTE_KEY) <= 120


@pytest.mark.usefixtures("short_waits")
async def test_an_agreed_car_costs_no_more_time(valkey_url: str, bridge: Bridge) -> None:
    async with working(valkey_url):
        for frame in (1, 2, 3):
            await bridge.submit(frame, b"MKL4731")
        replies = [await bridge.reply() for _ in range(3)]
    assert [reply.agreed for reply in replies] == [False, True, True]
    assert [reply.timings_ms for reply in replies] == [{"decode": 1.0}, {"decode": 1.0}, {}]
    assert replies[2].vote == replies[1].vote


@pytest.mark.usefixtures("short_waits")
async def test_a_read_of_another_version_is_left_out(valkey_url: str, bridge: Bridge) -> None:
    await bridge.client.hset(VOTE_KEY, "old", '{"plate": "X"}')
    async with working(valkey_url):
        await bridge.submit(1, b"MKL4731")
        reply = await bridge.reply()
    assert reply.vote is not None
    assert reply.vote.frames == 1


@pytest.mark.usefixtures("short_waits")
async def test_a_frame_without_a_plate_adds_nothing(valkey_url: str, bridge: Bridge) -> None:
    async with working(valkey_url):
        await bridge.submit(1, b"EMPTY")
        reply = await bridge.reply()
    assert (reply.vote, reply.agreed, reply.error) == (None, False, None)
    assert await bridge.client.exists(VOTE_KEY) == 0


@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize(
    ("image", "code"), [(b"", "PICTURE_INVALID"), (b"broken", "RECOGNITION_FAILED")]
)
async def test_a_bad_picture_is_answered_and_the_worker_lives(
    valkey_url: str, bridge: Bridge, image: bytes, code: str
) -> None:
    async with working(valkey_url):
        await bridge.submit(1, image)
        refused = await bridge.reply()
        await bridge.submit(2, b"MKL4731")
        good = await bridge.reply()
    assert refused.error is not None
    assert (refused.error.code, refused.vote) == (code, None)
    assert good.vote is not None
    assert good.vote.frames == 1
    assert await bridge.waiting() == (0, 0)


@pytest.mark.usefixtures("short_waits")
async def test_an_entry_that_is_no_request_is_answered_or_dropped(
    valkey_url: str, bridge: Bridge
) -> None:
    names = {
        "lane_id": str(LANE),
        "presentation_id": str(UUID(int=1)),
        "frame_id": str(UUID(int=7)),
    }
    async with working(valkey_url):
        await bridge.client.xadd(FRAMES_STREAM, {"v": "2", "reply_to": REPLY_TO, **names})
        answered = await bridge.reply()
        await bridge.client.xadd(FRAMES_STREAM, {"noise": "1"})
        await bridge.client.xadd(FRAMES_STREAM, {"v": "2", "reply_to": "accounts", **names})
        await bridge.submit(1, b"MKL4731")
        assert (await bridge.reply()).error is None
    assert answered.frame_id == UUID(int=7)
    assert answered.error is not None
    assert answered.error.code == "FRAME_MALFORMED"
    assert await bridge.client.exists("accounts") == 0
    assert await bridge.waiting() == (0, 0)


@pytest.mark.usefixtures("short_waits")
async def test_flushall_makes_the_group_again(valkey_url: str, bridge: Bridge) -> None:
    async with working(valkey_url):
        await bridge.submit(1, b"MKL4731")
        await bridge.reply()
        await bridge.client.flushall()
        bridge = Bridge(valkey_url)
        await bridge.submit(2, b"MKL4731")
        reply = await bridge.reply()
        await bridge.client.aclose()
    assert reply.frame_id == UUID(int=2)
    # The first frame's read went with the flush: the vote starts again.
    assert reply.vote is not None
    assert reply.vote.frames == 1


@pytest.mark.usefixtures("short_waits")
async def test_the_entry_of_a_killed_worker_is_claimed(valkey_url: str, bridge: Bridge) -> None:
    await bridge.submit(1, b"MKL4731")
    dead = FrameQueue(bridge.client, "dead")
    await dead.ensure_group()
    entry = await dead.next_entry()
    assert entry is not None
    assert await bridge.waiting() == (1, 1)
    async with working(valkey_url, "living"):
        reply = await bridge.reply()
    assert reply.frame_id == UUID(int=1)
    assert reply.error is None
    assert await bridge.waiting() == (0, 0)


@pytest.mark.usefixtures("short_waits")
async def test_a_frame_that_ends_its_workers_is_given_up(valkey_url: str, bridge: Bridge) -> None:
    entry_id = await bridge.submit(1, b"MKL4731")
    dead = FrameQueue(bridge.client, "dead")
    await dead.ensure_group()
    assert await dead.next_entry() is not None
    await bridge.client.xclaim(
        FRAMES_STREAM, RECOGNIZER_GROUP, "dead", 0, [entry_id], retrycount=DELIVERIES_MAX
    )
    async with working(valkey_url, "living"):
        reply = await bridge.reply()
    assert reply.error is not None
    assert (reply.error.code, reply.vote) == ("RECOGNITION_CRASHED", None)
    assert await bridge.waiting() == (0, 0)


@pytest.mark.usefixtures("short_waits")
async def test_a_frame_that_is_answered_twice_votes_once(valkey_url: str, bridge: Bridge) -> None:
    async with working(valkey_url):
        for _ in range(2):
            await bridge.submit(1, b"MKL4731")
        replies = [await bridge.reply(), await bridge.reply()]
    assert [reply.vote.frames for reply in replies if reply.vote] == [1, 1]
    assert [reply.agreed for reply in replies] == [False, False]


@pytest.mark.usefixtures("short_waits")
async def test_two_workers_share_the_frames(valkey_url: str, bridge: Bridge) -> None:
    frames = range(1, 21)
    async with working(valkey_url, "one"), working(valkey_url, "two"):
        for frame in frames:
            await bridge.submit(frame, b"MKL4731")
        seen = {(await bridge.reply()).frame_id for _ in frames}
    assert seen == {UUID(int=frame) for frame in frames}
    assert await bridge.replies() == len(frames)
    assert await bridge.waiting() == (0, 0)


@pytest.mark.usefixtures("short_waits")
async def test_a_lost_connection_is_made_again(valkey_url: str, bridge: Bridge) -> None:
    async with working(valkey_url):
        await bridge.submit(1, b"MKL4731")
        await bridge.reply()
        await bridge.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await bridge.submit(2, b"MKL4731")
        reply = await bridge.reply()
    assert reply.vote is not None
    assert (reply.vote.frames, reply.agreed) == (2, True)

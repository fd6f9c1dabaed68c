"""The recognition worker: reads frames from Valkey, answers with votes.

It keeps nothing: votes live in Valkey, frames in the bridge's database. Any number of workers
share one consumer group.
"""

import asyncio
import signal
from typing import Final
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from parking.events.outage import Outage
from parking.plates.frame_stream import (
    FrameError,
    FrameFormatError,
    FrameReply,
    FrameRequest,
    reads_stream,
)
from recognition.errors import PictureError
from recognition.frame_queue import Entry, FrameQueue
from recognition.pipeline import Recognition, Recognizer
from recognition.vote import Vote, vote

# An entry that was handed out this often killed its workers: nobody else shall try.
DELIVERIES_MAX: Final = 3
# Looking for abandoned entries costs a round trip: not on every frame.
CLAIM_EVERY_S: Final = 0.5
_CRASHED: Final = FrameError(code="RECOGNITION_CRASHED", message="the frame ended its recognizers")
_FAILED: Final = FrameError(code="RECOGNITION_FAILED", message="the frame could not be read")

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Worker:
    """One consumer of the frame stream."""

    def __init__(self, queue: FrameQueue, recognizer: Recognizer) -> None:
        self._queue = queue
        self._recognizer = recognizer
        self._claimed_at_s = -CLAIM_EVERY_S
        self._outage = Outage("valkey")

    async def run(self, stop: asyncio.Event) -> None:
        """Answer frames until `stop` is set; the frame in hand is finished first."""
        ready = False
        while not stop.is_set():
            try:
                if not ready:
                    await self._queue.ensure_group()
                    ready = True
                await self._turn()
                self._outage.ended()
            except (RedisError, OSError) as error:
                # The group is gone after FLUSHALL, the connection after a restart of Valkey:
                # both are made again. Nothing is lost: the bridge submits what nobody answered.
                ready = False
                await _pause(stop, self._outage.failed(error))

    async def _turn(self) -> None:
        entry = await self._next()
        if entry is not None:
            await self._handle(entry)

    async def _next(self) -> Entry | None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._claimed_at_s >= CLAIM_EVERY_S:
            entry = await self._queue.claim_abandoned()
            if entry is not None:
                return entry
            self._claimed_at_s = now_s
        return await self._queue.next_entry()

    async def _handle(self, entry: Entry) -> None:
        try:
            request = FrameRequest.from_fields(entry.fields)
        except FrameFormatError as error:
            await self._refuse(entry, error)
            return
        if entry.deliveries > DELIVERIES_MAX:
            _log.error("frame_crashed_workers", frame_id=str(request.frame_id))
            await self._answer(entry, request, None, _CRASHED)
            return
        earlier = vote(await self._queue.reads(request))
        if earlier.agreed:
            # This car is known: the time belongs to the next one.
            await self._reply(entry, request, earlier, None, None)
            return
        recognition, problem = await self._recognize(request)
        await self._answer(entry, request, recognition, problem)

    async def _recognize(
        self, request: FrameRequest
    ) -> tuple[Recognition | None, FrameError | None]:
        try:
            # In a thread, so that the loop answers signals and keeps its connections alive.
            return await asyncio.to_thread(self._recognizer.recognize, request.image), None
        except PictureError as error:
            return None, FrameError(code=error.code, message=str(error))
        except Exception:  # noqa: BLE001 - what a library makes of a picture must not end the worker
            _log.exception("recognition_failed", frame_id=str(request.frame_id))
            return None, _FAILED

    async def _answer(
        self,
        entry: Entry,
        request: FrameRequest,
        recognition: Recognition | None,
        problem: FrameError | None,
    ) -> None:
        read = recognition.read if recognition else None
        result = vote(await self._queue.add_read(request, read))
        await self._reply(entry, request, result, recognition, problem)

    async def _reply(
        self,
        entry: Entry,
        request: FrameRequest,
        result: Vote,
        recognition: Recognition | None,
        problem: FrameError | None,
    ) -> None:
        reply = FrameReply(
            lane_id=request.lane_id,
            presentation_id=request.presentation_id,
            frame_id=request.frame_id,
            vote=result.read,
            agreed=result.agreed,
            error=problem,
            timings_ms=recognition.timings_ms if recognition else {},
            model=self._recognizer.name,
        )
        await self._queue.answer(entry, request.reply_to, reply)

    async def _refuse(self, entry: Entry, error: FrameFormatError) -> None:
        """Answer an entry that is no frame request, if it says whom to answer."""
        _log.warning("frame_malformed", error=str(error))
        try:
            reply_to = entry.fields[b"reply_to"].decode()
            reply = FrameReply(
                lane_id=UUID(entry.fields[b"lane_id"].decode()),
                presentation_id=UUID(entry.fields[b"presentation_id"].decode()),
                frame_id=UUID(entry.fields[b"frame_id"].decode()),
                vote=None,
                agreed=False,
                error=FrameError(code="FRAME_MALFORMED", message=str(error)),
                timings_ms={},
                model=self._recognizer.name,
            )
        except (KeyError, ValueError):
            await self._queue.drop(entry)
            return
        # Only a stream of reads: a malformed entry must not write to any other key.
        if not reply_to.startswith(reads_stream("")[:-1]):
            await self._queue.drop(entry)
            return
        await self._queue.answer(entry, reply_to, reply)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set the event on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

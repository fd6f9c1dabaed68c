"""Frames to the recognisers and their reads back, through Valkey streams.

Valkey may be restarted or emptied at any time: the frames are in PostgreSQL, and a presentation
that gets no answer submits them again.
"""

import asyncio
from collections.abc import Callable
from uuid import UUID

import structlog

from gate_bridge.valkey import VALKEY_FAILURES, Valkey
from parking.events.outage import Outage
from parking.plates.frame_stream import (
    FRAMES_LENGTH_MAX,
    FRAMES_STREAM,
    FrameFormatError,
    FrameReply,
    FrameRequest,
    reads_stream,
)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_BLOCK_MS = 1000
_PAUSE_S = 0.2
_SUBMIT_TIMEOUT_S = 1.0
_START = b"0-0"

OnReply = Callable[[FrameReply], None]
"""Takes in one read; it must not block."""


class FrameQueue:
    """The bridge's side of the two streams.

    Args:
        bridge: Name of this process; its reads come on a stream of their own.
    """

    def __init__(self, valkey: Valkey, bridge: str) -> None:
        self._valkey = valkey
        # An agent may name any presentation: a reply goes to the lane whose frame it was.
        self._listeners: dict[tuple[UUID, UUID], OnReply] = {}
        self._cursor = _START
        self._submitting = Outage("valkey frames stream")
        self._reading = Outage("valkey reads stream")
        self.reply_to = reads_stream(bridge)

    def listen(self, lane_id: UUID, presentation_id: UUID, on_reply: OnReply) -> None:
        """Call `on_reply` for every read of the lane's car; the newest listener gets them."""
        self._listeners[lane_id, presentation_id] = on_reply

    def forget(self, lane_id: UUID, presentation_id: UUID, on_reply: OnReply) -> None:
        """Stop calling `on_reply`."""
        if self._listeners.get((lane_id, presentation_id)) == on_reply:
            del self._listeners[lane_id, presentation_id]

    async def submit(self, request: FrameRequest) -> bool:
        """Hand a frame to the recognisers; return False when Valkey does not take it now."""
        try:
            async with asyncio.timeout(_SUBMIT_TIMEOUT_S):
                await self._valkey.add(FRAMES_STREAM, request.to_fields(), FRAMES_LENGTH_MAX)
        except VALKEY_FAILURES as error:
            self._submitting.failed(error)
            return False
        self._submitting.ended()
        return True

    async def run(self) -> None:
        """Read the replies until cancelled."""
        while True:
            try:
                entries = await self._valkey.read(self.reply_to, self._cursor, _BLOCK_MS)
            except VALKEY_FAILURES as error:
                self._reading.failed(error)
                await asyncio.sleep(_PAUSE_S)
                continue
            self._reading.ended()
            for entry_id, fields in entries:
                self._cursor = entry_id
                self._deliver(fields)

    def _deliver(self, fields: dict[bytes, bytes]) -> None:
        try:
            reply = FrameReply.from_fields(fields)
        except FrameFormatError as error:
            _log.warning("read_malformed", error=str(error))
            return
        listener = self._listeners.get((reply.lane_id, reply.presentation_id))
        if listener is not None:
            listener(reply)

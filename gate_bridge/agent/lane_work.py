"""What was begun on a lane is ended, whatever becomes of whoever asked for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import structlog

from gate_bridge.loops import stop_task

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# Longer than a relay takes, and shorter than whoever stops the lane has patience.
END_S_MAX: Final = 4.0

ResultT = TypeVar("ResultT")


class LaneWork:
    """Runs what a connection that ends must not interrupt: a pulse, and the word of it.

    Attributes:
        is_closing: Whether the lane ends: nothing new is to be begun.
    """

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()
        self.is_closing = False

    async def end(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Return what the work returns; a caller that is cancelled leaves it running."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for what is under way, at most `END_S_MAX`; what takes longer is stopped.

        Whoever stops a lane cancels it again and again: that must not cut the wait short.
        """
        self.is_closing = True
        now_s = asyncio.get_running_loop().time
        ends_s = now_s() + END_S_MAX
        is_cancelled = False
        while self._under_way and (left_s := ends_s - now_s()) > 0:
            try:
                await asyncio.wait(self._under_way, timeout=left_s)
            except asyncio.CancelledError:
                is_cancelled = True
        for task in list(self._under_way):
            _log.warning("lane_work_stopped")
            await stop_task(task)
        if is_cancelled:
            raise asyncio.CancelledError

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # Its caller hears of it, too, if there is still one.
            _log.info("lane_work_failed", error=str(task.exception()))

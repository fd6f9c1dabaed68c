"""Loops that run as long as their process."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_CANCELS_MAX = 50
_CANCEL_S = 0.1
_PAUSE_S = 0.5


Loop = Callable[[], Awaitable[None]]
"""A part of a process that runs until it is cancelled."""


async def keep_running(name: str, loop: Loop) -> None:
    """Run a loop, and run it again when a defect ends it."""
    while True:
        try:
            await loop()
        except Exception:  # noqa: BLE001 - a process without this loop looks alive and is not
            _log.exception("loop_failed", loop=name)
        await asyncio.sleep(_PAUSE_S)


async def stop_task(task: "asyncio.Task[None]") -> None:
    """Cancel a task until it has ended.

    Once is not enough: a library that turns a cancellation into its own timeout swallows it.
    """
    for _ in range(_CANCELS_MAX):
        if task.done():
            break
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_S)

"""Ending background tasks for certain."""

import asyncio
from typing import Any, Final

# Long enough for a task to roll back and close what it holds before it is interrupted again.
CANCEL_AGAIN_S: Final = 1.0


async def end_tasks(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait until each has ended; their results and failures are dropped.

    One `cancel` is not enough before Python 3.12: `asyncio.wait_for` loses it when what it waits
    for ends at the same moment, and redis-py sends every command through it.
    """
    remaining = set(tasks)
    while remaining:
        for task in remaining:
            task.cancel()
        ended, remaining = await asyncio.wait(remaining, timeout=CANCEL_AGAIN_S)
        for task in ended:
            # Fetched, so that asyncio does not report a failure as never looked at.
            if not task.cancelled():
                task.exception()

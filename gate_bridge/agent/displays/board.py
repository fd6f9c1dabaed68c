"""Keeps a display at what it should say: the newest text, for as long as that may stand."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

import structlog

from gate_bridge.agent.displays.display import Display, DisplayError, Shown
from gate_bridge.agent.reports import Report
from gate_bridge.agent.server_time import steady_seconds
from gate_bridge.wire.actions import BarrierEventKind

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

TRIES_MAX: Final = 5
PAUSE_S: Final = 1.0
NOTICE_S: Final = 30.0
NOTICES: Final[Mapping[BarrierEventKind, Shown]] = MappingProxyType(
    {
        BarrierEventKind.OBSTRUCTED: Shown(
            ("The barrier is blocked", "Please keep clear"), "", NOTICE_S
        ),
        BarrierEventKind.TAILGATE: Shown(("One car at a time", "Please stop"), "", NOTICE_S),
    }
)
"""What a lane says by itself, without waiting for anybody."""


class DisplayBoard:
    """One lane's display.

    A text that comes while another is still being sent takes its place: drivers read the newest.

    Args:
        idle: What stands there otherwise.
    """

    def __init__(
        self,
        display: Display,
        idle: Shown | None = None,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        self._display = display
        self._idle = idle or Shown()
        self._steady = steady
        self._wanted = self._idle
        self._until_s: float | None = None
        self._changed = asyncio.Event()
        self._changed.set()

    def show(self, shown: Shown) -> None:
        """Show a text from now on, for as long as it says."""
        self._wanted = shown
        self._until_s = self._steady() + shown.for_s
        self._changed.set()

    def hear(self, record: Report) -> None:
        """Show what an agent's report calls for, if anything."""
        match record:
            case {"event": "display", "lines": list(), "ttl_ms": int()}:
                self.show(_shown(record))
            case {"event": "barrier", "kind": str(kind)} if kind in NOTICES:
                self.show(NOTICES[BarrierEventKind(kind)])
            case _:
                pass

    async def run(self) -> None:
        """Keep the display at it until cancelled."""
        while True:
            await self._wait()
            self._changed.clear()
            await self._send(self._wanted)

    async def _wait(self) -> None:
        left_s = None if self._until_s is None else max(0.0, self._until_s - self._steady())
        try:
            async with asyncio.timeout(left_s):
                await self._changed.wait()
        except TimeoutError:
            self._wanted, self._until_s = self._idle, None

    async def _send(self, shown: Shown) -> None:
        for _ in range(TRIES_MAX):
            try:
                await self._display.show(shown)
            except DisplayError as error:
                _log.warning("display_failed", error=str(error))
            else:
                return
            # A newer text is not held up by one that the display did not take.
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_S):
                    await self._changed.wait()
            if self._changed.is_set():
                return


def _shown(record: Mapping[str, Any]) -> Shown:
    lines = tuple(str(line) for line in record["lines"])
    return Shown(lines, str(record.get("qr") or ""), int(record["ttl_ms"]) / 1000)

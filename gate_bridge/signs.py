"""The full signs of the lanes that are connected here: one look for all of them.

A poke makes it look at once; without one it looks every `interval_s`, which also renews the text
before its time on the display ends.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol
from uuid import UUID

import structlog

from gate_bridge.port import LaneService
from gate_bridge.retry import call_once
from parking.flows.lane_types import Direction, Lane
from parking.kit.errors import ParkingError

LOOK_TIMEOUT_S: Final = 5.0
# However often cars come and go: so many looks a second at most.
PAUSE_S: Final = 0.2

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class SignBearer(Protocol):
    """A lane with a display."""

    @property
    def lane(self) -> Lane:
        """Return the lane."""
        ...

    async def show_sign(self, *, is_full: bool) -> None:
        """Let the display say whether there is room, while no car stands there."""
        ...


class Signs:
    """Tells the connected entries whether their areas are full.

    Args:
        service: Knows.
        bearers: Returns the lanes that are connected now.
        interval_s: Time between two looks without a poke.
    """

    def __init__(
        self,
        service: LaneService,
        bearers: Callable[[], Sequence[SignBearer]],
        interval_s: float,
    ) -> None:
        self._service = service
        self._bearers = bearers
        self._interval_s = interval_s
        self._news = asyncio.Event()
        self._full: set[tuple[UUID, UUID]] = set()

    def look(self) -> None:
        """Look as soon as may be."""
        self._news.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            try:
                await self.look_once()
            except ParkingError as error:
                # The next look comes by itself.
                _log.warning("signs_not_read", error=repr(error))
            await asyncio.sleep(PAUSE_S)

    async def look_once(self) -> None:
        """Read which areas are full, and tell the lanes of those that are or were."""
        entries = [one for one in self._bearers() if one.lane.direction == Direction.ENTRY]
        areas = {(one.lane.operator_id, one.lane.area_id) for one in entries}
        if not areas:
            return
        full = await call_once(lambda: self._service.full_areas(areas), LOOK_TIMEOUT_S)
        was_full, self._full = self._full, full
        # Thousands of others show nothing, and have nothing to take back.
        for one in entries if full or was_full else ():
            area = (one.lane.operator_id, one.lane.area_id)
            if area in full or area in was_full:
                await one.show_sign(is_full=area in full)

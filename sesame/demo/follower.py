"""Keeps what a phone's subscription brings, and waits for what should come."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import ClassVar, Final

from parking.kit.errors import ParkingError
from sesame.demo.graphql_client import Json
from sesame.demo.phone import Phone

UPDATES_MAX: Final = 1000

UpdateListener = Callable[[Json], None]


class UpdateMissingError(ParkingError):
    """The subscription did not bring what it should have."""

    code: ClassVar[str] = "UPDATE_MISSING"


class Follower:
    """The updates of one stay, oldest first."""

    def __init__(self, on_update: UpdateListener | None = None) -> None:
        self.updates: list[Json] = []
        self._on_update = on_update
        self._changed = asyncio.Condition()

    def events(self) -> list[str]:
        """Return the names of the changes so far."""
        return [str(update["event"]) for update in self.updates if update["reason"] == "CHANGE"]

    def dues_minor(self, reason: str) -> list[int]:
        """Return what was due in each update of one reason."""
        return [
            int(update["session"]["bill"]["due"]["amountMinor"])
            for update in self.updates
            if update["reason"] == reason
        ]

    async def wait(self, wanted: Callable[[Json], bool], timeout_s: float) -> Json:
        """Return the first update that is wanted, an earlier one too.

        Raises:
            UpdateMissingError: none came in time.
        """
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                while True:
                    for update in self.updates:
                        if wanted(update):
                            return update
                    await self._changed.wait()
        except TimeoutError:
            came = [update["event"] or update["reason"] for update in self.updates]
            raise UpdateMissingError(f"after {timeout_s:g} s only {came} came") from None

    async def read(self, updates: AsyncGenerator[Json]) -> None:
        """Keep what comes."""
        async for update in updates:
            async with self._changed:
                del self.updates[: -UPDATES_MAX + 1]
                self.updates.append(update)
                self._changed.notify_all()
            if self._on_update is not None:
                self._on_update(update)


@asynccontextmanager
async def following(
    phone: Phone, session_id: str, on_update: UpdateListener | None = None
) -> AsyncGenerator[Follower]:
    """Follow a stay on a phone for the length of the block."""
    follower = Follower(on_update)
    async with phone.follow(session_id) as updates:
        reading = asyncio.create_task(follower.read(updates))
        try:
            yield follower
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

"""A socket does not outlive the sign-in that opened it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from parking.drivers import signed_in_devices
from parking.drivers.events import SIGN_INS_CHANNEL
from parking.flows.context import ParkingContext
from parking.kit.errors import UnavailableError
from parking.kit.tasks import end_tasks
from parking.kit.tokens import DriverIdentity

RETRY_S: Final = 1.0
CLOSE_TIMEOUT_S: Final = 5.0

Close = Callable[[], Awaitable[None]]


class EndedSignIns:
    """Closes the sockets of sign-ins that end: one watch a process, however many sockets.

    A lost poke costs little: every operation checks the sign-in again.
    """

    def __init__(self) -> None:
        self._sockets: dict[UUID, set[Close]] = {}
        self._watch: asyncio.Task[None] | None = None

    def join(self, parking: ParkingContext, identity: DriverIdentity, close: Close) -> None:
        """Let `close` be called when a sign-in ends, or its account is deleted."""
        for key in (identity.sign_in_id, identity.driver_id):
            self._sockets.setdefault(key, set()).add(close)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._close_ended(parking))

    async def leave(self, identity: DriverIdentity, close: Close) -> None:
        """Take back what `join` asked; the last one ends the watch."""
        for key in (identity.sign_in_id, identity.driver_id):
            held = self._sockets.get(key, set())
            held.discard(close)
            if not held:
                self._sockets.pop(key, None)
        if not self._sockets and self._watch is not None:
            watch, self._watch = self._watch, None
            await end_tasks(watch)

    async def _close_ended(self, parking: ParkingContext) -> None:
        since = parking.clock.now()
        try:
            async with parking.bus.listen(SIGN_INS_CHANNEL) as listener:
                while True:
                    await listener.next()
                    looked_at = parking.clock.now()
                    await self._close(await _list_ended(parking, since))
                    since = looked_at
        except UnavailableError:
            # The bus has no place left, or closes with the process.
            return

    async def _close(self, ended: Sequence[UUID]) -> None:
        closing = [close for one in ended for close in self._sockets.get(one, ())]
        try:
            # A client that takes nothing any more holds nobody else up.
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await asyncio.gather(*(close() for close in closing))
        except TimeoutError:
            pass


async def _list_ended(parking: ParkingContext, since: datetime) -> Sequence[UUID]:
    """Return the sign-ins that ended; a database that is away is waited for."""
    while True:
        try:
            async with parking.database.begin() as unit:
                return await signed_in_devices.list_ended(unit, since)
        except UnavailableError:
            await asyncio.sleep(RETRY_S)

"""What one device said, in the lane's terms."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import structlog

from gate_bridge.agent.server_time import steady_seconds
from gate_bridge.agent.site.car_rules import TURNED, Sighting
from gate_bridge.agent.site.device_clock import LIVE_S_MAX, DeviceClock
from gate_bridge.agent.site.message_store import KeptMessage
from gate_bridge.agent.site.seldom_log import SeldomLog, printable
from gate_bridge.agent.site.settings import SiteDevice
from gate_bridge.drivers.port import (
    CameraRead,
    DeviceSignal,
    KeepAlive,
    NotAnprError,
    PushDriver,
)
from parking.kit.errors import InvalidInputError, ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# Larger bodies hold pictures, whose decoding would hold up every lane of the process.
READ_AT_ONCE_BYTES: Final = 64 * 1024
WHY_CHARACTERS_MAX: Final = 100


class UnreadableError(ParkingError):
    """A message says nothing that the lane could use.

    Attributes:
        is_expected: Whether the device sends such things in daily use.
    """

    code = "DEVICE_MESSAGE_UNREADABLE"

    def __init__(self, why: str, *, is_expected: bool) -> None:
        super().__init__(why)
        self.is_expected = is_expected


@dataclass(slots=True)
class DeviceHealth:
    """How a device has been since the process started.

    Attributes:
        counts: Messages and reads by what became of them.
        clock_ahead_s: How far its clock is ahead of this machine's; None while unknown.
    """

    last_signal_at: datetime | None = None
    clock_ahead_s: float | None = None
    counts: Counter[str] = field(default_factory=Counter[str])


class DeviceLine:
    """One device: its driver, its clock, and what it is like.

    Args:
        ahead_s: Its clock, as measured before a restart.
        steady: Seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        device: SiteDevice,
        driver: PushDriver,
        ahead_s: float | None = None,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        self.device = device
        self.driver = driver
        self.health = DeviceHealth(clock_ahead_s=ahead_s)
        self._clock = DeviceClock(ahead_s)
        self._turn = asyncio.Lock()
        self._seldom = SeldomLog(steady)

    def leads_nowhere(self, what: str, why: str = "") -> None:
        """Tell whoever sets the device up that what it sends leads to nothing.

        Args:
            what: The kind of reason, of which there are few.
            why: In words; may hold what the device sent, but no plate.
        """
        before = self._seldom.due(what)
        if before is not None:
            name = self.device.name
            _log.info("device_message_unused", device=name, what=what, why=why, before=before)

    def tell(self, event: str, error: str) -> None:
        """Tell of what is wrong with a message, at once and then once a minute.

        Args:
            event: Names it in the log; there are few.
            error: In words; may hold what the device sent, but no plate.
        """
        before = self._seldom.due(event)
        if before is not None:
            shown = printable(error, WHY_CHARACTERS_MAX)
            _log.warning(event, device=self.device.name, error=shown, before=before)

    async def read(self, kept: KeptMessage) -> Sequence[DeviceSignal]:
        """Return what a message says; a small one does not overtake a large one before it.

        Raises:
            UnreadableError: nothing.
        """
        async with self._turn:
            return await self._read(kept)

    async def _read(self, kept: KeptMessage) -> Sequence[DeviceSignal]:
        self.health.counts["messages"] += 1
        self.health.last_signal_at = kept.message.received_at
        try:
            if len(kept.message.body) > READ_AT_ONCE_BYTES:
                return await asyncio.to_thread(self._signals, kept)
            return self._signals(kept)
        except NotAnprError as error:
            self.health.counts["not_anpr"] += 1
            self.leads_nowhere("not_anpr", printable(str(error), WHY_CHARACTERS_MAX))
            raise UnreadableError(f"not anpr: {error}", is_expected=True) from error
        except InvalidInputError as error:
            self.health.counts["unreadable"] += 1
            raise UnreadableError(str(error), is_expected=False) from error
        except Exception as error:
            # A message that a driver stumbles over must not end the lane.
            self.health.counts["unreadable"] += 1
            if self._seldom.due("device_message_failed") is not None:
                _log.exception("device_message_failed", device=self.device.name)
            raise UnreadableError(f"defect: {type(error).__name__}", is_expected=False) from error

    def sighting(
        self, read: CameraRead, kept: KeptMessage, now: datetime, now_s: float, *, is_replay: bool
    ) -> Sighting:
        """Return a read with its right time.

        Args:
            read: As the driver understood it.
            kept: The message that it came with.
            now: By this machine's clock.
            now_s: By the steady clock.
            is_replay: Whether the message waited here, so that it says nothing of now.
        """
        received_at = kept.message.received_at
        waited_s = (now - received_at).total_seconds()
        is_old = is_replay or read.is_backfill
        time = (self._clock.late if is_old else self._clock.judge)(read.captured_at, received_at)
        self.health.clock_ahead_s = self._clock.ahead_s
        is_late = time.is_late or waited_s > LIVE_S_MAX
        self.health.counts["late_reads" if is_late else "reads"] += 1
        age_s = max(0.0, (now - time.at).total_seconds())
        return Sighting(
            device=self.device.name,
            read=self._turned(read),
            seen_s=now_s - age_s,
            is_late=is_late,
            message_id=kept.stored_id,
        )

    def heard(self, signal: KeepAlive, received_at: datetime) -> None:
        """Take in a sign of life."""
        if signal.device_time is not None:
            self._clock.heard(signal.device_time, received_at)
            self.health.clock_ahead_s = self._clock.ahead_s

    def _signals(self, kept: KeptMessage) -> Sequence[DeviceSignal]:
        return self.driver.signals(kept.message, self.device.settings)

    def _turned(self, read: CameraRead) -> CameraRead:
        if not self.device.sees_rear:
            return read
        return replace(read, heading=TURNED.get(read.heading, read.heading))

"""Takes in what devices send: stored first, answered then, acted on last."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from structlog.contextvars import bound_contextvars

from gate_bridge.agent.errors import DeviceUnknownError, LaneStuckError
from gate_bridge.agent.server_time import steady_seconds
from gate_bridge.agent.site.both_ways import Seat, seats_of
from gate_bridge.agent.site.car_rules import Sighting
from gate_bridge.agent.site.car_steps import Ignoring
from gate_bridge.agent.site.contact_words import ContactWords
from gate_bridge.agent.site.device_clock import LIVE_S_MAX
from gate_bridge.agent.site.device_line import DeviceLine, UnreadableError
from gate_bridge.agent.site.lane_desk import REPLY_WINDOW_S
from gate_bridge.agent.site.message_store import KeptMessage, MessageStore
from gate_bridge.drivers.port import (
    ArmSignal,
    CameraRead,
    DeviceMessage,
    DeviceSignal,
    Heading,
    InputSignal,
    KeepAlive,
)
from parking.kit.clock import Clock
from parking.kit.errors import ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

UNDER_WAY_MAX: Final = 256
RETRY_S: Final = 5.0
# Who kept a message acts on it at once, or has failed in between.
FORGOTTEN_AFTER: Final = timedelta(seconds=30)
# A clock that drifts by less is not written down anew.
CLOCK_STEP_S: Final = 1.0


class Intake:
    """What the listener and the brokers hand their messages to.

    Args:
        store: Where messages are kept.
        lines: The devices, by their names.
        reply_window_s: How long a device waits for a reply that may open.
        steady: Seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        store: MessageStore,
        lines: Mapping[str, DeviceLine],
        clock: Clock,
        reply_window_s: float = REPLY_WINDOW_S,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        self._store = store
        self._lines = lines
        self._clock = clock
        self._reply_window_s = reply_window_s
        self._steady = steady
        self._seats: dict[str, Seat] = {}
        self._away_seats: dict[str, Seat] = {}
        self._words = ContactWords(store, clock)
        self._under_way: dict[UUID, KeptMessage] = {}
        self._hung_up: set[UUID] = set()
        self._acting: set[UUID] = set()
        self._remembered_s: dict[str, float] = {}
        self._tasks: set[asyncio.Task[bool]] = set()

    def seat(self, name: str, seat: Seat) -> None:
        """Give a device its place at a lane that runs."""
        self._seats[name] = seat

    def seat_away(self, name: str, seat: Seat) -> None:
        """Give a device its place at the lane of the cars that it sees drive away."""
        self._away_seats[name] = seat

    def unseat_away(self, name: str) -> None:
        """Take it away: that lane ended."""
        self._away_seats.pop(name, None)

    async def restore_inputs(self, name: str, seat: Seat) -> None:
        """Tell a lane that begins what a device's contacts said last."""
        await self._words.restore(name, seat.machine, seat.inputs)

    def unseat(self, name: str) -> Seat | None:
        """Take a device's place away: its lane ended. What it sends is kept meanwhile."""
        return self._seats.pop(name, None)

    async def keep(self, device_name: str, message: DeviceMessage) -> UUID:
        """Store a message durably; return the id that `act` takes.

        Raises:
            JournalFullError: there is no room: the device is to send it again later.
            DeviceUnknownError: the site has no such device.
        """
        if device_name not in self._lines:
            raise DeviceUnknownError(device_name)
        kept = await self._store.keep(device_name, message)
        if len(self._under_way) < UNDER_WAY_MAX:
            self._under_way[kept.stored_id] = kept
        return kept.stored_id

    async def act(self, stored_id: UUID) -> bool:
        """Do what the message calls for; return whether the arm is to rise by the reply.

        True only for devices whose reply opens. Never raises for what the message says: what
        cannot be read is kept with its reason, counted, and answered like any other.
        """
        kept = self._under_way.get(stored_id)
        if kept is None or kept.device not in self._seats:
            # More came at once than is worked off live, or the lane is down: it is replayed.
            self._under_way.pop(stored_id, None)
            return False
        work = asyncio.create_task(self._finish(kept))
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)
        if not self._lines[kept.device].driver.reply_opens:
            return False
        # A device that hangs up must not undo what its message began.
        return await asyncio.shield(work)

    def hung_up(self, stored_id: UUID) -> None:
        """Note that the device does not wait for the reply any more, so that it opens nothing.

        The order is then refused as one that the machine did not take: another may come for the
        car, and opens by the next reply.
        """
        kept = self._under_way.get(stored_id)
        seat = None if kept is None else self._seats.get(kept.device)
        if seat is not None:
            self._hung_up.add(stored_id)
            seat.desk.hang_up(stored_id)

    async def run(self) -> None:
        """Act on what was left over, now and again, until cancelled."""
        while True:
            await self.replay()
            await asyncio.sleep(RETRY_S)

    async def replay(self) -> None:
        """Act on messages that were kept and not acted on, in their order, as late ones."""
        after = 0
        while page := await self._store.waiting(after):
            for waiting in page:
                after = waiting.number
                if waiting.device in self._seats and not self._is_in_hand(waiting.stored_id):
                    # It may have been acted on since the page was read.
                    kept = await self._store.load(waiting)
                    if kept is not None:
                        await self._finish(kept, is_replay=True)

    def _is_in_hand(self, stored_id: UUID) -> bool:
        kept = self._under_way.get(stored_id)
        if kept is None or stored_id in self._acting:
            return kept is not None
        return self._clock.now() - kept.message.received_at < FORGOTTEN_AFTER

    async def close(self) -> None:
        """Wait until what is under way is done."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _finish(self, kept: KeptMessage, *, is_replay: bool = False) -> bool:
        line, seat = self._lines[kept.device], self._seats[kept.device]
        with bound_contextvars(lane=seat.lane):
            return await self._finish_at(line, seat, kept, is_replay=is_replay)

    async def _finish_at(
        self, line: DeviceLine, seat: Seat, kept: KeptMessage, *, is_replay: bool
    ) -> bool:
        self._acting.add(kept.stored_id)
        try:
            opens = await self._work(line, seat, kept, is_replay=is_replay)
        except UnreadableError as error:
            if not error.is_expected:
                line.tell("device_message_unreadable", str(error))
            opens, reason = False, str(error)
        except ParkingError as error:
            # The lane cannot take it now. It stays kept, and is acted on later, for the record.
            line.tell("device_message_waits", str(error))
            self._let_go(kept)
            return False
        except Exception as error:  # noqa: BLE001 - one message is not to be tried for ever
            _log.exception("device_message_failed", device=kept.device)
            opens, reason = False, f"defect: {type(error).__name__}"
        else:
            reason = None
        try:
            await self._store.done(kept.stored_id, reason)
            await self._remember_clock(line)
        except ParkingError as error:
            line.tell("device_message_not_marked", str(error))
        finally:
            self._let_go(kept)
        return opens

    def _let_go(self, kept: KeptMessage) -> None:
        self._under_way.pop(kept.stored_id, None)
        self._hung_up.discard(kept.stored_id)
        self._acting.discard(kept.stored_id)

    async def _work(
        self, line: DeviceLine, seat: Seat, kept: KeptMessage, *, is_replay: bool
    ) -> bool:
        opens = False
        for signal in await line.read(kept):
            if isinstance(signal, CameraRead):
                opens = await self._see(line, seat, kept, signal, is_replay=is_replay) or opens
            else:
                await self._take(line, seat, kept, signal, is_replay=is_replay)
        return opens

    async def _take(
        self,
        line: DeviceLine,
        seat: Seat,
        kept: KeptMessage,
        signal: DeviceSignal,
        *,
        is_replay: bool,
    ) -> None:
        match signal:
            case InputSignal() | ArmSignal():
                word = self._words.word(kept, signal, is_replay=is_replay)
                if word is not None:
                    await self._words.tell(word, seat.machine, seat.inputs)
            case KeepAlive():
                if not is_replay:
                    line.heard(signal, kept.message.received_at)
            case CameraRead():
                pass

    async def _see(
        self, line: DeviceLine, seat: Seat, kept: KeptMessage, read: CameraRead, *, is_replay: bool
    ) -> bool:
        sighting = line.sighting(read, kept, self._clock.now(), self._steady(), is_replay=is_replay)
        is_both_ways = line.device.away_lane_id is not None
        reply_opens = line.driver.reply_opens and not is_both_ways
        # Bytes without a time of their own are the same at every visit of a car.
        is_again = kept.is_repeated and read.captured_at != kept.message.received_at
        if not is_replay and is_again and (sighting.is_late or not reply_opens):
            line.health.counts[Ignoring.REPEATED] += 1
            return False
        if is_both_ways:
            await self._see_both_ways(line, seat, sighting, is_replay=is_replay)
            return False
        if is_replay:
            # Past the watch, which may have met it before the lane's journal failed.
            await seat.desk.record(sighting)
            return False
        if reply_opens and kept.stored_id not in self._hung_up:
            return await seat.desk.sight_and_wait(sighting, self._reply_window_s)
        await seat.desk.sight(sighting)
        return False

    async def _see_both_ways(
        self, line: DeviceLine, seat: Seat, sighting: Sighting, *, is_replay: bool
    ) -> None:
        """Let a read be of the lane whose car it is, of one camera for both directions.

        Raises:
            LaneStuckError: the lane of the cars that drive away does not run, and may have to know.
        """
        away = self._away_seats.get(line.device.name)
        if away is not None:
            found = seats_of(sighting, seat, away)
        elif sighting.read.heading is Heading.TOWARDS or seat.desk.has(sighting):
            found = [(seat, sighting)]
        else:
            raise LaneStuckError
        if is_replay:
            place, turned = found[0] if found else (seat, sighting)
            await place.desk.record(turned)
            return
        if not found:
            line.health.counts[Ignoring.NO_HEADING] += 1
            line.leads_nowhere(Ignoring.NO_HEADING)
        for place, turned in found:
            await place.desk.sight(turned)

    async def _remember_clock(self, line: DeviceLine) -> None:
        ahead_s, name = line.health.clock_ahead_s, line.device.name
        if ahead_s is None:
            return
        known_s = self._remembered_s.get(name)
        if known_s is None or abs(known_s - ahead_s) >= CLOCK_STEP_S:
            self._remembered_s[name] = ahead_s
            if abs(ahead_s) > LIVE_S_MAX:
                _log.warning("device_clock_wrong", device=name, ahead_s=round(ahead_s, 1))
            await self._store.remember_clock(name, ahead_s)

"""One lane's desk: what its devices say goes in, what the lane does about it comes out."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog

from gate_bridge.agent.errors import LaneStuckError
from gate_bridge.agent.journal import CurrentCar
from gate_bridge.agent.machines.contacts import ContactUse
from gate_bridge.agent.pictures import Picture, content_type_of
from gate_bridge.agent.pushed_pictures import PushedPictures
from gate_bridge.agent.reports import Report
from gate_bridge.agent.seen_car import SeenCar
from gate_bridge.agent.site.car_rules import Sighting
from gate_bridge.agent.site.car_steps import (
    CarCame,
    CarLeft,
    CarSeen,
    Ignoring,
    ReadIgnored,
    SeenLate,
    Step,
)
from gate_bridge.agent.site.car_watch import CarWatch
from gate_bridge.agent.site.reply_relay import ReplyRelay
from gate_bridge.drivers.port import Arm
from gate_bridge.wire.limits import ALTERNATIVES_MAX

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

TICK_S: Final = 0.5
LOOP_TIMEOUT_S: Final = 5.0
REPORTS_MAX: Final = 1000
REPLIES_MAX: Final = 16
# Below the timeouts of the cameras that wait for us.
REPLY_WINDOW_S: Final = 3.0
# Of a camera's memory; the bridge takes no event that is a year old.
AGE_MAX: Final = timedelta(days=360)
CAR_ID_CHARACTERS_MAX: Final = 64


class Machine(Protocol):
    """What a desk tells its lane's machine."""

    def contact(self, use: ContactUse, *, is_on: bool) -> None:
        """Take in what a contact says."""
        ...

    def car_on_loop(self, *, is_on: bool) -> None:
        """Take in that a car came, or left."""
        ...

    def arm_moved(self, arm: Arm) -> None:
        """Take in where the arm is."""
        ...


class Lane(Protocol):
    """What a desk needs of its lane's agent state.

    Attributes:
        car: The car that stands there.
        occupied: Set while one does.
        free: Set while none does.
    """

    car: CurrentCar | None
    occupied: asyncio.Event
    free: asyncio.Event

    def now(self) -> datetime:
        """Return the bridge's time where it is known, else this machine's."""
        ...

    async def observe(self, seen: SeenCar) -> None:
        """Queue a read of the car that stands there."""
        ...

    async def record_late(self, seen: SeenCar) -> None:
        """Queue a read that says nothing of the car that stands there."""
        ...


class LaneDesk:
    """Works off what one lane's devices say, one after the other.

    Args:
        watch: The rules.
        has_loop: Whether a contact says when a car is there; else the watch does.
        relay: The relay that opens by our reply; None for every other.
        count: Is told the device and what became of a read.
        steady: Seconds of a clock that only goes forward.

    Attributes:
        has_loop: As given.
    """

    def __init__(
        self,
        watch: CarWatch,
        lane: Lane,
        machine: Machine,
        pushed: PushedPictures,
        *,
        has_loop: bool,
        relay: ReplyRelay | None,
        count: Callable[[str, str], None],
        steady: Callable[[], float],
    ) -> None:
        self._watch = watch
        self._lane = lane
        self._machine = machine
        self._pushed = pushed
        self.has_loop = has_loop
        self._relay = relay
        self._count = count
        self._steady = steady
        self._reports: deque[Report] = deque(maxlen=REPORTS_MAX)
        self._replies: dict[UUID, asyncio.Future[bool]] = {}
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self._known: UUID | None = None
        self._raised_for: UUID | None = None

    def begin(self) -> None:
        """Take in the car that stood there already when the agent began."""
        if self._lane.car is not None:
            presentation_id = str(self._lane.car.presentation_id)
            self.hear({"event": "presented", "presentation_id": presentation_id})

    def hear(self, report: Report) -> None:
        """Take in what the lane's agent reports; never waits."""
        if report["event"] in {"presented", "cleared", "order", "barrier", "offline"}:
            self._reports.append(report)
            self._news.set()

    async def run(self) -> None:
        """Follow the agent's reports and the time, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(TICK_S):
                    await self._news.wait()
            except TimeoutError:
                pass
            async with self._turn:
                await self._catch_up()
                await self._carry_out(self._watch.tick(self._steady()))

    async def sight(self, sighting: Sighting) -> None:
        """Take in a read; return when what follows from it is recorded.

        Raises:
            JournalFullError: it could not be recorded.
            LaneStuckError: the lane does not follow.
        """
        async with self._turn:
            await self._catch_up()
            await self._carry_out(self._watch.sight(sighting, self._steady()))

    async def sight_and_wait(self, sighting: Sighting, window_s: float = REPLY_WINDOW_S) -> bool:
        """Take in a read whose device waits for our reply; return whether the reply opens."""
        key = sighting.message_id
        if self._relay is None or key is None or len(self._replies) >= REPLIES_MAX:
            await self.sight(sighting)
            return False
        reply: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._replies[key] = reply
        try:
            await self.sight(sighting)
            async with asyncio.timeout(window_s):
                return await reply
        except TimeoutError:
            return False
        finally:
            del self._replies[key]

    @property
    def has_car(self) -> bool:
        """Return whether a car stands in the lane."""
        return self._known is not None

    def has(self, sighting: Sighting) -> bool:
        """Return whether a read is of the car that stands in the lane."""
        return self._watch.has(sighting)

    def hang_up(self, message_id: UUID) -> None:
        """Let a reply that nobody waits for open nothing."""
        reply = self._replies.get(message_id)
        if reply is not None and not reply.done():
            reply.set_result(False)

    async def record(self, sighting: Sighting) -> None:
        """Record a read that waited here, so that it says nothing of now."""
        async with self._turn:
            await self._record_late(sighting)

    async def _catch_up(self) -> None:
        """Let the watch know what the agent has reported."""
        self._news.clear()
        while self._reports:
            await self._carry_out(self._follow(self._reports.popleft()))

    def _follow(self, report: Report) -> list[Step]:
        car = report.get("presentation_id")
        match report:
            case {"event": "presented"}:
                return self._presented(UUID(str(car)))
            case {"event": "cleared"}:
                return self._cleared(UUID(str(car)))
            case {"event": "order", "status": "accepted"} | {"event": "offline", "choice": "open"}:
                return self._raised(UUID(str(car)))
            case {"event": "barrier", "kind": "manual_open"}:
                return [] if self._known is None else self._raised(self._known)
            case {"event": "barrier", "kind": "passed" | "closed"} if car == str(self._raised_for):
                return self._watch.passed(self._steady())
            case _:
                return []

    def _presented(self, presentation_id: UUID) -> list[Step]:
        was_known, self._known = self._known, presentation_id
        if not self.has_loop and was_known in {None, presentation_id}:
            # The watch itself let it come.
            return []
        return self._watch.loop(is_on=True, now_s=self._steady())

    def _cleared(self, presentation_id: UUID) -> list[Step]:
        if presentation_id != self._known:
            return []
        self._forget()
        return self._watch.loop(is_on=False, now_s=self._steady())

    def _raised(self, presentation_id: UUID) -> list[Step]:
        if presentation_id != self._known:
            return []
        self._raised_for = presentation_id
        return self._watch.raised(self._steady())

    def _forget(self) -> None:
        self._known = None
        if self._relay is not None:
            self._relay.withdraw()

    async def _carry_out(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case CarCame():
                    await self._let_come()
                case CarLeft(why):
                    _log.info("car_left", why=why.value)
                    await self._let_leave()
                case CarSeen(sighting, is_restated):
                    await self._report_read(sighting, is_restated=is_restated)
                case SeenLate(sighting):
                    await self._record_late(sighting)
                case ReadIgnored(sighting, why):
                    self._count(sighting.device, why.value)
                    self._answer_ignored(sighting, why)

    async def _let_come(self) -> None:
        self._machine.car_on_loop(is_on=True)
        await _soon(self._lane.occupied)
        car = self._lane.car
        self._known = None if car is None else car.presentation_id

    async def _let_leave(self) -> None:
        self._forget()
        self._machine.car_on_loop(is_on=False)
        await _soon(self._lane.free)

    async def _report_read(self, sighting: Sighting, *, is_restated: bool) -> None:
        car = self._lane.car
        if car is None or car.presentation_id != self._known:
            # It left while this was on its way: the read is for the record, and for nobody else.
            if not is_restated:
                await self._record_late(sighting)
            return
        self._offer_reply(sighting)
        if sighting.plate is not None:
            self._count(sighting.device, "reported")
            at = self._lane.now() if is_restated else self._captured_at(sighting)
            seen = _seen(sighting, sighting.plate, at)
            # Told anew on purpose, for the car's new presentation.
            await self._lane.observe(replace(seen, origin=None) if is_restated else seen)
        if not is_restated:
            for picture in sighting.read.pictures:
                self._pushed.put(car.presentation_id, _picture(sighting.device, picture.image))

    async def _record_late(self, sighting: Sighting) -> None:
        self._resolve(sighting, opens=False)
        if sighting.plate is not None:
            at = self._captured_at(sighting)
            await self._lane.record_late(_seen(sighting, sighting.plate, at, is_backfill=True))

    def _captured_at(self, sighting: Sighting) -> datetime:
        age = timedelta(seconds=max(0.0, self._steady() - sighting.seen_s))
        return self._lane.now() - min(age, AGE_MAX)

    def _offer_reply(self, sighting: Sighting) -> None:
        reply = self._reply_to(sighting)
        if reply is None or self._relay is None:
            return
        if self._known is None or self._raised_for == self._known:
            reply.set_result(False)
        else:
            self._relay.attach(reply)

    def _answer_ignored(self, sighting: Sighting, why: Ignoring) -> None:
        if why is Ignoring.REPEATED:
            # The camera asks again about the car that stands there: this question is open now.
            self._offer_reply(sighting)
        elif why is not Ignoring.WAITS:
            self._resolve(sighting, opens=False)

    def _resolve(self, sighting: Sighting, *, opens: bool) -> None:
        reply = self._reply_to(sighting)
        if reply is not None:
            reply.set_result(opens)

    def _reply_to(self, sighting: Sighting) -> asyncio.Future[bool] | None:
        key = sighting.message_id
        reply = None if key is None else self._replies.get(key)
        return None if reply is None or reply.done() else reply


async def _soon(event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOP_TIMEOUT_S):
            await event.wait()
    except TimeoutError:
        raise LaneStuckError from None


def wire_car_id(written: str | None) -> str | None:
    """Return a camera's id of a car as the wire takes it; None where nothing is left of it.

    An id that the wire refused would cost the whole read.
    """
    shown = "".join(char for char in written or "" if char.isprintable())
    return shown[:CAR_ID_CHARACTERS_MAX] or None


def _seen(
    sighting: Sighting, plate: str, captured_at: datetime, *, is_backfill: bool = False
) -> SeenCar:
    read = sighting.read
    return SeenCar(
        plate=plate,
        confidence=read.confidence,
        source=sighting.device,
        captured_at=captured_at,
        heading=read.heading,
        car_id=wire_car_id(read.car_id),
        state=read.state,
        alternatives=read.alternatives[:ALTERNATIVES_MAX],
        is_backfill=is_backfill,
        origin=_origin(sighting),
    )


def _origin(sighting: Sighting) -> str | None:
    """Return what tells this read from every other, also after a restart."""
    if sighting.message_id is None:
        return None
    read = sighting.read
    return f"{sighting.message_id}|{read.captured_at}|{read.plate}|{read.state}"


def _picture(device: str, image: bytes) -> Picture:
    return Picture(device, content_type_of(image), image)

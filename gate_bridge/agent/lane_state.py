"""What stands at the gate and what the barrier does: signals become journalled events."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from gate_bridge.agent.barrier import BEFORE, ArmPosition, BarrierPort, Feedback, LoopChange
from gate_bridge.agent.errors import JournalFullError
from gate_bridge.agent.journal import CurrentCar, Journal, StoredCommand
from gate_bridge.agent.lane_events import lane_event, presentation
from gate_bridge.agent.machines import reasons
from gate_bridge.agent.reports import Reporter
from gate_bridge.agent.seen_car import CarRead, SeenCar, better_read
from gate_bridge.agent.server_time import ServerTime, steady_seconds
from gate_bridge.loops import stop_task
from gate_bridge.wire.actions import BarrierEventKind, CommandStatus, PresentationState
from gate_bridge.wire.limits import LIVE_S_MAX
from parking.kit.clock import Clock
from parking.kit.ids import new_id

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# How soon a full disk is tried again.
FULL_RETRY_S = 1.0
# A car is through, or has backed out, before so many others were let in after it.
CAUSES_MAX = 16
# Whether the arm of a car that was not watched is down by now.
LOOK_EVERY_S = 0.2
PASSED_UNSEEN = "inferred: it was let through, and had left when the agent came back"
MAYBE_PASSED = "inferred: it was being let through, and had left when the agent came back"
# What shows that the pulse arrived, whatever the relay said.
_ROSE = frozenset({BarrierEventKind.OPENING, BarrierEventKind.OPENED, BarrierEventKind.PASSED})
# A little less than at the bridge: of a car that it finds too old, the agent must think so, too.
PRESENTATION_AGE_MAX = timedelta(seconds=LIVE_S_MAX - 30)


class LaneState:
    """The car on the loop, and the order for which the arm was raised.

    Attributes:
        changed: Set whenever the journal holds something new to send.
        car_changed: Set whenever a car came or left.
        occupied: Set while a car stands on the loop.
        free: Set while none does.
    """

    def __init__(
        self,
        journal: Journal,
        barrier: BarrierPort,
        server_time: ServerTime,
        clock: Clock,
        report: Reporter,
    ) -> None:
        self._journal = journal
        self._barrier = barrier
        self._server_time = server_time
        self._clock = clock
        self._report = report
        self._answered: UUID | None = None
        self._let_in: tuple[UUID, float] | None = None
        self._pulsed: UUID | None = None
        self._raised_for: tuple[UUID | None, UUID | None] | None = None
        self._causes: dict[UUID, tuple[UUID | None, UUID | None]] = {}
        # The order by which a car has passed last.
        self._passed: UUID | None = None
        # One pulse at a time, whether the bridge ordered it or the gate decided by itself.
        self.pulsing = asyncio.Lock()
        # One car comes, leaves or is presented anew at a time.
        self._turn = asyncio.Lock()
        self._again: asyncio.Task[None] | None = None
        # Nobody watched the loop for a while, and the arm may be up for the car that stood there.
        self._unsure = asyncio.Event()
        self._is_track_lost = False
        self.best_read: CarRead | None = None
        self.car: CurrentCar | None = None
        self.changed = asyncio.Event()
        self.car_changed = asyncio.Event()
        self.occupied = asyncio.Event()
        self.free = asyncio.Event()

    async def start(self) -> None:
        """Compare the journal with the loop.

        Nobody watched it since the process before this one ended, however short that was. So a
        car that stands there may be another one than the journal says, and is presented anew:
        what was decided for the one before must not open for it.
        """
        self.car = await self._journal.current_car()
        last = await self._journal.last_command()
        if last is not None and self._barrier.position() is not ArmPosition.DOWN:
            self._raise(BEFORE, (last.presentation_id, last.command_id))
            self._passed = last.command_id if last.has_passed else None
        if self._barrier.loop_occupied() and self.car is None:
            await self._car_came()
        elif not self._barrier.loop_occupied() and self.car is not None:
            await self._car_left_unseen(self.car, last)
        elif self.car is not None:
            self._unsure.set()
            await self._present_again_if_unsure()
        self._mark()

    async def look(self) -> None:
        """Present anew, once its arm is down, a car that was not watched; until cancelled."""
        while True:
            await self._unsure.wait()
            await self._present_again_if_unsure()
            await asyncio.sleep(LOOK_EVERY_S)

    async def run(self) -> None:
        """Turn signals into events until cancelled."""
        while True:
            await self.take(await self._barrier.next_feedback())

    def now(self) -> datetime:
        """Return the bridge's time where it is known, else this machine's."""
        return self._server_time.now() or self._clock.now()

    def raising(self, presentation_id: UUID, command_id: UUID) -> None:
        """Note for whom the arm is about to rise; its feedback is reported under this order."""
        self._raise(command_id, (presentation_id, command_id))

    def not_raised(self, command_id: UUID) -> None:
        """Note that the arm did not rise after all: whoever comes next is not let in by it."""
        if self._raised_for is not None and self._raised_for[1] == command_id:
            self._raised_for = None

    def pulsed(self, command_id: UUID) -> None:
        """Note that the relay was pulsed for an order, whatever becomes of writing it down."""
        self._pulsed = command_id

    def was_pulsed(self, command_id: UUID) -> bool:
        """Return whether the newest pulse of this process was for this order."""
        return self._pulsed == command_id

    def opened_by_itself(self, presentation_id: UUID, until_s: float) -> None:
        """Note that the gate let this car through by itself; the arm may not have moved yet."""
        self._let_in = (presentation_id, until_s)

    def opened_for_current(self) -> bool:
        """Return whether the arm was raised for the car that stands there."""
        if self.car is not None and self._let_in is not None:
            presentation_id, until_s = self._let_in
            if presentation_id == self.car.presentation_id and steady_seconds() < until_s:
                return True
        return (
            self.car is not None
            and self._raised_for is not None
            and self._raised_for[0] == self.car.presentation_id
            and self._barrier.position() is not ArmPosition.DOWN
        )

    def answered(self, presentation_id: UUID | None) -> None:
        """Note for which car the bridge gave its answer."""
        if presentation_id is not None:
            self._answered = presentation_id

    async def present_again_if_old(self) -> None:
        """Give a car that waits for an answer since long ago a new presentation.

        The bridge takes no decision on an old one: an outage was long, or this machine's clock was
        wrong while the bridge's time was not known.
        """
        # A connection that ends meanwhile must not leave the car with neither.
        self._again = asyncio.create_task(self._present_again_if_old())
        await asyncio.shield(self._again)

    def has_waited_too_long(self) -> bool:
        """Return whether the bridge has not answered for a car, and now takes no decision on it."""
        car, now = self.car, self._server_time.now()
        if car is None or now is None or self._answered == car.presentation_id:
            return False
        return abs(now - car.occupied_at) > PRESENTATION_AGE_MAX and not self.opened_for_current()

    def may_be_other(self) -> bool:
        """Return whether the car on the loop may be another one than its presentation says."""
        return self._unsure.is_set()

    def present_again(self) -> None:
        """Give the car that stands there a new presentation, on which the bridge decides anew."""
        self._unsure.set()

    async def close(self) -> None:
        """Stop in the middle, as a kill would."""
        if self._again is not None:
            await stop_task(self._again)

    async def _present_again_if_old(self) -> None:
        async with self._turn:
            if self.car is not None and self.has_waited_too_long():
                await self._present_again(self.car, self.now())

    async def _present_again_if_unsure(self) -> None:
        async with self._turn:
            car = self.car
            if car is None:
                self._unsure.clear()
            elif not self.opened_for_current():
                if self._is_track_lost:
                    # What was read of the car of before is not said again of this one.
                    self._report({"event": "cleared", "presentation_id": str(car.presentation_id)})
                await self._present_again(car, self.now())

    async def _present_again(self, car: CurrentCar, now: datetime) -> None:
        # First of all: from here on every order for the old presentation is refused.
        self.car = None
        event_id, state = new_id(now), PresentationState.CLEARED
        body = presentation(event_id, car.presentation_id, state, now)
        await self._write(lambda: self._journal.end_presentation(event_id, body))
        await self._car_came()
        if not self._barrier.loop_occupied():
            await self._car_left()

    async def observe(self, seen: SeenCar) -> None:
        """Queue the camera's own read of the car on the loop."""
        car = self.car
        if car is None:
            return
        event_id = await self._observe(car.presentation_id, seen)
        if self.car is car:
            self.best_read = better_read(self.best_read, CarRead.of(event_id, seen))

    async def record_late(self, seen: SeenCar) -> None:
        """Queue a read that came too late to say anything of the car on the loop."""
        await self._observe(new_id(seen.captured_at or self.now()), seen)

    async def _observe(self, presentation_id: UUID, seen: SeenCar) -> UUID:
        captured_at = seen.captured_at or self.now()
        event_id = new_id(captured_at)
        body = lane_event(
            event_id=event_id,
            presentation_id=presentation_id,
            captured_at=captured_at,
            **seen.fields(),
        )
        if seen.origin is None:
            await self._journal.append(event_id, "Observation", body)
        else:
            await self._journal.append_once(seen.origin, event_id, "Observation", body)
        self.changed.set()
        return event_id

    async def take(self, feedback: Feedback) -> None:
        """Turn one signal of the machine into an event."""
        match feedback.kind:
            case LoopChange.OCCUPIED:
                async with self._turn:
                    await self._car_came()
            case LoopChange.CLEARED:
                async with self._turn:
                    await self._car_left()
            case LoopChange.UNWATCHED:
                self._is_track_lost = self.car is not None
                self._unsure.set()
                await self._present_again_if_unsure()
            case BarrierEventKind():
                await self._barrier_event(feedback, feedback.kind)

    async def _car_came(self) -> None:
        if self.car is not None:
            return
        now = self.now()
        car = CurrentCar(new_id(now), now, new_id(now))
        body = presentation(car.event_id, car.presentation_id, PresentationState.OCCUPIED, now)
        await self._write(lambda: self._journal.begin_presentation(car, body))
        self.best_read = None
        self.car = car
        self._unsure.clear()
        self._is_track_lost = False
        self._report({"event": "presented", "presentation_id": str(car.presentation_id)})
        self._wake(car=True)

    async def _car_left(self) -> None:
        car = self.car
        if car is None:
            return
        # First of all: from here on every order for this car is refused.
        self.car = None
        now = self.now()
        event_id = new_id(now)
        body = presentation(event_id, car.presentation_id, PresentationState.CLEARED, now)
        await self._write(lambda: self._journal.end_presentation(event_id, body))
        self._report({"event": "cleared", "presentation_id": str(car.presentation_id)})
        self._wake(car=True)

    async def _car_left_unseen(self, car: CurrentCar, last: StoredCommand | None) -> None:
        """Report a car that left while no agent ran; one that was let through has passed.

        Where its arm is still up, the machine sees what became of it. A car that is wrongly said
        to have passed gets out of no gate by it: its stay has ended, and the exit knows it not.
        """
        await self._car_left()
        is_over = self._barrier.position() not in {ArmPosition.UP, ArmPosition.MOVING}
        if last is None or last.presentation_id != car.presentation_id or not is_over:
            return
        self.raising(last.presentation_id, last.command_id)
        reason = PASSED_UNSEEN if last.status is CommandStatus.ACCEPTED else MAYBE_PASSED
        await self.take(Feedback(BarrierEventKind.PASSED, reason=reason, cause=last.command_id))

    async def _barrier_event(self, feedback: Feedback, kind: BarrierEventKind) -> None:
        if kind is BarrierEventKind.MANUAL_OPEN:
            self._raise(feedback.cause, (self.car.presentation_id if self.car else None, None))
        now = self.now()
        event_id = new_id(now)
        whose = self._whose(feedback)
        presentation_id, command_id = whose or (None, None)
        if self._is_second(feedback, command_id):
            kind, feedback = BarrierEventKind.TAILGATE, replace(feedback, reason=reasons.FOLLOWED)
        body = lane_event(
            event_id=event_id,
            presentation_id=presentation_id,
            command_id=command_id,
            kind=kind.value,
            occurred_at=now,
            operator=feedback.operator,
            reason=feedback.reason,
        )
        await self._write(lambda: self._append(kind, command_id, event_id, body))
        if kind is BarrierEventKind.PASSED:
            self._passed = command_id
        if kind is BarrierEventKind.CLOSED and whose == self._raised_for:
            self._raised_for = None
            self._let_in = None
        self._report(
            {
                "event": "barrier",
                "kind": kind.value,
                "presentation_id": None if presentation_id is None else str(presentation_id),
            }
        )
        self._wake(car=False)

    def _is_second(self, feedback: Feedback, command_id: UUID | None) -> bool:
        """Return whether a car passes on an earlier agent's opening, whose own car has passed.

        The machine finds the arm up, and cannot know what happened before.
        """
        is_before = feedback.kind is BarrierEventKind.PASSED and feedback.cause == BEFORE
        return is_before and command_id is not None and command_id == self._passed

    async def _append(
        self, kind: BarrierEventKind, command_id: UUID | None, event_id: UUID, body: str
    ) -> None:
        if kind is BarrierEventKind.PASSED and command_id is not None:
            await self._journal.append_passed(command_id, event_id, "BarrierEvent", body)
        elif kind in _ROSE and command_id is not None:
            await self._journal.append_shown(command_id, event_id, "BarrierEvent", body)
        else:
            await self._journal.append(event_id, "BarrierEvent", body)

    def _raise(self, cause: UUID | None, whose: tuple[UUID | None, UUID | None]) -> None:
        self._raised_for = whose
        if cause is not None:
            self._causes[cause] = whose
            while len(self._causes) > CAUSES_MAX:
                del self._causes[next(iter(self._causes))]

    def _whose(self, feedback: Feedback) -> tuple[UUID | None, UUID | None] | None:
        """Return the car and the order that a signal is about; the newest where it does not say."""
        if feedback.cause is None:
            return self._raised_for
        return self._causes.get(feedback.cause)

    async def _write(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write what has happened, however long there is no room for it.

        It cannot be undone, and what follows on the lane is written after it.
        """
        is_told = False
        while True:
            try:
                await write()
            except JournalFullError as error:
                if not is_told:
                    _log.exception("journal_full")
                    self._report({"event": "journal_full", "error": str(error)})
                is_told = True
                await asyncio.sleep(FULL_RETRY_S)
            else:
                return

    def _wake(self, *, car: bool) -> None:
        self.changed.set()
        if car:
            self.car_changed.set()
            self._mark()

    def _mark(self) -> None:
        present, absent = (
            (self.occupied, self.free) if self.car is not None else (self.free, self.occupied)
        )
        present.set()
        absent.clear()

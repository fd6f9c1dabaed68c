"""A lane's machine: a relay and contacts, put together into what the agent knows as a barrier."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import UUID

import structlog

from gate_bridge.agent.backoff import full_jitter_s
from gate_bridge.agent.barrier import ArmPosition, Feedback, LoopChange
from gate_bridge.agent.errors import BarrierError, PulseUnknownError
from gate_bridge.agent.machines.contacts import ContactUse, Wiring
from gate_bridge.agent.machines.passages import Outcome, Passages
from gate_bridge.agent.machines.relay import Permit, Relay
from gate_bridge.agent.machines.shared_arm import ArmSide
from gate_bridge.agent.server_time import steady_seconds
from gate_bridge.agent.stall import StallWatch
from gate_bridge.drivers.port import Arm
from gate_bridge.loops import keep_running, stop_task

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

FEEDBACK_MAX = 1000
FIRST_LOOK_S = 3.0
WATCH_PAUSE_S_MAX = 5.0
LOWER_TIMEOUT_S = 5.0
_WAY_POLL_S = 0.05


class LaneMachine:
    """One lane's barrier, as a `BarrierPort`.

    Use it as an async context, around the agent's: on entry it looks at its contacts, so that the
    agent finds the loop as it is.

    Args:
        wiring: Which contacts exist, and how long things take.
        steady: Seconds of a clock that only goes forward and counts while the machine sleeps.
        stall: Knows whether this process stood still.
        side: The lane's right of way at an arm that it shares with another lane.
    """

    def __init__(
        self,
        relay: Relay,
        wiring: Wiring,
        steady: Callable[[], float] = steady_seconds,
        stall: StallWatch | None = None,
        side: ArmSide | None = None,
    ) -> None:
        self._relay = relay
        self._wiring = wiring
        self._steady = steady
        self._stall = stall or StallWatch()
        self._passages = Passages(wiring, steady())
        self._feedback: asyncio.Queue[Feedback] = asyncio.Queue(FEEDBACK_MAX)
        self._loop_changes = 0
        self._changed = asyncio.Event()
        self._looked = asyncio.Event()
        self._heard_s: float | None = None
        self._is_loop_by_reads = False
        self._is_doubt_told = False
        self._lowering: asyncio.Task[None] | None = None
        self._side = side
        self._pulsing = asyncio.Lock() if side is None else side.turn
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def heard_s(self) -> float | None:
        """Return when the relay was heard of last, by the steady clock; None for never."""
        return self._heard_s

    async def __aenter__(self) -> Self:
        if self._side is not None:
            self._side.join(self._passages, self._tell)
        loops: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("machine_time", self._keep_time),
            ("machine_stall", lambda: self._stall.run(self._stood_still)),
        ]
        if self._relay.has_inputs:
            loops.append(("machine_inputs", self._watch))
        self._tasks = [asyncio.create_task(keep_running(name, loop)) for name, loop in loops]
        if self._relay.has_inputs:
            # A relay that is away must not keep the agent from starting: its loop counts as free.
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LOOK_S):
                    await self._looked.wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks = self._tasks if self._lowering is None else [*self._tasks, self._lowering]
        for task in tasks:
            await stop_task(task)
        await self._relay.close()

    def contact(self, use: ContactUse, *, is_on: bool) -> None:
        """Take in what a contact says, at the relay or at any device of the lane."""
        self._tell(self._passages.contact(use, self._steady(), is_on=is_on))

    def car_on_loop(self, *, is_on: bool) -> None:
        """Take in that a car came or left, by what cameras read: there is no loop."""
        self._is_loop_by_reads = True
        self.contact(ContactUse.LOOP, is_on=is_on)

    def arm_moved(self, arm: Arm) -> None:
        """Take in where a barrier says that its arm is; not of an arm that two lanes share.

        It does not say for which of them it moves.
        """
        if self._side is not None:
            return
        self._tell(self._passages.arm_moved(arm, self._steady()))

    def passed(self) -> None:
        """Take in that a device saw the car drive through."""
        self._tell(self._passages.passed())

    def opened_by_hand(self, operator: str, reason: str) -> None:
        """Take in that a named person opened."""
        self._tell(self._passages.opened_by_hand(operator, reason, self._steady()))

    async def pulse(self, command_id: UUID, deadline_s: float) -> None:
        """Pulse the opening relay once, before `deadline_s` of the steady clock.

        A car before that has not passed yet is waited for: one open, one pass.

        Raises:
            PulseUnknownError: nobody can say whether it was pulsed.
            BarrierError: it was certainly not pulsed.
        """
        sighting = self._passages.sightings
        permit = Permit(command_id, deadline_s, self._steady, lambda: self._objection(sighting))
        # Without the turn, which closing the arm behind the other lane's car needs.
        await self._wait_for_the_other_lane(permit)
        async with self._pulsing:
            await self._wait_for_the_way(permit)
            if self._side is not None:
                self._side.begin()
            self._passages.begin_pulse(command_id, self._steady())
            try:
                await self._relay.pulse(permit)
            except PulseUnknownError:
                self._tell(self._passages.pulsed(is_known=False))
                raise
            except BarrierError:
                self._tell(self._passages.not_pulsed(self._steady()))
                raise
            except BaseException:
                # Stopped in the middle, or a defect: it may have been pulsed.
                self._tell(self._passages.pulsed(is_known=False))
                raise
            self._tell(self._passages.pulsed())

    def position(self) -> ArmPosition:
        """Return where the arm is now."""
        return self._passages.position(self._steady())

    def loop_occupied(self) -> bool:
        """Return whether a car stands on the entry loop now."""
        return self._passages.loop_occupied()

    async def next_feedback(self) -> Feedback:
        """Wait for the next signal."""
        feedback = await self._feedback.get()
        if isinstance(feedback.kind, LoopChange):
            self._loop_changes -= 1
        return feedback

    def _objection(self, sighting: int) -> str | None:
        if self._stall.is_settling():
            return "the agent stood still just now: what it knows of the lane may be old"
        if self._is_blind(self._steady()):
            return "the contacts were not heard of lately"
        # What the agent was not told yet, it could not hold against the order.
        if self._loop_changes or self._passages.sightings != sighting:
            return "the car on the loop has changed"
        return self._other_lane() or self._passages.objection()

    def _other_lane(self) -> str | None:
        return None if self._side is None else self._side.objection()

    async def _wait_for_the_other_lane(self, permit: Permit) -> None:
        await self._wait_while(self._is_kept_by_the_other_lane, permit)

    async def _wait_for_the_way(self, permit: Permit) -> None:
        await self._wait_while(
            lambda: self._passages.is_way_taken() or self._is_kept_by_the_other_lane(), permit
        )
        if self._side is not None:
            self._side.was_refused = self._is_kept_by_the_other_lane()
        permit.check()

    def _is_kept_by_the_other_lane(self) -> bool:
        return self._passages.loop_occupied() and self._other_lane() is not None

    async def _wait_while(self, is_taken: Callable[[], bool], permit: Permit) -> None:
        while is_taken() and (left_s := permit.left_s()) > 0:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, _WAY_POLL_S)):
                    await self._changed.wait()

    def _tell(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Feedback):
                self._queue(outcome)
            else:
                self._lower()
        self._changed.set()

    def _queue(self, feedback: Feedback) -> None:
        try:
            self._feedback.put_nowait(feedback)
        except asyncio.QueueFull:
            _log.exception("feedback_lost", kind=feedback.kind.value)
            return
        if isinstance(feedback.kind, LoopChange):
            self._loop_changes += 1

    def _lower(self) -> None:
        if self._relay.can_lower and (self._lowering is None or self._lowering.done()):
            self._lowering = asyncio.create_task(self._lower_arm())

    async def _lower_arm(self) -> None:
        try:
            async with self._pulsing, asyncio.timeout(LOWER_TIMEOUT_S):
                # Once more, after the wait: a car may be under the arm by now, or another let in.
                is_ours = self._side is None or self._side.may_lower()
                if is_ours and self._passages.may_lower():
                    await self._relay.lower()
        except (BarrierError, TimeoutError) as error:
            # The barrier's own timer closes it.
            _log.warning("arm_not_lowered", error=str(error))

    async def _keep_time(self) -> None:
        while True:
            self._changed.clear()
            due_s = self._next_due_s()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if due_s is None else due_s - self._steady()):
                    await self._changed.wait()
            now_s = self._steady()
            self._tell(self._passages.tick(now_s))
            if self._is_blind(now_s):
                self._lose_track(is_known=self._is_doubt_told)

    def _next_due_s(self) -> float | None:
        dues = [self._passages.due_s()]
        is_doubted = self._is_doubt_told and self._is_letting_through()
        is_watched = self._passages.loop_occupied() and self._has_own_loop() and not is_doubted
        if self._heard_s is not None and is_watched:
            dues.append(self._heard_s + self._wiring.blind_s_max)
        return min((due for due in dues if due is not None), default=None)

    def _is_blind(self, now_s: float) -> bool:
        return (
            self._has_own_loop()
            and self._heard_s is not None
            and now_s >= self._heard_s + self._wiring.blind_s_max
        )

    def _stood_still(self) -> None:
        """Take in that this process stood still: what its devices told meanwhile may be lost."""
        if self._is_loop_by_reads and self._is_letting_through():
            # Its arm needs no further pulse, and the time that a passage takes ends its stay.
            return
        was_there = self._passages.loop_occupied()
        self._lose_track()
        if was_there and not (self._has_own_loop() or self._is_loop_by_reads):
            # Whoever reports this loop says it only when it changes.
            self.contact(ContactUse.LOOP, is_on=True)

    def _lose_track(self, *, is_known: bool = False) -> None:
        """Note that nobody watched the loop: who stands there may be another car.

        One that the arm is up for may be driving. It stays the lane's car, so that its passage is
        told of it, and the agent presents it anew when the arm is down.

        Args:
            is_known: Whether the agent was told already, if it had to be.
        """
        self._is_doubt_told = self._is_letting_through()
        if not self._is_doubt_told:
            self._tell(self._passages.lose_sight())
        elif not is_known:
            self._tell([Feedback(LoopChange.UNWATCHED)])

    def _is_letting_through(self) -> bool:
        opening = self._passages.opening
        return (
            self._passages.loop_occupied()
            and opening is not None
            and opening.is_under_way()
            and opening.left_loop_s is None
        )

    def _has_own_loop(self) -> bool:
        return any(item.use is ContactUse.LOOP for item in self._wiring.inputs.values())

    async def _watch(self) -> None:
        tries = 0
        while True:
            try:
                await self._relay.watch(self._input)
            except BarrierError as error:
                was_heard, tries = self._looked.is_set(), tries + 1
                self._looked.clear()
                if was_heard or tries == 1:
                    # Once: a relay may be away for days.
                    tries = 1
                    _log.warning("relay_silent", error=str(error))
            await asyncio.sleep(full_jitter_s(tries, WATCH_PAUSE_S_MAX))

    def _input(self, number: int, is_on: bool) -> None:  # noqa: FBT001 - as relays tell it
        now_s = self._steady()
        if self._is_blind(now_s):
            # Cars may have changed places between two looks.
            self._lose_track()
        self._heard_s = now_s
        self._looked.set()
        item = self._wiring.inputs.get(number)
        if item is not None:
            self.contact(item.use, is_on=is_on != item.is_inverted)

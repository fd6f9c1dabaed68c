"""One arm for two lanes: cars come in and go out under it, one at a time.

Each lane keeps a machine of its own, and is shown what concerns its cars: the loop on its side as
where its cars wait, the loop on the other side as where they leave, and the arm only while it is
up for them. A lane's car that drives over the other lane's loop is no new car there.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Protocol

import structlog

from gate_bridge.agent.backoff import full_jitter_s
from gate_bridge.agent.barrier import Feedback
from gate_bridge.agent.errors import BarrierError
from gate_bridge.agent.machines import reasons
from gate_bridge.agent.machines.contacts import ARM_USES, ContactUse, RelayInput, Wiring
from gate_bridge.agent.machines.lane_opening import LaneOpening
from gate_bridge.agent.machines.relay import InputListener, Permit, Relay
from gate_bridge.agent.server_time import steady_seconds
from gate_bridge.wire.actions import BarrierEventKind

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

TICK_S: Final = 0.2
WATCH_PAUSE_S_MAX: Final = 5.0
_MIRRORED: Final = MappingProxyType(
    {ContactUse.LOOP: ContactUse.EXIT_LOOP, ContactUse.EXIT_LOOP: ContactUse.LOOP}
)


class Passing(Protocol):
    """What a lane's `Passages` show and are told.

    Attributes:
        sees_exit: Whether an exit loop tells of this lane's cars now.
    """

    sees_exit: bool

    @property
    def opening(self) -> LaneOpening | None:
        """Return the newest opening, while anything may come of it."""
        ...

    def loop_occupied(self) -> bool:
        """Return whether a car is known to stand on the entry loop."""
        ...


@dataclass(eq=False, slots=True)
class Loop:
    """The loop on one lane's side of the arm.

    Attributes:
        owner: Whose car is on it: the lane's own, which waits there, or the other lane's, which
            leaves there; None for a car that drove through behind another one.
        on_s: When it came; None while the loop is free.
        left_s: When the lane's own car left it last.
    """

    is_on: bool | None = None
    owner: "ArmSide | None" = None
    on_s: float | None = None
    left_s: float | None = None


class ArmSide:
    """One lane's relay, contacts and right of way at a shared arm; a `Relay` for its machine.

    Attributes:
        turn: Held while one of the two lanes pulses.
        freed: Set when the way is free again for a lane whose order was refused meanwhile.
        was_refused: Whether an order ran out while it waited for the other lane's car.
    """

    def __init__(self, arm: "SharedArm", relay: Relay, wiring: Wiring) -> None:
        self._arm = arm
        self._relay = relay
        self.wiring = wiring
        self.can_lower = relay.can_lower
        self.has_inputs = relay.has_inputs
        self.turn = arm.turn
        self.freed = asyncio.Event()
        self.passages: Passing | None = None
        self.tell: InputListener | None = None
        self.report: Callable[[Iterable[Feedback]], None] = lambda _: None
        self.loop = Loop()
        self.was_refused = False

    def join(self, passages: Passing, report: Callable[[Iterable[Feedback]], None]) -> None:
        """Take in the machine of the lane, which begins."""
        self.passages, self.report = passages, report
        self.was_refused = False

    @property
    def opening(self) -> LaneOpening | None:
        """Return this lane's newest opening."""
        return None if self.passages is None else self.passages.opening

    def has_car(self) -> bool:
        """Return whether a car of this lane waits."""
        return self.passages is not None and self.passages.loop_occupied()

    def objection(self) -> str | None:
        """Return why the arm must not be raised for this lane now; None for no reason."""
        return self._arm.objection(self)

    def begin(self) -> None:
        """Note that the arm is about to rise for this lane's car."""
        self._arm.holder = self
        self.was_refused = False

    def may_lower(self) -> bool:
        """Return whether nothing of the other lane speaks against closing the arm."""
        return self._arm.may_lower(self)

    async def pulse(self, permit: Permit) -> None:
        """Pulse the arm's relay.

        Raises:
            PulseUnknownError: nobody can say whether it was pulsed.
            BarrierError: it was certainly not pulsed.
        """
        await self._relay.pulse(permit)

    async def lower(self) -> None:
        """Tell the arm to close.

        Raises:
            BarrierError: it was not told.
        """
        await self._relay.lower()

    async def watch(self, tell: InputListener) -> None:
        """Tell of the inputs as they are for this lane, until cancelled."""
        self.tell = tell
        try:
            await asyncio.Event().wait()
        finally:
            self.tell = None

    async def close(self) -> None:
        """Let go of the arm; the other lane goes on with it."""
        self.passages = None


class SharedArm:
    """One relay with its contacts, used by two lanes.

    One open, one pass holds across both: while the car of one lane has yet to pass, or the arm is
    up for it, the other lane's order waits. Whose car is on a loop is decided when it comes on.

    Args:
        relay: What raises the arm.
        wiring: The contacts, as the first lane calls them; mirrored for the second.
        steady: Seconds of a clock that only goes forward.
    """

    def __init__(
        self, relay: Relay, wiring: Wiring, steady: Callable[[], float] = steady_seconds
    ) -> None:
        self._relay = relay
        self._wiring = wiring
        self._steady = steady
        self.turn = asyncio.Lock()
        self.holder: ArmSide | None = None
        self.sides = (ArmSide(self, relay, wiring), ArmSide(self, relay, mirrored(wiring)))
        self._on: dict[ContactUse, bool] = {}
        self._hand: ArmSide | None = None

    async def run(self) -> None:
        """Follow the relay's inputs and the time, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_time())
                if self._relay.has_inputs:
                    group.create_task(self._watch())
        finally:
            await self._relay.close()

    def input(self, number: int, is_on: bool) -> None:  # noqa: FBT001 - as relays tell it
        """Take in what an input of the relay says; the same again is told on, too."""
        item = self._wiring.inputs.get(number)
        if item is not None:
            self._contact(item.use, is_on=is_on != item.is_inverted)
        self._tell()
        self._release()

    def tick(self) -> None:
        """Take in that time went by."""
        self._release()
        self._look_at_exits()
        for side in self.sides:
            self._hand_over(side)
            if side.was_refused and self.objection(side) is None:
                side.was_refused = False
                side.freed.set()

    def objection(self, side: ArmSide) -> str | None:
        """Return why the arm must not be raised for a lane now; None for no reason."""
        self._release()
        opening = self._other(side).opening
        if self.holder in {None, side}:
            return None
        if opening is not None and opening.is_under_way():
            return reasons.OTHER_LANE_PASSES
        return None if self._is_at_rest() else reasons.ARM_UP_FOR_OTHER_LANE

    def may_lower(self, side: ArmSide) -> bool:
        """Return whether nothing of the other lane speaks against closing the arm."""
        other = self._other(side)
        return self.holder is side and not other.loop.is_on

    def _contact(self, use: ContactUse, *, is_on: bool) -> None:
        now_s = self._steady()
        self._release()
        if use is ContactUse.LOOP:
            self._loop(self.sides[0], now_s, is_on=is_on)
            return
        if use is ContactUse.EXIT_LOOP:
            self._loop(self.sides[1], now_s, is_on=is_on)
            return
        was_on = self._on.get(use, False)
        self._on[use] = is_on
        if use is ContactUse.OPENED_BY_HAND and is_on and not was_on:
            self._hand = self.holder = self.holder or self._likeliest()
        if use in ARM_USES and not self._is_at_rest():
            self.holder = self.holder or self._likeliest()

    def _loop(self, side: ArmSide, now_s: float, *, is_on: bool) -> None:
        loop, was_on = side.loop, bool(side.loop.is_on)
        loop.is_on = is_on
        if is_on and not was_on:
            loop.on_s, loop.owner = now_s, self._owner(side, now_s)
        if was_on and not is_on:
            loop.left_s = now_s if loop.owner is side else loop.left_s
            loop.on_s = loop.owner = None
        self._look_at_exits()

    def _owner(self, side: ArmSide, now_s: float) -> ArmSide | None:
        """Return whose car came onto a lane's loop."""
        other = self._other(side)
        holding = self.holder.opening if self.holder is not None else None
        if holding is None:
            return side
        if self.holder is side:
            if holding.is_spent and self._slipped_through(other, now_s):
                side.report([holding.about(BarrierEventKind.TAILGATE, reasons.OTHER_LANE_FOLLOWED)])
                return None
            return side
        if self._cannot_have_passed(holding, now_s):
            # It faces the one that is let through.
            return side
        if not holding.is_spent or self._left_lately(other, now_s):
            side.loop.left_s = None
            return other
        return side

    def _slipped_through(self, other: ArmSide, now_s: float) -> bool:
        """Return whether the other lane's car drove through the arm that was up for this lane."""
        return not self._is_down() and self._left_lately(other, now_s)

    def _left_lately(self, side: ArmSide, now_s: float) -> bool:
        """Return whether a lane's car left its loop that nothing was opened for."""
        left_s, opening = side.loop.left_s, side.opening
        if left_s is None or now_s - left_s > self._wiring.pass_s_max:
            return False
        return opening is None or (opening.left_loop_s or opening.started_s) < left_s

    def _cannot_have_passed(self, opening: LaneOpening, now_s: float) -> bool:
        is_rising = now_s - opening.started_s < self._wiring.arm_rise_s
        return opening.is_pulsing or is_rising or self._is_down()

    def _hand_over(self, side: ArmSide) -> None:
        """Let a car wait in the lane whose loop it stands on for too long to be a passing one."""
        loop = side.loop
        if loop.on_s is None or loop.owner is side:
            return
        if self._steady() - loop.on_s >= self._wiring.arm_stuck_s:
            loop.owner = side
            self._look_at_exits()
            self._tell()

    def _look_at_exits(self) -> None:
        for side in self.sides:
            if side.passages is not None:
                other = self._other(side)
                is_taken = bool(other.loop.is_on) and other.loop.owner is not side
                has_exit = ContactUse.EXIT_LOOP in side.wiring.uses
                side.passages.sees_exit = has_exit and not is_taken

    def _tell(self) -> None:
        for side in self.sides:
            tell = side.tell
            if tell is None:
                continue
            for number, item in side.wiring.inputs.items():
                is_on = self._shown(side, item.use)
                if is_on is not None:
                    tell(number, is_on != item.is_inverted)

    def _shown(self, side: ArmSide, use: ContactUse) -> bool | None:
        """Return what a contact says of one lane's cars; None before it was looked at."""
        if use in _MIRRORED:
            loop = (side if use is ContactUse.LOOP else self._other(side)).loop
            return None if loop.is_on is None else loop.is_on and loop.owner is side
        is_on = self._on.get(use)
        if is_on is None:
            return None
        if use is ContactUse.OPENED_BY_HAND:
            return is_on and self._hand is side
        if use in ARM_USES and self.holder not in {None, side}:
            return use is ContactUse.ARM_DOWN
        return is_on

    def _is_down(self) -> bool:
        """Return whether a contact says that the arm is down."""
        has_contacts = bool(ARM_USES & self._on.keys())
        return has_contacts and self._is_at_rest()

    def _is_at_rest(self) -> bool:
        is_up = self._on.get(ContactUse.ARM_UP, False)
        return not is_up and self._on.get(ContactUse.ARM_DOWN, True)

    def _likeliest(self) -> ArmSide:
        """Return the lane for whose car the arm most likely rises without an order."""
        waiting = [side for side in self.sides if side.has_car()]
        return min(waiting or self.sides, key=lambda side: side.loop.on_s or 0.0)

    def _release(self) -> None:
        if self.holder is not None and self.holder.opening is None and self._is_at_rest():
            self.holder = None

    def _other(self, side: ArmSide) -> ArmSide:
        first, second = self.sides
        return second if side is first else first

    async def _keep_time(self) -> None:
        while True:
            self.tick()
            await asyncio.sleep(TICK_S)

    async def _watch(self) -> None:
        tries = 0
        while True:
            try:
                await self._relay.watch(self.input)
            except BarrierError as error:
                tries += 1
                _log.warning("relay_silent", error=str(error))
            await asyncio.sleep(full_jitter_s(tries, WATCH_PAUSE_S_MAX))


def mirrored(wiring: Wiring) -> Wiring:
    """Return the wiring as it is for the lane that leads the other way."""
    if ContactUse.EXIT_LOOP not in wiring.uses:
        # Cameras say when a car is there, each for its own lane.
        return wiring
    uses = frozenset(_MIRRORED.get(use, use) for use in wiring.uses)
    return replace(
        wiring,
        uses=uses,
        inputs={
            number: RelayInput(_MIRRORED.get(item.use, item.use), is_inverted=item.is_inverted)
            for number, item in wiring.inputs.items()
        },
    )

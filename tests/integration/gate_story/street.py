"""The world in front of a lane: cars, an arm, loops, and a relay. It outlives every process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from gate_bridge.agent.errors import BarrierError, PulseUnknownError
from gate_bridge.agent.machines.contacts import ContactUse
from gate_bridge.agent.machines.relay import InputListener, Permit
from tests.integration.gate_story.virtual_time import VirtualLoop

RISE_S = 0.4
STAYS_UP_S = 8.0

Tell = Callable[[ContactUse, bool], None]


@dataclass(eq=False)
class Visit:
    """One car, once on the loop.

    Attributes:
        harmed: How often a pulse for it ended so that nobody could know of it.
        has_driven: Whether it drove under the arm.
        life: Which of the street's `lives` it was let in in last.
    """

    plate: str
    pulses: list[UUID] = field(default_factory=list[UUID])
    harmed: int = 0
    has_driven: bool = False
    life: int = 0


@dataclass
class Faults:
    """What is wrong with the relay, and how long it takes."""

    before_s: float = 0.02
    after_s: float = 0.02
    refuses: bool = False
    silent_before: bool = False
    silent_after: bool = False
    jammed: bool = False


class Street:
    """What is really there.

    Attributes:
        lives: How often a process began to watch the lane, or went on after it stood still.

    Args:
        on_pulse: Looks at every pulse at the moment when the contact closes.
    """

    def __init__(self, loop: VirtualLoop, uses: frozenset[ContactUse]) -> None:
        self._loop = loop
        self.uses = uses
        self.car: Visit | None = None
        self.under: Visit | None = None
        self.visits: list[Visit] = []
        self.lives = 0
        self.came_s = self.left_s = 0.0
        self.is_up = False
        self.faults = Faults()
        self.on_pulse: Callable[[UUID], None] = lambda _: None
        self.on_harm: Callable[[UUID, bool], None] = lambda _command, _is_silent: None
        self.tell: Tell = lambda _use, _is_on: None
        self._on: dict[ContactUse, bool] = {ContactUse.ARM_DOWN: True}
        self._fall: asyncio.TimerHandle | None = None

    def contacts(self) -> list[tuple[ContactUse, bool]]:
        """What every contact of the lane says now."""
        return [(use, self._on.get(use, False)) for use in sorted(self.uses)]

    @property
    def is_way_seen_taken(self) -> bool:
        """Whether the process that runs can know of a car under the arm."""
        is_seen = ContactUse.EXIT_LOOP in self.uses
        is_on = self._on.get(ContactUse.EXIT_LOOP, False)
        return is_seen and self.under is not None and (is_on or self.under.life == self.lives)

    def come(self, plate: str) -> Visit:
        assert self.car is None
        self.car = Visit(plate)
        self.visits.append(self.car)
        self.came_s = self._loop.time()
        self._say(ContactUse.LOOP, is_on=True)
        return self.car

    def back_out(self) -> None:
        self.car = None
        self.left_s = self._loop.time()
        self._say(ContactUse.LOOP, is_on=False)

    async def drive_through(self, gap_s: float = 0.0, stays_s: float = 0.3) -> None:
        """Drive under the open arm, as far as it is open.

        Args:
            gap_s: How long it is on neither loop; a shorter car than 0 is on both for a while.
            stays_s: How long it stays under the arm afterwards.
        """
        car = self.car
        if not self.is_up or car is None or self.under is not None:
            return
        if gap_s:
            self._leave(car)
            await asyncio.sleep(gap_s)
            self._say(ContactUse.EXIT_LOOP, is_on=True)
        else:
            self._say(ContactUse.EXIT_LOOP, is_on=True)
            await asyncio.sleep(0.2)
            if self.car is not car:
                # Meanwhile it has backed out.
                self._say(ContactUse.EXIT_LOOP, is_on=False)
                return
            self._leave(car)
        await asyncio.sleep(stays_s)
        car.has_driven = True
        self.under = None
        self._say(ContactUse.EXIT_LOOP, is_on=False)

    def _leave(self, car: Visit) -> None:
        self.under = car
        self.back_out()

    def pulse(self, command_id: UUID) -> None:
        self.on_pulse(command_id)
        if self.car is not None:
            self.car.pulses.append(command_id)
            self.car.life = self.lives
        if not self.faults.jammed:
            self.raise_arm()

    def raise_arm(self) -> None:
        if self._fall is not None:
            self._fall.cancel()
        if not self.is_up:
            self._say(ContactUse.ARM_DOWN, is_on=False)
            self._loop.call_later(RISE_S, self._risen)
        self.is_up = True
        self._fall = self._loop.call_later(STAYS_UP_S, self._fallen)

    def _risen(self) -> None:
        if self.is_up:
            self._say(ContactUse.ARM_UP, is_on=True)

    def _fallen(self) -> None:
        if self.under is not None:
            # No arm falls on a car.
            self._fall = self._loop.call_later(1.0, self._fallen)
            return
        self.is_up = False
        self._say(ContactUse.ARM_UP, is_on=False)
        self._say(ContactUse.ARM_DOWN, is_on=True)

    def _say(self, use: ContactUse, *, is_on: bool) -> None:
        if use in self.uses and self._on.get(use, False) != is_on:
            self._on[use] = is_on
            self.tell(use, is_on)


class StreetRelay:
    """One process's way to the relay."""

    can_lower = False
    has_inputs = False

    def __init__(self, street: Street) -> None:
        self._street = street
        self.is_unplugged = False

    async def pulse(self, permit: Permit) -> None:
        faults, car = self._street.faults, self._street.car
        is_known = is_silent = False
        try:
            await asyncio.sleep(faults.before_s)
            permit.check()
            if faults.refuses:
                raise BarrierError("the relay says no")  # noqa: TRY301 - as a relay does
            is_known = not faults.silent_before
            if not faults.silent_before and not self.is_unplugged:
                self._street.pulse(permit.command_id)
                is_known = False
            await asyncio.sleep(faults.after_s)
            if faults.silent_before or faults.silent_after:
                raise PulseUnknownError("the relay fell silent")
            is_known = True
        except BarrierError as error:
            is_silent = isinstance(error, PulseUnknownError)
            is_known = not is_silent
            raise
        finally:
            if not is_known:
                self._street.on_harm(permit.command_id, is_silent)
            if not is_known and car is not None:
                car.harmed += 1

    async def lower(self) -> None:
        raise NotImplementedError

    async def watch(self, tell: InputListener) -> None:
        del tell

    async def close(self) -> None:
        return

"""Camera reads, and what they mean in a lane with a loop of its own."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from gate_bridge.agent.site.car_rules import (
    BURST_S,
    MISREAD_CHARACTERS,
    READ_BEFORE_LOOP_S,
    REPEAT_S,
    Sighting,
    distance,
    fits_better,
    is_better,
    is_same_car,
)
from gate_bridge.agent.site.car_steps import CarSeen, Ignoring, ReadIgnored, SeenLate, Step
from gate_bridge.agent.site.read_memory import ReadMemory
from gate_bridge.drivers.port import Heading

# A read that comes late may be of the car before the last one, where that one was quickly gone.
LEFT_MAX: Final = 8

IsElsewhere = Callable[[Sighting], bool]
"""Whether a read is of a car of the other lane that uses the same arm."""


def nowhere_else(sighting: Sighting) -> bool:
    """Return that no other lane uses the arm."""
    del sighting
    return False


class CarWatch(Protocol):
    """Decides which reads belong to the car in one lane. Seconds are of the steady clock.

    A late read never says anything of the car that is there now, and no car begins twice.
    """

    def sight(self, sighting: Sighting, now_s: float) -> list[Step]:
        """Take in a camera's read."""
        ...

    def loop(self, *, is_on: bool, now_s: float) -> list[Step]:
        """Take in whether the lane has a car; "on" again: it was presented to the bridge anew."""
        ...

    def raised(self, now_s: float) -> list[Step]:
        """Take in that the arm was pulsed for the car that is there."""
        ...

    def passed(self, now_s: float) -> list[Step]:
        """Take in that the car drove through, or that the arm closed again."""
        ...

    def tick(self, now_s: float) -> list[Step]:
        """Take in that time goes by."""
        ...

    def has(self, sighting: Sighting) -> bool:
        """Return whether the read is of the car that is there."""
        ...

    def had(self, sighting: Sighting) -> bool:
        """Return whether the read is of the car that is there, or that just drove through."""
        ...


@dataclass(slots=True)
class WatchedCar:
    """The car in the lane.

    Attributes:
        best: The read that was reported last.
        plates: Every reading of it.
        raised_s: When the arm was pulsed for it; None before that.
        left_s: When it was seen last or left; None while it is there.
    """

    began_s: float
    best: Sighting | None = None
    plates: set[str] = field(default_factory=set[str])
    raised_s: float | None = None
    left_s: float | None = None

    def report(self, sighting: Sighting) -> CarSeen:
        """Take a read as this car's."""
        if sighting.plate is not None:
            self.best = sighting
            self.plates.add(sighting.plate)
        return CarSeen(sighting)

    def was_unread_at(self, sighting: Sighting) -> bool:
        """Return whether the read was taken while this car stood there and nobody had read it."""
        return (
            self.best is None
            and self.left_s is not None
            and self.began_s - READ_BEFORE_LOOP_S <= sighting.seen_s <= self.left_s
        )

    def was_just_here(self, sighting: Sighting) -> bool:
        """Return whether the read is a last glimpse of this car, which has left."""
        return (
            self.left_s is not None
            and sighting.plate in self.plates
            and sighting.seen_s - self.left_s <= REPEAT_S
        )

    def is_in(self, sighting: Sighting) -> bool:
        """Return whether the read is of this car, as far as its plate says."""
        if sighting.plate is None:
            return False
        if sighting.plate in self.plates or self.raised_s is None:
            return sighting.plate in self.plates
        # Read from behind while it drives through.
        return any(distance(sighting.plate, plate) <= MISREAD_CHARACTERS for plate in self.plates)

    def is_tail_in(self, sighting: Sighting) -> bool:
        """Return whether the read is of this car, which drove through to the other lane."""
        # Whatever its heading: one camera for both lanes sees it go where the other lane leads.
        is_recent = self.left_s is not None and sighting.seen_s - self.left_s <= REPEAT_S
        return is_recent and self.is_in(sighting)


class LoopWatch:
    """Cars by a physical loop: it says when a car is there, and cameras say which."""

    def __init__(self, is_elsewhere: IsElsewhere = nowhere_else) -> None:
        self._is_elsewhere = is_elsewhere
        self._memory = ReadMemory()
        self._car: WatchedCar | None = None
        self._left: deque[WatchedCar] = deque(maxlen=LEFT_MAX)

    def sight(self, sighting: Sighting, now_s: float) -> list[Step]:
        """Take in a camera's read."""
        del now_s
        if self._memory.is_repeated(sighting):
            return [ReadIgnored(sighting, Ignoring.REPEATED)]
        is_own = sighting.is_late or self.has(sighting)
        if not is_own and self._is_elsewhere(sighting):
            return [ReadIgnored(sighting, Ignoring.OTHER_LANE)]
        if sighting.is_late or (self._car is not None and self._is_of_unread_car(sighting)):
            return [SeenLate(sighting)]
        return [self._judge(sighting)]

    def loop(self, *, is_on: bool, now_s: float) -> list[Step]:
        """Take in whether a car stands on the loop."""
        if is_on and self._car is not None:
            best = self._car.best
            return [] if best is None else [CarSeen(best, is_restated=True)]
        if is_on:
            self._car = WatchedCar(now_s)
            first = self._memory.next_car(now_s - READ_BEFORE_LOOP_S, self._may_be_next)
            return [] if first is None else [self._car.report(first)]
        if self._car is not None:
            self._car.left_s = now_s
            if self._car.raised_s is not None:
                self._memory.drove_through(frozenset(self._car.plates))
            self._left.append(self._car)
            self._car = None
        return []

    def raised(self, now_s: float) -> list[Step]:
        """Take in that the arm was pulsed for the car that is there."""
        if self._car is not None:
            self._car.raised_s = now_s
        return []

    def passed(self, now_s: float) -> list[Step]:
        """Take in nothing: the loop says when the car is gone."""
        del now_s
        return []

    def tick(self, now_s: float) -> list[Step]:
        """Take in nothing: the loop says when the car is gone."""
        del now_s
        return []

    def has(self, sighting: Sighting) -> bool:
        """Return whether the read is of the car on the loop."""
        return self._car is not None and self._car.is_in(sighting)

    def had(self, sighting: Sighting) -> bool:
        """Return whether the read is of the car on the loop, or that just drove through."""
        return self.has(sighting) or any(car.is_tail_in(sighting) for car in self._left)

    def _judge(self, sighting: Sighting) -> Step:
        car = self._car
        best = None if car is None else car.best
        if sighting.read.heading is Heading.AWAY and not _is_known(sighting, best):
            return ReadIgnored(sighting, Ignoring.AWAY)
        if car is None:
            return self._before_loop(sighting)
        return self._on_loop(sighting, car)

    def _on_loop(self, sighting: Sighting, car: WatchedCar) -> Step:
        best = car.best
        if sighting.plate is None:
            return CarSeen(sighting)
        if best is not None and is_same_car(sighting, best):
            is_news = is_better(sighting, best)
            return car.report(sighting) if is_news else ReadIgnored(sighting, Ignoring.REPEATED)
        if self._is_last_car(sighting):
            return ReadIgnored(sighting, Ignoring.LEFT_ALREADY)
        self._memory.bystander(sighting)
        if self._memory.is_parked(sighting):
            return ReadIgnored(sighting, Ignoring.PARKED)
        is_burst = best is None or abs(sighting.seen_s - best.seen_s) <= BURST_S
        if car.raised_s is None and is_burst and fits_better(sighting, best):
            return car.report(sighting)
        self._memory.wait(sighting)
        return ReadIgnored(sighting, Ignoring.WAITS)

    def _before_loop(self, sighting: Sighting) -> Step:
        if any(car.was_just_here(sighting) for car in self._left):
            return ReadIgnored(sighting, Ignoring.LEFT_ALREADY)
        self._memory.bystander(sighting)
        self._memory.wait(sighting)
        return ReadIgnored(sighting, Ignoring.WAITS)

    def _is_of_unread_car(self, sighting: Sighting) -> bool:
        """Return whether the read came only after its car had left; it is not the next one's."""
        # Also where the loop lost one car for a moment: after a standstill of this process two
        # cars seem to have changed places at once, and a read too few opens for nobody.
        return any(car.was_unread_at(sighting) for car in self._left)

    def _may_be_next(self, sighting: Sighting) -> bool:
        is_last = any(car.was_just_here(sighting) for car in self._left)
        is_before = self._is_of_unread_car(sighting)
        is_other = self._is_elsewhere(sighting) or self._memory.is_parked(sighting)
        return not (is_last or is_before or is_other)

    def _is_last_car(self, sighting: Sighting) -> bool:
        just_here = [car for car in self._left if car.was_just_here(sighting)]
        # A car that backed out may come back; one that drove through does not so soon.
        has_passed = any(car.raised_s is not None for car in just_here)
        return has_passed or bool(just_here and sighting.read.heading is not Heading.TOWARDS)


def _is_known(sighting: Sighting, best: Sighting | None) -> bool:
    """Return whether the read is certainly of the car that was reported."""
    if best is None or sighting.plate == best.plate:
        return best is not None
    is_tracked = sighting.read.car_id is not None and sighting.device == best.device
    return is_tracked and sighting.read.car_id == best.read.car_id

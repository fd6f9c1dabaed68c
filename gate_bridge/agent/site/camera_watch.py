"""Camera reads in a lane without a loop: they say when a car is there, too."""

from collections import deque

from gate_bridge.agent.site.car_rules import (
    BURST_S,
    PARKED_READS,
    PARKED_READS_AFTER_S,
    PASSAGE_S,
    READ_BEFORE_LOOP_S,
    REOPEN_COOLDOWN_S,
    STAY_S,
    STAY_TOTAL_S,
    Sighting,
    fits_better,
    is_better,
    is_same_car,
)
from gate_bridge.agent.site.car_steps import (
    CarCame,
    CarLeft,
    CarSeen,
    Ignoring,
    Leaving,
    ReadIgnored,
    SeenLate,
    Step,
)
from gate_bridge.agent.site.car_watch import LEFT_MAX, IsElsewhere, WatchedCar, nowhere_else
from gate_bridge.agent.site.read_memory import ReadMemory
from gate_bridge.drivers.port import CarState, Heading


class CameraWatch:
    """Cars by camera alone: a read begins a car's stay, and a bounded time ends it at the latest.

    Args:
        stay_s: How long a car that is not read again is taken to stand there.
        is_elsewhere: Whether a read is of the other lane's car.
    """

    def __init__(self, stay_s: float = STAY_S, is_elsewhere: IsElsewhere = nowhere_else) -> None:
        self._is_elsewhere = is_elsewhere
        self._memory = ReadMemory()
        self._stay_s = stay_s
        self._car: WatchedCar | None = None
        self._left: deque[WatchedCar] = deque(maxlen=LEFT_MAX)
        self._seen_s = 0.0
        self._reads = 0
        self._raised_s: float | None = None

    def sight(self, sighting: Sighting, now_s: float) -> list[Step]:
        """Take in a camera's read."""
        known = self._known(sighting)
        if known is not None:
            return [known]
        if self._car is None:
            return self._first(sighting, now_s)
        if self._is_this_car(self._car, sighting):
            return self._again(self._car, sighting, now_s)
        if sighting.read.heading is Heading.AWAY:
            return [ReadIgnored(sighting, Ignoring.AWAY)]
        return self._other(self._car, sighting, now_s)

    def loop(self, *, is_on: bool, now_s: float) -> list[Step]:
        """Take in that the machine lost the car, or that it was presented anew."""
        if not is_on:
            self._end(now_s)
            return []
        best = None if self._car is None else self._car.best
        return [] if best is None else [CarSeen(best, is_restated=True)]

    def raised(self, now_s: float) -> list[Step]:
        """Take in that the arm was pulsed for the car that is there."""
        self._raised_s = now_s
        if self._car is not None:
            self._car.raised_s = now_s
        return []

    def passed(self, now_s: float) -> list[Step]:
        """Take in that the car drove through, or that the arm closed again."""
        if self._car is None or self._car.raised_s is None:
            return []
        return self._leave(Leaving.PASSED, now_s)

    def tick(self, now_s: float) -> list[Step]:
        """Take in that time goes by."""
        car = self._car
        if car is None:
            if self._cools_down(now_s):
                return []
            waiting = self._memory.next_car(now_s - READ_BEFORE_LOOP_S, self._may_begin)
            return [] if waiting is None else self._begin(waiting, now_s)
        if car.raised_s is not None:
            return self._after_raise(car.raised_s, now_s)
        if now_s - car.began_s >= STAY_TOTAL_S:
            return self._stand_aside(car, Leaving.TOO_LONG, now_s)
        if now_s - self._seen_s >= self._stay_s:
            return self._leave(Leaving.NOT_SEEN, now_s)
        return []

    def has(self, sighting: Sighting) -> bool:
        """Return whether the read is of the car that is there."""
        return self._car is not None and self._car.is_in(sighting)

    def had(self, sighting: Sighting) -> bool:
        """Return whether the read is of the car that is there, or that just drove through.

        A car without a plate may be the one that drives through.
        """
        if sighting.plate is None:
            is_passing = self._car is not None and self._car.raised_s is not None
            return is_passing or self._follows_a_car(sighting)
        return self.has(sighting) or any(
            car.is_tail_in(sighting)
            for car in self._left
            if car.raised_s is not None or car is self._left[-1]
        )

    def _after_raise(self, raised_s: float, now_s: float) -> list[Step]:
        if now_s - raised_s >= PASSAGE_S:
            return self._leave(Leaving.PASSED, now_s)
        if self._cools_down(now_s):
            return []
        oldest_s = max(raised_s, now_s - READ_BEFORE_LOOP_S)
        waiting = self._memory.next_car(oldest_s, self._may_begin)
        if waiting is None:
            return []
        return self._leave(Leaving.NEXT_CAR, now_s) + self._begin(waiting, now_s)

    def _known(self, sighting: Sighting) -> Step | None:
        """Return what to do about a read that cannot be news; None for one that can."""
        if self._memory.is_repeated(sighting):
            return ReadIgnored(sighting, Ignoring.REPEATED)
        if sighting.is_late:
            return SeenLate(sighting)
        if sighting.read.state is CarState.LOST:
            self._memory.lose(sighting)
        elif self._memory.is_lost(sighting):
            # Overtaken on the way by the word that the car is out of sight.
            return ReadIgnored(sighting, Ignoring.LEFT_ALREADY)
        return None

    def _first(self, sighting: Sighting, now_s: float) -> list[Step]:
        refusal = self._refusal(sighting)
        if refusal is not None:
            self._memory.bystander(sighting)
            return [ReadIgnored(sighting, refusal)]
        return self._begin_or_wait(sighting, now_s)

    def _refusal(self, sighting: Sighting) -> Ignoring | None:
        if sighting.read.heading is Heading.AWAY:
            return Ignoring.AWAY
        if sighting.read.state is CarState.LOST:
            return Ignoring.LEFT_ALREADY
        if self._is_elsewhere(sighting):
            return Ignoring.OTHER_LANE
        if self._memory.is_parked(sighting) and sighting.read.heading is not Heading.TOWARDS:
            return Ignoring.PARKED
        return Ignoring.LEFT_ALREADY if self._is_last_car(sighting) else None

    def _may_begin(self, sighting: Sighting) -> bool:
        return self._refusal(sighting) is None

    def _is_last_car(self, sighting: Sighting) -> bool:
        if sighting.plate is None:
            # It may well be the car that just left.
            return self._follows_a_car(sighting)
        return any(self._is_glimpse(sighting, car) for car in self._left)

    def _is_glimpse(self, sighting: Sighting, car: WatchedCar) -> bool:
        """Return whether the read is of a car that has left, and that did not come back."""
        if car.left_s is None or not car.was_just_here(sighting):
            return False
        if car.raised_s is not None:
            return True
        # One that stood back for another is next when that one is gone, read by read.
        is_of_then = car is self._left[-1] or sighting.seen_s <= car.left_s
        return is_of_then and not _is_new_visit(sighting, car.best)

    def _follows_a_car(self, sighting: Sighting) -> bool:
        """Return whether the read was taken when the last car was just gone."""
        left_s = self._left[-1].left_s if self._left else None
        return left_s is not None and sighting.seen_s - left_s <= REOPEN_COOLDOWN_S

    def _begin_or_wait(self, sighting: Sighting, now_s: float) -> list[Step]:
        if self._cools_down(now_s):
            self._memory.wait(sighting)
            return [ReadIgnored(sighting, Ignoring.WAITS)]
        return self._begin(sighting, now_s)

    def _cools_down(self, now_s: float) -> bool:
        return self._raised_s is not None and now_s - self._raised_s < REOPEN_COOLDOWN_S

    def _begin(self, sighting: Sighting, now_s: float) -> list[Step]:
        self._car = WatchedCar(now_s)
        self._seen_s, self._reads = now_s, 1
        return [CarCame(), self._car.report(sighting)]

    def _is_this_car(self, car: WatchedCar, sighting: Sighting) -> bool:
        if car.best is None:
            # Nothing but a car without a plate was seen: this is its plate.
            return car.raised_s is None or sighting.plate is None
        return is_same_car(sighting, car.best)

    def _again(self, car: WatchedCar, sighting: Sighting, now_s: float) -> list[Step]:
        is_news = sighting.plate is None or is_better(sighting, car.best)
        self._seen_s = max(self._seen_s, now_s)
        self._reads += 1
        if sighting.read.heading is Heading.AWAY and car.raised_s is None:
            return [car.report(sighting), *self._leave(Leaving.AWAY, now_s)]
        steps: list[Step] = [
            car.report(sighting) if is_news else ReadIgnored(sighting, Ignoring.REPEATED)
        ]
        if sighting.read.state is CarState.LOST:
            steps += self._leave(Leaving.LOST, now_s)
        return steps

    def _other(self, car: WatchedCar, sighting: Sighting, now_s: float) -> list[Step]:
        refusal = self._refusal(sighting)
        if refusal is not None:
            self._memory.bystander(sighting)
            return [ReadIgnored(sighting, refusal)]
        if car.raised_s is not None:
            if now_s - car.raised_s >= REOPEN_COOLDOWN_S:
                return self._leave(Leaving.NEXT_CAR, now_s) + self._begin_or_wait(sighting, now_s)
        elif self._stands(car, now_s) and sighting.read.heading is Heading.TOWARDS:
            steps = self._stand_aside(car, Leaving.PARKED, now_s)
            return steps + self._begin_or_wait(sighting, now_s)
        elif now_s - car.began_s <= BURST_S and fits_better(sighting, car.best):
            return self._leave(Leaving.BETTER_READ, now_s) + self._begin_or_wait(sighting, now_s)
        self._memory.bystander(sighting)
        self._memory.wait(sighting)
        return [ReadIgnored(sighting, Ignoring.WAITS)]

    def _stands(self, car: WatchedCar, now_s: float) -> bool:
        heading = Heading.UNKNOWN if car.best is None else car.best.read.heading
        return (
            heading is not Heading.TOWARDS
            and self._reads >= PARKED_READS
            and now_s - car.began_s >= PARKED_READS_AFTER_S
        )

    def _stand_aside(self, car: WatchedCar, why: Leaving, now_s: float) -> list[Step]:
        for plate in car.plates:
            self._memory.stays(plate, car.began_s, now_s)
        return self._leave(why, now_s)

    def _leave(self, why: Leaving, now_s: float) -> list[Step]:
        self._end(now_s)
        return [CarLeft(why)]

    def _end(self, now_s: float) -> None:
        if self._car is None:
            return
        self._car.left_s = now_s
        if self._car.raised_s is not None:
            self._memory.drove_through(frozenset(self._car.plates))
        self._left.append(self._car)
        self._car = None


def _is_new_visit(sighting: Sighting, before: Sighting | None) -> bool:
    """Return whether the camera itself says that this is another visit of the car."""
    return (
        before is not None
        and sighting.device == before.device
        and sighting.read.state is CarState.NEW
        and sighting.read.car_id is not None
        and sighting.read.car_id != before.read.car_id
    )

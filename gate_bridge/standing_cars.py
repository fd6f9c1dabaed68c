"""Cars that a lane's camera reads again and again while other cars pass: they are parked.

A plate that was read while the lane decided on other cars, often and for long, is not that of the
car on the loop. One process remembers it for its lanes; another one learns it anew.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

LANES_MAX: Final = 5000
PLATES_PER_LANE_MAX: Final = 50
PLATES_PER_CAR_MAX: Final = 10
# A queue's next two cars are read early, too; none of them is passed over so often.
PASSED_OVER_MIN: Final = 3
STANDING_AFTER_S: Final = 120.0
# A car that was not read for so long may have left.
FORGOTTEN_AFTER_S: Final = 1800.0


@dataclass(slots=True)
class _Sighting:
    first_s: float
    last_s: float
    passed_over: int = 0


@dataclass(slots=True)
class _LaneMemory:
    presentation_id: UUID | None = None
    read_now: set[str] = field(default_factory=set[str])
    known: OrderedDict[str, _Sighting] = field(default_factory=OrderedDict[str, _Sighting])


class StandingCars:
    """What the cameras of one bridge process's lanes read besides the cars on the loops.

    All times are of one steady clock.
    """

    def __init__(self) -> None:
        self._lanes: OrderedDict[UUID, _LaneMemory] = OrderedDict()

    def saw(self, lane_id: UUID, presentation_id: UUID, plate: str, now_s: float) -> bool:
        """Take note of a read; returns whether its car stands there without being the lane's."""
        lane = self._lane(lane_id)
        if lane.presentation_id != presentation_id:
            lane.presentation_id = presentation_id
            lane.read_now.clear()
        if len(lane.read_now) < PLATES_PER_CAR_MAX:
            lane.read_now.add(plate)
        sighting = lane.known.get(plate)
        if sighting is None:
            return False
        if now_s - sighting.last_s > FORGOTTEN_AFTER_S:
            del lane.known[plate]
            return False
        sighting.last_s = now_s
        is_old = now_s - sighting.first_s >= STANDING_AFTER_S
        return is_old and sighting.passed_over >= PASSED_OVER_MIN

    def decided(self, lane_id: UUID, presentation_id: UUID, plate: str, now_s: float) -> None:
        """Take note that the lane took the car for `plate`: the others it read were not it."""
        lane = self._lane(lane_id)
        lane.known.pop(plate, None)
        if lane.presentation_id != presentation_id:
            return
        for other in lane.read_now - {plate}:
            sighting = lane.known.setdefault(other, _Sighting(now_s, now_s))
            sighting.last_s = now_s
            sighting.passed_over += 1
            lane.known.move_to_end(other)
        lane.read_now.clear()
        while len(lane.known) > PLATES_PER_LANE_MAX:
            lane.known.popitem(last=False)

    def _lane(self, lane_id: UUID) -> _LaneMemory:
        lane = self._lanes.setdefault(lane_id, _LaneMemory())
        self._lanes.move_to_end(lane_id)
        while len(self._lanes) > LANES_MAX:
            self._lanes.popitem(last=False)
        return lane

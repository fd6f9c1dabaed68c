"""What one lane remembers of the reads that were not of the car on its loop."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gate_bridge.agent.site.car_rules import (
    PARKED_AFTER_S,
    PARKED_FORGOTTEN_S,
    PARKED_PASSAGES,
    Sighting,
    is_same_car,
    rank,
)

READ_IDS_MAX: Final = 512
LOST_MAX: Final = 32
WAITING_MAX: Final = 8
BYSTANDERS_MAX: Final = 64


@dataclass(slots=True)
class _Bystander:
    """A plate that was read while it was not in the lane."""

    first_s: float
    last_s: float
    passages: int = 0
    passages_since_read: int = 0


class ReadMemory:
    """Bounded: what is oldest is forgotten."""

    def __init__(self) -> None:
        self._read_ids: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lost: deque[tuple[str, str]] = deque(maxlen=LOST_MAX)
        self._waiting: deque[Sighting] = deque(maxlen=WAITING_MAX)
        self._bystanders: OrderedDict[str, _Bystander] = OrderedDict()

    def is_repeated(self, sighting: Sighting) -> bool:
        """Return whether the device sent this very read before, and remember it."""
        read = sighting.read
        key = (sighting.device, read.read_id or f"{read.captured_at}|{read.plate}|{read.state}")
        if key in self._read_ids:
            return True
        self._read_ids[key] = None
        if len(self._read_ids) > READ_IDS_MAX:
            self._read_ids.popitem(last=False)
        return False

    def lose(self, sighting: Sighting) -> None:
        """Note that a camera sees a car no more."""
        if sighting.read.car_id is not None:
            self._lost.append((sighting.device, sighting.read.car_id))

    def is_lost(self, sighting: Sighting) -> bool:
        """Return whether the read is of a car that its camera had lost already."""
        car_id = sighting.read.car_id
        return car_id is not None and (sighting.device, car_id) in self._lost

    def wait(self, sighting: Sighting) -> None:
        """Keep a read that may be of the next car."""
        self._waiting.append(sighting)

    def next_car(
        self, oldest_s: float, is_candidate: Callable[[Sighting], bool]
    ) -> Sighting | None:
        """Take the read that most likely is of the car that is there now.

        Args:
            oldest_s: Reads from before are forgotten.
            is_candidate: Whether a read may be of it at all.
        """
        recent = [item for item in self._waiting if item.seen_s >= oldest_s]
        best = max(filter(is_candidate, recent), key=rank, default=None)
        self._waiting.clear()
        self._waiting.extend(item for item in recent if best and not is_same_car(item, best))
        return best

    def bystander(self, sighting: Sighting) -> None:
        """Note that a plate was read that is not of the car in the lane."""
        plate = sighting.plate
        if plate is None:
            return
        found = self._bystanders.get(plate)
        if found is None or sighting.seen_s - found.last_s > PARKED_FORGOTTEN_S:
            found = self._bystanders[plate] = _Bystander(sighting.seen_s, sighting.seen_s)
        found.passages += found.passages_since_read
        found.passages_since_read = 0
        found.last_s = max(found.last_s, sighting.seen_s)
        self._bystanders.move_to_end(plate)
        if len(self._bystanders) > BYSTANDERS_MAX:
            self._bystanders.popitem(last=False)

    def drove_through(self, plates: frozenset[str]) -> None:
        """Note that a car with one of these readings drove through the lane."""
        for plate, found in list(self._bystanders.items()):
            if plate in plates:
                del self._bystanders[plate]
            else:
                found.passages_since_read += 1

    def stays(self, plate: str, since_s: float, now_s: float) -> None:
        """Note that a car stood for long and is parked."""
        self._bystanders[plate] = _Bystander(
            min(since_s, now_s - PARKED_AFTER_S), now_s, PARKED_PASSAGES
        )

    def is_parked(self, sighting: Sighting) -> bool:
        """Return whether other cars drove by this one again and again."""
        found = None if sighting.plate is None else self._bystanders.get(sighting.plate)
        if found is None or sighting.seen_s - found.last_s > PARKED_FORGOTTEN_S:
            return False
        return found.passages >= PARKED_PASSAGES and found.last_s - found.first_s >= PARKED_AFTER_S

"""When two reads are of one car, and which of several cars is the one in the lane. Pure."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from uuid import UUID

from gate_bridge.drivers.port import CameraRead, CarState, Heading

# Cameras send up to three readings of one car within this time.
BURST_S: Final = 6.0
# A camera sees a car before its loop does; for longer than a burst the car may have turned away.
READ_BEFORE_LOOP_S: Final = BURST_S
# The same plate again within this time is the same visit.
REPEAT_S: Final = 20.0
# After the arm rose for one car a lane without a loop does not begin with the next one at once.
REOPEN_COOLDOWN_S: Final = 5.0
# How long a car whose plate is read only once is taken to stand before a lane without a loop.
STAY_S: Final = 120.0
STAY_TOTAL_S: Final = 900.0
# After a pulse without any feedback the car is taken to have driven through.
PASSAGE_S: Final = 20.0
# A car in the picture while so many others drove through does not queue: it is parked.
PARKED_PASSAGES: Final = 3
PARKED_AFTER_S: Final = 60.0
# In a lane without a loop: read so often for so long without coming nearer.
PARKED_READS: Final = 3
PARKED_READS_AFTER_S: Final = 20.0
# A parked car that nobody read for so long has left.
PARKED_FORGOTTEN_S: Final = 300.0
# A read of this confidence is decided on at once.
SURE_CONFIDENCE: Final = 0.9
# Two characters of a plate may be misread between two readings of one car.
MISREAD_CHARACTERS: Final = 2

TURNED: Final = MappingProxyType({Heading.TOWARDS: Heading.AWAY, Heading.AWAY: Heading.TOWARDS})
"""How a car moves, as a camera that looks the other way sees it."""

# Read off the car's own front; no country gives these alone as a plate.
_BADGES: Final = frozenset(
    """
    ABARTH ACURA ALFAROMEO AMAROK ASTONMARTIN AUDI BENTLEY BMW BUICK BYD CADILLAC CHERY
    CHEVROLET CHRYSLER CITROEN CUPRA DACIA DAIHATSU DENZA DODGE FERRARI FIAT FORD FOTON
    GEELY GENESIS GMC HAVAL HONDA HONGQI HYUNDAI INFINITI ISUZU IVECO JAC JAGUAR JEEP KIA
    LADA LAMBORGHINI LANCIA LANDROVER LEAPMOTOR LEXUS LINCOLN LOTUS LYNKCO MASERATI MAZDA
    MCLAREN MERCEDES MERCEDESBENZ MITSUBISHI NETA NIO NISSAN OPEL PEUGEOT POLESTAR PORSCHE
    QUATTRO RAM RANGEROVER RENAULT ROEWE ROLLSROYCE SAAB SCANIA SEAT SKODA SMART SSANGYONG
    SUBARU SUZUKI TATA TDI TESLA TOYOTA TSI VAUXHALL VOLKSWAGEN VOLVO WULING XPENG ZEEKR
    """.split()  # noqa: SIM905 - eighty lines of names otherwise
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A read, with what this machine makes of its time.

    Attributes:
        seen_s: When the camera saw the car, by the steady clock.
        is_late: It says nothing of the car that is there now.
        message_id: Of the stored message that it came with.
    """

    device: str
    read: CameraRead
    seen_s: float
    is_late: bool = False
    message_id: UUID | None = None

    @property
    def plate(self) -> str | None:
        """Return the plate; None where there is none to decide on."""
        plate = self.read.plate
        return None if plate is None or is_badge(plate) else plate


def is_badge(text: str) -> bool:
    """Return whether a text is the maker's name on the car."""
    return text in _BADGES


def is_same_car(one: Sighting, other: Sighting) -> bool:
    """Return whether two reads are of one car; a car without a plate may be any."""
    if one.plate is not None and one.plate == other.plate:
        return True
    is_tracked = one.read.car_id is not None and other.read.car_id is not None
    if is_tracked and one.device == other.device:
        return one.read.car_id == other.read.car_id
    if one.plate is None or other.plate is None:
        return True
    if abs(one.seen_s - other.seen_s) > BURST_S:
        return False
    return distance(one.plate, other.plate) <= MISREAD_CHARACTERS


def is_better(new: Sighting, old: Sighting | None) -> bool:
    """Return whether a read of the same car says more than the last one that was reported."""
    if new.plate is None:
        return False
    if old is None or old.plate is None:
        return True
    if new.read.state is not CarState.NEW and new.read.car_id == old.read.car_id:
        # The camera corrects itself.
        return (new.plate, new.read.heading) != (old.plate, old.read.heading) or (
            new.read.confidence > old.read.confidence
        )
    turns = new.read.heading not in {Heading.UNKNOWN, old.read.heading}
    return new.read.confidence > old.read.confidence or (new.plate == old.plate and turns)


def fits_better(new: Sighting, old: Sighting | None) -> bool:
    """Return whether another car's read is rather that of the car in the lane.

    From `SURE_CONFIDENCE` on the bridge has decided on the old one, unless its car drives
    elsewhere.
    """
    if old is None or rank(new)[:2] > rank(old)[:2]:
        return True
    return old.read.confidence < SURE_CONFIDENCE and rank(new) > rank(old)


def rank(sighting: Sighting) -> tuple[bool, bool, float]:
    """Return what tells the car in the lane from others in the picture; the largest is it."""
    read = sighting.read
    return sighting.plate is not None, read.heading is Heading.TOWARDS, read.confidence


def distance(one: str, other: str) -> int:
    """Return how many characters must be changed, added or left out to make one from the other."""
    row = list(range(len(other) + 1))
    for index, char in enumerate(one, start=1):
        previous, row[0] = row[0], index
        for column, candidate in enumerate(other, start=1):
            changed = previous + (char != candidate)
            previous = row[column]
            row[column] = min(changed, row[column] + 1, row[column - 1] + 1)
    return row[-1]

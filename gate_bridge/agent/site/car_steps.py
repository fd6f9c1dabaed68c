"""What a lane does about what its cameras and contacts tell."""

from dataclasses import dataclass
from enum import StrEnum

from gate_bridge.agent.site.car_rules import Sighting


class Leaving(StrEnum):
    """Why a car is taken to be gone from a lane without a loop."""

    LOST = "lost"
    AWAY = "away"
    PASSED = "passed"
    NEXT_CAR = "next_car"
    BETTER_READ = "better_read"
    PARKED = "parked"
    NOT_SEEN = "not_seen"
    TOO_LONG = "too_long"


class Ignoring(StrEnum):
    """Why a read changes nothing."""

    REPEATED = "repeated"
    AWAY = "away"
    PARKED = "parked"
    LEFT_ALREADY = "left_already"
    WAITS = "waits"
    OTHER_LANE = "other_lane"
    NO_HEADING = "no_heading"


@dataclass(frozen=True, slots=True)
class CarCame:
    """A car stands in the lane now."""


@dataclass(frozen=True, slots=True)
class CarLeft:
    """It does not any more."""

    why: Leaving


@dataclass(frozen=True, slots=True)
class CarSeen:
    """A read of the car that stands there.

    Attributes:
        is_restated: It was reported before, of the car's earlier presentation.
    """

    sighting: Sighting
    is_restated: bool = False


@dataclass(frozen=True, slots=True)
class SeenLate:
    """A read for the record only."""

    sighting: Sighting


@dataclass(frozen=True, slots=True)
class ReadIgnored:
    """A read that says nothing new; it stays stored as it came."""

    sighting: Sighting
    why: Ignoring


Step = CarCame | CarLeft | CarSeen | SeenLate | ReadIgnored

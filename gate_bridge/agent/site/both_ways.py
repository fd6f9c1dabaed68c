"""A device's place at a lane, and which lane a read is of where one camera serves both ways."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gate_bridge.agent.site.car_rules import TURNED, Sighting
from gate_bridge.agent.site.contact_words import InputMeaning
from gate_bridge.agent.site.lane_desk import LaneDesk, Machine
from gate_bridge.drivers.port import Heading


@dataclass(frozen=True, slots=True)
class Seat:
    """A device's place at a lane.

    Attributes:
        inputs: What its inputs mean, by their numbers.
        lane: The lane's name, for the log.
    """

    desk: LaneDesk
    machine: Machine
    inputs: Mapping[int, InputMeaning]
    lane: str


def seats_of(sighting: Sighting, towards: Seat, away: Seat) -> list[tuple[Seat, Sighting]]:
    """Return where a read belongs, as that lane sees it; more than one before a loop decides.

    A car that stands in a lane is that lane's, whatever way it moves. Of others the heading tells,
    and where there is none, which lane has a car.
    """
    turned = _turned(sighting)
    if towards.desk.has(sighting):
        return [(towards, sighting)]
    if away.desk.has(sighting):
        return [(away, turned)]
    if sighting.read.heading is not Heading.UNKNOWN:
        is_away = sighting.read.heading is Heading.AWAY
        return [(away, turned)] if is_away else [(towards, sighting)]
    standing = [one for one in (towards, away) if one.desk.has_car]
    if len(standing) == 1:
        return [(standing[0], sighting)]
    # Both loops are free: whichever is driven over first takes the read.
    waits = towards.desk.has_loop and not standing
    return [(towards, sighting), (away, sighting)] if waits else []


def _turned(sighting: Sighting) -> Sighting:
    heading = sighting.read.heading
    return replace(sighting, read=replace(sighting.read, heading=TURNED.get(heading, heading)))

"""What two lanes at one arm know of each other's cars."""

from dataclasses import dataclass, field

from gate_bridge.agent.machines.shared_arm import ArmSide, SharedArm
from gate_bridge.agent.site.car_rules import Sighting
from gate_bridge.agent.site.car_watch import CarWatch


@dataclass(eq=False, slots=True)
class SharedPlace:
    """One lane's place at an arm that another lane uses the other way round.

    Attributes:
        watch: The lane's own; None while it does not run.
    """

    side: ArmSide
    other: "SharedPlace" = field(init=False)
    watch: CarWatch | None = None

    def leave(self) -> None:
        """Take in that the lane ended: its cars are anybody's."""
        self.watch = None

    def is_elsewhere(self, sighting: Sighting) -> bool:
        """Return whether a read is of the other lane's car, or of the tail of it."""
        return self.other.watch is not None and self.other.watch.had(sighting)


def places_at(arm: SharedArm) -> tuple[SharedPlace, SharedPlace]:
    """Return the places at an arm, the first lane's first."""
    first, second = (SharedPlace(side) for side in arm.sides)
    first.other, second.other = second, first
    return first, second

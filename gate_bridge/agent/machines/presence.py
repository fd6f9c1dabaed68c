"""Whether a car stands on the entry loop, and which one by count."""

from gate_bridge.agent.barrier import Feedback, LoopChange


class Presence:
    """Counts the cars on the entry loop.

    While the loop is not heard of, the car that stood there counts as gone for the agent: whoever
    stands there afterwards may be another one.

    Attributes:
        is_on: What the loop said last.
        arrivals: Number of the newest car.
        sightings: Counts whenever the agent is told of a car: it grows where one is told anew.
        is_told: Whether the agent believes that a car stands there.
    """

    def __init__(self) -> None:
        self.is_on = False
        self.arrivals = 0
        self.sightings = 0
        self.is_told = False

    @property
    def current(self) -> int:
        """Return the number of the car that stands there; 0 for none."""
        return self.arrivals if self.is_told else 0

    def tell(self, *, is_there: bool) -> list[Feedback]:
        """Return what the agent has not been told yet."""
        if is_there == self.is_told:
            return []
        self.is_told = is_there
        if not is_there:
            return [Feedback(LoopChange.CLEARED)]
        self.sightings += 1
        return [Feedback(LoopChange.OCCUPIED)]

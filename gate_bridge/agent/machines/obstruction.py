"""When an arm that does not do what it should is reported."""

from gate_bridge.agent.barrier import ArmPosition, Feedback
from gate_bridge.agent.machines import reasons
from gate_bridge.agent.machines.arm import ArmContacts
from gate_bridge.agent.machines.lane_opening import LaneOpening
from gate_bridge.wire.actions import BarrierEventKind


class Obstruction:
    """Watches one arm; each opening is reported at most once.

    Args:
        stuck_s: How long an arm may take.

    Attributes:
        moving_s: Since when the arm has been between its ends; None while it is not.
        blocked_s: Since when something has been in its way; None while nothing is.
    """

    def __init__(self, contacts: ArmContacts, stuck_s: float) -> None:
        self._contacts = contacts
        self._stuck_s = stuck_s
        self.moving_s: float | None = None
        self.blocked_s: float | None = None

    def dues_s(self, opening: LaneOpening | None, arm: ArmPosition) -> list[float]:
        """Return when there will be something to report, unless something happens before."""
        if opening is None or opening.is_obstruction_told:
            return []
        since_s = (self._resting_s(opening, arm), self._between_s(), self.blocked_s)
        return [begin_s + self._stuck_s for begin_s in since_s if begin_s is not None]

    def found(self, opening: LaneOpening, arm: ArmPosition, now_s: float) -> list[Feedback]:
        """Return what is wrong by now."""
        reasons_since = (
            (reasons.NOT_RISEN, self._resting_s(opening, arm)),
            (reasons.BETWEEN_ENDS, self._between_s()),
            (reasons.IN_THE_WAY, self.blocked_s),
        )
        for reason, begin_s in reasons_since:
            if begin_s is not None and now_s >= begin_s + self._stuck_s:
                return _told(opening, reason)
        return []

    def closing_on(self, opening: LaneOpening | None, arm: ArmPosition) -> list[Feedback]:
        """Return what is wrong where an arm that was open comes down on something."""
        is_closing = arm is ArmPosition.MOVING and self.blocked_s is not None
        if opening is None or not (is_closing and opening.is_opened):
            return []
        return _told(opening, reasons.IN_THE_WAY)

    def _resting_s(self, opening: LaneOpening, arm: ArmPosition) -> float | None:
        is_resting = self._contacts.exist and arm is ArmPosition.DOWN
        is_told_to_rise = not opening.has_moved and not opening.is_pulsing
        return opening.started_s if is_resting and is_told_to_rise else None

    def _between_s(self) -> float | None:
        return self.moving_s if self._contacts.shows_between else None


def _told(opening: LaneOpening, reason: str) -> list[Feedback]:
    if opening.is_obstruction_told:
        return []
    opening.is_obstruction_told = True
    return [opening.about(BarrierEventKind.OBSTRUCTED, reason)]

"""Where an arm is, by its contacts."""

from gate_bridge.agent.barrier import ArmPosition
from gate_bridge.agent.machines.contacts import ContactUse
from gate_bridge.drivers.port import Arm

OFF_REST = frozenset({ArmPosition.MOVING, ArmPosition.UP})
_REPORTED = {
    Arm.DOWN: ArmPosition.DOWN,
    Arm.MOVING: ArmPosition.MOVING,
    Arm.UP: ArmPosition.UP,
}


class ArmContacts:
    """What the arm's contacts, or the barrier's own reports, say of its place.

    With one contact only, its other end is believed to be where the contact is off: an arm whose
    upper contact is off counts as down, one whose lower contact is off as not down.

    Attributes:
        shows_up: Whether an open arm can be told from one that only moves.
    """

    def __init__(self, uses: frozenset[ContactUse]) -> None:
        self._has_up = ContactUse.ARM_UP in uses
        self._has_down = ContactUse.ARM_DOWN in uses
        self._is_up: bool | None = None
        self._is_down: bool | None = None
        self._reported: ArmPosition | None = None
        self.shows_up = self._has_up

    @property
    def exist(self) -> bool:
        """Return whether anything shows the arm."""
        return self._has_up or self._has_down or self._reported is not None

    @property
    def shows_between(self) -> bool:
        """Return whether an arm that stands between its ends can be told from one that is up."""
        return (self._has_up and self._has_down) or self._reported is not None

    def contact(self, use: ContactUse, *, is_on: bool) -> None:
        """Take in one of the two contacts."""
        if use is ContactUse.ARM_UP:
            self._is_up = is_on
        else:
            self._is_down = is_on

    def report(self, arm: Arm) -> None:
        """Take in what a barrier says by itself."""
        self._reported = _REPORTED[arm]
        self.shows_up = True

    def position(self) -> ArmPosition:
        """Return where the arm is; UNKNOWN before the first look, and while contacts disagree."""
        if self._has_up and self._has_down:
            return self._by_both()
        if self._has_up:
            return _either(self._is_up, ArmPosition.UP, ArmPosition.DOWN)
        if self._has_down:
            return _either(self._is_down, ArmPosition.DOWN, ArmPosition.MOVING)
        return self._reported or ArmPosition.UNKNOWN

    def _by_both(self) -> ArmPosition:
        match (self._is_up, self._is_down):
            case (True, False):
                return ArmPosition.UP
            case (False, True):
                return ArmPosition.DOWN
            case (False, False):
                return ArmPosition.MOVING
            case _:
                return ArmPosition.UNKNOWN


def _either(contact: bool | None, on: ArmPosition, off: ArmPosition) -> ArmPosition:  # noqa: FBT001
    if contact is None:
        return ArmPosition.UNKNOWN
    return on if contact else off

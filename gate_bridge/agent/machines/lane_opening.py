"""One time that the arm went up, or was told to."""

from dataclasses import dataclass
from uuid import UUID

from gate_bridge.agent.barrier import BEFORE, Feedback
from gate_bridge.wire.actions import BarrierEventKind


@dataclass(slots=True)
class LaneOpening:
    """One opening: one car may pass on it.

    Attributes:
        cause: The order, or an id of the machine's own; `BEFORE` for one that a process before
            this one began.
        arrival: Number of the car that it is for; 0 for none yet.
        started_s: When the pulse began, by the steady clock.
        is_ordered: Whether an order or a person at the button asked for it.
        began_at_rest: Whether the arm was down, or must have been, when it was told to rise.
        is_pulsing: Whether the relay is at it now.
        has_moved: Whether the arm was seen away from its rest.
        is_rise_told: Whether it was reported that the arm rises.
        is_opened: Whether the open arm was reported.
        left_loop_s: When its car left the entry loop; None while it stands there.
        is_at_exit: Whether something was on the exit loop since its car was let in.
        is_spent: Whether its car has passed or backed out, as far as anybody can tell.
        is_lowered: Whether the arm was told to close.
        is_obstruction_told: Whether it was reported that something is in the way.
    """

    cause: UUID
    arrival: int
    started_s: float
    is_ordered: bool = True
    began_at_rest: bool = False
    is_pulsing: bool = False
    has_moved: bool = False
    is_rise_told: bool = False
    is_opened: bool = False
    left_loop_s: float | None = None
    is_at_exit: bool = False
    is_spent: bool = False
    is_lowered: bool = False
    is_obstruction_told: bool = False

    def is_under_way(self) -> bool:
        """Return whether its car has yet to pass, or its pulse to end."""
        return self.is_pulsing or not self.is_spent

    def is_on_its_way(self) -> bool:
        """Return whether its car has left the entry loop, and has neither passed nor backed out."""
        return not self.is_spent and (self.is_at_exit or self.left_loop_s is not None)

    def go_on(self, other: "LaneOpening") -> None:
        """Take over what its car did while `other` was to let it in once more, and did not."""
        if not self.is_spent:
            self.left_loop_s = other.left_loop_s
            self.is_at_exit = self.is_at_exit or other.is_at_exit
            self.is_spent = other.is_spent

    def pass_due_s(self, pass_s_max: float) -> float:
        """Return when a car that left the entry loop must have come to the exit loop."""
        if self.is_spent or self.is_at_exit or self.left_loop_s is None:
            return float("inf")
        return self.left_loop_s + pass_s_max

    def backed_out(self) -> list[Feedback]:
        """Return that its car has backed out.

        Never of an opening that an earlier process began: its order may be of a car that is long
        inside, whose stay it would end.
        """
        return [] if self.cause == BEFORE else [self.about(BarrierEventKind.BACKED_OUT)]

    def about(self, kind: BarrierEventKind, reason: str | None = None) -> Feedback:
        """Return a signal about this opening."""
        return Feedback(kind, None, reason, self.cause)

"""Who was let in, who went through, and what went wrong: contacts and pulses become feedback.

Pure: it is told what happens and when, and answers with what the agent is to know and whether the
arm is to close. One opening is for one car: whoever passes on it after that car is reported, and
ends nobody's stay.
"""

from collections.abc import Callable
from enum import Enum
from uuid import UUID, uuid4

from gate_bridge.agent.barrier import BEFORE, ArmPosition, Feedback
from gate_bridge.agent.machines import reasons
from gate_bridge.agent.machines.arm import OFF_REST, ArmContacts
from gate_bridge.agent.machines.contacts import ARM_USES, ContactUse, Wiring
from gate_bridge.agent.machines.lane_opening import LaneOpening
from gate_bridge.agent.machines.obstruction import Obstruction
from gate_bridge.agent.machines.presence import Presence
from gate_bridge.drivers.port import Arm
from gate_bridge.wire.actions import BarrierEventKind


class Order(Enum):
    """What the machine is to do."""

    LOWER = "lower"


Outcome = Feedback | Order


class Passages:
    """The lane's memory of its contacts.

    Every method returns what follows from it, in the order in which it is to be told.

    Args:
        mint: Makes the cause of an opening that nobody ordered.

    Attributes:
        sees_exit: Whether an exit loop tells of this lane's cars now.
    """

    def __init__(self, wiring: Wiring, now_s: float, mint: Callable[[], UUID] = uuid4) -> None:
        self._wiring = wiring
        self._mint = mint
        self._contacts = ArmContacts(wiring.uses)
        self._obstruction = Obstruction(self._contacts, wiring.arm_stuck_s)
        self.sees_exit = ContactUse.EXIT_LOOP in wiring.uses
        self._arm = ArmPosition.UNKNOWN
        self._is_on: dict[ContactUse, bool] = {}
        self._exit_free_s: float | None = None
        self._exit_taken_s: float | None = None
        self._presence = Presence()
        self._opening: LaneOpening | None = None
        self._before: LaneOpening | None = None
        self._began_s = now_s

    def loop_occupied(self) -> bool:
        """Return whether a car is known to stand on the entry loop."""
        return self._presence.is_told

    @property
    def opening(self) -> LaneOpening | None:
        """Return the newest opening, while anything may come of it."""
        return self._opening

    @property
    def sightings(self) -> int:
        """Return a number that grows whenever the agent is told of a car."""
        return self._presence.sightings

    def position(self, now_s: float) -> ArmPosition:
        """Return where the arm is; without contacts it counts as down once it must have fallen."""
        opening = self._opening
        if self._contacts.exist:
            is_rising = opening is not None and now_s - opening.started_s < self._wiring.arm_rise_s
            is_down = self._contacts.position() is ArmPosition.DOWN
            return ArmPosition.MOVING if is_down and is_rising else self._contacts.position()
        if now_s - self._began_s < self._wiring.arm_open_s and opening is None:
            return ArmPosition.UNKNOWN
        return ArmPosition.DOWN if opening is None else ArmPosition.UNKNOWN

    def objection(self) -> str | None:
        """Return why the arm must not be raised for the car on the loop; None for no reason."""
        if not self.loop_occupied():
            return "no car stands on the loop"
        opening = self._opening
        if opening is not None and not opening.is_pulsing and not self._is_done(opening):
            return "the car before has not passed yet"
        if self._is_on.get(ContactUse.EXIT_LOOP, False):
            return "a car is under the arm or behind it"
        return None

    def is_way_taken(self) -> bool:
        """Return whether the car before is still to be waited for."""
        return self.loop_occupied() and self.objection() is not None

    def may_lower(self) -> bool:
        """Return whether nothing is seen that the arm could fall on."""
        uses = (ContactUse.EXIT_LOOP, ContactUse.OBSTRUCTED)
        is_clear = not any(self._is_on.get(use, False) for use in uses)
        return is_clear and self._opening is not None and self._opening.is_spent

    def contact(self, use: ContactUse, now_s: float, *, is_on: bool) -> list[Outcome]:
        """Take in what a contact says; the same again changes nothing."""
        if use in ARM_USES:
            self._contacts.contact(use, is_on=is_on)
            return self._arm_to(self._contacts.position(), now_s)
        if use is ContactUse.LOOP:
            return self._loop(now_s, is_on=is_on)
        if is_on == self._is_on.get(use, False):
            return []
        self._is_on[use] = is_on
        if use is ContactUse.EXIT_LOOP:
            return self._exit(now_s, is_on=is_on)
        if use is ContactUse.OBSTRUCTED:
            self._obstruction.blocked_s = now_s if is_on else None
            blocked = self._obstruction.closing_on(self._opening, self._arm)
            return [*blocked] if is_on else self._lower()
        operator, reason = self._wiring.hand_operator, self._wiring.hand_reason
        return self.opened_by_hand(operator, reason, now_s) if is_on else []

    def arm_moved(self, arm: Arm, now_s: float) -> list[Outcome]:
        """Take in where the barrier says that its arm is."""
        self._contacts.report(arm)
        return self._arm_to(self._contacts.position(), now_s)

    def passed(self) -> list[Outcome]:
        """Take in that a device saw the car drive through."""
        opening = self._opening
        if opening is None:
            return []
        if opening.is_spent:
            return [opening.about(BarrierEventKind.TAILGATE, reasons.FOLLOWED)]
        opening.is_spent = True
        return [opening.about(BarrierEventKind.PASSED), *self._lower()]

    def opened_by_hand(self, operator: str, reason: str, now_s: float) -> list[Outcome]:
        """Take in that a person opened."""
        opening = self._opening
        cause = self._mint()
        if opening is None or self._is_done(opening):
            has_moved = self._arm in OFF_REST
            self._opening = LaneOpening(cause, self._presence.current, now_s, has_moved=has_moved)
        return [Feedback(BarrierEventKind.MANUAL_OPEN, operator, reason, cause)]

    def begin_pulse(self, command_id: UUID, now_s: float) -> None:
        """Note that the relay is about to be pulsed for the car on the loop."""
        self._before = self._opening
        is_at_rest = self._before is None or self._contacts.exist
        self._opening = LaneOpening(
            command_id,
            self._presence.current,
            now_s,
            began_at_rest=is_at_rest and self._arm not in OFF_REST,
            is_pulsing=True,
            has_moved=self._arm in OFF_REST,
        )

    def pulsed(self, *, is_known: bool = True) -> list[Outcome]:
        """Take in that the relay was pulsed; not `is_known` where it may not have been."""
        opening, self._before = self._opening, None
        if opening is None:
            return []
        opening.is_pulsing = False
        if not self._contacts.shows_up:
            reason = None if is_known else reasons.NOT_ANSWERED
            return [opening.about(BarrierEventKind.PULSED, reason)]
        return self._opened(opening) if self._arm is ArmPosition.UP else []

    def not_pulsed(self, now_s: float) -> list[Outcome]:
        """Take in that the relay was certainly not pulsed: the opening before goes on."""
        pulsed, self._opening, self._before = self._opening, self._before, None
        if self._opening is None or pulsed is None:
            return []
        self._opening.go_on(pulsed)
        has_fallen = self._contacts.exist and self._arm is ArmPosition.DOWN
        return self._fell(now_s) if has_fallen and self._opening.has_moved else []

    def lose_sight(self) -> list[Outcome]:
        """Take in that the contacts are not heard of: whoever stands there may be another car."""
        return [*self._presence.tell(is_there=False)]

    def due_s(self) -> float | None:
        """Return when `tick` has something to do; None: not before something happens."""
        return min(self._dues(), default=None)

    def tick(self, now_s: float) -> list[Outcome]:
        """Take in that time went by."""
        outcomes: list[Outcome] = []
        if self._exit_free_s is not None and now_s >= self._exit_free_s + self._wiring.settle_s:
            self._exit_free_s = None
            outcomes += self._exit_is_free()
        opening, taken_s = self._opening, self._exit_taken_s
        if taken_s is not None and now_s >= taken_s + self._wiring.arm_stuck_s:
            self._exit_taken_s = None
            cause = None if opening is None else opening.cause
            outcomes.append(Feedback(BarrierEventKind.OBSTRUCTED, None, reasons.EXIT_TAKEN, cause))
        if opening is not None and now_s >= opening.pass_due_s(self._wiring.pass_s_max):
            opening.is_spent = True
            outcomes += [*opening.backed_out(), *self._lower()]
        if opening is not None and now_s >= self._fall_due_s(opening):
            self._opening = None
        return [*outcomes, *self._stuck(now_s)]

    def _dues(self) -> list[float]:
        wiring, opening = self._wiring, self._opening
        dues = [] if self._exit_free_s is None else [self._exit_free_s + wiring.settle_s]
        if self._exit_taken_s is not None:
            dues.append(self._exit_taken_s + wiring.arm_stuck_s)
        dues += self._obstruction.dues_s(opening, self._arm)
        if opening is not None:
            later = (opening.pass_due_s(wiring.pass_s_max), self._fall_due_s(opening))
            dues += [due for due in later if due != float("inf")]
        return dues

    def _fall_due_s(self, opening: LaneOpening) -> float:
        """Return when an arm that nobody sees must have fallen, or one that is seen has not risen.

        A car on its way is waited for.
        """
        if self._contacts.exist or opening.is_pulsing or opening.is_on_its_way():
            return float("inf")
        return opening.started_s + self._wiring.arm_open_s

    def _stuck(self, now_s: float) -> list[Outcome]:
        opening = self._opening
        if opening is None:
            return []
        found = self._obstruction.found(opening, self._arm, now_s)
        if found and not opening.has_moved and self._arm is ArmPosition.DOWN:
            # The next order pulses again: this one raised nothing.
            self._opening = None
        return [*found]

    def _is_done(self, opening: LaneOpening) -> bool:
        """Return whether an opening does not wait for any car but the one that stands there."""
        is_for_this = opening.arrival in {0, self._presence.current}
        return opening.is_spent or (is_for_this and opening.left_loop_s is None)

    def _loop(self, now_s: float, *, is_on: bool) -> list[Outcome]:
        presence = self._presence
        was_on, presence.is_on = presence.is_on, is_on
        if is_on and not was_on:
            presence.arrivals += 1
            if self._opening is not None and self._opening.arrival == 0:
                self._opening.arrival = presence.arrivals
        if was_on and not is_on:
            return self._left(now_s)
        return [*presence.tell(is_there=is_on)]

    def _left(self, now_s: float) -> list[Outcome]:
        is_at_exit = self._is_on.get(ContactUse.EXIT_LOOP, False) or self._exit_free_s is not None
        before: list[Outcome] = []
        if self._opening is None and is_at_exit and self._arm is not ArmPosition.DOWN:
            # It drives through an arm that nobody saw rise; told while it is still the lane's car.
            before = self._unordered(now_s, self._presence.arrivals)
        told = [*before, *self._presence.tell(is_there=False)]
        opening = self._opening
        if opening is None:
            return told
        if opening.arrival != self._presence.arrivals or opening.left_loop_s is not None:
            return [*told, *self._follower_left(opening, is_at_exit=is_at_exit)]
        if opening.is_spent:
            return told
        opening.left_loop_s = now_s
        opening.is_at_exit = opening.is_at_exit or is_at_exit
        return [*told, *self._infer(opening, now_s)]

    def _follower_left(self, opening: LaneOpening, *, is_at_exit: bool) -> list[Outcome]:
        """Return what it means that a car leaves the loop that nothing was opened for."""
        if self.sees_exit:
            is_close = is_at_exit and not opening.is_spent
            reason = reasons.FOLLOWED_CLOSELY
        else:
            is_close = self._contacts.exist and self._arm in OFF_REST
            reason = reasons.FOLLOWED
        return [opening.about(BarrierEventKind.TAILGATE, reason)] if is_close else []

    def _infer(self, opening: LaneOpening, now_s: float) -> list[Outcome]:
        """Return what became of a car that left the loop, where nothing sees it pass."""
        if self.sees_exit:
            return []
        opening.is_spent = True
        is_seen_down = self._contacts.exist and self._arm is ArmPosition.DOWN
        is_too_soon = now_s - opening.started_s < self._wiring.arm_rise_s
        if is_seen_down or (is_too_soon and opening.began_at_rest):
            return [*opening.backed_out()]
        if not self._wiring.is_passage_inferred:
            return []
        reason = reasons.INFERRED_ARM_UP if self._contacts.exist else reasons.INFERRED_PULSED
        return [opening.about(BarrierEventKind.PASSED, reason)]

    def _exit(self, now_s: float, *, is_on: bool) -> list[Outcome]:
        opening = self._opening
        is_gap = self._exit_free_s is not None
        self._exit_taken_s = now_s if is_on else None
        self._exit_free_s = None if is_on else now_s
        if opening is None or is_gap or not is_on:
            return []
        if not opening.is_spent:
            opening.is_at_exit = True
            return []
        reason = reasons.FOLLOWED if opening.is_at_exit else reasons.AFTER_BACKING_OUT
        return [opening.about(BarrierEventKind.TAILGATE, reason)]

    def _exit_is_free(self) -> list[Outcome]:
        opening = self._opening
        if opening is None:
            return []
        if opening.is_at_exit and not opening.is_spent:
            if opening.left_loop_s is None:
                # It rolled back: it still stands before the arm.
                opening.is_at_exit = False
                return []
            opening.is_spent = True
            passed = opening.about(BarrierEventKind.PASSED)
            if self._contacts.exist and self._arm is ArmPosition.DOWN:
                self._opening = None
            return [passed, *self._lower()]
        return self._lower()

    def _lower(self) -> list[Outcome]:
        """Return the order to close, once, when the car is seen to be through."""
        opening = self._opening
        is_seen = self.sees_exit and self._exit_free_s is None
        if opening is None or opening.is_lowered or not (is_seen and self.may_lower()):
            return []
        opening.is_lowered = True
        return [Order.LOWER]

    def _arm_to(self, arm: ArmPosition, now_s: float) -> list[Outcome]:
        was, self._arm = self._arm, arm
        if arm is was:
            return []
        self._obstruction.moving_s = now_s if arm is ArmPosition.MOVING else None
        if arm is ArmPosition.DOWN:
            return self._fell(now_s) if was in OFF_REST else []
        if was is ArmPosition.UNKNOWN and arm in OFF_REST and self._opening is None:
            # Found open at the first look: a process before this one may have opened it.
            arrival = self._presence.current
            self._opening = LaneOpening(
                BEFORE, arrival, now_s, is_ordered=False, has_moved=True, is_opened=True
            )
            if self._is_on.get(ContactUse.EXIT_LOOP, False) and not arrival:
                self._opening.is_at_exit, self._opening.left_loop_s = True, now_s
            return []
        return self._rose(now_s) if arm in OFF_REST else []

    def _rose(self, now_s: float) -> list[Outcome]:
        outcomes: list[Outcome] = []
        if self._opening is None:
            outcomes = self._unordered(now_s, self._presence.current)
        opening = self._opening
        if opening is None:
            return outcomes
        had_moved, opening.has_moved = opening.has_moved, True
        if not (had_moved or opening.is_rise_told):
            opening.is_rise_told = True
            outcomes.append(opening.about(BarrierEventKind.OPENING))
        if self._arm is ArmPosition.UP:
            return [*outcomes, *self._opened(opening)]
        return [*outcomes, *self._obstruction.closing_on(opening, self._arm)]

    def _opened(self, opening: LaneOpening) -> list[Outcome]:
        if opening.is_opened:
            return []
        opening.is_opened = True
        return [opening.about(BarrierEventKind.OPENED)]

    def _unordered(self, now_s: float, arrival: int) -> list[Outcome]:
        cause = self._mint()
        self._opening = LaneOpening(
            cause, arrival, now_s, is_ordered=False, has_moved=True, is_rise_told=True
        )
        operator, reason = reasons.UNORDERED_OPERATOR, reasons.UNORDERED_REASON
        return [Feedback(BarrierEventKind.MANUAL_OPEN, operator, reason, cause)]

    def _fell(self, now_s: float) -> list[Outcome]:
        opening = self._opening
        if opening is None:
            return [Feedback(BarrierEventKind.CLOSED)]
        is_new = opening.is_pulsing or now_s - opening.started_s < self._wiring.arm_rise_s
        if opening.is_ordered and is_new and not opening.is_opened:
            # It still fell for the car before, or its contact bounced: the pulse acts next.
            opening.has_moved = False
            return []
        closed = opening.about(BarrierEventKind.CLOSED)
        if not opening.is_spent and opening.is_at_exit:
            # It stands behind the arm already: it has passed once it is off the exit loop.
            return [closed]
        self._opening = None
        if opening.is_spent or opening.left_loop_s is None:
            return [closed]
        opening.is_spent = True
        return [*opening.backed_out(), closed]

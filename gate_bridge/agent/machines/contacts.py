"""What the contacts of a lane mean, and how long its arm and cars take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from parking.kit.errors import InvalidInputError

RULE_S_MAX = 600.0
# Shorter than two looks of a slow relay, contacts would count as silent all the time.
BLIND_S_MIN = 0.5
OPERATOR_CHARACTERS_MAX = 64
REASON_CHARACTERS_MAX = 200


class ContactUse(StrEnum):
    """What a contact means for its lane.

    Attributes:
        LOOP: A car stands before the arm.
        EXIT_LOOP: A car is under or behind the arm: a loop or a light barrier there.
        ARM_UP: The arm's own contact at its upper end.
        ARM_DOWN: The arm's own contact at its lower end.
        OBSTRUCTED: Something is in the arm's way, or the barrier reports a fault.
        OPENED_BY_HAND: A person presses the button at the barrier or on the remote control.
    """

    LOOP = "loop"
    EXIT_LOOP = "exit_loop"
    ARM_UP = "arm_up"
    ARM_DOWN = "arm_down"
    OBSTRUCTED = "obstructed"
    OPENED_BY_HAND = "opened_by_hand"


ARM_USES = frozenset({ContactUse.ARM_UP, ContactUse.ARM_DOWN})


@dataclass(frozen=True, slots=True)
class RelayInput:
    """What one input of the relay itself means.

    Attributes:
        is_inverted: Whether "off" means yes.
    """

    use: ContactUse
    is_inverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What a lane's machine can tell, and what its owner knows of it.

    Attributes:
        uses: The contacts that exist, at the relay and at other devices.
        inputs: Those at the relay, by its own numbers.
        arm_rise_s: Nobody can drive through sooner after a pulse.
        arm_stuck_s: An arm that is neither up nor down for so long is obstructed.
        arm_open_s: How long the arm stays up at most; only for a barrier without arm contacts.
        pass_s_max: Time from the entry loop to the exit loop at most.
        settle_s: An exit loop that is free for less was not free: a trailer, a high lorry.
        blind_s_max: Contacts that are not heard of for longer say nothing any more.
        is_passage_inferred: Whether a car that leaves the entry loop while the arm should be up
            has passed; only for a lane without exit loop.
        hand_operator: Who is named for the button, because a contact knows no name.
        hand_reason: Why, for the same reason.
    """

    uses: frozenset[ContactUse] = frozenset()
    inputs: Mapping[int, RelayInput] = field(default_factory=dict[int, RelayInput])
    arm_rise_s: float = 1.0
    arm_stuck_s: float = 15.0
    arm_open_s: float = 30.0
    pass_s_max: float = 10.0
    settle_s: float = 0.5
    blind_s_max: float = 2.0
    is_passage_inferred: bool = True
    hand_operator: str = "hand button"
    hand_reason: str = "opened at the barrier"

    def __post_init__(self) -> None:
        """Refuse what the wire would refuse later, when somebody has opened by hand."""
        texts = (
            ("hand_operator", self.hand_operator, OPERATOR_CHARACTERS_MAX),
            ("hand_reason", self.hand_reason, REASON_CHARACTERS_MAX),
        )
        for name, text, characters_max in texts:
            if not 0 < len(text) <= characters_max or not text.isprintable():
                raise InvalidInputError(name, f"1 to {characters_max} characters on one line")
        if self.blind_s_max < BLIND_S_MIN:
            raise InvalidInputError("blind_s_max", f"{BLIND_S_MIN:g} at least")

"""Whatever order contacts, pulses and time come in, a lane's machine keeps its word."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from gate_bridge.agent.barrier import Feedback, LoopChange
from gate_bridge.agent.machines.contacts import ContactUse, Wiring
from gate_bridge.agent.machines.passages import Order
from gate_bridge.wire.actions import BarrierEventKind
from tests.unit.gate_bridge.machines.passage_script import PassageScript

STEPS = (
    *(f"{name}{sign}" for name in ("loop", "exit", "up", "down", "blocked") for sign in "+-"),
    "button+",
    "button-",
    "pulse",
    "pulse_unknown",
    "pulse_failed",
    "blind",
    "passed",
    "hand:Lee",
    "wait:1",
    "wait:5",
    "wait:40",
)
USES = st.frozensets(st.sampled_from(list(ContactUse))).map(lambda uses: uses | {ContactUse.LOOP})
_NAMES = {
    "exit": ContactUse.EXIT_LOOP,
    "up": ContactUse.ARM_UP,
    "down": ContactUse.ARM_DOWN,
    "blocked": ContactUse.OBSTRUCTED,
    "button": ContactUse.OPENED_BY_HAND,
}


class Watched(PassageScript):
    """Looks, at every step, at what must hold at every step."""

    def __init__(self, uses: frozenset[ContactUse]) -> None:
        super().__init__(Wiring(uses=uses))
        self.uses = uses
        self.is_on: dict[ContactUse, bool] = {}

    def try_step(self, step: str) -> None:
        use = _NAMES.get(step[:-1])
        if use is not None and use not in self.uses:
            return
        if step.startswith("pulse") and self.passages.objection() is not None:
            # The machine waits, and refuses in the end.
            return
        if use is not None:
            self.is_on[use] = step.endswith("+")
        begin = len(self.outcomes)
        self.play([step])
        if Order.LOWER in self.outcomes[begin:]:
            assert not self.is_on.get(ContactUse.EXIT_LOOP, False)
            assert not self.is_on.get(ContactUse.OBSTRUCTED, False)
        # What is due is done by one look: nobody waits for it in a circle.
        self.outcomes += self.passages.tick(self.now_s)
        due_s = self.passages.due_s()
        assert due_s is None or due_s > self.now_s

    def feedback(self, *kinds: BarrierEventKind | LoopChange) -> list[Feedback]:
        return [item for item in self.outcomes if isinstance(item, Feedback) and item.kind in kinds]


@settings(max_examples=120)
@given(USES, st.lists(st.sampled_from(STEPS), max_size=40))
def test_one_opening_lets_one_car_pass(uses: frozenset[ContactUse], steps: list[str]) -> None:
    lane = Watched(uses)
    for step in steps:
        lane.try_step(step)
    ends = lane.feedback(BarrierEventKind.PASSED, BarrierEventKind.BACKED_OUT)
    caused = Counter(item.cause for item in ends if item.cause is not None)
    assert set(caused.values()) <= {1}


@settings(max_examples=120)
@given(USES, st.lists(st.sampled_from(STEPS), max_size=40))
def test_a_car_comes_and_goes_in_turn(uses: frozenset[ContactUse], steps: list[str]) -> None:
    lane = Watched(uses)
    for step in steps:
        lane.try_step(step)
    told = [item.kind for item in lane.feedback(LoopChange.OCCUPIED, LoopChange.CLEARED)]
    in_turn = [LoopChange.OCCUPIED, LoopChange.CLEARED] * len(told)
    assert told == in_turn[: len(told)]


@settings(max_examples=120)
@given(USES, st.lists(st.sampled_from(STEPS), max_size=40))
def test_nothing_is_called_open_that_nobody_sees(
    uses: frozenset[ContactUse], steps: list[str]
) -> None:
    lane = Watched(uses)
    for step in steps:
        lane.try_step(step)
    opened, pulsed = (
        lane.feedback(BarrierEventKind.OPENED),
        lane.feedback(BarrierEventKind.PULSED),
    )
    if ContactUse.ARM_UP in uses:
        assert pulsed == []
    else:
        assert opened == []
    # An opening is told of once, and only an order or a person's is without a reason.
    assert set(Counter(item.cause for item in opened if item.cause).values()) <= {1}
    by_hand = lane.feedback(BarrierEventKind.MANUAL_OPEN)
    assert all(item.operator and item.reason and item.cause for item in by_hand)


@settings(max_examples=120)
@given(USES, st.lists(st.sampled_from(STEPS), max_size=40))
def test_whatever_is_told_has_a_cause_that_was_told(
    uses: frozenset[ContactUse], steps: list[str]
) -> None:
    lane = Watched(uses)
    for step in steps:
        lane.try_step(step)
    begun = {item.cause for item in lane.feedback(BarrierEventKind.MANUAL_OPEN)}
    # Orders are counted from 1, openings without one from 1001.
    for item in lane.outcomes:
        if isinstance(item, Feedback) and item.cause is not None:
            assert item.cause.int < 1000 or item.cause in begun

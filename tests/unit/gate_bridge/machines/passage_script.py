"""Plays contacts, pulses and time to a lane's `Passages`, and writes down what it tells."""

from collections.abc import Iterable
from itertools import count
from uuid import UUID

from gate_bridge.agent.barrier import BEFORE, Feedback
from gate_bridge.agent.machines.contacts import ContactUse, Wiring
from gate_bridge.agent.machines.passages import Outcome, Passages
from gate_bridge.drivers.port import Arm

STEP_S = 0.1
FAR_S = 1_000_000.0

_CONTACTS = {
    "loop": ContactUse.LOOP,
    "exit": ContactUse.EXIT_LOOP,
    "up": ContactUse.ARM_UP,
    "down": ContactUse.ARM_DOWN,
    "blocked": ContactUse.OBSTRUCTED,
    "button": ContactUse.OPENED_BY_HAND,
}
_WORDS = {"loop_occupied": "car", "loop_cleared": "free"}


class PassageScript:
    """One lane in the test's hand.

    Steps are words such as `loop+`, `exit-`, `pulse`, `wait:5`; each takes STEP_S. Orders are
    counted from 1; openings that nobody ordered are `h1`, `h2`.
    """

    def __init__(self, wiring: Wiring) -> None:
        self.now_s = 100.0
        self._hands = count(1)
        self.passages = Passages(wiring, self.now_s, lambda: UUID(int=1000 + next(self._hands)))
        self._orders = count(1)
        self.outcomes: list[Outcome] = []

    def play(self, steps: str | Iterable[str]) -> list[str]:
        """Return what the steps lead to, each as `kind`, `kind/cause` or `lower`."""
        begin = len(self.outcomes)
        for step in steps.split() if isinstance(steps, str) else steps:
            self._step(step)
        return [written(outcome) for outcome in self.outcomes[begin:]]

    def _step(self, step: str) -> None:
        self._pass_time(STEP_S)
        name, passages = step[:-1], self.passages
        if name in _CONTACTS:
            is_on = step.endswith("+")
            self.outcomes += passages.contact(_CONTACTS[name], self.now_s, is_on=is_on)
            return
        match step.split(":"):
            case ["wait", seconds]:
                self._pass_time(float(seconds))
            case ["pulse" | "pulse_unknown" | "pulse_failed" as kind]:
                self._pulse(kind)
            case ["begin"]:
                passages.begin_pulse(UUID(int=next(self._orders)), self.now_s)
            case ["done" | "failed" as end]:
                ended = passages.pulsed() if end == "done" else passages.not_pulsed(self.now_s)
                self.outcomes += ended
            case ["blind"]:
                self.outcomes += passages.lose_sight()
            case ["passed"]:
                self.outcomes += passages.passed()
            case ["arm", where]:
                self.outcomes += passages.arm_moved(Arm(where), self.now_s)
            case ["hand", operator]:
                self.outcomes += passages.opened_by_hand(operator, "ambulance", self.now_s)
            case _:
                raise ValueError(step)

    def _pulse(self, kind: str) -> None:
        self.passages.begin_pulse(UUID(int=next(self._orders)), self.now_s)
        if kind == "pulse_failed":
            self.outcomes += self.passages.not_pulsed(self.now_s)
        else:
            self.outcomes += self.passages.pulsed(is_known=kind == "pulse")

    def _pass_time(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while (due_s := self.passages.due_s()) is not None and due_s <= end_s:
            self.now_s = max(self.now_s, due_s)
            self.outcomes += self.passages.tick(self.now_s)
        self.now_s = end_s


def written(outcome: Outcome) -> str:
    if not isinstance(outcome, Feedback):
        return outcome.value
    word = _WORDS.get(outcome.kind.value, outcome.kind.value)
    if outcome.cause is None:
        return word
    if outcome.cause == BEFORE:
        return f"{word}/before"
    number = outcome.cause.int
    return f"{word}/{number}" if number < 1000 else f"{word}/h{number - 1000}"

"""`sesame bench habits`: what telling the week ahead costs, and what learning from a visit does."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from parking.habits.features import features_of
from parking.habits.fitting import Weights, probability
from parking.habits.scoring import score_week
from parking.habits.snapshot import Floats, Integers, Snapshot, of_rows
from parking.habits.state import DAYS, MINUTES, HabitState, first_visit, unpack, visited
from parking.habits.weights import shipped
from sesame.bench.figures import Spread, spread
from sesame.bench.machine import Machine, this_machine

PAIRS: Final = 100_000
WEEK_MS_MAX: Final = 50.0
UPDATE_US_MAX: Final = 20.0
ROUNDS: Final = 15
_TODAY: Final = 739_000
_WEEKS: Final = 26
_PLACES: Final = 200
_PAIRS_PER_DRIVER: Final = 2
_VISITS: Final = 8
_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class HabitsReport:
    """What the bench found.

    Attributes:
        reading_ms: From stored rows to arrays, faded to the day.
        week_ms: The probability of a visit on each of seven days, of all pairs.
        processor_ms: The same by the process's processor time: what other work on the machine took
            is not in it.
        raw_ms: Seven products of ready numbers with the weights and their logistic: no week is
            scored with less.
        update_us: From the stored sums over one visit to the sums to be stored.
        is_right: Every score is a probability, and every later visit was counted.
    """

    machine: Machine
    pairs: int
    reading_ms: float
    week_ms: Spread
    processor_ms: Spread
    raw_ms: Spread
    update_us: Spread
    is_right: bool

    @property
    def meets_target(self) -> bool:
        """Whether the promises hold."""
        return self.week_ms.p50 <= WEEK_MS_MAX and self.update_us.p50 <= UPDATE_US_MAX

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "machine": asdict(self.machine),
            "pairs": self.pairs,
            "reading_ms": round(self.reading_ms, 2),
            "week_ms": self.week_ms.to_json(),
            "week_processor_ms": self.processor_ms.to_json(),
            "raw_ms": self.raw_ms.to_json(),
            "times_raw_limit": round(self.week_ms.p50 / self.raw_ms.p50, 2),
            "target_week_ms": WEEK_MS_MAX,
            "update_us": self.update_us.to_json(),
            "target_update_us": UPDATE_US_MAX,
            "meets_target": self.meets_target,
            "is_right": self.is_right,
        }


def measure_habits(pairs: int = PAIRS, *, rounds: int = ROUNDS) -> HabitsReport:
    """Score made-up pairs again and again, and learn one more visit of each."""
    machine = this_machine(Path(tempfile.gettempdir()))
    states = _states(pairs)
    started = time.perf_counter()
    snapshot = _snapshot(states)
    reading_ms = (time.perf_counter() - started) * 1000
    weights = shipped()
    ready = [features for _, features in features_of(snapshot)]
    scores = score_week(snapshot, weights)
    week_ms, processor_ms = _taken_ms(lambda: score_week(snapshot, weights), rounds)
    raw_ms, _ = _taken_ms(lambda: _raw(ready, weights), rounds)
    update_us, counted = _updates(states)
    return HabitsReport(
        machine=machine,
        pairs=pairs,
        reading_ms=reading_ms,
        week_ms=week_ms,
        processor_ms=processor_ms,
        raw_ms=raw_ms,
        update_us=update_us,
        is_right=bool(((scores >= 0) & (scores <= 1)).all()) and counted == pairs,
    )


def print_habits_report(report: HabitsReport, console: Console) -> None:
    """Print what a person wants to know."""
    view = Table("", "p50", "p99", "raw limit", "target")
    week, update = report.week_ms, report.update_us
    raw = f"{report.raw_ms.p50:.1f} ms"
    view.add_row(
        f"{report.pairs} pairs, a week", f"{week.p50:.1f} ms", f"{week.p99:.1f} ms", raw, "50 ms"
    )
    view.add_row("one visit learned", f"{update.p50:.1f} µs", f"{update.p99:.1f} µs", "", "20 µs")
    console.print(view)
    word = "[green]met[/green]" if report.meets_target else "[red]missed[/red]"
    machine = report.machine
    console.print(
        f"targets {word}; rows read in {report.reading_ms:.0f} ms; {machine.cores} cores of "
        f"{machine.cpu}, load {machine.load_before} before"
    )
    if not report.is_right:
        console.print("[red]a score is no probability, or a visit was not counted[/red]")


def _states(count: int) -> list[HabitState]:
    draw = np.random.default_rng(_SEED)
    days = _TODAY - 1 - draw.integers(0, _WEEKS * DAYS, (count, _VISITS))
    minutes = draw.integers(0, MINUTES, (count, _VISITS))
    states: list[HabitState] = []
    for visits in zip(np.sort(days).tolist(), minutes.tolist(), strict=True):
        (first, *later), (minute, *others) = visits
        state = first_visit(first, minute, known_since=_TODAY - _WEEKS * DAYS)
        for day, at in zip(later, others, strict=True):
            visited(state, day, at)
        states.append(state)
    return states


def _snapshot(states: list[HabitState]) -> Snapshot:
    number = np.arange(len(states))
    return of_rows(
        _TODAY,
        number // _PAIRS_PER_DRIVER,
        number % _PLACES,
        _array([state.first_day for state in states]),
        _array([state.last_day for state in states]),
        _array([state.visits for state in states]),
        _array([state.recent for state in states]),
        [state.pack() for state in states],
    )


def _array(values: list[int]) -> Integers:
    return np.array(values, np.int64)


def _raw(ready: list[Floats], weights: Weights) -> list[Floats]:
    return [probability(weights, features) for features in ready]


def _updates(states: list[HabitState]) -> tuple[Spread, int]:
    taken: list[float] = []
    counted = 0
    for number, state in enumerate(states):
        packed = state.pack()
        started_ns = time.perf_counter_ns()
        state.sums = unpack(packed)
        counted += visited(state, _TODAY, number % MINUTES)
        state.pack()
        taken.append((time.perf_counter_ns() - started_ns) / 1000)
    return _spread(taken), counted


def _taken_ms(call: Callable[[], object], rounds: int) -> tuple[Spread, Spread]:
    taken: list[float] = []
    processor: list[float] = []
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        call()
        taken.append((time.perf_counter() - started) * 1000)
        processor.append((time.process_time() - used) * 1000)
    return _spread(taken), _spread(processor)


def _spread(values: list[float]) -> Spread:
    found = spread(values)
    if found is None:
        raise ValueError("values: expected at least one")
    return found

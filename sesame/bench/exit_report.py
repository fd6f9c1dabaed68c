"""What the exit bench found, for people and for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from sesame.bench.audit import Audit
from sesame.bench.figures import Spread, spread, spreads
from sesame.bench.load import Departures
from sesame.bench.machine import Machine
from sesame.bench.raw_limit import RawLimit
from sesame.bench.steps import STEPS, ExitTimes

# What the decision may take without the provider's time, at the rate that it is promised for.
TARGET_RATE_PER_S: Final = 1.0
TARGET_P50_MS: Final = 100.0
TARGET_P99_MS: Final = 250.0


@dataclass(frozen=True, slots=True)
class ExitRun:
    """One rate.

    Attributes:
        departures: What the lanes saw.
        times: What the bridge measured, in the order in which it logged it.
        stale_orders: Orders to open for a car that was not there: always 0, or the gate is unsafe.
        cpu_per_exit_ms: Processor time by process, passing the barrier and all frames included.
    """

    rate_per_s: float
    departures: Departures
    times: tuple[ExitTimes, ...]
    stale_orders: int
    cpu_per_exit_ms: Mapping[str, float]

    @property
    def total(self) -> Spread | None:
        """From the frame that decided to the order on the wire."""
        return spread(each.total_ms for each in self.times if each.total_ms is not None)

    @property
    def without_provider(self) -> Spread | None:
        """The same less the provider's time."""
        return spread(
            each.without_provider_ms for each in self.times if each.without_provider_ms is not None
        )

    @property
    def first_frame(self) -> Spread | None:
        """From the first frame to the order: the camera's interval is in it."""
        return spread(each.first_frame_ms for each in self.times if each.first_frame_ms is not None)

    @property
    def at_the_gate(self) -> Spread | None:
        """From the first picture sent to the order received, by the lane's own clock."""
        return spread(passage.gate_ms for passage in self.departures.passages)

    @property
    def steps(self) -> dict[str, Spread]:
        """Every step, in the order of the lane."""
        return spreads([each.steps_ms for each in self.times if each.total_ms is not None])

    @property
    def meets_target(self) -> bool | None:
        """Whether the promise holds; None at a rate for which nothing is promised."""
        figures = self.without_provider
        if self.rate_per_s != TARGET_RATE_PER_S or figures is None:
            return None
        return figures.p50 <= TARGET_P50_MS and figures.p99 <= TARGET_P99_MS

    def to_json(self, raw: RawLimit) -> dict[str, Any]:
        """Return the figures."""
        without = self.without_provider
        return {
            "rate_per_s": self.rate_per_s,
            "exits": len(self.departures.passages) + len(self.departures.failures),
            "opened": len(self.departures.passages),
            "measured": sum(each.total_ms is not None for each in self.times),
            "opened_per_s": round(self.departures.opened_per_s, 2),
            "frames_per_exit": _mean([each.frames for each in self.times]),
            "frame_to_open_ms": _json(self.total),
            "frame_to_open_without_provider_ms": _json(without),
            "first_frame_to_open_ms": _json(self.first_frame),
            "at_the_gate_ms": _json(self.at_the_gate),
            "steps_ms": {name: figures.to_json() for name, figures in self.steps.items()},
            "times_raw_limit": None if without is None else round(without.p50 / raw.total_ms, 2),
            "meets_target": self.meets_target,
            "cpu_per_exit_ms": {
                name: round(used_ms, 1) for name, used_ms in self.cpu_per_exit_ms.items()
            },
            "stale_orders": self.stale_orders,
            "failures": list(self.departures.failures),
        }


@dataclass(frozen=True, slots=True)
class ExitReport:
    """The whole bench.

    Attributes:
        first_exit_ms: Frame to open of the first car after the start, which found every cache cold.
        warm_up_exits: Cars before the first run, which are not in any figure.
    """

    machine: Machine
    model: str
    plates: int
    recognizers: int
    first_exit_ms: float | None
    warm_up_exits: int
    raw: RawLimit
    runs: tuple[ExitRun, ...]
    audit: Audit
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether every car was let out by its own order, and paid once."""
        return self.audit.is_right and not any(
            run.departures.failures or run.stale_orders for run in self.runs
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as one object."""
        return {
            "bench": "exit",
            "is_right": self.is_right,
            "machine": asdict(self.machine),
            "model": self.model,
            "plates": self.plates,
            "recognizers": self.recognizers,
            "first_exit_ms": self.first_exit_ms,
            "warm_up_exits": self.warm_up_exits,
            "target_without_provider_ms": {
                "rate_per_s": TARGET_RATE_PER_S,
                "p50": TARGET_P50_MS,
                "p99": TARGET_P99_MS,
            },
            "raw_limit_ms": {
                "total": round(self.raw.total_ms, 2),
                "picture_commit": self.raw.picture_commit.to_json(),
                "row_commit": self.raw.row_commit.to_json(),
                "frame": self.raw.frame.to_json(),
            },
            "runs": [run.to_json(self.raw) for run in self.runs],
            "audit": {**asdict(self.audit), "is_right": self.audit.is_right},
            "seconds": round(self.seconds, 1),
        }


def print_report(report: ExitReport, console: Console) -> None:
    """Print what a person wants to know."""
    for run in report.runs:
        console.print(_table(run))
        console.print(_verdict(run, report.raw))
        console.print(_cpu(run))
    raw, machine, books = report.raw, report.machine, report.audit
    console.print(
        f"raw limit {raw.total_ms:.1f} ms: a picture's commit {raw.picture_commit.p50:.1f}, "
        f"a frame alone {raw.frame.p50:.1f}, two small commits of {raw.row_commit.p50:.1f}"
    )
    console.print(
        f"books: {books.exits} exits, {books.paid} paid, {books.charged_once} charged once, "
        f"ledger {books.ledger_sum_minor}, captured {books.ledger_captured_minor} by our ledger "
        f"and {books.provider_captured_minor} by the provider's"
    )
    cold = "" if report.first_exit_ms is None else f", first exit {report.first_exit_ms:.0f} ms"
    console.print(
        f"{machine.cores} cores of {machine.cpu}, load {machine.load_before} before, data on "
        f"{machine.filesystem}, {report.recognizers} recogniser(s) with {report.model}, "
        f"{report.plates} plates{cold}, {report.seconds:.0f} s"
    )
    for problem in (failure for run in report.runs for failure in run.departures.failures):
        console.print(f"[red]not let out[/red] {problem}")
    if not report.is_right:
        console.print("[red]something came out wrong: the figures do not count[/red]")


def _table(run: ExitRun) -> Table:
    title = (
        f"{run.rate_per_s:g} exits a second: {len(run.departures.passages)} opened, "
        f"{run.departures.opened_per_s:.1f} a second"
    )
    table = Table("ms", *("p50", "p99", "max", "mean"), title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for name in STEPS:
        _add(table, name, run.steps.get(name))
    table.add_section()
    _add(table, "frame to open", run.total)
    _add(table, "without the provider", run.without_provider)
    _add(table, "first frame to open", run.first_frame)
    _add(table, "at the gate", run.at_the_gate)
    return table


def _add(table: Table, name: str, figures: Spread | None) -> None:
    values = figures.to_json() if figures else {}
    table.add_row(name, *(f"{value:.1f}" for value in values.values()))


def _verdict(run: ExitRun, raw: RawLimit) -> str:
    without = run.without_provider
    if without is None:
        return "nothing was measured"
    ratio = f"without the provider {without.p50 / raw.total_ms:.1f} times the raw limit"
    if run.meets_target is None:
        return ratio
    word = "[green]met[/green]" if run.meets_target else "[red]missed[/red]"
    return f"{ratio}; p50 {TARGET_P50_MS:g} ms and p99 {TARGET_P99_MS:g} ms {word}"


def _cpu(run: ExitRun) -> str:
    parts = ", ".join(f"{name} {used_ms:.0f}" for name, used_ms in run.cpu_per_exit_ms.items())
    return f"processor time an exit {sum(run.cpu_per_exit_ms.values()):.0f} ms: {parts}"


def _json(figures: Spread | None) -> dict[str, float] | None:
    return None if figures is None else figures.to_json()


def _mean(values: Sequence[int]) -> float:
    return round(sum(values) / len(values), 2) if values else 0.0

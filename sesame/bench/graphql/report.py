"""What the servers took, and how that compares with the raw limit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from sesame.bench.figures import Spread, spread
from sesame.bench.graphql.contestants import AD_HOC, RAW, TRUSTED
from sesame.bench.machine import Machine

# Of processor time a request, beside hand-written Python with one join.
TIMES_RAW_MAX: Final[Mapping[str, float]] = {TRUSTED: 2.5, AD_HOC: 4.0}
P99_MS_MAX: Final = 30.0


@dataclass
class Asked:
    """What one server took over all rounds; of processor time the server's process alone."""

    name: str
    requests: int = 0
    seconds: float = 0.0
    server_us: list[float] = field(default_factory=list[float])
    taken_ms: list[float] = field(default_factory=list[float])

    def add(
        self, requests: int, *, server_us: float, seconds: float, taken_ms: Sequence[float]
    ) -> None:
        """Add a round."""
        self.requests += requests
        self.seconds += seconds
        self.server_us.append(server_us / requests)
        self.taken_ms += taken_ms

    @property
    def requests_per_s(self) -> float:
        """How many it answered in a second."""
        return self.requests / self.seconds

    @property
    def latency_ms(self) -> Spread:
        """How long an answer took, as the phones see it."""
        found = spread(self.taken_ms)
        if found is None:
            raise ValueError("taken_ms: expected at least one")
        return found


@dataclass(frozen=True, slots=True)
class GraphQLReport:
    """The bench `graphql`.

    Attributes:
        absent: Who did not take part, and why.
        answers: What each server said of the first driver.
    """

    machine: Machine
    connections: int
    asked: tuple[Asked, ...]
    absent: Mapping[str, str]
    answers: Mapping[str, Any]
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether every server said the same as the hand-written one."""
        return all(answer == self.answers[RAW] for answer in self.answers.values())

    def times_raw(self, asked: Asked) -> float:
        """Return the processor time a request over the raw limit's: the median of the rounds.

        Rounds are interleaved, so that each is compared with its neighbour in time.
        """
        (raw,) = (each for each in self.asked if each.name == RAW)
        pairs = zip(asked.server_us, raw.server_us, strict=True)
        return median(ours / theirs for ours, theirs in pairs)

    def meets_target(self, asked: Asked) -> bool | None:
        """Return whether a promise is kept; None for whom nothing is promised."""
        most = TIMES_RAW_MAX.get(asked.name)
        if most is None:
            return None
        return self.times_raw(asked) <= most and asked.latency_ms.p99 <= P99_MS_MAX

    def to_json(self) -> dict[str, Any]:
        """Return the report as one object."""
        return {
            "bench": "graphql",
            "is_right": self.is_right,
            "machine": asdict(self.machine),
            "connections": self.connections,
            "servers": {each.name: self._figures(each) for each in self.asked},
            "absent": dict(self.absent),
            "target": {"times_raw": dict(TIMES_RAW_MAX), "p99_ms": P99_MS_MAX},
            "seconds": round(self.seconds, 1),
        }

    def _figures(self, asked: Asked) -> dict[str, Any]:
        return {
            "requests": asked.requests,
            "server_us": round(median(asked.server_us), 1),
            "times_raw": round(self.times_raw(asked), 2),
            "requests_per_s": round(asked.requests_per_s),
            "latency_ms": asked.latency_ms.to_json(),
            "meets_target": self.meets_target(asked),
        }


def print_graphql_report(report: GraphQLReport, console: Console) -> None:
    """Print what a person wants to know."""
    table = Table("server", "CPU µs", "times raw", "per s", "p50 ms", "p99 ms", "promised")
    for asked in sorted(report.asked, key=report.times_raw):
        latency = asked.latency_ms
        table.add_row(
            asked.name,
            f"{median(asked.server_us):.0f}",
            f"{report.times_raw(asked):.2f}",
            f"{asked.requests_per_s:.0f}",
            f"{latency.p50:.1f}",
            f"{latency.p99:.1f}",
            _promise(report, asked),
        )
    console.print(table)
    for name, why in report.absent.items():
        console.print(f"{name} did not take part: {why}")
    if not report.is_right:
        console.print("[red]the servers did not all say the same[/red]")


def _promise(report: GraphQLReport, asked: Asked) -> str:
    is_met = report.meets_target(asked)
    if is_met is None:
        return ""
    words = f"{TIMES_RAW_MAX[asked.name]:g} times, p99 {P99_MS_MAX:g} ms:"
    return f"[green]{words} met[/green]" if is_met else f"[red]{words} missed[/red]"

"""What the gates bench found, for people and for programs."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from sesame.bench.figures import Spread
from sesame.bench.machine import Machine

_KIB_PER_MIB: Final = 1024
FULL_CORE: Final = 0.9
_ON_MANY_CORES: Final = frozenset({"postgres"})


@dataclass(frozen=True, slots=True)
class Connects:
    """How it went when every gate connected at once.

    Attributes:
        seconds: From the order to the crowds until the last one was connected.
        memory_before_kib: Of the server process, resident.
        memory_after_kib: The same, with all of them connected and quiet.
    """

    gates: int
    seconds: float
    memory_before_kib: int
    memory_after_kib: int

    @property
    def per_s(self) -> float:
        """Connections a second."""
        return self.gates / max(self.seconds, 1e-6)

    @property
    def memory_each_kib(self) -> float:
        """Memory for each connection."""
        return (self.memory_after_kib - self.memory_before_kib) / self.gates

    def to_json(self) -> dict[str, float]:
        """Return the figures."""
        return {
            "seconds": round(self.seconds, 2),
            "connects_per_s": round(self.per_s, 1),
            "memory_before_mib": round(self.memory_before_kib / _KIB_PER_MIB, 1),
            "memory_after_mib": round(self.memory_after_kib / _KIB_PER_MIB, 1),
            "memory_per_connection_kib": round(self.memory_each_kib, 1),
        }


@dataclass(frozen=True, slots=True)
class Storm:
    """The bridge was killed with all gates connected.

    Attributes:
        down_s: From the kill until a bridge was ready again.
        first_s: From the kill until the first gate was connected again.
        all_s: From the kill until the last one was.
        tries: Attempts to connect, for each gate.
    """

    down_s: float
    first_s: float
    all_s: float
    tries: float

    def to_json(self) -> dict[str, float]:
        """Return the figures."""
        return {
            "down_s": round(self.down_s, 2),
            "first_connected_s": round(self.first_s, 2),
            "all_connected_s": round(self.all_s, 2),
            "all_connected_after_ready_s": round(self.all_s - self.down_s, 2),
            "tries_per_gate": round(self.tries, 2),
        }


@dataclass(frozen=True, slots=True)
class Opens:
    """Cars that came at a rate, each to a gate taken at random.

    Attributes:
        round_trip: From the first message of a car's coming to the arrival of the order to open.
        late: By how much the gates' own processes were behind with a car's coming, in ms: where
            that is much, they are what is measured.
        seconds: Until the last car was through.
        cpu_each_ms: Processor time by process, the car's passage included.
    """

    rate_per_s: float
    cars: int
    opened: int
    stale_orders: int
    round_trip: Spread | None
    late: Spread | None
    seconds: float
    cpu_each_ms: dict[str, float]
    first_failures: tuple[str, ...]

    @property
    def cores(self) -> dict[str, float]:
        """How many cores each process had to itself, on average."""
        per_core_ms = max(self.seconds, 1e-6) * 1000
        return {name: each * self.cars / per_core_ms for name, each in self.cpu_each_ms.items()}

    def limited_by(self, cores: int) -> str:
        """Return what had no more to give: a process, on its one core, or the `machine`.

        Args:
            cores: The machine's.
        """
        used = self.cores
        full = [name for name in used if name not in _ON_MANY_CORES and used[name] >= FULL_CORE]
        if full:
            return max(full, key=used.__getitem__)
        return "machine" if sum(used.values()) >= FULL_CORE * cores else "nothing"

    def to_json(self, cores: int) -> dict[str, Any]:
        """Return the figures."""
        return {
            "rate_per_s": self.rate_per_s,
            "cars": self.cars,
            "opened": self.opened,
            "stale_orders": self.stale_orders,
            "round_trip_ms": None if self.round_trip is None else self.round_trip.to_json(),
            "late_ms": None if self.late is None else self.late.to_json(),
            "cpu_per_car_ms": _rounded(self.cpu_each_ms),
            "cores_used": _rounded(self.cores),
            "limited_by": self.limited_by(cores),
            "first_failures": list(self.first_failures),
        }


@dataclass(frozen=True, slots=True)
class GatesReport:
    """The whole bench.

    Attributes:
        bare: The bare peer, with as many connections.
        bare_round_trip: A text there and back, at the same rate.
        idle_cores: How many cores each process takes while no car comes.
        connected_in_health: Lanes that `sesame gates` shows as connected at the end.
    """

    machine: Machine
    gates: int
    crowds: int
    is_tls: bool
    bare: Connects
    bare_round_trip: Spread | None
    connects: Connects
    storm: Storm
    idle_cores: dict[str, float]
    opens: Opens
    connected_in_health: int
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether every gate was connected, every car let in, and no order stale."""
        return (
            self.opens.opened == self.opens.cars
            and self.opens.stale_orders == 0
            and self.connected_in_health == self.gates
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything."""
        echo = self.bare_round_trip
        opened = self.opens.round_trip
        return {
            "is_right": self.is_right,
            "machine": asdict(self.machine),
            "gates": self.gates,
            "crowds": self.crowds,
            "tls": self.is_tls,
            "bare": {
                **self.bare.to_json(),
                "round_trip_ms": None if echo is None else echo.to_json(),
            },
            "bridge": self.connects.to_json(),
            "storm": self.storm.to_json(),
            "idle_cores": _rounded(self.idle_cores),
            "open": self.opens.to_json(self.machine.cores),
            "connected_in_health": self.connected_in_health,
            "times_bare": {
                "memory_per_connection": _ratio(
                    self.connects.memory_each_kib, self.bare.memory_each_kib
                ),
                "connect_seconds": _ratio(self.connects.seconds, self.bare.seconds),
                "round_trip_p50": None
                if echo is None or opened is None
                else _ratio(opened.p50, echo.p50),
            },
            "seconds": round(self.seconds, 1),
        }


def print_gates_report(report: GatesReport, console: Console) -> None:
    """Print the figures beside those of the bare peer."""
    table = Table(title=f"{report.gates} gates, {'mTLS' if report.is_tls else 'plain'}")
    for name, justify in (("", "left"), ("bridge", "right"), ("bare peer", "right")):
        table.add_column(name, justify="left" if justify == "left" else "right")
    bridge, bare = report.connects, report.bare
    for name, ours, theirs in (
        ("connects a second", f"{bridge.per_s:.0f}", f"{bare.per_s:.0f}"),
        ("memory a connection", f"{bridge.memory_each_kib:.1f} KiB", _kib(bare.memory_each_kib)),
        ("memory in all", _mib(bridge.memory_after_kib), _mib(bare.memory_after_kib)),
        ("round trip p50", _ms(report.opens.round_trip, "p50"), _ms(report.bare_round_trip, "p50")),
        ("round trip p99", _ms(report.opens.round_trip, "p99"), _ms(report.bare_round_trip, "p99")),
        ("killed: ready again after", f"{report.storm.down_s:.1f} s", ""),
        ("killed: all connected after", f"{report.storm.all_s:.1f} s", ""),
    ):
        table.add_row(name, ours, theirs)
    console.print(table)
    console.print(
        f"{report.opens.opened} of {report.opens.cars} cars let in at"
        f" {report.opens.rate_per_s:g} a second, {report.opens.stale_orders} stale orders,"
        f" {report.connected_in_health} lanes connected in the end,"
        f" load before {report.machine.load_before:g}"
    )
    used = ", ".join(f"{name} {cores:.2f}" for name, cores in report.opens.cores.items())
    console.print(f"cores used: {used}; limited by {report.opens.limited_by(report.machine.cores)}")
    for failure in report.opens.first_failures:
        console.print(failure, style="red", markup=False)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def _kib(value: float) -> str:
    return f"{value:.1f} KiB"


def _mib(value: int) -> str:
    return f"{value / _KIB_PER_MIB:.0f} MiB"


def _ms(figures: Spread | None, name: str) -> str:
    return "-" if figures is None else f"{getattr(figures, name):.2f} ms"


def _ratio(ours: float, bare: float) -> float | None:
    return round(ours / bare, 2) if bare > 0 else None

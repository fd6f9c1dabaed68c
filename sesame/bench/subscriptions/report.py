"""What the subscriptions bench found, for people and for programs."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from sesame.bench.figures import Spread
from sesame.bench.machine import Machine

CONNECT_S_MAX: Final = 5.0
EACH_KB_MAX: Final = 35.0
ONE_P99_MS_MAX: Final = 3.0
MANY_P99_MS_MAX: Final = 80.0
_KIB_PER_MIB: Final = 1024
_BYTES_PER_KIB: Final = 1024
_BYTES_PER_KB: Final = 1000


@dataclass(frozen=True, slots=True)
class Gathering:
    """How it went when all connected, subscribed, were told the snapshot, and vanished.

    Attributes:
        seconds: From the order until the last one had its snapshot.
        processor_ms: Of the server, for each.
        before_kib: The server's memory, resident, as are the others.
        with_all_kib: With all of them connected and quiet.
        after_kib: After all have vanished.
    """

    sockets: int
    seconds: float
    processor_ms: float
    before_kib: int
    with_all_kib: int
    after_kib: int

    @property
    def each_kb(self) -> float:
        """Memory for each, in kB of 1000 bytes."""
        return (self.with_all_kib - self.before_kib) * _BYTES_PER_KIB / _BYTES_PER_KB / self.sockets

    def to_json(self) -> dict[str, float]:
        """Return the figures."""
        return {
            "sockets": self.sockets,
            "connected_s": round(self.seconds, 2),
            "processor_ms_each": round(self.processor_ms, 3),
            "memory_each_kb": round(self.each_kb, 1),
            "memory_before_mib": round(self.before_kib / _KIB_PER_MIB, 1),
            "memory_with_all_mib": round(self.with_all_kib / _KIB_PER_MIB, 1),
            "memory_after_mib": round(self.after_kib / _KIB_PER_MIB, 1),
        }


@dataclass(frozen=True, slots=True)
class Told:
    """How soon those who watch heard of an event, in ms from its poke to the socket.

    Attributes:
        last: Of each event, the socket that heard last.
        processor_us: Of the server, for each message.
    """

    events: int
    sockets: int
    each: Spread
    last: Spread
    processor_us: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "events": self.events,
            "sockets": self.sockets,
            "ms": self.each.to_json(),
            "last_ms": self.last.to_json(),
            "processor_us_each": round(self.processor_us, 1),
        }


@dataclass(frozen=True, slots=True)
class SubscriptionsReport:
    """What the bench found.

    Attributes:
        again: The second time: what the first one left in memory is taken already.
        one: One driver's stay changed, of all that are watched.
        many: A place's room changed, which many watch.
        peer: The same at a graphql-ws server; None where there is none.
        peer_absent: Why there is none.
    """

    machine: Machine
    first: Gathering
    again: Gathering
    one: Told
    many: Told
    peer: Told | None
    peer_absent: str | None
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether every message came; what came is counted before any figure is made."""
        return True

    def targets(self) -> dict[str, bool]:
        """Return which of what is promised holds on this machine, now."""
        limit_ms = MANY_P99_MS_MAX if self.peer is None else self.peer.each.p99
        return {
            "connected_s": self.first.seconds <= CONNECT_S_MAX,
            "memory_each_kb": self.first.each_kb <= EACH_KB_MAX,
            "one_p99_ms": self.one.each.p99 <= ONE_P99_MS_MAX,
            "many_p99_ms": self.many.each.p99 <= limit_ms,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "bench": "subscriptions",
            "machine": asdict(self.machine),
            "gathering": self.first.to_json(),
            "gathering_again": self.again.to_json(),
            "one": self.one.to_json(),
            "many": self.many.to_json(),
            "many_graphql_ws": self.peer_absent if self.peer is None else self.peer.to_json(),
            "targets_met": self.targets(),
            "seconds": round(self.seconds, 1),
        }


def print_subscriptions_report(report: SubscriptionsReport, console: Console) -> None:
    """Print what a person wants to know."""
    view = Table("sockets", "connected", "processor each", "memory each", "before", "after")
    for gathering in (report.first, report.again):
        told = gathering.to_json()
        view.add_row(
            str(gathering.sockets),
            f"{gathering.seconds:.1f} s",
            f"{gathering.processor_ms:.2f} ms",
            f"{gathering.each_kb:.1f} kB",
            f"{told['memory_before_mib']} MiB",
            f"{told['memory_after_mib']} MiB",
        )
    console.print(view)
    heard = Table("ms to the socket", "sockets", "p50", "p99", "max", "processor µs each")
    rows = {"one stay": report.one, "a place": report.many, "graphql-ws": report.peer}
    for name, told in rows.items():
        if told is not None:
            figures = (told.each.p50, told.each.p99, told.each.max, told.processor_us)
            heard.add_row(name, str(told.sockets), *(f"{figure:.2f}" for figure in figures))
    console.print(heard)
    if report.peer_absent is not None:
        console.print(f"graphql-ws: {report.peer_absent}")
    missed = [name for name, is_met in report.targets().items() if not is_met]
    console.print(f"missed: {', '.join(missed)}" if missed else "every target met")
    machine = report.machine
    console.print(
        f"{machine.cores} cores of {machine.cpu}, load {machine.load_before} before, "
        f"{report.seconds:.0f} s"
    )

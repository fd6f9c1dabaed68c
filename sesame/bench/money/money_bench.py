"""The bench `money`: exits over all providers while everything breaks, and what a charge costs."""

import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from parking.kit.errors import InvalidInputError
from sesame.bench.figures import spread
from sesame.bench.installation import Migrate, servers_alone
from sesame.bench.machine import Machine, this_machine
from sesame.bench.money.audit import MoneyAudit
from sesame.bench.money.chaos import RECOVERY_S_MAX, Chaos, Played
from sesame.bench.money.charge_path import ChargePath, measure_charge_path
from sesame.bench.money.faults import FaultPlan
from sesame.bench.money.installation import MoneyInstallation, running
from sesame.bench.money.street import Street, furnish
from sesame.sandbox.processes import PAYMENT_MAKERS

EXITS: Final = 2000
PLACES: Final = 12
SEED: Final = 5
# So that every process dies some times in a long run, and once in a short one.
EXITS_PER_KILL: Final = 250
EXITS_PER_PROVIDER_FAULT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyPlan:
    """What to play.

    Attributes:
        providers: Whose stand-ins; all if empty.
        charges: How many to measure the charge path with; 0 leaves that out.
        folder: Where the temporary data goes; the system's place if None.
    """

    exits: int = EXITS
    places: int = PLACES
    providers: Sequence[str] = ()
    seed: int = SEED
    charges: int = 200
    folder: Path | None = None

    def faults(self) -> FaultPlan:
        """Return what breaks.

        Raises:
            InvalidInputError: there is no such provider.
        """
        providers = tuple(self.providers) or tuple(PAYMENT_MAKERS)
        unknown = [name for name in providers if name not in PAYMENT_MAKERS]
        if unknown:
            raise InvalidInputError("provider", f"one of {', '.join(PAYMENT_MAKERS)}")
        return FaultPlan(
            exits=self.exits,
            providers=providers,
            seed=self.seed,
            kills_each=max(1, self.exits // EXITS_PER_KILL),
            provider_faults=max(1, self.exits // EXITS_PER_PROVIDER_FAULT),
        )


@dataclass(frozen=True, slots=True)
class MoneyReport:
    """What came of it.

    Attributes:
        charge_path: None where it was left out.
    """

    machine: Machine
    plan: FaultPlan
    played: Played
    audit: MoneyAudit
    charge_path: ChargePath | None
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether every promise held, in time."""
        return self.audit.is_right and self.played.recovered_s is not None

    def to_json(self) -> dict[str, Any]:
        """Return the report as one object."""
        waited = spread(departure.waited_s for departure in self.played.departures)
        return {
            "bench": "money",
            "is_right": self.is_right,
            "machine": asdict(self.machine),
            "plan": asdict(self.plan),
            "exits": self.audit.exits,
            "exits_per_s": round(self.audit.exits / max(self.played.seconds, 1e-3), 2),
            "waited_s": None if waited is None else waited.to_json(),
            "faults": dict(self.played.played),
            "recovered_s": _rounded(self.played.recovered_s),
            "recovery_s_max": RECOVERY_S_MAX,
            "audit": {**asdict(self.audit), "is_right": self.audit.is_right},
            "charge_path": None if self.charge_path is None else self.charge_path.to_json(),
            "seconds": round(self.seconds, 1),
        }


@dataclass(frozen=True, slots=True)
class Aftermath:
    """Everything still runs, and nothing breaks any more.

    Attributes:
        audit: What the books said when they came to rest, or when their time was over.
    """

    installation: MoneyInstallation
    street: Street
    played: Played
    audit: MoneyAudit


@asynccontextmanager
async def aftermath(
    plan: MoneyPlan, migrate: Migrate, progress: Callable[[str, int], None]
) -> AsyncGenerator[Aftermath]:
    """Let cars leave while everything breaks, and wait for the books to come to rest.

    Raises:
        ParkingError: a part does not start.
    """
    faults = plan.faults()
    async with running(
        plan.folder,
        faults.providers,
        migrate=migrate,
        on_line=lambda _name, _line: None,
        on_step=lambda what: progress(what, 0),
    ) as installation:
        progress("drivers, permissions and cars inside", 0)
        street = await furnish(installation.context, plan.exits, plan.places)
        chaos = Chaos(installation, street, progress)
        with tempfile.TemporaryDirectory(prefix="sesame-bench-gates-") as journals:
            played = await chaos.play(faults, Path(journals))
        progress("the books come to rest", 0)
        yield Aftermath(installation, street, played, await chaos.recover())


async def measure_money(
    plan: MoneyPlan, migrate: Migrate, progress: Callable[[str, int], None]
) -> MoneyReport:
    """Run the bench.

    Raises:
        ParkingError: a part does not start.
    """
    started_s = time.monotonic()
    machine = this_machine(plan.folder or Path(tempfile.gettempdir()))
    path = await _charge_path(plan, migrate, progress)
    async with aftermath(plan, migrate, progress) as found:
        return MoneyReport(
            machine=machine,
            plan=plan.faults(),
            played=found.played,
            audit=found.audit,
            charge_path=path,
            seconds=time.monotonic() - started_s,
        )


async def _charge_path(
    plan: MoneyPlan, migrate: Migrate, progress: Callable[[str, int], None]
) -> ChargePath | None:
    """Measure a charge first, while nothing else runs."""
    if not plan.charges:
        return None
    progress("charges, one after the other", 0)
    async with servers_alone(
        plan.folder, migrate=migrate, on_step=lambda what: progress(what, 0)
    ) as servers:
        return await measure_charge_path(servers, plan.charges)


def print_money_report(report: MoneyReport, console: Console) -> None:
    """Print what a person wants to know."""
    books = report.audit
    table = Table("provider", "by our ledger", "by its own books", title="what providers hold")
    for name, minor in books.theirs.items():
        table.add_row(name, str(books.ours.get(name, 0)), str(minor))
    console.print(table)
    console.print(
        f"{books.exits} exits, {books.left} left, {books.double_charges} charged twice, "
        f"{books.lost} lost, {books.limbo} in limbo, {books.unbilled} unbilled"
    )
    console.print(f"gates opened: {_listed(books.gate_reasons)}")
    console.print(f"faults: {_listed(report.played.played)}")
    recovered = report.played.recovered_s
    console.print(
        "the books did not come to rest"
        if recovered is None
        else f"all books agreed {recovered:.0f} s after the last fault"
    )
    machine = report.machine
    console.print(
        f"{machine.cores} cores of {machine.cpu}, load {machine.load_before} before, data on "
        f"{machine.filesystem}, seed {report.plan.seed}, {report.seconds:.0f} s"
    )
    for broken in books.broken:
        console.print(f"[red]{broken}[/red]")
    if not report.is_right:
        console.print("[red]something came out wrong[/red]")


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)

"""`sesame bench tariff`: what prices cost, and that stays which nobody watches cost nothing."""

import asyncio
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from parking.tariffs.rules import read_rate_table
from sesame.bench.figures import Spread
from sesame.bench.installation import Migrate, servers_alone
from sesame.bench.machine import Machine, this_machine
from sesame.bench.quotes import (
    DAY,
    ENTRIES,
    MONTH,
    MONTH_ENTRIES,
    TARGET_DAY_US,
    TARGET_MONTH_US,
    QuoteFigures,
    measure_parsing,
    measure_quotes,
)
from sesame.bench.standing import StandingReport, measure_standing
from sesame.bench.tariff_tables import tables_to_measure
from sesame.wiring import open_context


@dataclass(frozen=True, slots=True)
class TariffPlan:
    """What to measure.

    Attributes:
        tables: See `tables_to_measure`.
        open_stays: How many to fill a database with; 0 leaves that out.
        folder: Where the temporary data goes; the system's place if None.
    """

    tables: Path | None
    open_stays: int
    folder: Path | None


@dataclass(frozen=True, slots=True)
class TariffReport:
    """What the bench found.

    Attributes:
        source: Where the tables are from.
        parsing: Reading and checking one table, in microseconds.
        standing: None where it was left out.
    """

    machine: Machine
    source: str
    tables: int
    parsing: Spread
    day: QuoteFigures
    month: QuoteFigures
    standing: StandingReport | None
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether nothing was read that nobody asked for."""
        return self.standing is None or self.standing.is_right

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "bench": "tariff",
            "is_right": self.is_right,
            "machine": asdict(self.machine),
            "tables": {"source": self.source, "count": self.tables},
            "parse_us": self.parsing.to_json(),
            "one_day": self.day.to_json(),
            "thirty_days": self.month.to_json(),
            "open_stays": None if self.standing is None else self.standing.to_json(),
            "seconds": round(self.seconds, 1),
        }


async def measure_tariff(
    plan: TariffPlan, migrate: Migrate, on_step: Callable[[str], None]
) -> TariffReport:
    """Run the bench; SIGTERM, like SIGINT, stops what runs and removes its data first.

    Raises:
        ParkingError: a table is wrong, or a server does not start.
    """
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    started_s = time.monotonic()
    machine = this_machine(plan.folder or Path(tempfile.gettempdir()))
    source, data = tables_to_measure(plan.tables)
    tables = {name: read_rate_table(body) for name, body in data.items()}
    on_step(f"quotes from {len(tables)} tables")
    return TariffReport(
        machine=machine,
        source=source,
        tables=len(tables),
        parsing=measure_parsing(data),
        day=measure_quotes(tables, DAY, entries=ENTRIES, target_us=TARGET_DAY_US),
        month=measure_quotes(tables, MONTH, entries=MONTH_ENTRIES, target_us=TARGET_MONTH_US),
        standing=await _standing(plan, migrate, on_step) if plan.open_stays else None,
        seconds=time.monotonic() - started_s,
    )


async def _standing(
    plan: TariffPlan, migrate: Migrate, on_step: Callable[[str], None]
) -> StandingReport:
    async with servers_alone(plan.folder, migrate=migrate, on_step=on_step) as servers:
        return await measure_standing(
            lambda: open_context(servers.settings),
            servers.database_url,
            plan.open_stays,
            on_step,
        )


def print_tariff_report(report: TariffReport, console: Console) -> None:
    """Print what a person wants to know."""
    view = Table("µs", "p50", "p99", "p99 processor", "times raw limit", "target p50")
    for name, figures in (("one day", report.day), ("30 days", report.month)):
        word = "[green]met[/green]" if figures.meets_target else "[red]missed[/red]"
        view.add_row(
            f"{name}, with curve",
            *(f"{us:.0f}" for us in (figures.taken.p50, figures.taken.p99, figures.processor.p99)),
            f"{figures.taken.p50 / figures.raw.p50:.1f}",
            f"{figures.target_us:.0f} {word}",
        )
    view.add_row("reading a table", f"{report.parsing.p50:.0f}", f"{report.parsing.p99:.0f}")
    console.print(view)
    console.print(f"{report.tables} tables ({report.source})")
    standing = report.standing
    if standing is not None:
        console.print(
            f"{standing.open_stays} open stays: {len(standing.tasks_ms)} periodic tasks read "
            f"{standing.rows_read_by_tasks} of their rows; a watched one is "
            f"{standing.rows_read_per_watched:g} row and {standing.watched_ms.p50:.1f} ms"
        )
    machine = report.machine
    console.print(
        f"{machine.cores} cores of {machine.cpu}, load {machine.load_before} before, "
        f"{report.seconds:.0f} s"
    )
    if not report.is_right:
        console.print("[red]stays that nobody watched were read[/red]")

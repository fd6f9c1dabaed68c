"""`sesame bench notifications`: deductions by the thousand, while services and workers fail."""

import asyncio
import os
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from parking.events.types import EventType
from parking.flows.context import ParkingContext
from sesame.bench.errors import BenchFailedError
from sesame.bench.installation import Migrate, servers_alone, without_settings
from sesame.bench.machine import Machine, this_machine
from sesame.bench.notifications.audit import Audit, audit
from sesame.bench.notifications.ground import TEMPERS, Told, add_drivers, add_events
from sesame.bench.notifications.services import services
from sesame.settings import Settings
from sesame.wiring import open_context

DEDUCTIONS: Final = 10_000
DEDUCTIONS_PER_DRIVER: Final = 5
WORKERS: Final = 2
CLAIM_S: Final = 5.0
KILLS: Final = 12
DEDUCTIONS_PER_KILL: Final = 100
TIMEOUT_S: Final = 900.0
LOG_SHOWN: Final = 2000
_POLL_S: Final = 0.2
_OPEN: Final = text(
    "SELECT (SELECT count(*) FROM outbox WHERE done_at IS NULL AND type = :kind)"
    " + (SELECT :waiting - count(*) FROM notices WHERE event_type <> :kind)"
)


@dataclass(frozen=True, slots=True)
class NotificationsPlan:
    """What to do.

    Attributes:
        claim_s: How long what a killed worker held stays its own.
        kills: How many workers are killed, evenly over what is told; at most one for each
            DEDUCTIONS_PER_KILL.
        folder: Where the temporary data goes; the system's place if None.
    """

    deductions: int = DEDUCTIONS
    workers: int = WORKERS
    claim_s: float = CLAIM_S
    kills: int = KILLS
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class NotificationsReport:
    """What the bench found."""

    machine: Machine
    drivers: int
    kills: int
    seconds_to_tell: float
    audit: Audit

    @property
    def is_right(self) -> bool:
        """Whether everybody was told as promised."""
        return self.audit.is_right

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "bench": "notifications",
            "is_right": self.is_right,
            "machine": asdict(self.machine),
            "drivers": self.drivers,
            "worker_kills": self.kills,
            "seconds_to_tell": round(self.seconds_to_tell, 1),
            "told_per_s": round(self.audit.deductions / max(self.seconds_to_tell, 0.001), 1),
            "audit": self.audit.to_json(),
        }


async def measure_notifications(
    plan: NotificationsPlan, migrate: Migrate, on_step: Callable[[str], None]
) -> NotificationsReport:
    """Run the bench on servers of its own, and take all away again.

    Raises:
        BenchFailedError: somebody was not told in TIMEOUT_S.
    """
    machine = this_machine(plan.folder or Path(tempfile.gettempdir()))
    async with (
        servers_alone(plan.folder, migrate=migrate, on_step=on_step) as servers,
        open_context(servers.settings) as context,
    ):
        return await storm(plan, context, servers.settings, machine, on_step)


async def storm(
    plan: NotificationsPlan,
    context: ParkingContext,
    settings: Settings,
    machine: Machine,
    on_step: Callable[[str], None],
) -> NotificationsReport:
    """Tell of every deduction on a database that is there; raises as `measure_notifications`."""
    count = max(len(TEMPERS), plan.deductions // DEDUCTIONS_PER_DRIVER)
    on_step(f"{count} drivers, {plan.deductions} deductions")
    drivers = await add_drivers(context, count)
    with tempfile.TemporaryDirectory(dir=plan.folder) as folder, services(Path(folder)) as known:
        await known.misbehave(max(1, plan.deductions // 10))
        environment = _environment(settings) | known.environment()
        started_s = time.monotonic()
        async with _workers(plan, environment, Path(folder)) as workers:
            told = await add_events(context, drivers, plan.deductions)
            await _wait(context, told, workers)
        seconds = time.monotonic() - started_s
        found = await audit(context, told, await known.pushed())
    return NotificationsReport(machine, count, workers.kills, seconds, found)


class _Workers:
    """Processes that are killed one after another, and replaced."""

    def __init__(
        self, plan: NotificationsPlan, environment: Mapping[str, str], folder: Path
    ) -> None:
        self._plan = plan
        self._log = folder / "workers.log"
        self._environment = environment
        self._running: list[Process] = []
        self.kills = 0

    async def start(self) -> None:
        """Start as many as planned."""
        while len(self._running) < self._plan.workers:
            with self._log.open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "sesame.bench.notifications.worker",
                    str(self._plan.claim_s),
                    env=dict(self._environment),
                    stdout=log,
                    stderr=log,
                )
            self._running.append(process)

    async def kill_due(self, share_told: float) -> None:
        """Kill the oldest worker without a word, if its turn has come, and start another."""
        kills = min(self._plan.kills, max(1, self._plan.deductions // DEDUCTIONS_PER_KILL))
        if self.kills >= kills or share_told * (kills + 1) < self.kills + 1:
            return
        oldest = self._running.pop(0)
        oldest.kill()
        await oldest.wait()
        self.kills += 1
        await self.start()

    def last_words(self) -> str:
        """Return the end of the workers' log."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-LOG_SHOWN:]

    async def end(self) -> None:
        """Kill what runs."""
        for process in self._running:
            if process.returncode is None:
                process.kill()
            await process.wait()


@asynccontextmanager
async def _workers(
    plan: NotificationsPlan, environment: Mapping[str, str], folder: Path
) -> AsyncGenerator[_Workers]:
    workers = _Workers(plan, environment, folder)
    try:
        await workers.start()
        yield workers
    finally:
        await workers.end()


async def _wait(context: ParkingContext, told: Told, workers: _Workers) -> None:
    """Wait until every deduction is done, and every other event in its inbox."""
    values = {"kind": EventType.PAYMENT_CHARGED, "waiting": len(told.waiting)}
    count = len(told.deductions) + len(told.waiting)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                async with context.database.begin() as unit:
                    left = int((await unit.run(_OPEN, values)).scalar_one())
                if left == 0:
                    return
                await workers.kill_due(1 - left / count)
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        said = f"not all were told in {TIMEOUT_S:g} s, after {workers.kills} kills"
        raise BenchFailedError(f"{said}: {workers.last_words()}") from error


def _environment(settings: Settings) -> dict[str, str]:
    return {
        **without_settings(os.environ),
        "DATABASE_URL": settings.require_database_url(),
        "REDIS_URL": settings.require_redis_url(),
        "SESAME_FIELD_KEY": settings.field_key or "",
        "SESAME_INDEX_KEY": settings.index_key or "",
    }


def print_notifications_report(report: NotificationsReport, console: Console) -> None:
    """Show the figures to a person."""
    found = report.audit
    table = Table("of deductions", "")
    for name, value in (
        ("told", found.deductions),
        ("in inboxes, each once", f"{found.noted} of {found.notices}"),
        ("taken by a channel", found.reached),
        ("pushes, of these sent again", f"{found.pushes}, {found.sent_again}"),
        ("text messages", found.texts),
        ("FCM failed", ", ".join(f"{name} {count}" for name, count in found.failures.items())),
        ("workers killed", report.kills),
        ("messages in quiet hours that could wait", found.disturbed),
        ("seconds", f"{report.seconds_to_tell:.1f}"),
    ):
        table.add_row(name, str(value))
    console.print(table)
    console.print("right" if report.is_right else "WRONG", style="bold")

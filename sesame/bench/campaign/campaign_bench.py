"""`sesame bench campaign`: a million drivers selected, capped, queued; killed, and gone on."""

import asyncio
import json
import os
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from parking.campaigns.queueing import CHUNK_ROWS_MAX
from parking.flows.campaigns.queueing_run import RunKey
from parking.flows.context import ParkingContext
from sesame.bench.campaign.ground import (
    CAPPED_EACH,
    HOLDOUT_PERMILLE,
    add_audience,
    add_ground,
    share_audience,
    start_campaign,
)
from sesame.bench.campaign.memory import MemoryWatch
from sesame.bench.errors import BenchFailedError
from sesame.bench.installation import Migrate, servers_alone, without_settings
from sesame.bench.machine import Machine, this_machine
from sesame.settings import Settings
from sesame.wiring import open_context

DRIVERS: Final = 1_000_000
# The run that is killed goes to every fifth of them, of another operator.
DRIVERS_EACH_KILLED: Final = 5
SECONDS_MAX: Final = 60.0
MEMORY_BYTES_MAX: Final = 500 * 10**6
KILLS: Final = 3
TIMEOUT_S: Final = 600.0
# Of what hashes and caps should come to: four standard deviations of a binomial, at the least.
_SHARE_TOLERANCE: Final = 0.01
_ASSIGNED_SHARE_MIN: Final = 0.8
_AUDIT: Final = text("""
    SELECT count(*) AS rows, count(DISTINCT driver_id) AS drivers,
        count(*) FILTER (WHERE state = 'queued') AS queued,
        count(*) FILTER (WHERE state = 'capped') AS capped,
        count(*) FILTER (WHERE arm = 'held_out') AS held_out,
        count(*) FILTER (WHERE arm = 'control') AS control
    FROM campaign_sends WHERE operator_id = :operator_id AND id = :run_id
""")
_OVER_CAP: Final = text("""
    SELECT count(*) FROM (
        SELECT 1 FROM campaign_sends WHERE arm = 'assigned' AND state IN ('queued', 'sent')
        GROUP BY operator_id, driver_id, local_day HAVING count(*) > :day_max
    ) AS over_the_cap
""")


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """What to do.

    Attributes:
        folder: Where the temporary data goes; the system's place if None.
    """

    drivers: int = DRIVERS
    chunk_rows: int = CHUNK_ROWS_MAX
    kills: int = KILLS
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class CampaignAudit:
    """What the database says of a run.

    Attributes:
        rows: Of the run; as many as drivers, for each has one.
        over_cap: Drivers with more messages on one of their days than they may have.
    """

    rows: int
    drivers: int
    queued: int
    capped: int
    held_out: int
    control: int
    over_cap: int


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """What the bench found.

    Attributes:
        seconds: From the first look at the audience to the last queued message.
        process_bytes: The largest that the queueing process became.
        database_bytes: The largest that PostgreSQL became, shared memory counted once.
        killed: Of the run that was killed and gone on with.
    """

    machine: Machine
    drivers: int
    seconds: float
    process_bytes: int
    database_bytes: int
    whole: CampaignAudit
    kills: int
    killed: CampaignAudit

    @property
    def is_right(self) -> bool:
        """Whether each driver has one row, arms and caps came out, in time and memory."""
        return (
            _is_right(self.whole, self.drivers)
            and _is_right(self.killed, self.drivers // DRIVERS_EACH_KILLED)
            and self.whole.capped >= self.drivers // CAPPED_EACH * _ASSIGNED_SHARE_MIN
            and self.seconds <= SECONDS_MAX
            and self.process_bytes + self.database_bytes <= MEMORY_BYTES_MAX
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "bench": "campaign",
            "is_right": self.is_right,
            "machine": asdict(self.machine),
            "drivers": self.drivers,
            "seconds": round(self.seconds, 1),
            "drivers_per_s": round(self.drivers / self.seconds),
            "seconds_max": SECONDS_MAX,
            "process_mb": round(self.process_bytes / 10**6, 1),
            "database_mb": round(self.database_bytes / 10**6, 1),
            "memory_mb_max": MEMORY_BYTES_MAX // 10**6,
            "run": asdict(self.whole),
            "kills": self.kills,
            "killed_run": asdict(self.killed),
        }


async def measure_campaign(
    plan: CampaignPlan, migrate: Migrate, on_step: Callable[[str], None]
) -> CampaignReport:
    """Run the bench on servers of its own, and take all away again.

    Raises:
        BenchFailedError: a run did not end in TIMEOUT_S.
    """
    machine = this_machine(plan.folder or Path(tempfile.gettempdir()))
    async with (
        servers_alone(plan.folder, migrate=migrate, on_step=on_step) as servers,
        open_context(servers.settings) as context,
    ):
        ground, other = await add_ground(context), await add_ground(context)
        on_step(f"{plan.drivers} drivers who agreed to offers")
        await add_audience(context, *ground, plan.drivers)
        on_step("the run")
        async with MemoryWatch(servers.database_url) as memory:
            key = await _start(context, ground, "whole", plan)
            started_s = time.monotonic()
            ended = await _queue(servers.settings, key, plan.chunk_rows, kill_at=())
            seconds = time.monotonic() - started_s
        whole = await _audit(context, key)
        on_step(f"another run, whose process is killed {plan.kills} times")
        fewer = plan.drivers // DRIVERS_EACH_KILLED
        await share_audience(context, ground, other, fewer)
        killed_key = await _start(context, other, "killed", plan)
        kill_at = [number * fewer // (plan.kills + 1) for number in range(1, plan.kills + 1)]
        chunk_rows = min(plan.chunk_rows, max(1, fewer // (4 * (plan.kills + 1))))
        await _queue(servers.settings, killed_key, chunk_rows, kill_at=kill_at)
        return CampaignReport(
            machine=machine,
            drivers=plan.drivers,
            seconds=seconds,
            process_bytes=int(ended["peak_bytes"]),
            database_bytes=memory.peak_bytes,
            whole=whole,
            kills=plan.kills,
            killed=await _audit(context, killed_key),
        )


async def _start(
    context: ParkingContext, ground: tuple[UUID, UUID], name: str, plan: CampaignPlan
) -> RunKey:
    return await start_campaign(context, *ground, name=name, messages_max=2 * plan.drivers)


async def _queue(
    settings: Settings, key: RunKey, chunk_rows: int, *, kill_at: Sequence[int]
) -> Mapping[str, Any]:
    """Let a process queue a run; kill it each time it looked at so many, and let another go on."""
    for looked_at in (*kill_at, None):
        async with _process(settings, key, chunk_rows) as process:
            ended = await _follow(process, looked_at)
        if ended is not None:
            return ended
    raise BenchFailedError("the run did not end")


async def _follow(process: Process, kill_at: int | None) -> Mapping[str, Any] | None:
    """Read what a process tells until it is done, or until it is killed in its next chunk."""
    if process.stdout is None:
        raise BenchFailedError("the queueing process cannot be heard")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async for line in process.stdout:
                told: dict[str, Any] = json.loads(line)
                if "state" in told:
                    return told
                if kill_at is not None and int(told["looked_at"]) >= kill_at:
                    # Somewhere in the middle of its next chunk.
                    await asyncio.sleep(0.05)
                    process.kill()
                    await process.wait()
                    return None
    except TimeoutError as error:
        raise BenchFailedError(f"the run did not end in {TIMEOUT_S:g} s") from error
    raise BenchFailedError("the queueing process ended by itself")


@asynccontextmanager
async def _process(settings: Settings, key: RunKey, chunk_rows: int) -> AsyncGenerator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sesame.bench.campaign.queueing_process",
        str(key.operator_id),
        str(key.campaign_id),
        str(key.run_id),
        str(chunk_rows),
        env=_environment(settings),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _audit(context: ParkingContext, key: RunKey) -> CampaignAudit:
    values = {"operator_id": key.operator_id, "run_id": key.run_id}
    async with context.database.begin() as unit:
        row = (await unit.run(_AUDIT, values)).mappings().one()
        over_cap = int((await unit.run(_OVER_CAP, {"day_max": 1})).scalar_one())
    counts = {name: int(count) for name, count in row.items()}
    return CampaignAudit(**counts, over_cap=over_cap)


def _is_right(found: CampaignAudit, drivers: int) -> bool:
    share = found.held_out / max(1, drivers - found.control)
    return (
        found.rows == found.drivers == drivers
        and found.queued + found.capped + found.held_out + found.control == drivers
        and abs(share - HOLDOUT_PERMILLE / 1000) < _SHARE_TOLERANCE
        and found.over_cap == 0
    )


def _environment(settings: Settings) -> dict[str, str]:
    return {
        **without_settings(os.environ),
        "DATABASE_URL": settings.require_database_url(),
        "REDIS_URL": settings.require_redis_url(),
        "SESAME_FIELD_KEY": settings.field_key or "",
        "SESAME_INDEX_KEY": settings.index_key or "",
    }


def print_campaign_report(report: CampaignReport, console: Console) -> None:
    """Show the figures to a person."""
    table = Table("a campaign", "")
    for name, value in (
        ("drivers", report.drivers),
        ("seconds until all were selected, capped and queued", f"{report.seconds:.1f}"),
        ("MB of the queueing process", f"{report.process_bytes / 10**6:.0f}"),
        ("MB of PostgreSQL", f"{report.database_bytes / 10**6:.0f}"),
        ("queued", report.whole.queued),
        ("capped", report.whole.capped),
        ("held out", report.whole.held_out),
        ("control group", report.whole.control),
        ("rows of the run that was killed", f"{report.killed.rows}, {report.kills} kills"),
        ("drivers with too many messages", report.killed.over_cap),
    ):
        table.add_row(name, str(value))
    console.print(table)
    console.print("right" if report.is_right else "WRONG", style="bold")

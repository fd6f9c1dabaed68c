"""The bench `exit`: from a frame at the bridge to the order to open, split by step."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from sesame.bench.audit import audit
from sesame.bench.cars import readable_cars
from sesame.bench.cpu_time import cpu_times_ms, per_exit_ms
from sesame.bench.exit_report import ExitReport, ExitRun
from sesame.bench.installation import GATES, BenchInstallation, Migrate, running
from sesame.bench.lane_client import LaneClient
from sesame.bench.load import depart
from sesame.bench.machine import this_machine
from sesame.bench.raw_limit import measure_raw_limit
from sesame.bench.steps import ExitTimes, read_line
from sesame.bench.town import Stay, furnish

# The log comes through a file that the supervisor reads every 50 ms.
LOG_WAIT_S: Final = 5.0
WARM_UP_RATE_PER_S: Final = 4.0
# Connection pools and statement caches fill with the first cars; every figure is of a warm system.
WARM_UP_EXITS: Final = 12

Progress = Callable[[str, int], None]
"""Called with what goes on, and how many cars it has finished (0 where it begins)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitPlan:
    """What to measure.

    Attributes:
        exits: For each rate, its number of cars.
        folder: Where the temporary data folder goes; the system's place if None.
    """

    exits: dict[float, int]
    recognizers: int = 1
    warm_up_exits: int = WARM_UP_EXITS
    folder: Path | None = None


class BridgeLog:
    """The times in the bridge's log, by presentation."""

    def __init__(self) -> None:
        self._times: dict[str, ExitTimes] = {}
        self._news = asyncio.Event()

    def on_line(self, name: str, line: str) -> None:
        """Take in a line of a process's log."""
        found = read_line(line) if name == GATES else None
        if found is not None:
            # A late order is a second decision about the same car: the first one is timed.
            self._times.setdefault(found.presentation_id, found)
            self._news.set()

    async def of(self, presentations: Sequence[UUID]) -> tuple[ExitTimes, ...]:
        """Return the times of presentations, waiting a little for those not yet in the log."""
        names = [str(presentation) for presentation in presentations]
        with suppress(TimeoutError):
            async with asyncio.timeout(LOG_WAIT_S):
                while not all(name in self._times for name in names):
                    self._news.clear()
                    await self._news.wait()
        return tuple(self._times[name] for name in names if name in self._times)


async def measure_exits(plan: ExitPlan, migrate: Migrate, progress: Progress) -> ExitReport:
    """Run the bench.

    Args:
        plan: What to measure.
        migrate: Brings the database at a URL to the newest schema.
        progress: Hears of every step and car.

    Raises:
        ParkingError: a part does not start, or the pictures cannot be read.
    """
    started_s = time.monotonic()
    machine = this_machine(plan.folder or Path(tempfile.gettempdir()))
    progress("the recogniser alone", 0)
    cars = readable_cars()
    log = BridgeLog()
    async with running(
        plan.folder,
        recognizers=plan.recognizers,
        migrate=migrate,
        on_line=log.on_line,
        on_step=lambda what: progress(what, 0),
    ) as installation:
        progress("bare commits", 0)
        raw = await measure_raw_limit(
            installation.database_url, cars.cars[0].pictures[0], cars.frame_ms
        )
        progress("drivers, plates, mandates and cars inside", 0)
        stays = await furnish(installation.context, cars.cars, _cars_wanted(plan))
        warm_up, *runs = await _drive(plan, installation, stays, log, progress)
        books = await audit(installation, stays)
    return ExitReport(
        machine=machine,
        model=cars.model,
        plates=len(cars.cars),
        recognizers=plan.recognizers,
        first_exit_ms=warm_up.times[0].total_ms if warm_up.times else None,
        warm_up_exits=plan.warm_up_exits,
        raw=raw,
        runs=tuple(runs),
        audit=books,
        seconds=time.monotonic() - started_s,
    )


async def _drive(
    plan: ExitPlan,
    installation: BenchInstallation,
    stays: Sequence[Stay],
    log: BridgeLog,
    progress: Progress,
) -> list[ExitRun]:
    """Let the warm-up's cars out, then those of each rate."""
    progress("lanes connect", 0)
    async with AsyncExitStack() as undo:
        lanes = await _connect(undo, installation, stays)
        track = _Track(lanes, installation.process_ids, iter(stays), log, progress)
        runs = [await track.run(WARM_UP_RATE_PER_S, plan.warm_up_exits)]
        for rate_per_s, exits in plan.exits.items():
            runs.append(await track.run(rate_per_s, exits))
    return runs


@dataclass(frozen=True, slots=True)
class _Track:
    """What one run after the other uses; `supply` gives each stay once."""

    lanes: Mapping[UUID, LaneClient]
    process_ids: Mapping[str, int]
    supply: Iterator[Stay]
    log: BridgeLog
    progress: Progress

    async def run(self, rate_per_s: float, exits: int) -> ExitRun:
        """Let the next cars out at a rate."""
        what = f"{rate_per_s:g} exits a second"
        self.progress(what, 0)
        used_before_ms = cpu_times_ms(self.process_ids)
        stale_before = self._stale_orders()
        stays = [next(self.supply) for _ in range(exits)]
        departures = await depart(stays, self.lanes, rate_per_s, lambda: self.progress(what, 1))
        used_ms = cpu_times_ms(self.process_ids)
        times = await self.log.of([passage.presentation_id for passage in departures.passages])
        return ExitRun(
            rate_per_s=rate_per_s,
            departures=departures,
            times=times,
            stale_orders=self._stale_orders() - stale_before,
            cpu_per_exit_ms=per_exit_ms(used_before_ms, used_ms, exits),
        )

    def _stale_orders(self) -> int:
        return sum(lane.stale_orders for lane in self.lanes.values())


async def _connect(
    undo: AsyncExitStack, installation: BenchInstallation, stays: Sequence[Stay]
) -> dict[UUID, LaneClient]:
    lanes = {stay.lane.lane_id: stay.lane for stay in stays}
    clients = {
        lane_id: LaneClient(installation.gates_url, lane, installation.context.clock)
        for lane_id, lane in lanes.items()
    }
    for client in clients.values():
        await undo.enter_async_context(client)
    return clients


def _cars_wanted(plan: ExitPlan) -> int:
    return plan.warm_up_exits + sum(plan.exits.values())

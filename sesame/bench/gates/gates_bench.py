"""Runs the gates bench: a bare peer, then a bridge with thousands of gates."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from parking.flows.context import ParkingContext
from parking.flows.fleet.reading import read_fleet
from parking.flows.fleet.status import LaneState
from sesame.bench.cpu_time import cores_used, cpu_times_ms, per_exit_ms
from sesame.bench.figures import Spread, spread
from sesame.bench.gates.children import Crowds, child, crowds, resident_kib
from sesame.bench.gates.ground import FleetLane, FleetTls, certify_fleet, furnish_fleet
from sesame.bench.gates.open_files import raise_open_files
from sesame.bench.gates.report import Connects, GatesReport, Opens, Storm
from sesame.bench.installation import GATES, Migrate, started_stack, without_settings
from sesame.bench.machine import this_machine
from sesame.embedded.ports import LOOPBACK
from sesame.installation import Installation, install, own_ports, read_settings
from sesame.process_spec import PrintedLine
from sesame.processes import application_processes
from sesame.supervisor import Supervisor
from sesame.wiring import open_context

# Processes that play the gates: one cannot keep up with a bridge.
CROWDS: Final = 2
GATES_OF_ONE_CROWD_MAX: Final = 100
# For each thousand gates: what was made for their sake is gone, and what stays is counted.
SETTLE_S: Final = 1.0
SETTLE_S_MIN: Final = 0.2
# Times as long as it settles: two heartbeats of each gate.
IDLE_SETTLES: Final = 7
WARM_UP_CARS: Final = 40
CONNECTIONS_MAX: Final = 4
HEALTH_LOOKS_MAX: Final = 60
HEALTH_PAUSE_S: Final = 0.5
_PLATE: Final = "京A{:05d}"

Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class GatesPlan:
    """What to measure."""

    gates: int
    rate_per_s: float
    cars: int
    is_tls: bool = False
    folder: Path | None = None

    @property
    def crowds(self) -> int:
        """Return how many processes play the gates."""
        return 1 if self.gates <= GATES_OF_ONE_CROWD_MAX else CROWDS


@dataclass(frozen=True, slots=True)
class _Ground:
    """What runs before the bridge does."""

    context: ParkingContext
    installation: Installation
    supervisor: Supervisor
    lanes: Sequence[FleetLane]
    tls: FleetTls | None
    process_ids: dict[str, int]

    @property
    def url(self) -> str:
        plain = self.installation.gates_url.replace("http", "ws", 1)
        return plain if self.tls is None else plain.replace("ws:", "wss:", 1)

    def bridge_kib(self) -> int:
        """Return the memory of the bridge."""
        return resident_kib(self.supervisor.pid(GATES))


async def measure_gates(plan: GatesPlan, migrate: Migrate, progress: Progress) -> GatesReport:
    """Run the bench.

    Args:
        plan: What to measure.
        migrate: Brings the database at a URL to the newest schema.
        progress: Hears of every step, and of every gate and car that is done.

    Raises:
        InvalidInputError: the system lets a process open too few files.
    """
    started_s = time.monotonic()
    raise_open_files(plan.gates)
    machine = this_machine(plan.folder or Path(tempfile.gettempdir()))
    async with _ground(plan, migrate, progress) as ground:
        progress("bare peer: all connect", 0)
        bare, echo = await _measure_bare(plan, ground)
        progress("bridge", 0)
        await _start_bridge(ground)
        before_kib = ground.bridge_kib()
        async with crowds(plan.crowds, ground.lanes, ground.url, ground.tls, bare=False) as crowd:
            progress("all gates connect", 0)
            connects = await _connect(crowd, plan.gates, before_kib, ground.bridge_kib)
            progress("the bridge is killed; all connect again", plan.gates)
            storm = await _storm(crowd, ground, plan.gates)
            await _settle(plan.gates)
            idle = await _idle_cores(_processes(crowd, ground), plan.gates)
            opens = await _drive(crowd, ground, plan, progress)
            progress("health", 0)
            connected = await _connected_in_health(ground.context, plan.gates)
            await crowd.ask({"do": "close"})
    return GatesReport(
        machine=machine,
        gates=plan.gates,
        crowds=plan.crowds,
        is_tls=plan.is_tls,
        bare=bare,
        bare_round_trip=echo,
        connects=connects,
        storm=storm,
        idle_cores=idle,
        opens=opens,
        connected_in_health=connected,
        seconds=time.monotonic() - started_s,
    )


@asynccontextmanager
async def _ground(plan: GatesPlan, migrate: Migrate, progress: Progress) -> AsyncGenerator[_Ground]:
    async with AsyncExitStack() as undo:
        stack = await started_stack(undo, plan.folder, lambda what: progress(what, 0))
        supervisor = await undo.enter_async_context(Supervisor(stack.folder.logs()))
        await migrate(stack.endpoints.database_url)
        given = without_settings(os.environ) | own_ports(stack.folder)
        installation = install(stack.folder, stack.endpoints, given)
        context = await undo.enter_async_context(
            open_context(read_settings(installation.environment), connections_max=CONNECTIONS_MAX)
        )
        progress("lanes", 0)
        lanes = await furnish_fleet(context, plan.gates, WARM_UP_CARS + plan.cars, lambda _: None)
        tls = None
        if plan.is_tls:
            progress("certificates", 0)
            files = Path(undo.enter_context(tempfile.TemporaryDirectory(dir=plan.folder)))
            tls = await certify_fleet(context, lanes, files, LOOPBACK)
        process_ids = {"postgres": stack.postgres.pid, "valkey": stack.valkey.pid}
        yield _Ground(context, installation, supervisor, lanes, tls, process_ids)


async def _start_bridge(ground: _Ground) -> None:
    environment = dict(ground.installation.environment)
    if ground.tls is not None:
        environment |= {
            "SESAME_GATES_TLS_CERT": str(ground.tls.server),
            "SESAME_GATES_TLS_KEY": str(ground.tls.server_key),
        }
    specs = {spec.name: spec for spec in application_processes(ground.installation)}
    spec = replace(specs[GATES], environment=environment)
    if ground.tls is not None:
        # Its health probe wants a certificate, too.
        spec = replace(spec, ready=PrintedLine("gate_bridge_listens"))
    await ground.supervisor.start(spec)


async def _measure_bare(plan: GatesPlan, ground: _Ground) -> tuple[Connects, Spread | None]:
    tls = ground.tls
    files = () if tls is None else (tls.server, tls.server_key, tls.authority)
    async with child("sesame.bench.gates.bare_peer", plan.gates, *files) as peer:
        port = int(await peer.line())
        url = f"{'ws' if tls is None else 'wss'}://{LOOPBACK}:{port}"
        before_kib = resident_kib(peer.pid)
        async with crowds(plan.crowds, ground.lanes, url, tls, bare=True) as crowd:
            started_s = time.monotonic()
            answers = await crowd.ask({"do": "connect_echoes"})
            seconds = max(max(answer["connected_s"]) for answer in answers) - started_s
            await _settle(plan.gates)
            connects = Connects(plan.gates, seconds, before_kib, resident_kib(peer.pid))
            order = {
                "do": "echo",
                "count": max(1, plan.cars // plan.crowds),
                "rate_per_s": plan.rate_per_s / plan.crowds,
            }
            echoes = await crowd.ask(order)
            await crowd.ask({"do": "close"})
    return connects, spread(took for answer in echoes for took in answer["echo_ms"])


async def _connect(
    crowd: Crowds, gates: int, before_kib: int, memory_kib: Callable[[], int]
) -> Connects:
    started_s = time.monotonic()
    answers = await crowd.ask({"do": "connect"})
    seconds = _last_s(answers) - started_s
    await _settle(gates)
    return Connects(gates, seconds, before_kib, memory_kib())


async def _storm(crowd: Crowds, ground: _Ground, gates: int) -> Storm:
    killed_s = time.monotonic()
    ground.supervisor.kill(GATES)
    waiting = asyncio.create_task(crowd.ask({"do": "connected", "times": 2}))
    await ground.supervisor.wait_ready(GATES)
    down_s = time.monotonic() - killed_s
    answers = await waiting
    return Storm(
        down_s=down_s,
        first_s=min(min(answer["connected_s"]) for answer in answers) - killed_s,
        all_s=_last_s(answers) - killed_s,
        # The first connection took one.
        tries=sum(answer["tries"] for answer in answers) / gates - 1,
    )


async def _drive(crowd: Crowds, ground: _Ground, plan: GatesPlan, progress: Progress) -> Opens:
    progress("warm-up", 0)
    warm_up = [_PLATE.format(number) for number in range(WARM_UP_CARS)]
    await crowd.ask_each(_orders(warm_up, plan))
    what = f"{plan.rate_per_s:g} cars a second"
    progress(what, 0)
    process_ids = _processes(crowd, ground)
    used_before, started_s = cpu_times_ms(process_ids), time.monotonic()
    plates = [_PLATE.format(WARM_UP_CARS + number) for number in range(plan.cars)]
    answers = await crowd.ask_each(_orders(plates, plan))
    used, took_s = cpu_times_ms(process_ids), time.monotonic() - started_s
    progress(what, plan.cars)
    took_ms = [took for answer in answers for took in answer["open_ms"]]
    return Opens(
        rate_per_s=plan.rate_per_s,
        cars=plan.cars,
        opened=len(took_ms),
        stale_orders=sum(answer["stale_orders"] for answer in answers),
        round_trip=spread(took_ms),
        late=spread(late for answer in answers for late in answer["late_ms"]),
        seconds=took_s,
        cpu_each_ms=per_exit_ms(used_before, used, plan.cars),
        first_failures=tuple(told for answer in answers for told in answer["first_failures"]),
    )


def _processes(crowd: Crowds, ground: _Ground) -> dict[str, int]:
    """Return what takes processor time, by name; the bench itself only waits."""
    return {**ground.process_ids, "bridge": ground.supervisor.pid(GATES), **crowd.pids()}


async def _idle_cores(process_ids: Mapping[str, int], gates: int) -> dict[str, float]:
    """Return how many cores each process takes while no car comes."""
    before, started_s = cpu_times_ms(process_ids), time.monotonic()
    await _settle(IDLE_SETTLES * gates)
    return cores_used(before, cpu_times_ms(process_ids), time.monotonic() - started_s)


def _orders(plates: Sequence[str], plan: GatesPlan) -> list[dict[str, Any]]:
    count = plan.crowds
    return [
        {"do": "drive", "plates": plates[number::count], "rate_per_s": plan.rate_per_s / count}
        for number in range(count)
    ]


async def _connected_in_health(context: ParkingContext, gates: int) -> int:
    """Return how many lanes are shown as connected, once it does not become more."""
    connected = 0
    for _ in range(HEALTH_LOOKS_MAX):
        fleet = await read_fleet(context)
        connected = sum(lane.state is LaneState.CONNECTED for lane in fleet.lanes)
        if connected == gates:
            break
        await asyncio.sleep(HEALTH_PAUSE_S)
    return connected


async def _settle(gates: int) -> None:
    await asyncio.sleep(max(SETTLE_S_MIN, SETTLE_S * gates / 1000))


def _last_s(answers: Sequence[dict[str, Any]]) -> float:
    return max(max(answer["connected_s"]) for answer in answers)

"""What is measured: the real processes on servers of their own, for the length of a block."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from parking.flows.context import ParkingContext
from sesame.embedded.stack import DATABASE_SETTING, REDIS_SETTING, Stack
from sesame.installation import Installation, install, own_ports, read_settings
from sesame.process_spec import ProcessSpec
from sesame.processes import application_processes
from sesame.sandbox.processes import Site, prepare, with_stand_ins
from sesame.settings import Settings
from sesame.supervisor import Echo, Supervisor
from sesame.wiring import open_context

GATES: Final = "gates"
RECOGNIZER: Final = "recognizer"
ACQUIRER: Final = "acquirer"
BOOKS_TIMEOUT_S: Final = 10.0
CONNECTIONS_MAX: Final = 4

Migrate = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class BenchInstallation:
    """What runs.

    Attributes:
        context: The domain on the same database, to furnish it and to look at it afterwards.
        gates_url: Where lanes connect.
        database_url: The administrator's.
        process_ids: Of what runs, by name.
    """

    context: ParkingContext
    gates_url: str
    database_url: str
    acquirer_url: str
    process_ids: Mapping[str, int]

    async def captured_minor(self, currency: str) -> int:
        """Return what the stand-in has taken from drivers, by its own books."""
        async with httpx.AsyncClient(timeout=BOOKS_TIMEOUT_S, trust_env=False) as client:
            answer = await client.get(f"{self.acquirer_url}/_books")
        answer.raise_for_status()
        sums: dict[str, dict[str, Any]] = answer.json()["sums"]
        return int(sums.get(currency, {}).get("captured_minor", 0))


@dataclass(frozen=True, slots=True)
class BenchServers:
    """PostgreSQL and Valkey alone, with a migrated database.

    Attributes:
        settings: What opens the domain on them.
        database_url: The administrator's.
    """

    settings: Settings
    database_url: str


@asynccontextmanager
async def servers_alone(
    folder: Path | None, *, migrate: Migrate, on_step: Callable[[str], None]
) -> AsyncGenerator[BenchServers]:
    """Start the servers on a fresh folder, and take all away again.

    Args:
        folder: Where to make the temporary data folder; the system's place if None.
        migrate: Brings the database at a URL to the newest schema.
        on_step: Called with what is being started.
    """
    async with AsyncExitStack() as undo:
        stack = await started_stack(undo, folder, on_step)
        await migrate(stack.endpoints.database_url)
        given = without_settings(os.environ)
        installation = install(stack.folder, stack.endpoints, given | own_ports(stack.folder))
        yield BenchServers(read_settings(installation.environment), stack.endpoints.database_url)


@asynccontextmanager
async def running(
    folder: Path | None,
    *,
    recognizers: int,
    migrate: Migrate,
    on_line: Echo,
    on_step: Callable[[str], None],
) -> AsyncGenerator[BenchInstallation]:
    """Start servers, bridge, recognisers and stand-in on a fresh folder, and take all away again.

    Args:
        folder: Where to make the temporary data folder; the system's place if None.
        recognizers: How many recognition workers.
        migrate: Brings the database at a URL to the newest schema.
        on_line: Called with a process's name and each line of its log.
        on_step: Called with what is being started.
    """
    async with AsyncExitStack() as undo:
        stack = await started_stack(undo, folder, on_step)
        given = without_settings(os.environ)
        supervisor = await undo.enter_async_context(Supervisor(stack.folder.logs(), on_line))
        await migrate(stack.endpoints.database_url)
        on_step("stand-in, gate bridge and recogniser")
        installation = install(stack.folder, stack.endpoints, given | own_ports(stack.folder))
        site = Site(stack.folder, installation.environment, api_url=None)
        stand_ins = prepare(site, (ACQUIRER,))
        acquirer = stand_ins[ACQUIRER]
        await supervisor.start(acquirer.spec)
        environment = with_stand_ins(
            {**installation.environment, "SESAME_LOG_FORMAT": "json"}, stand_ins
        )
        processes = _processes(installation, environment, recognizers)
        for process in processes:
            await supervisor.start(process)
        context = await undo.enter_async_context(
            open_context(read_settings(environment), connections_max=CONNECTIONS_MAX)
        )
        yield BenchInstallation(
            context,
            installation.gates_url.replace("http", "ws", 1),
            stack.endpoints.database_url,
            acquirer.url,
            {
                "postgres": stack.postgres.pid,
                "valkey": stack.valkey.pid,
                **{each.name: supervisor.pid(each.name) for each in (acquirer.spec, *processes)},
            },
        )


async def started_stack(
    undo: AsyncExitStack, folder: Path | None, on_step: Callable[[str], None]
) -> Stack:
    """Start servers of their own, whatever the environment names: a bench fills them."""
    data = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="sesame-bench-", dir=folder)))
    undo.callback(_remove_moved_data, data)
    on_step("PostgreSQL and Valkey")
    stack = Stack(data, settings={})
    await asyncio.to_thread(stack.start)
    undo.push_async_callback(asyncio.to_thread, stack.stop)
    return stack


def _processes(
    installation: Installation, environment: Mapping[str, str], recognizers: int
) -> list[ProcessSpec]:
    """Return bridge and recognisers just as `sesame up` starts them, less API and job worker."""
    ready = Installation(environment, installation.api_url, installation.gates_url)
    specs = {spec.name: spec for spec in application_processes(ready)}
    more = [
        ProcessSpec(f"{RECOGNIZER}-{number}", spec.argv, spec.environment, spec.ready)
        for spec in [specs[RECOGNIZER]]
        for number in range(2, recognizers + 1)
    ]
    return [specs[GATES], specs[RECOGNIZER], *more]


def _remove_moved_data(data: Path) -> None:
    """Remove what a server keeps elsewhere, because its account could not enter the folder."""
    for link in data.iterdir():
        if link.is_symlink():
            shutil.rmtree(link.resolve().parent)


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without anything that would lead to other servers."""
    servers = {DATABASE_SETTING, REDIS_SETTING}
    return {
        name: value
        for name, value in environment.items()
        if name not in servers and not name.startswith("SESAME_")
    }

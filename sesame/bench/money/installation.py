"""Everything real, and everything that may be broken: servers, processes, providers."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from parking.events.bus import open_valkey
from parking.flows.context import ParkingContext
from sesame.bench.installation import (
    Migrate,
    started_stack,
    without_settings,
)
from sesame.bench.money.books import Books, read_books
from sesame.bench.money.faults import DELAY_MS, Fault, Kind
from sesame.embedded.stack import Stack
from sesame.installation import install, own_ports, read_settings
from sesame.processes import application_processes
from sesame.sandbox.processes import Site, StandIn, prepare, with_stand_ins
from sesame.supervisor import Echo, ProcessDownError, Supervisor
from sesame.wiring import open_context

CONNECTIONS_MAX: Final = 10
BOOKS_TIMEOUT_S: Final = 10.0
BANK: Final = "gocardless"
BANK_DAYS: Final = 6
CONTROL_TRIES_MAX: Final = 40
CONTROL_PAUSE_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class MoneyInstallation:
    """What runs.

    Attributes:
        context: The domain on the same database, in this process, which nothing kills.
        gates_url: Where lanes connect.
    """

    context: ParkingContext
    gates_url: str
    stack: Stack
    supervisor: Supervisor
    stand_ins: Mapping[str, StandIn]
    processes: Sequence[str]
    client: httpx.AsyncClient

    async def books(self) -> dict[str, Books]:
        """Return every provider's own books."""
        found: dict[str, Books] = {}
        for name, stand_in in self.stand_ins.items():
            answer = await self.client.get(f"{stand_in.url}/_books")
            answer.raise_for_status()
            found[name] = read_books(answer.json())
        return found

    async def play(self, fault: Fault) -> bool:
        """Break something; returns whether it was there to be broken."""
        match fault.kind:
            case Kind.KILL:
                return self._kill(fault.target)
            case Kind.PROVIDER:
                return await self._control(
                    fault.target,
                    {
                        "scenario": fault.scenario,
                        "operation": fault.operation,
                        "delay_ms": DELAY_MS,
                    },
                )
            case Kind.RESTART_DATABASE:
                await asyncio.to_thread(self.stack.postgres.kill)
                await asyncio.to_thread(self.stack.postgres.restart)
                return True
            case Kind.FLUSH_VALKEY:
                # The library's own annotations leave the answer's type open.
                redis: Any = open_valkey(self.stack.endpoints.redis_url)
                try:
                    await redis.flushall()
                finally:
                    await redis.aclose()
                return True

    async def calm(self) -> None:
        """Let providers behave, and wait until every process is up again."""
        for name in self.stand_ins:
            await self.supervisor.wait_ready(name)
            await self._control(name, {"clear": True})
        for name in self.processes:
            await self.supervisor.wait_ready(name)

    async def pass_days(self) -> None:
        """Let banks take their time, which is days."""
        if BANK in self.stand_ins:
            await self._control(BANK, {"days": {"count": BANK_DAYS}})

    def _kill(self, name: str) -> bool:
        try:
            self.supervisor.kill(name)
        except ProcessDownError:
            return False
        return True

    async def _control(self, name: str, wish: Mapping[str, object]) -> bool:
        url = f"{self.stand_ins[name].url}/_control"
        for _ in range(CONTROL_TRIES_MAX):
            try:
                answer = await self.client.post(url, json=wish)
            except httpx.HTTPError:
                # It was killed a moment ago.
                await asyncio.sleep(CONTROL_PAUSE_S)
                continue
            # A provider that has no such call says so.
            return answer.is_success
        return False


@asynccontextmanager
async def running(
    folder: Path | None,
    providers: Sequence[str],
    *,
    migrate: Migrate,
    on_line: Echo,
    on_step: Callable[[str], None],
) -> AsyncGenerator[MoneyInstallation]:
    """Start everything on a fresh folder, and take all away again.

    Args:
        folder: Where to make the temporary data folder; the system's place if None.
        providers: Whose stand-ins.
        migrate: Brings the database at a URL to the newest schema.
        on_line: Called with a process's name and each line of its log.
        on_step: Called with what is being started.
    """
    async with AsyncExitStack() as undo:
        stack = await started_stack(undo, folder, on_step)
        supervisor = await undo.enter_async_context(Supervisor(stack.folder.logs(), on_line))
        await migrate(stack.endpoints.database_url)
        given = without_settings(os.environ)
        installation = install(stack.folder, stack.endpoints, given | own_ports(stack.folder))
        site = Site(stack.folder, installation.environment, installation.api_url)
        stand_ins = prepare(site, providers)
        on_step(f"{len(stand_ins)} providers' stand-ins")
        await asyncio.gather(*(supervisor.start(each.spec) for each in stand_ins.values()))
        environment = with_stand_ins(
            {**installation.environment, "SESAME_LOG_FORMAT": "json"}, stand_ins
        )
        on_step("api, gate bridge, job worker and recogniser")
        ready = type(installation)(environment, installation.api_url, installation.gates_url)
        specs = application_processes(ready)
        await asyncio.gather(*(supervisor.start(spec) for spec in specs))
        context = await undo.enter_async_context(
            open_context(read_settings(environment), connections_max=CONNECTIONS_MAX)
        )
        client = await undo.enter_async_context(
            httpx.AsyncClient(timeout=BOOKS_TIMEOUT_S, trust_env=False)
        )
        yield MoneyInstallation(
            context=context,
            gates_url=installation.gates_url.replace("http", "ws", 1),
            stack=stack,
            supervisor=supervisor,
            stand_ins=stand_ins,
            processes=tuple(spec.name for spec in specs),
            client=client,
        )

"""Cars leave while everything breaks; then there is a minute to come to rest."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from parking.kit.errors import ParkingError, UnavailableError
from sesame.bench.money.audit import MoneyAudit, audit
from sesame.bench.money.exits import (
    PAGE_TIMEOUT_S,
    Departure,
    ExitGate,
    open_gate,
    pay_before,
)
from sesame.bench.money.faults import Fault, FaultPlan, Kind
from sesame.bench.money.installation import MoneyInstallation
from sesame.bench.money.street import Parked, Street

# What the books have, after the last fault, to say the same.
RECOVERY_S_MAX: Final = 60.0
LOOK_S: Final = 1.0
FAULT_PAUSE_S: Final = 0.02
# People who pay before leaving do it while others leave, so many at a time.
PAYING_BEFORE_MAX: Final = 2

Progress = Callable[[str, int], None]
"""Called with what goes on, and how many cars are out since the last call."""


@dataclass(slots=True)
class Played:
    """What happened.

    Attributes:
        played: How often each fault came: a killed process by its name, a provider's by scenario.
        departures: What became of each car.
        seconds: Until the last car was out.
        recovered_s: From the last fault until all books agreed; None if they did not in time.
    """

    played: Counter[str] = field(default_factory=Counter[str])
    departures: list[Departure] = field(default_factory=list[Departure])
    seconds: float = 0.0
    recovered_s: float | None = None
    last_fault_s: float = 0.0


class Chaos:
    """One run."""

    def __init__(self, installation: MoneyInstallation, street: Street, progress: Progress) -> None:
        self._installation = installation
        self._street = street
        self._progress = progress
        self._played = Played(last_fault_s=time.monotonic())
        self._out = asyncio.Condition()

    async def play(self, plan: FaultPlan, folder: Path) -> Played:
        """Let every car out while the plan's faults come."""
        started_s = time.monotonic()
        queues = {gate.lane_id: deque[Parked]() for gate in self._street.gates}
        for parked in self._street.parked:
            queues[parked.gate.lane_id].append(parked)
        async with AsyncExitStack() as undo:
            client = await undo.enter_async_context(
                httpx.AsyncClient(timeout=PAGE_TIMEOUT_S, trust_env=False)
            )
            gates = [
                await undo.enter_async_context(
                    open_gate(
                        self._installation.gates_url,
                        gate,
                        self._installation.context,
                        folder,
                        client,
                    )
                )
                for gate in self._street.gates
            ]
            breaking = asyncio.create_task(self._break(plan.faults()))
            limit = asyncio.Semaphore(PAYING_BEFORE_MAX)
            async with asyncio.TaskGroup() as group:
                for gate in gates:
                    group.create_task(self._leave(gate, queues[gate.gate.lane_id], client, limit))
            await breaking
        self._played.seconds = time.monotonic() - started_s
        return self._played

    async def recover(self) -> MoneyAudit:
        """Wait until all books agree, at most RECOVERY_S_MAX after the last fault; audit them."""
        await self._installation.calm()
        until_s = self._played.last_fault_s + RECOVERY_S_MAX
        while True:
            found = await self._look()
            now_s = time.monotonic()
            if found is not None and found.is_right:
                self._played.recovered_s = now_s - self._played.last_fault_s
                return found
            if found is not None and now_s > until_s:
                return found
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> MoneyAudit | None:
        """Audit once; None where a connection of before a restart was met."""
        try:
            await self._installation.pass_days()
            return await audit(self._installation, self._street, self._played.departures)
        except UnavailableError:
            return None

    async def _leave(
        self,
        gate: ExitGate,
        queue: deque[Parked],
        client: httpx.AsyncClient,
        limit: asyncio.Semaphore,
    ) -> None:
        while queue:
            parked = queue.popleft()
            if parked.pays_before:
                async with limit:
                    with suppress(ParkingError, httpx.HTTPError):
                        await pay_before(self._installation.context, client, parked)
            departure = await gate.let_out(parked)
            async with self._out:
                self._played.departures.append(departure)
                self._out.notify_all()
            self._progress("cars leave while everything breaks", 1)

    async def _break(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            async with self._out:
                await self._out.wait_for(
                    lambda fault=fault: len(self._played.departures) >= fault.after_exits
                )
            if await self._installation.play(fault):
                name = fault.scenario if fault.kind is Kind.PROVIDER else fault.target
                self._played.played[f"{fault.kind}:{name}".rstrip(":")] += 1
                self._played.last_fault_s = time.monotonic()
            await asyncio.sleep(FAULT_PAUSE_S)
